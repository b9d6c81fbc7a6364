import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.commands import gpu
from benchmarks.commands.gpu import PACKAGES, main
from benchmarks.probes import measure_all
from benchmarks.studies.probe_registry import EFFICIENCY_STUDIES


@pytest.mark.parametrize(
    ("warning", "cuda", "reason"),
    [
        ("The NVIDIA driver on your system is too old", "12.4", "The NVIDIA driver on your system is too old"),
        (None, "12.4", "its driver shows none; see nvidia-smi and CUDA_VISIBLE_DEVICES"),
        (None, None, f"torch {torch.__version__} is built without CUDA; install a build with it"),
    ],
)
def test_without_a_gpu_one_line_says_why(
    warning: str | None,
    cuda: str | None,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def unavailable() -> bool:
        if warning is not None:
            warnings.warn(warning, stacklevel=1)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", unavailable)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(torch.version, "hip", None)
    assert main([]) == 2
    told = capsys.readouterr()
    assert told.err == f"python -m benchmarks.commands.gpu: no GPU that torch can use: {reason}\n"
    assert told.out == ""


def test_a_limit_is_above_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--limit-minutes", "0"]) == 2
    assert "--limit-minutes 0.0: give a number above 0" in capsys.readouterr().err


def test_the_command_measures_every_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(measure_all, "run_all", lambda *arguments: not asked.append(arguments))
    assert main(["--results", str(tmp_path), "--limit-minutes", "2"]) == 0
    ((device, studies, results, limit_s, command, retry_failed, shared),) = asked
    assert (device, results, limit_s, retry_failed, shared) == ("cuda:0", tmp_path, 120, False, False)
    assert command == f"python -m benchmarks.commands.gpu --results {tmp_path} --limit-minutes 2"
    assert [one.name for one in studies] == list(EFFICIENCY_STUDIES)


def test_its_options_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(measure_all, "run_all", lambda *arguments: asked.extend(arguments[-2:]))
    assert main(["--retry-failed"]) == main(["--shared"]) == 1
    assert asked == [True, False, False, True]


@pytest.mark.parametrize("missing", [["torch"], ["pandas", "pynvml"], list(PACKAGES)])
def test_packages_that_are_not_there_are_named(
    missing: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu, "find_spec", lambda module: None if module in missing else module)
    assert main([]) == 2
    names = [PACKAGES[module] for module in missing]
    assert capsys.readouterr().err == (
        f"python -m benchmarks.commands.gpu: this Python has no {', '.join(names)}: {sys.executable} -m pip install "
        f"{' '.join(names)}, or name another Python that has all of them (make gpu PYTHON=...)\n"
    )


def test_the_most_important_is_measured_first_and_with_the_batches_of_the_paper() -> None:
    assert list(EFFICIENCY_STUDIES) == ["table3", "figure5", "figure6", "scaling", "whole"]
    training = [probe for probe in EFFICIENCY_STUDIES["table3"].measured("cuda") if probe.phase == "training"]
    assert {probe.batch_size for probe in training if (probe.model, probe.dataset) == ("c", "brats")} == {1, 8}
    assert {probe.batch_size for probe in training if (probe.model, probe.dataset) == ("c", "lits")} == {1, 4}
