"""The command that `torchrun` starts in two processes: one training, one report, one error."""

import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch.distributed as dist

from ossnet.cli.__main__ import main
from ossnet.training.checkpoint import load_checkpoint
from ossnet.training.run import read_spec

TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "ossnet.cli"]


@pytest.fixture
def command(
    data_csv: Path, tiny: Callable[[str], dict[str, Any]], as_options: Callable[[dict[str, Any]], list[str]]
) -> list[str]:
    options = as_options(tiny("c"))
    return ["train", "--data", str(data_csv), "--model", "c", "--device", "cpu", "--cache", "cache", *options]


def torchrun(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *TORCHRUN, *arguments], cwd=folder, capture_output=True, text=True, timeout=300
    )


def test_one_training_with_the_identity_of_one_process(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = torchrun([*command, "--out", "two"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("two: best epoch ")
    assert done.stdout.count("\n") == 1
    assert done.stderr.count("training c on own: done in ") == 1
    monkeypatch.chdir(tmp_path)
    assert main([*command, "--out", "one"]) == 0
    assert read_spec(Path("one")) == read_spec(Path("two"))
    one, two = (load_checkpoint(Path(folder, "checkpoint.pt")) for folder in ("one", "two"))
    assert one["identity"] == two["identity"]
    assert [past["loss"] for past in one["history"]] == pytest.approx([past["loss"] for past in two["history"]], 1e-3)
    assert {path.name for path in Path("one").iterdir()} == {path.name for path in Path("two").iterdir()}


def test_a_mistake_is_reported_once(command: list[str], forkserver: None, tmp_path: Path) -> None:
    """By two processes with the environment and the store that `torchrun` gives them, forked, which takes a moment."""
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "WORLD_SIZE": "2"}
    shared |= {f"TORCHELASTIC_{name}": "1" for name in ("RUN_ID", "RESTART_COUNT")}
    shared["TORCHELASTIC_USE_AGENT_STORE"] = "True"
    mistaken = [*command, "--out", str(tmp_path / "run"), "--set", "recipe.batch_size=3"]
    ranks = [shared | {"RANK": rank, "LOCAL_RANK": rank} for rank in "01"]
    arguments = [(__file__, {"ARGUMENTS": (rank, mistaken, tmp_path)}, "process") for rank in ranks]
    processes = [get_context("forkserver").Process(target=runpy.run_path, args=each, daemon=True) for each in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [2, 2]
    assert [(tmp_path / f"{rank}.out").read_text() for rank in "01"] == ["", ""]
    (line,) = [line for rank in "01" for line in (tmp_path / f"{rank}.err").read_text().splitlines()]
    assert line.startswith("ossnet: ")
    assert "recipe.batch_size = 3" in line
    assert not (tmp_path / "run").exists()


def run_as_a_process_of_torchrun(environment: dict[str, str], arguments: list[str], folder: Path) -> int:
    """Run a command as one of several processes, whose output goes to files."""
    os.environ.update(environment)
    for stream, ending in ((sys.stdout, "out"), (sys.stderr, "err")):
        with (folder / f"{environment['RANK']}.{ending}").open("wb") as file:
            os.dup2(file.fileno(), stream.fileno())
    return main(arguments)


if __name__ == "process":
    sys.exit(run_as_a_process_of_torchrun(*globals()["ARGUMENTS"]))
