"""Commands on cases of the paper's data sets in their full size, and the limits that this suite sets their costs."""

from collections.abc import Mapping

from benchmarks.probes.published import FULL_LOCATIONS
from benchmarks.workload import PAPER_VOLUMES, Probe, Shape

GIBIBYTE = 2**30

BRATS_SHAPE: Shape = (240, 240, 155)
"""Shape (H, W, D) in voxels of every file of BraTS, which the paper pads to 256x256x160."""

LITS_SHAPE, _ = PAPER_VOLUMES["lits"]
"""Shape to which the paper resizes the cases of LiTS. Few of them have more voxels."""

PREPARATION = Probe("command", "c", "brats", BRATS_SHAPE, "preparation")
LARGE_PREPARATION = Probe("command", "c", "lits", LITS_SHAPE, "preparation")
TRAINING = Probe("command", "c", "brats", BRATS_SHAPE, "training", FULL_LOCATIONS, batch_size=8, implementation="lean")
"""Steps with the paper's batch and locations, in the setting of a recipe's `memory` that a CPU of 16 GB can hold."""

LIMITS: Mapping[Probe, Mapping[str, float]] = {
    PREPARATION: {"wall_s": 15},
    LARGE_PREPARATION: {"process_bytes": 3 * GIBIBYTE},
    TRAINING: {"process_bytes": 12 * GIBIBYTE, "waiting_share": 0.05},
}
"""Largest values of a command's result by name, see `benchmarks.probes.records.ProbeRecord`; commands in the order of
their duration."""
