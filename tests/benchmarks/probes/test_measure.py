from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from benchmarks.machine.nvml import UsedMemory
from benchmarks.machine.timing import Timing
from benchmarks.probes import measure as measuring
from benchmarks.probes.measure import measure_probe, measure_tensors, predict_probe, workload_of
from benchmarks.workload import Probe
from ossnet.memory.workload import Workload

MEGABYTE = 2**20

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)

TRAINING = Probe("memory", "c", "cube", (16, 16, 16), "training", locations=32, batch_size=2)
SLICES = Probe("memory", "unet2d-depth", "brats", (32, 32, 32), "training", batch_size=3)
RUNTIME = replace(TRAINING, quantity="runtime")
EXTRACTION = Probe("runtime", "c", "cube", (16, 16, 16), "extraction", locations=512, extraction="mise")
SEGMENTATION = replace(EXTRACTION, quantity="memory")

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


def test_a_step_is_of_volumes_and_locations_or_of_slices_of_one_volume() -> None:
    assert workload_of(TRAINING) == Workload("c", TRAINING.config, "training", batch_size=2, locations=32)
    workload = workload_of(SLICES)
    assert (workload.batch_size, workload.locations) == (1, None)
    assert vars(workload.config)["slices_per_case"] == vars(workload.config)["max_slices"] == 3


@pytest.mark.parametrize("probe", [SEGMENTATION, replace(SLICES, phase="extraction", extraction="dense")])
def test_an_extraction_is_of_one_volume(probe: Probe) -> None:
    workload = workload_of(probe)
    assert (workload.phase, workload.batch_size, workload.locations) == ("extraction", 1, probe.locations)


@pytest.mark.parametrize(
    "probe",
    [
        replace(SEGMENTATION, extraction="released"),
        replace(SEGMENTATION, extraction=None),
        replace(TRAINING, extraction="mise"),
        replace(TRAINING, implementation="released"),
    ],
)
def test_what_is_no_workload_of_the_suite_is_refused(probe: Probe) -> None:
    with pytest.raises(ValueError, match="no workload of this suite"):
        measure_probe(probe, CPU)


@pytest.mark.usefixtures("footprints")
def test_only_memory_is_predicted_by_the_implementation_that_is_asked_for() -> None:
    assert predict_probe(TRAINING) == {"allocated_bytes": 10, "reserved_bytes": 11, "by_part": {"inputs": 10}}
    assert predict_probe(replace(TRAINING, implementation="released"))["allocated_bytes"] == 30
    with pytest.raises(ValueError, match="only memory can be predicted"):
        predict_probe(RUNTIME)


@pytest.fixture
def gpu(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> Callable[[UsedMemory, UsedMemory], list[str]]:
    """Put a GPU in the place of torch's, of which the driver tells this before and after; what is asked of it."""

    def install(before: UsedMemory, after: UsedMemory) -> list[str]:
        events: list[str] = []
        told = {"max_memory_allocated": 5, "max_memory_reserved": 6}
        used = iter([before, after])
        for name in ("empty_cache", "synchronize", "reset_peak_memory_stats", *told):

            def answer(*arguments: object, name: str = name) -> int | None:
                assert arguments == (() if name == "empty_cache" else (GPU,))
                events.append(name)
                return told.get(name)

            monkeypatch.setattr(torch.cuda, name, answer)
        monkeypatch.setattr(measuring, "used_memory", lambda device: events.append("used") or next(used))
        prepare(lambda: events.append("step"))
        return events

    return install


Gpu = Callable[[UsedMemory, UsedMemory], list[str]]
MEASURED = ["synchronize", "reset_peak_memory_stats", "step", "synchronize"]


@pytest.mark.parametrize(
    ("probe", "steps_before"),
    [
        (TRAINING, ["step"]),
        (SLICES, ["step"]),
        (replace(TRAINING, phase="inference", batch_size=1), ["step"]),
        # Inference over all voxels needs none.
        (replace(SLICES, phase="inference", batch_size=1), []),
    ],
)
def test_memory_on_a_gpu_is_that_of_the_second_step(probe: Probe, steps_before: list[str], gpu: Gpu) -> None:
    events = gpu(UsedMemory(None, 2), UsedMemory(7, None))
    assert measure_probe(probe, GPU) == {
        "allocated_bytes": 5,
        "reserved_bytes": 6,
        "process_bytes": 7,
        "process_source": "process",
        "device_bytes": None,
        "device_bytes_before": 2,
    }
    expected = ["used", "empty_cache", *steps_before, *MEASURED]
    assert events[: len(expected)] == expected
    assert set(events[len(expected) :]) == {"used", "max_memory_allocated", "max_memory_reserved"}


@pytest.mark.parametrize(
    ("before", "after", "process_bytes", "source"),
    [
        (None, UsedMemory(7, 900), 7, "process"),
        (600, UsedMemory(None, 900), 300, "device"),
        (None, UsedMemory(None, 900), None, None),
        (600, UsedMemory(None, None), None, None),
    ],
)
def test_where_the_driver_does_not_know_the_process_it_is_what_the_device_has_more(
    before: int | None, after: UsedMemory, process_bytes: int | None, source: str | None, gpu: Gpu
) -> None:
    gpu(UsedMemory(None, before), after)
    result = measure_probe(TRAINING, GPU)
    assert (result["process_bytes"], result["process_source"]) == (process_bytes, source)
    assert (result["device_bytes_before"], result["device_bytes"]) == (before, after.device_bytes)


@pytest.mark.parametrize(("started", "reserved", "clean"), [(False, 0, True), (True, 0, True), (True, 512, False)])
def test_a_process_tells_of_tensors_while_earlier_probes_have_left_nothing(
    started: bool, reserved: int, clean: bool, gpu: Gpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = gpu(UsedMemory(1, 2), UsedMemory(7, 9))
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: started)
    monkeypatch.setattr(torch.cuda, "memory_reserved", {GPU: reserved}.__getitem__)
    assert measure_tensors(TRAINING, GPU) == ({"allocated_bytes": 5, "reserved_bytes": 6} if clean else None)
    assert events[:6] == (["empty_cache", "step", *MEASURED] if clean else [])
    assert "used" not in events


@pytest.mark.usefixtures("footprints")
def test_memory_on_the_cpu_is_counted_and_of_the_process(
    touch_memory: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    # An earlier peak of the process, which must not count.
    touch_memory(300)
    count = measuring.footprint.count
    monkeypatch.setattr(measuring.footprint, "count", lambda *asked: (touch_memory(100), count(*asked))[1])
    result = measure_probe(TRAINING, CPU)
    assert (result["allocated_bytes"], result["reserved_bytes"], result["by_part"]) == (20, 21, {"inputs": 20})
    assert result["wall_s"] > 0
    # Linux adds up what each CPU counts by batches of pages, which may leave out some hundred kilobytes.
    assert 99 * MEGABYTE < result["process_bytes"] - result["resident_before_bytes"] < 150 * MEGABYTE


@pytest.fixture
def product_rate(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[torch.device]]:
    """A million products a second; the devices that it is measured on."""
    measured: list[torch.device] = []
    monkeypatch.setattr(measuring, "matmul_rate", lambda device: measured.append(device) or 1e6)
    measuring._product_rate.cache_clear()
    yield measured
    measuring._product_rate.cache_clear()


def test_runtime_of_a_step(prepare: Prepare, product_rate: list[torch.device]) -> None:
    matrix = torch.ones(8, 8)
    prepare(lambda: matrix @ matrix)
    result = measure_probe(RUNTIME, CPU)
    assert len(result["seconds"]) == 7
    assert result["low_s"] <= result["median_s"] <= result["high_s"]
    assert result["flops"] == 2 * 8**3
    assert result["matmul_share"] == pytest.approx(1024 / result["median_s"] / 1e6)
    # Once a process, for all of its probes.
    measure_probe(RUNTIME, CPU)
    assert product_rate == [CPU]


@pytest.mark.usefixtures("product_rate")
@pytest.mark.parametrize("stages", [{"encoder": 1.0}, None])
def test_runtime_of_an_extraction(stages: dict[str, float] | None, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def timed(model: Any, extraction: Any, max_locations: Any, device: Any, repeats: int, limit_s: float) -> Any:
        asked.extend([model.config, extraction, max_locations, device])
        return SimpleNamespace(timing=Timing.of([4.0, 2.0, 3.0]), stages=stages, evaluated=(100, 50), flops=600_000)

    monkeypatch.setattr(measuring, "time_extraction", timed)
    told = {} if stages is None else {"stages": stages}
    assert measure_probe(EXTRACTION, "cpu") == told | {
        "seconds": [4.0, 2.0, 3.0],
        "median_s": 3.0,
        "low_s": 2.0,
        "high_s": 4.0,
        "flops": 600_000,
        "matmul_share": 0.2,
        "evaluated": [100, 50],
        "locations_per_s": 50.0,
    }
    assert asked == [EXTRACTION.config, "mise", 512, CPU]


def test_the_plain_path_keeps_the_image_on_the_device() -> None:
    probe = Probe("memory", "c", "brats", (256, 256, 160), "inference", locations=64)
    plain, suite = (predict_probe(replace(probe, implementation=way)) for way in ("plain", "suite"))
    # One image, and 3 int64 per location.
    assert plain["by_part"]["inputs"] == 4 * 256 * 256 * 160 * 4 + 64 * 3 * 8
    assert suite["by_part"]["inputs"] == 64 * 3 * 8
    assert plain["allocated_bytes"] > suite["allocated_bytes"]
