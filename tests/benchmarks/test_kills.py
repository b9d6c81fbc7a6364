"""A sweep that is killed at random moments comes to the tables of one that is left alone, byte for byte."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.runs import is_locked

KILLS = int(os.environ.get("OSSNET_KILLS", "3"))
"""More of them take longer; the tests of a release take 20."""


def start(profile: Path, data: Path, results: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "benchmarks", "run", "table1", "--data", str(data)]
    return subprocess.Popen(
        [*command, "--profile", str(profile), "--results", str(results)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def workers(results: Path) -> list[int]:
    """Processes that are at work on runs there, whichever sweep started them."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode()
        except OSError:
            continue  # It has ended meanwhile.
        if "submitit" in command and str(results) in command:
            found.append(int(process.name))
    return found


def kill(victims: list[int]) -> None:
    for victim in victims:
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            continue  # It has ended meanwhile.


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds workers in /proc, which this system has not")
def test_killed_at_random_a_sweep_comes_to_the_same_tables(tiny_profile: Path, data_csv: Path, tmp_path: Path) -> None:
    profile = tmp_path / "one.toml"
    seeds = list(range(1 + KILLS // 10))
    profile.write_text(tiny_profile.read_text().replace("seeds = [0, 1]", f"seeds = {seeds}"))
    left_alone, killed = tmp_path / "left-alone", tmp_path / "killed"
    assert start(profile, data_csv, left_alone).wait() == 0

    draw = random.Random(0)
    kills = 0
    while kills < KILLS:
        sweep = start(profile, data_csv, killed)
        try:
            sweep.wait(draw.uniform(2.0, 8.0))
        except subprocess.TimeoutExpired:
            kills += 1
        else:
            break
        # The sweep alone, whose workers outlive it; or all at once, as in a power cut; or a worker under its eyes.
        match draw.choice(["sweep", "all", "worker"]):
            case "sweep":
                kill([sweep.pid])
            case "all":
                kill([sweep.pid, *workers(killed)])
            case "worker":
                kill(workers(killed)[:1])
                time.sleep(1)
                kill([sweep.pid])
        sweep.wait()
    assert kills == KILLS
    assert start(profile, data_csv, killed).wait() == 0

    tables = sorted(path.name for path in (left_alone / "tables").iterdir())
    assert tables == sorted(path.name for path in (killed / "tables").iterdir())
    for name in tables:
        assert (killed / "tables" / name).read_bytes() == (left_alone / "tables" / name).read_bytes(), name
    assert not [folder for folder in (killed / "runs").iterdir() if is_locked(folder)]
