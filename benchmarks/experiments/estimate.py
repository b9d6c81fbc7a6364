"""Estimates before any run has finished: the operations of a training, and how many per second a machine does."""

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
"""Counted operations per second of a training step, as a fraction of those of a matrix product on the same threads.

This is the geometric mean over the models of Table 2 with the profile `laptop`, each within a factor of 2.5 of it: the
slicing U-Net reaches 0.52 of a matrix product, O-Net 0.14. The models differ in what is not counted: activations,
reading patches, validation.
"""

MATRIX_SIZE = 512
"""Edge of the matrices of the product that `CPU_EFFICIENCY` refers to."""

GPU_OPERATIONS_PER_SECOND = 5e12
"""Assumed, not measured: about a third of the highest rate of the paper's V100 in float32."""


def training_work(spec: RunSpec, cases: int) -> float:
    """Count the floating-point operations of a training: matrix products and convolutions, forward and backward.

    A step of the model itself is counted on the meta device, where nothing is computed or allocated, and only once for
    all specifications that have the same step. The operations of a step are proportional to its number of cases.

    Args:
        spec: specification of the training.
        cases: number of cases of the split `train`.

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
    """Count the operations of a training step per case.

    Args:
        specification: a `RunSpec` as JSON, which can be cached.
    """
    spec = build(RunSpec, json.loads(specification), "specification")
    cases = 2  # A batch norm without a grid refuses a single case.
    locations = locations_for(spec.model, spec.recipe.sampling.count)
    step = Workload(spec.model, spec.config, "training", cases, locations).prepare("meta")
    return count_flops(step) / cases


def assumed_rate(device: torch.device, threads: int) -> float:
    """Estimate the operations per second of a training, within a factor of two or three.

    On a CPU this is `CPU_EFFICIENCY` of a matrix product's rate, which is measured in a tenth of a second.

    Args:
        device: device of the training.
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
