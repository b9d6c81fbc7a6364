"""A whole sweep on a real SLURM, whose worker is killed once, against the same sweep on this machine."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks.runs.run_folder import is_locked
from benchmarks.runs.slurm import SlurmSettings
from benchmarks.study import Study
from ossnet.config import plain


def holder_of(lock: Path) -> int | None:
    """Find the process that has a lock file open."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # It has ended meanwhile, or is another user's.
            if any(Path(file.path) == lock for file in process.open_files()):
                return process.pid
    return None


def kill_one_worker(trainings: Path, killed: list[int]) -> None:
    """Kill the first worker that has trained an epoch, without a chance to tidy up."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for folder in trainings.glob("*"):
            worker = holder_of(folder / "lock") if is_locked(folder) else None
            if worker is not None and (folder / "checkpoint.pt").exists():
                os.kill(worker, signal.SIGKILL)
                killed.append(worker)
                return
        time.sleep(0.02)


def records(results: Path) -> list[dict[str, Any]]:
    """Read the records without their provenance."""
    rows = [json.loads(line) for line in (results / "records" / "table1-own-tiny.jsonl").read_text().splitlines()]
    for row in rows:
        del row["provenance"], row["training"]["provenance"]
    return rows


def test_a_cluster_comes_to_the_records_of_this_machine(
    slurm_cluster: SlurmSettings,
    finished: Path,
    run_tiny: Callable[..., int],
    tiny_profile: Path,
    tiny_study: Study,
    use_studies: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Each worker imports all that it needs, which takes ten times longer than its run: one run is enough.
    use_studies(replace(tiny_study, grid=lambda profile: tiny_study.grid(profile)[:1]))
    assert run_tiny(finished) == 0
    settings = plain(slurm_cluster) | {"memory_gb": 4}
    options = {name: value for name, value in settings.items() if value not in (None, [], {})}
    table = "\n".join(f"{name} = {json.dumps(value)}" for name, value in options.items())
    profile = tmp_path / "tiny.toml"
    profile.write_text(f"{tiny_profile.read_text()}\n[slurm]\n{table}\n")

    killed: list[int] = []
    cluster = tmp_path / "cluster"
    killer = threading.Thread(target=kill_one_worker, args=(cluster / "trainings", killed))
    killer.start()
    assert run_tiny(cluster, "--executor", "slurm", profile=profile) == 0
    killer.join()
    assert len(killed) == 1
    assert "started again" in capsys.readouterr().err
    assert records(cluster) == records(finished)
    (provenance,) = (cluster / "trainings").glob("*/provenance.json")
    first, second = json.loads(provenance.read_text())["attempts"]
    assert first["slurm"]["job_id"] != second["slurm"]["job_id"]
    for name in ("table1.md", "table1.csv"):
        assert (cluster / "tables" / name).read_bytes() == (finished / "tables" / name).read_bytes()
