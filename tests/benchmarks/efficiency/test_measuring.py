import math
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import active_children
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from benchmarks.efficiency import measuring
from benchmarks.efficiency.measuring import (
    OOM,
    Outcome,
    describe_machine,
    in_own_process,
    measure_probe,
    predict_probe,
    workload_of,
)
from benchmarks.efficiency.probe import Probe
from benchmarks.nvml import UsedMemory
from benchmarks.timing import Timing
from ossnet.workload import Workload

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)

TRAINING = Probe("memory", "c", "cube", (16, 16, 16), "training", locations=32, batch_size=2)
SLICES = Probe("memory", "unet2d-depth", "brats", (32, 32, 32), "training", batch_size=3)
RUNTIME = replace(TRAINING, quantity="runtime")
EXTRACTION = Probe("runtime", "c", "cube", (16, 16, 16), "extraction", locations=512, extraction="mise")

Prepare = Callable[[Callable[[], object]], None]


@pytest.fixture
def prepare(monkeypatch: pytest.MonkeyPatch) -> Prepare:
    """Let every workload make this step."""
    return lambda step: monkeypatch.setattr(Workload, "prepare", lambda self, device, seed=0: step)


@pytest.fixture
def footprints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Footprints of which every number tells where it comes from."""

    def made(allocated: int) -> SimpleNamespace:
        return SimpleNamespace(allocated_bytes=allocated, reserved_bytes=allocated + 1, by_part={"inputs": allocated})

    monkeypatch.setattr(measuring.footprint, "predict", lambda workload: made(10))
    monkeypatch.setattr(measuring.footprint, "count", lambda workload, device: made(20))
    monkeypatch.setattr(measuring, "released_footprint", lambda probe: made(30))


def test_a_step_of_a_function_space_model_is_of_volumes_and_locations() -> None:
    workload = workload_of(TRAINING)
    assert workload == Workload("c", TRAINING.config, "training", batch_size=2, locations=32, lookahead=False)


def test_a_step_of_the_slicing_model_is_of_slices_of_one_volume() -> None:
    workload = workload_of(SLICES)
    assert (workload.batch_size, workload.locations) == (1, None)
    assert vars(workload.config)["slices_per_case"] == vars(workload.config)["max_slices"] == 3


@pytest.mark.parametrize(
    "probe", [replace(EXTRACTION, quantity="memory"), replace(TRAINING, implementation="released")]
)
def test_what_is_no_step_of_the_suite_is_refused(probe: Probe) -> None:
    with pytest.raises(ValueError, match="no step of this suite"):
        measure_probe(probe, CPU)


@pytest.mark.usefixtures("footprints")
def test_memory_is_predicted_by_the_implementation_that_is_asked_for() -> None:
    assert predict_probe(TRAINING) == {"allocated_bytes": 10, "reserved_bytes": 11, "by_part": {"inputs": 10}}
    assert predict_probe(replace(TRAINING, implementation="released"))["allocated_bytes"] == 30


def test_runtime_is_not_predicted() -> None:
    with pytest.raises(ValueError, match="only memory can be predicted"):
        predict_probe(RUNTIME)


def test_memory_on_a_gpu_is_that_of_the_second_step(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    told = {"max_memory_allocated": 5, "max_memory_reserved": 6}
    for name in ("empty_cache", "synchronize", "reset_peak_memory_stats", *told):

        def answer(*arguments: object, name: str = name) -> int | None:
            assert arguments == (() if name == "empty_cache" else (GPU,))
            events.append(name)
            return told.get(name)

        monkeypatch.setattr(torch.cuda, name, answer)
    monkeypatch.setattr(measuring, "used_memory", lambda device: events.append("used") or UsedMemory(7, None))
    prepare(lambda: events.append("step"))
    assert measure_probe(TRAINING, GPU) == {
        "allocated_bytes": 5,
        "reserved_bytes": 6,
        "process_bytes": 7,
        "device_bytes": None,
    }
    assert events[:6] == ["empty_cache", "step", "synchronize", "reset_peak_memory_stats", "step", "synchronize"]
    assert set(events[6:]) == {"used", *told}


@pytest.mark.usefixtures("footprints")
def test_memory_on_the_cpu_is_counted_and_of_the_process(prepare: Prepare) -> None:
    megabyte = 2**20
    # An earlier peak of the process, which must not count.
    del (earlier := {"block": bytearray(300 * megabyte)})["block"]
    assert earlier == {}
    prepare(lambda: bytearray(100 * megabyte))
    result = measure_probe(TRAINING, CPU)
    assert (result["allocated_bytes"], result["reserved_bytes"], result["by_part"]) == (20, 21, {"inputs": 20})
    assert 100 * megabyte <= result["process_bytes"] - result["resident_before_bytes"] < 150 * megabyte


def test_runtime_of_a_step(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = torch.ones(8, 8)
    prepare(lambda: matrix @ matrix)
    monkeypatch.setattr(measuring, "matmul_rate", lambda device: 1e6)
    result = measure_probe(RUNTIME, CPU)
    assert len(result["seconds"]) == 7
    assert result["low_s"] <= result["median_s"] <= result["high_s"]
    assert result["flops"] == 2 * 8**3
    assert result["matmul_share"] == pytest.approx(1024 / result["median_s"] / 1e6)


def test_runtime_of_an_extraction(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def timed(model: Any, extraction: Any, max_locations: Any, device: Any, repeats: int, limit_s: float) -> Any:
        asked.extend([model.config, extraction, max_locations, device])
        return SimpleNamespace(
            timing=Timing.of([4.0, 2.0, 3.0]), stages={"encoder": 1.0}, evaluated=(100, 50), flops=600
        )

    monkeypatch.setattr(measuring, "time_extraction", timed)
    monkeypatch.setattr(measuring, "matmul_rate", lambda device: 1000.0)
    assert measure_probe(EXTRACTION, "cpu") == {
        "seconds": [4.0, 2.0, 3.0],
        "median_s": 3.0,
        "low_s": 2.0,
        "high_s": 4.0,
        "flops": 600,
        "matmul_share": 0.2,
        "stages": {"encoder": 1.0},
        "evaluated": [100, 50],
        "locations_per_s": 50.0,
    }
    assert asked == [EXTRACTION.config, "mise", 512, CPU]


def test_a_machine_is_named_and_described() -> None:
    name, told = describe_machine("cpu", "make gpu")
    assert (name, told["command"], told["device"], told["gpu"]) == ("cpu", "make gpu", "cpu", None)


class TestInOwnProcess:
    def test_the_result_is_of_another_process(self) -> None:
        outcome = in_own_process(os.getpid)
        assert outcome.failure is None
        assert outcome.result != os.getpid()
        assert in_own_process(math.hypot, 3, 4) == Outcome(5.0)

    def test_no_process_has_touched_a_gpu(self) -> None:
        assert in_own_process(torch.cuda.is_initialized) == Outcome(False)

    def test_an_error_is_a_failure(self) -> None:
        assert in_own_process(int, "x\ny").failure == r"ValueError: invalid literal for int() with base 10: 'x\ny'"

    def test_too_little_memory_is_an_outcome(self) -> None:
        assert in_own_process(bytearray, 2**62) == Outcome(failure=OOM)

    @pytest.mark.parametrize(
        ("number", "failure"),
        [
            (signal.SIGKILL, "the process was killed, as the kernel does where memory runs out"),
            (signal.SIGSEGV, "the process ended with status -11"),
        ],
    )
    def test_a_process_that_is_ended_is_a_failure(self, number: int, failure: str) -> None:
        assert in_own_process(signal.raise_signal, number).failure == failure

    def test_a_process_that_takes_too_long_is_ended(self) -> None:
        assert in_own_process(time.sleep, 60, limit_s=1).failure == "no result after 1 s"
        assert active_children() == []

    def test_an_interrupt_is_for_the_process_that_waits(self) -> None:
        assert in_own_process(signal.raise_signal, signal.SIGINT) == Outcome()

    def test_a_process_ends_with_the_wait_for_it(self) -> None:
        in_own_process(os.getpid)  # The server is there: the interrupt comes during the wait.
        waiting = threading.main_thread().ident
        assert waiting is not None
        interrupt = threading.Timer(0.5, signal.pthread_kill, (waiting, signal.SIGINT))
        interrupt.start()
        with pytest.raises(KeyboardInterrupt):
            in_own_process(time.sleep, 60)
        interrupt.join()
        assert active_children() == []
