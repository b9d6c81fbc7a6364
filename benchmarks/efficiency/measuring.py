"""What a probe comes to: memory as predicted, memory and time as measured, in a process of its own."""

import resource
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from benchmarks.efficiency.probe import Probe
from benchmarks.efficiency.records import CPU
from benchmarks.efficiency.released_memory import released_footprint
from benchmarks.efficiency.stages import time_extraction
from benchmarks.nvml import used_memory
from benchmarks.provenance import provenance
from benchmarks.timing import Timing, count_flops, matmul_rate, time_repeated
from ossnet import footprint
from ossnet.memory import is_out_of_memory
from ossnet.registry import model_type
from ossnet.workload import Workload

TIMING_LIMIT_S = {"cpu": 10.0, "cuda": 4.0}
"""Once repeats have taken so long, there are only as many as there must be; see `timing.time_repeated`."""

EXTRACTION_REPEATS = 5
"""Of an extraction, which takes seconds."""

OOM = "OOM"


@dataclass(frozen=True)
class Outcome:
    """What came of a call in a process of its own: its result, or why there is none (`OOM`, or a sentence)."""

    result: Any = None
    failure: str | None = None


def workload_of(probe: Probe) -> Workload:
    """What a probe of training or inference runs.

    The optimiser is RAdam alone, whose memory fits the paper's Table 3, without Lookahead's copy of the weights.

    Raises:
        ValueError: a probe of a whole extraction, which is no single step, or of the released implementation, which is
            not here to be run.
    """
    if probe.phase == "extraction" or probe.implementation != "suite":
        raise ValueError(f"no step of this suite: {probe}")
    # The slicing U-Net's batch is one of slices, which its configuration holds; they come from one volume.
    slices = model_type(probe.model).family == "unet2d"
    return Workload(
        probe.model, probe.config, probe.phase, 1 if slices else probe.batch_size, probe.locations, lookahead=False
    )


def predict_probe(probe: Probe) -> dict[str, Any]:
    """The result of a probe of memory on a GPU, without one: see `ProbeRecord`.

    Raises:
        ValueError: a probe of runtime, or of the memory of an extraction.
    """
    if probe.quantity != "memory":
        raise ValueError(f"only memory can be predicted: {probe}")
    released = probe.implementation == "released"
    predicted = released_footprint(probe) if released else footprint.predict(workload_of(probe))
    return {
        "allocated_bytes": predicted.allocated_bytes,
        "reserved_bytes": predicted.reserved_bytes,
        "by_part": dict(predicted.by_part),
    }


def measure_probe(probe: Probe, device: torch.device | str) -> dict[str, Any]:
    """The result of a probe on a device: see `ProbeRecord`. Peaks are those of this process: see `in_own_process`.

    Raises:
        ValueError: the memory of an extraction, or the released implementation.
        RuntimeError: the device ran out of memory, as `ossnet.memory.is_out_of_memory` tells.
    """
    device = torch.device(device)
    if probe.quantity == "memory":
        return _cuda_memory(probe, device) if device.type == "cuda" else _cpu_memory(probe, device)
    return _extraction_time(probe, device) if probe.phase == "extraction" else _step_time(probe, device)


def _cuda_memory(probe: Probe, device: torch.device) -> dict[str, Any]:
    """Of the second step. The driver is asked after it, while torch still holds all that the peak needed."""
    step = workload_of(probe).prepare(device)
    torch.cuda.empty_cache()
    step()
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    step()
    torch.cuda.synchronize(device)
    used = used_memory(device)
    return {
        "allocated_bytes": torch.cuda.max_memory_allocated(device),
        "reserved_bytes": torch.cuda.max_memory_reserved(device),
        "process_bytes": used.process_bytes,
        "device_bytes": used.device_bytes,
    }


def _cpu_memory(probe: Probe, device: torch.device) -> dict[str, Any]:
    """Tensors by the accounting that predicts a GPU's; of the process, the peak resident set of two steps.

    `resident_before_bytes` was resident before the model was made: Python and its libraries. What the peak has above it
    is more than tensors: the steps read further parts of the libraries, some tens of megabytes.
    """
    workload = workload_of(probe)
    before = _restart_peak_resident()
    step = workload.prepare(device)
    step()
    step()
    peak = _peak_resident()
    del step
    counted = footprint.count(workload, device)
    return {
        "allocated_bytes": counted.allocated_bytes,
        "reserved_bytes": counted.reserved_bytes,
        "by_part": dict(counted.by_part),
        "process_bytes": peak,
        "resident_before_bytes": before,
    }


def _step_time(probe: Probe, device: torch.device) -> dict[str, Any]:
    step = workload_of(probe).prepare(device)
    timing = time_repeated(step, device, limit_s=TIMING_LIMIT_S[device.type])
    return _told(timing) | _operations(count_flops(step), timing, device)


def _extraction_time(probe: Probe, device: torch.device) -> dict[str, Any]:
    torch.manual_seed(0)
    model = model_type(probe.model)(probe.config)
    limit_s = TIMING_LIMIT_S[device.type]
    took = time_extraction(model, probe.extraction, probe.locations, device, EXTRACTION_REPEATS, limit_s=limit_s)
    extraction = {
        "stages": took.stages,
        "evaluated": list(took.evaluated),
        "locations_per_s": sum(took.evaluated) / took.timing.median_s,
    }
    return _told(took.timing) | _operations(took.flops, took.timing, device) | extraction


def _told(timing: Timing) -> dict[str, Any]:
    return {
        "seconds": list(timing.seconds),
        "median_s": timing.median_s,
        "low_s": timing.low_s,
        "high_s": timing.high_s,
    }


def _operations(flops: int, timing: Timing, device: torch.device) -> dict[str, Any]:
    """Operations of a step and, done at its median time, their share of the machine's rate of matrix products."""
    return {"flops": flops, "matmul_share": flops / timing.median_s / matmul_rate(device)}


def _restart_peak_resident() -> int:
    """Let the peak of this process's resident set start from now, and tell what is resident now.

    Where the kernel does not allow it, the peak so far stays in force: of a process that has only just begun.
    """
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _peak_resident()


def _peak_resident() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def describe_machine(device: torch.device | str, command: str) -> tuple[str, dict[str, object]]:
    """What records call the machine that a device is of, and the provenance of what `command` has measured on it."""
    device = torch.device(device)
    return torch.cuda.get_device_name(device) if device.type == "cuda" else CPU, provenance(command, device)


def in_own_process(call: Callable[..., Any], *arguments: Any, limit_s: float | None = None) -> Outcome:
    """Call a function in a process of its own, so that the memory of one call never colours the next.

    The process is forked from a server that has imported torch and the suite, and has never touched a GPU: one that has
    cannot be forked. It has ended when this returns or raises, interrupted or not.

    Args:
        call: of a module, and with arguments and a result that can be pickled.
        limit_s: seconds after which the process is killed.
    """
    context = get_context("forkserver")
    # Only heeded before the first process, which starts the server.
    context.set_forkserver_preload([__name__])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send_outcome, args=(sender, call, arguments))
    process.start()
    sender.close()
    try:
        if receiver.poll(limit_s):
            outcome: Outcome = receiver.recv()
            return outcome
        return Outcome(failure=f"no result after {limit_s:.0f} s")
    except EOFError:
        process.join()
        return Outcome(failure=_ending(process.exitcode))
    finally:
        process.kill()
        process.join()
        receiver.close()


def _send_outcome(sender: Connection, call: Callable[..., Any], arguments: Sequence[Any]) -> None:
    # Ctrl-C reaches every process of a terminal; the one that waits for this one ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        outcome = Outcome(call(*arguments))
    except Exception as error:
        message = " ".join(str(error).split())
        outcome = Outcome(failure=OOM if is_out_of_memory(error) else f"{type(error).__name__}: {message}")
    sender.send(outcome)


def _ending(status: int | None) -> str:
    if status == -signal.SIGKILL:
        return "the process was killed, as the kernel does where memory runs out"
    return f"the process ended with status {status}"
