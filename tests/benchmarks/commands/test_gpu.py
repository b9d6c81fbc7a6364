import sys
import time
import warnings
from pathlib import Path

import pytest
import torch

from benchmarks.commands import gpu
from benchmarks.commands.gpu import PACKAGES, GpuRequest, main, measure_studies
from benchmarks.layout import Layout
from benchmarks.machine.subprocess_worker import Outcome
from benchmarks.probes import machine
from benchmarks.probes.machine import Machine
from benchmarks.probes.prober import Prober
from benchmarks.probes.records import FOLDER, read_records
from benchmarks.probes.runner import ProbeOptions
from benchmarks.studies.registry import STUDIES
from benchmarks.study import Study
from benchmarks.workload import Probe


@pytest.mark.parametrize(
    ("warning", "cuda", "reason"),
    [
        ("The NVIDIA driver on your system is too old", "12.4", "The NVIDIA driver on your system is too old"),
        (None, "12.4", "nvidia-smi and CUDA_VISIBLE_DEVICES"),
        (None, None, f"torch {torch.__version__} is built without CUDA"),
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
    output = capsys.readouterr()
    (line,) = output.err.splitlines()
    assert line.startswith("python -m benchmarks.commands.gpu: ")
    assert reason in line
    assert output.out == ""


def test_a_limit_is_above_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--limit-minutes", "0"]) == 2
    assert "--limit-minutes 0: give a number above 0" in capsys.readouterr().err


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[Study], GpuRequest]]:
    """Arguments of the calls that would measure."""
    calls: list[tuple[str, list[Study], GpuRequest]] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(gpu, "measure_studies", lambda *arguments: not calls.append(arguments))
    return calls


def test_the_command_measures_every_study(tmp_path: Path, calls: list[tuple[str, list[Study], GpuRequest]]) -> None:
    assert main(["--results", str(tmp_path), "--limit-minutes", "2"]) == 0
    assert main(["--retry-failed"]) == main(["--shared"]) == 0
    device, studies, request = calls[0]
    command = f"python -m benchmarks.commands.gpu --results {tmp_path} --limit-minutes 2"
    assert (device, request) == ("cuda:0", GpuRequest(tmp_path, 120, command, ProbeOptions()))
    assert [study.name for study in studies] == list(STUDIES)
    options = [request.options for _, _, request in calls[1:]]
    assert options == [ProbeOptions(retry_failed=True), ProbeOptions(shared=True)]


class FakeGpu:
    """A GPU that answers each probe in 50 s of a clock of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.answered: list[Probe] = []

    def detect(self, device: str, command: str, limit_s: float) -> Machine:
        return Machine("NVIDIA H100", device, {"command": command})

    def answer(self, prober: Prober, probe: Probe, limit_s: float) -> Outcome:
        self.now += min(50, limit_s)
        self.answered.append(probe)
        return Outcome({"allocated_bytes": 1}) if limit_s >= 50 else Outcome(failure="no result")


@pytest.fixture
def fake_gpu(monkeypatch: pytest.MonkeyPatch) -> FakeGpu:
    fake = FakeGpu()
    monkeypatch.setattr(machine, "detect", fake.detect)
    monkeypatch.setattr(Prober, "answer", lambda *arguments: fake.answer(*arguments))
    monkeypatch.setattr(time, "monotonic", lambda: fake.now)
    return fake


PROBES = [Probe("memory", "c", "cube", (16, 16, 16), "inference", locations=2**power) for power in range(3)]
STUDY = Study(Layout("one", ""), measured=lambda device_type: PROBES)


def test_the_time_to_go_is_shown_and_calls_of_a_few_minutes_come_to_the_end(
    tmp_path: Path, fake_gpu: FakeGpu, capsys: pytest.CaptureFixture[str]
) -> None:
    # Without records no folder is named.
    assert not measure_studies("cuda:0", [STUDY], GpuRequest(tmp_path, 20, "make gpu", ProbeOptions()))
    assert str(tmp_path / FOLDER) not in capsys.readouterr().out
    fake_gpu.answered.clear()
    request = GpuRequest(tmp_path, 120, "make gpu", ProbeOptions())
    assert not measure_studies("cuda:0", [STUDY], request)
    output = capsys.readouterr()
    to_go = [line.split(": ")[0].removesuffix(" to go").split()[-1] for line in output.err.splitlines()]
    assert to_go == ["yet", "1:10", "0:20"]
    assert "1 probes did not fit in 2 minutes" in output.out
    assert str(tmp_path / FOLDER) in output.out
    assert measure_studies("cuda:0", [STUDY], request)
    assert fake_gpu.answered == [*PROBES, PROBES[2]]
    assert [record.probe for record in read_records(tmp_path, ["one"])] == PROBES


@pytest.mark.parametrize("missing", [["torch"], ["pandas", "pynvml"]])
def test_packages_that_are_not_there_are_named(
    missing: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu, "find_spec", lambda module: None if module in missing else module)
    assert main([]) == 2
    names = [PACKAGES[module] for module in missing]
    (line,) = capsys.readouterr().err.splitlines()
    assert f"lacks {', '.join(names)}; use `{sys.executable} -m pip install {' '.join(names)}`" in line
