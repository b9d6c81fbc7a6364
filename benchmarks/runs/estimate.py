"""Estimate of a run's duration before any like it has run: its training's operations and the machine's rate."""

import json
from dataclasses import replace
from functools import cache

import torch

from benchmarks.machine.timing import count_flops, matmul_rate
from ossnet.config import build, plain
from ossnet.memory.workload import Workload, locations_for
from ossnet.sampling import Sampling
from ossnet.training.run import RunSpec
from ossnet.training.training import Recipe

CPU_EFFICIENCY = 0.22
"""Rate of counted operations in a training step, as a part of that of a matrix product on the same threads.

It is the geometric mean of the models of Table 2 with the profile `laptop`, each within a factor of 2.5 of it: 0.52 for
the slicing U-Net, 0.14 for O-Net. They differ in what is not counted (activations, reading patches, validation).
"""

MATRIX_SIZE = 512
"""Edge of the matrices whose product is the reference of `CPU_EFFICIENCY`."""

GPU_OPERATIONS_PER_SECOND = 5e12
"""Assumed rate of a GPU, not measured: about a third of the peak of the paper's V100 in float32."""


def training_work(spec: RunSpec, cases: int) -> float:
    """Return the operations of a run's training: those of matrix products and convolutions, forward and backward.

    A step of the model itself is counted on the meta device, where nothing is computed or allocated, and only once for
    all specifications that have the same step. The operations of a step are proportional to its number of cases.

    Args:
        spec: specification of the run.
        cases: number of cases in the split `train`.

    Raises:
        UserError: the model is unknown, or its configuration refuses a field.
    """
    recipe = spec.recipe
    what_matters = Recipe(sampling=Sampling(count=recipe.sampling.count))
    same = replace(spec, seed=0, dataset="", fingerprint="", recipe=what_matters)
    learned = recipe.epochs * recipe.cases_per_epoch(cases)
    return _operations_per_case(json.dumps(plain(same), sort_keys=True)) * learned


@cache
def _operations_per_case(specification: str) -> float:
    """Return the operations of a training step per case, for a specification that is given as JSON."""
    spec = build(RunSpec, json.loads(specification), "specification")
    cases = 2  # A batch norm without a grid refuses one alone.
    locations = locations_for(spec.model, spec.recipe.sampling.count)
    step = Workload(spec.model, spec.config, "training", cases, locations).prepare("meta")
    return count_flops(step) / cases


def assumed_rate(device: torch.device, threads: int) -> float:
    """Return operations per second for a machine on which no run has finished, good to a factor of two or three.

    On a CPU the rate is `CPU_EFFICIENCY` of the matrix product's, which is measured now in a tenth of a second.

    Args:
        device: device of the run.
        threads: number of CPU threads of a run.
    """
    if device.type != "cpu":
        return GPU_OPERATIONS_PER_SECOND
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        return CPU_EFFICIENCY * matmul_rate("cpu", sizes=[MATRIX_SIZE])
    finally:
        torch.set_num_threads(before)
