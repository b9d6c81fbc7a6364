"""How long a run will take before any like it has run: the operations of its training, and what a machine does."""

import json
from dataclasses import replace
from functools import cache

import torch

from benchmarks.machine.timing import count_flops, matmul_rate
from ossnet.config import build, plain
from ossnet.memory.workload import Workload, locations_for
from ossnet.sampling import Sampling
from ossnet.training.recipe import Recipe
from ossnet.training.run import RunSpec

CPU_EFFICIENCY = 0.22
"""Counted operations a second of a training step, as a part of those of a matrix product on the same threads.

The geometric mean of the models of Table 2 with the profile `laptop`, each within a factor of 2.5 of it: the slicing
U-Net does 0.52 of a matrix product, O-Net 0.14. What is not counted (activations, reading patches, validation) differs.
"""

MATRIX_SIZE = 512
"""Of the matrix product that `CPU_EFFICIENCY` is a part of."""

GPU_OPERATIONS_PER_SECOND = 5e12
"""Assumed, not measured: about a third of what the paper's V100 does in float32 at most."""


def training_work(spec: RunSpec, cases: int) -> float:
    """Floating-point operations of a run's training: those of matrix products and convolutions, forward and backward.

    A step of the model itself is counted on the meta device, where nothing is computed or allocated; once for all
    specifications that only differ in what makes no difference to it. Of a step, these operations grow with its cases.

    Args:
        cases: of the split `train`.

    Raises:
        UserError: unknown model, or a field that its configuration refuses.
    """
    recipe = spec.recipe
    what_matters = Recipe(sampling=Sampling(count=recipe.sampling.count))
    same = replace(spec, seed=0, dataset="", fingerprint="", recipe=what_matters)
    learned = recipe.epochs * recipe.cases_per_epoch(cases)
    return _operations_per_case(json.dumps(plain(same), sort_keys=True)) * learned


@cache
def _operations_per_case(specification: str) -> float:
    """Of a training step of a specification, which is given as JSON."""
    spec = build(RunSpec, json.loads(specification), "specification")
    cases = 2  # One alone is refused by a batch norm without a grid.
    locations = locations_for(spec.model, spec.recipe.sampling.count)
    step = Workload(spec.model, spec.config, "training", cases, locations).prepare("meta")
    return count_flops(step) / cases


def assumed_rate(device: torch.device, threads: int) -> float:
    """Operations a second, for a machine on which no run has finished; good to a factor of two or three.

    On a CPU `CPU_EFFICIENCY` of the matrix product, measured now in a tenth of a second.

    Args:
        threads: CPU threads of a run.
    """
    if device.type != "cpu":
        return GPU_OPERATIONS_PER_SECOND
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        return CPU_EFFICIENCY * matmul_rate("cpu", sizes=[MATRIX_SIZE])
    finally:
        torch.set_num_threads(before)
