"""The command that `torchrun` starts in two processes: one training, one report, one error."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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


def test_a_mistake_is_reported_once(command: list[str], tmp_path: Path) -> None:
    done = torchrun([*command, "--out", "run", "--set", "recipe.batch_size=3"], tmp_path)
    assert done.returncode != 0
    assert done.stdout == ""
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("ossnet: ")]
    assert "recipe.batch_size = 3" in line
    assert not (tmp_path / "run").exists()
