"""Results of probes: memory as predicted, memory and time as measured."""

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import torch

from benchmarks.machine.nvml import UsedMemory, used_memory
from benchmarks.machine.resident import peak_resident, restart_peak_resident
from benchmarks.machine.timing import Timing, count_flops, matmul_rate, time_repeated
from benchmarks.probes.comparison import TRAINING_EXECUTIONS, compare_ways
from benchmarks.probes.extraction_stages import time_extraction
from benchmarks.probes.released_memory import released_footprint
from benchmarks.workload import Implementation, Probe
from ossnet.memory import footprint
from ossnet.memory.footprint import Footprint
from ossnet.memory.workload import Workload
from ossnet.network.execution import DEFAULT, Execution
from ossnet.network.occupancy_network import OccupancyNetwork
from ossnet.registry import model_type

TIMING_LIMIT_S = {"cpu": 10.0, "cuda": 2.0}
"""Seconds after which a timing has no more repeats than it must have, by type of device; see `timing.time_repeated`."""

EXECUTIONS: Mapping[Implementation, Execution] = {"suite": DEFAULT, **TRAINING_EXECUTIONS}
"""Executions of this suite's networks by implementation. At inference `plain` differs from `suite` by the field."""

EXTRACTION_REPEATS = 5
"""Number of repeats of an extraction, which takes seconds."""


def workload_of(probe: Probe) -> Workload:
    """Return the workload of a probe of memory, or of the runtime of a step.

    Raises:
        ValueError: the probe is of the released implementation, which cannot be run here, of lean work other than
            training, or of an extraction that is no workload.
    """
    extraction = None if probe.phase != "extraction" else "dense" if probe.locations is None else "mise"
    can_run = probe.implementation == "suite" or (probe.implementation in EXECUTIONS and probe.phase == "training")
    if probe.extraction != extraction or not can_run or probe.phase == "decoder" or probe.phase == "preparation":
        raise ValueError(f"no workload of this suite: {probe}")
    # A batch of slices is in the configuration; the slices come from one volume.
    volumes = probe.batch_size if model_type(probe.model).slice_axis is None else 1
    execution = EXECUTIONS[probe.implementation]
    return Workload(probe.model, probe.config, probe.phase, volumes, probe.locations, execution)


def predict_probe(probe: Probe) -> dict[str, Any]:
    """Predict the result of a probe of memory on a GPU, without one; see `ProbeRecord`.

    Raises:
        ValueError: the probe is of runtime, or no workload, see `workload_of`.
    """
    if probe.quantity != "memory":
        raise ValueError(f"only memory can be predicted: {probe}")
    if probe.implementation == "plain" and probe.phase != "training":
        predicted = _plain_footprint(workload_of(replace(probe, implementation="suite")))
    elif probe.implementation in EXECUTIONS:
        predicted = footprint.predict(workload_of(probe))
    else:
        predicted = released_footprint(probe)
    return {
        "allocated_bytes": predicted.allocated_bytes,
        "reserved_bytes": predicted.reserved_bytes,
        "by_part": dict(predicted.by_part),
    }


def _plain_footprint(workload: Workload) -> Footprint:
    """Predict an evaluation or an extraction by the network as written for reading."""
    device = torch.device("meta")
    step = workload.prepare(device)
    network = step.model
    assert isinstance(network, OccupancyNetwork)
    # The plain path takes the image to the device.
    step.inputs, step.host_inputs = [*step.inputs, *step.host_inputs], []
    network.field = network.plain_field  # type: ignore[method-assign]
    return footprint.footprint_of(step, footprint.make_account(device))


def measure_probe(probe: Probe, device: torch.device | str) -> dict[str, Any]:
    """Measure a probe on a device and return its result, see `ProbeRecord`; peaks are those of this process.

    Raises:
        ValueError: the probe is of memory and no workload, see `workload_of`.
        RuntimeError: the device ran out of memory, see `ossnet.out_of_memory.is_out_of_memory`.
    """
    device = torch.device(device)
    if probe.quantity == "comparison":
        return compare_ways(probe, device)
    if probe.quantity == "memory":
        return _cuda_memory(probe, device) if device.type == "cuda" else _cpu_memory(probe, device)
    return _extraction_time(probe, device) if probe.phase == "extraction" else _step_time(probe, device)


def measure_tensors(probe: Probe, device: torch.device | str) -> dict[str, Any] | None:
    """Measure of a probe of memory on a GPU only what torch reports, for processes that measure several probes.

    The result is None, without a measurement, where an earlier probe has left memory in use.
    """
    if torch.cuda.is_initialized() and torch.cuda.memory_reserved(device):
        return None
    return _cuda_tensors(workload_of(probe), torch.device(device))


def _cuda_memory(probe: Probe, device: torch.device) -> dict[str, Any]:
    """Measure memory by torch and by the driver, the latter while torch's allocator still holds the peak."""
    before = used_memory(device).device_bytes
    tensors = _cuda_tensors(workload_of(probe), device)
    return tensors | _of_driver(used_memory(device), before)


def _cuda_tensors(workload: Workload, device: torch.device) -> dict[str, Any]:
    """Measure the tensors of a step that takes as much memory as all later ones.

    That is the second step, which finds the optimiser's state and what the matrix library keeps from its first product
    on. Models of all voxels have neither at inference, and a pass over the slices of a large volume takes half a
    minute: for them the first step is measured. It does not differ from the second, since cuDNN only tries algorithms
    out, which takes more memory, in its benchmark mode, and that is off.
    """
    step = workload.prepare(device)
    torch.cuda.empty_cache()
    if workload.phase == "training" or workload.locations is not None:
        step()
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    step()
    torch.cuda.synchronize(device)
    return {
        "allocated_bytes": torch.cuda.max_memory_allocated(device),
        "reserved_bytes": torch.cuda.max_memory_reserved(device),
    }


def _of_driver(used: UsedMemory, before_bytes: int | None) -> dict[str, Any]:
    """Return memory by the driver: of this process or, where it does not report that, what the device has gained.

    The latter is this process's if no other has begun or ended, and includes what the driver itself takes for it.
    """
    taken, source = used.process_bytes, "process"
    if taken is None and used.device_bytes is not None and before_bytes is not None:
        taken, source = used.device_bytes - before_bytes, "device"
    return {
        "process_bytes": taken,
        "process_source": None if taken is None else source,
        "device_bytes": used.device_bytes,
        "device_bytes_before": before_bytes,
    }


def _cpu_memory(probe: Probe, device: torch.device) -> dict[str, Any]:
    """Count tensors by the accounting that predicts a GPU's, and measure the process's peak resident set meanwhile.

    `resident_before_bytes` is what was resident before the model was made: Python and its libraries. What the peak has
    above that is more than tensors: the steps read further parts of the libraries, some tens of megabytes. `wall_s`
    includes making the model and the accounting, which take little time in comparison with an extraction.
    """
    workload = workload_of(probe)
    before = restart_peak_resident()
    begin = time.perf_counter()
    counted = footprint.count(workload, device)
    wall_s = time.perf_counter() - begin
    return {
        "allocated_bytes": counted.allocated_bytes,
        "reserved_bytes": counted.reserved_bytes,
        "by_part": dict(counted.by_part),
        "process_bytes": peak_resident(),
        "resident_before_bytes": before,
        "wall_s": wall_s,
    }


def _step_time(probe: Probe, device: torch.device) -> dict[str, Any]:
    step = workload_of(probe).prepare(device)
    timing = time_repeated(step, device, limit_s=TIMING_LIMIT_S[device.type])
    flops = count_flops(step)
    # The matrices of the machine's rate need memory, too.
    del step
    return _seconds(timing) | _operations(flops, timing, device)


def _extraction_time(probe: Probe, device: torch.device) -> dict[str, Any]:
    torch.manual_seed(0)
    model = model_type(probe.model)(probe.config)
    limit_s = TIMING_LIMIT_S[device.type]
    took = time_extraction(model, probe.extraction, probe.locations, device, EXTRACTION_REPEATS, limit_s=limit_s)
    extraction = {
        "evaluated": list(took.evaluated),
        "locations_per_s": sum(took.evaluated) / took.timing.median_s,
    }
    stages = {} if took.stages is None else {"stages": took.stages}
    return _seconds(took.timing) | _operations(took.flops, took.timing, device) | extraction | stages


def _seconds(timing: Timing) -> dict[str, Any]:
    return {
        "seconds": list(timing.seconds),
        "median_s": timing.median_s,
        "low_s": timing.low_s,
        "high_s": timing.high_s,
    }


def _operations(flops: int, timing: Timing, device: torch.device) -> dict[str, Any]:
    """Return the operations of a step and their rate at its median time, as a share of that of matrix products.

    On a GPU the share may exceed 1, see `matmul_rate`.
    """
    return {"flops": flops, "matmul_share": flops / timing.median_s / _product_rate(device)}


@cache
def _product_rate(device: torch.device) -> float:
    """Return the device's rate of matrix products, measured once per process."""
    return matmul_rate(device)
