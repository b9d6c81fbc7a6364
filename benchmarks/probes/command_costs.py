"""Time and memory of the commands `ossnet data prepare` and `ossnet train`, on cases that are made for them."""

import gc
import io
import time
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from benchmarks.machine.resident import peak_resident, restart_peak_resident
from benchmarks.workload import Probe, Shape
from ossnet.files import write_text

PROFILE = "paper"

STEPS = 3
"""Number of steps of a training: the first waits for its cases, those of the others are read in the meantime."""

CASES = {"preparation": 1, "training": 2}
"""Number of cases by phase. A batch of more has the same cases several times."""

GRID_STEP = 32
"""Edge lengths of prepared grids are multiples of this number of voxels, as of the paper's 256x256x160."""


def measure_command(probe: Probe, folder: Path) -> dict[str, Any]:
    """Make cases, measure a command that reads them, and return the result, see `ProbeRecord`.

    The command runs in this process, which should do nothing else, since the peak of memory is the process's. A
    preparation has a single thread, a training torch's number of threads and no validation.

    Args:
        probe: probe of a command.
        folder: folder for the cases, the cache and the run: up to 2 GB for full sizes.

    Raises:
        RuntimeError: the command failed; the message has the command's own.
    """
    # Machines that only measure on a GPU need not have what these import.
    from benchmarks.probes.stored_cases import write_cases
    from ossnet.cli.__main__ import main

    names = write_cases(probe.dataset, probe.shape, CASES[probe.phase], folder / "data")
    write_text(
        folder / "split.csv", "".join(f"{row}\n" for row in ["name,split", *(f"{name},train" for name in names)])
    )
    arguments = arguments_of(probe, folder)
    if probe.phase == "preparation":
        torch.set_num_threads(1)
    gc.collect()
    before = restart_peak_resident()
    begin, begin_cpu = time.perf_counter(), time.process_time()
    output = io.StringIO()
    with redirect_stdout(output), redirect_stderr(output):
        status = main(arguments)
    costs = {
        "wall_s": time.perf_counter() - begin,
        "cpu_s": time.process_time() - begin_cpu,
        "process_bytes": peak_resident(),
        "resident_before_bytes": before,
    }
    if status:
        message = output.getvalue().strip().rpartition("\n")[2]
        raise RuntimeError(f"exit status {status}: {message}")
    return costs | (_of_steps(folder / "run" / "history.csv") if probe.phase == "training" else {})


def arguments_of(probe: Probe, folder: Path) -> list[str]:
    """Return the arguments of `ossnet` of a command on the cases of `split.csv` and `data` in a folder."""
    source = f"{probe.dataset}:{folder / 'data'}"
    places = ["--split-file", str(folder / "split.csv"), "--cache", str(folder / "cache"), "--profile", PROFILE]
    grid = f"preprocessing.shape={list(prepared_grid(probe.shape))}"
    if probe.phase == "preparation":
        return ["data", "prepare", source, "--model", probe.model, "--workers", "1", *places, *_settings([grid])]
    recipe = {
        "epochs": 1,
        "steps_per_epoch": STEPS,
        "batch_size": probe.batch_size,
        "sampling.count": probe.locations,
        "memory": probe.implementation,
    }
    settings = [grid, *(f"recipe.{name}={value}" for name, value in recipe.items())]
    command = ["train", "--data", source, "--model", probe.model, "--out", str(folder / "run"), "--device", "cpu"]
    return [*command, *places, *_settings(settings)]


def prepared_grid(shape: Shape) -> Shape:
    """Return the smallest grid of multiples of `GRID_STEP` that holds a volume: the profile's for full-size cases."""
    height, width, depth = (-(-size // GRID_STEP) * GRID_STEP for size in shape)
    return height, width, depth


def _settings(pairs: Sequence[str]) -> list[str]:
    return [part for pair in pairs for part in ("--set", pair)]


def _of_steps(history: Path) -> dict[str, Any]:
    """Return what the history of a training says about its steps."""
    epochs = pd.read_csv(history)
    seconds, waiting_s = float(epochs["seconds"].sum()), float(epochs["waiting_s"].sum())
    return {"steps": STEPS * len(epochs), "steps_s": seconds, "waiting_share": waiting_s / seconds}
