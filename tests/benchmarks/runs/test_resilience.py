"""Whatever happens to sweeps, they lead to the tables of an undisturbed one, byte for byte."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

import psutil
import pytest

from benchmarks.runs.run_folder import is_locked
from benchmarks.studies.table1 import TABLE1
from benchmarks.study import Point
from ossnet.training.profile import Profile

KILLS = int(os.environ.get("OSSNET_KILLS", "2"))
"""Number of kills; the tests of a release take 20."""

RUNS, SEEDS = max(4, KILLS), list(range(max(2, 1 + KILLS // 3)))
"""Few enough runs that a sweep takes seconds, and so many that it can be killed often enough."""

SWEEP = f"""
import sys
from dataclasses import replace

from benchmarks.studies import registry as studies
from benchmarks.__main__ import main
from benchmarks.studies.table1 import TABLE1

def grid(profile):
    return [point for point in TABLE1.grid(profile) if point.columns["locations"] == 2**13][:{RUNS}]

studies.STUDIES = {{"table1": replace(TABLE1, grid=grid)}}
sys.exit(main(["run", "table1", *sys.argv[1:]]))
"""
"""A sweep in a process of its own; see also `sweep_here`."""


def start(profile: Path, data: Path, results: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", SWEEP, "--data", str(data)]
    return subprocess.Popen(
        [*command, "--profile", str(profile), "--results", str(results)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def workers(results: Path) -> list[int]:
    """Find the processes that write a log there, whichever sweep started them."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # It has ended meanwhile, or is another user's.
            if any(file.fd == 1 and Path(file.path).is_relative_to(results) for file in process.open_files()):
                found.append(process.pid)
    return found


def kill(victims: list[int]) -> None:
    for victim in victims:
        with suppress(ProcessLookupError):  # It has ended meanwhile.
            os.kill(victim, signal.SIGKILL)


def progress(results: Path) -> int:
    """Count how far runs are: epochs that were trained, and runs that are done."""
    epochs = sum(len(path.read_bytes().splitlines()) - 1 for path in results.rglob("history.csv"))
    return epochs + sum(1 for _ in results.glob("runs/*/result.json"))


def wait_for_progress(results: Path, goal: int, seconds: float) -> None:
    """Wait until runs are so far, but no longer than some seconds."""
    end = time.monotonic() + seconds
    while progress(results) < goal and time.monotonic() < end:
        time.sleep(0.02)


def tables_of(results: Path) -> dict[str, bytes]:
    """Read all tables but those of costs, which differ from sweep to sweep."""
    tables = {path.name: path.read_bytes() for path in (results / "tables").iterdir()}
    of_costs = {name for name in tables if "-cost." in name}
    assert len(of_costs) == 3
    return {name: table for name, table in tables.items() if name not in of_costs}


@pytest.fixture(scope="module")
def profile(tiny_profile: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("profile") / tiny_profile.name
    path.write_text(tiny_profile.read_text().replace("seeds = [0, 1]", f"seeds = {SEEDS}"))
    return path


@pytest.fixture
def sweep_here(run_tiny: Callable[..., int], profile: Path, use_studies: Callable[..., None]) -> Callable[[Path], int]:
    """Run the same sweep in this process, whose workers need not be started with all imports anew."""

    def grid(profile: Profile) -> list[Point]:
        return [point for point in TABLE1.grid(profile) if point.columns["locations"] == 2**13][:RUNS]

    use_studies(replace(TABLE1, grid=grid))
    return lambda results: run_tiny(results, profile=profile)


@pytest.fixture(scope="module")
def left_alone(profile: Path, data_csv: Path, swept: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a sweep that nothing disturbs: of the one that many tests share, where it has as many runs."""
    if (RUNS, SEEDS) == (4, [0, 1]):
        return swept
    results = tmp_path_factory.mktemp("left-alone")
    assert start(profile, data_csv, results).wait() == 0
    return results


def test_killed_at_random_moments(
    profile: Path, data_csv: Path, left_alone: Path, tmp_path: Path, sweep_here: Callable[[Path], int]
) -> None:
    draw = random.Random(0)
    # However fast the machine is, there is enough left to do for every kill.
    share = max(1, progress(left_alone) // (2 * KILLS))
    for victim in islice(cycle(["worker", "all", "sweep"]), KILLS):
        sweep = start(profile, data_csv, tmp_path)
        wait_for_progress(tmp_path, progress(tmp_path) + draw.randint(1, share), draw.uniform(2.0, 8.0))
        assert sweep.poll() is None
        # A worker under its sweep's eyes, and then that alone, whose other workers outlive it; or all at once, as in a
        # power cut; or only the sweep.
        match victim:
            case "worker":
                kill(workers(tmp_path)[:1])
                wait_for_progress(tmp_path, progress(tmp_path) + 1, draw.uniform(0.0, 1.0))
                kill([sweep.pid])
            case "all":
                kill([sweep.pid, *workers(tmp_path)])
            case "sweep":
                kill([sweep.pid])
        sweep.wait()
    assert sweep_here(tmp_path) == 0
    assert tables_of(tmp_path) == tables_of(left_alone)
    folders = [folder for kind in ("runs", "trainings") for folder in (tmp_path / kind).iterdir()]
    assert not [folder for folder in folders if is_locked(folder)]


def test_two_at_once_in_one_folder(
    profile: Path, data_csv: Path, left_alone: Path, tmp_path: Path, sweep_here: Callable[[Path], int]
) -> None:
    other = start(profile, data_csv, tmp_path)
    # The second sweep finds runs that the first is at work on, and runs that both still want.
    wait_for_progress(tmp_path, 1, 300)
    assert other.poll() is None
    assert sweep_here(tmp_path) == 0
    assert other.wait() == 0
    assert tables_of(tmp_path) == tables_of(left_alone)
    for path in tmp_path.glob("*/*/provenance.json"):
        # No run was made twice, and no training.
        assert len(json.loads(path.read_text())["attempts"]) == 1
