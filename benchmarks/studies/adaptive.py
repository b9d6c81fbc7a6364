"""The study `adaptive`: what the adaptive extraction saves in comparison with the octree, and what it misses."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.layout import Layout
from benchmarks.studies import inference
from benchmarks.study import Point, Study

if TYPE_CHECKING:
    from ossnet.training.profile import Profile

EXTRACTIONS = {
    "mise": inference.EXTRACTIONS["mise"],
    "adaptive": "Interpolated logits, ours (adaptive)",
    "dense": inference.EXTRACTIONS["dense"],
}


def grid(profile: "Profile") -> Sequence[Point]:
    """Return every extraction by the OSS-Net C of every seed; runs of `mise` and `dense` are those of `inference`."""
    return inference.points(EXTRACTIONS, profile)


ADAPTIVE = Study(
    Layout(
        table="adaptive",
        title="Adaptive extraction by OSS-Net C",
        heads={"model": None, "extraction": "Inference"},
        rows=[(inference.MODEL, extraction) for extraction in EXTRACTIONS],
        names={"extraction": EXTRACTIONS},
        note=(
            f"{inference.LESIONS}. "
            "Evaluated: number of locations per volume. Disagreement: percentage of all voxels of a volume; that of "
            "mise with every voxel evaluated is in the row of dense. Small components: share of the components of at "
            "most 100 voxels, in a segmentation of every voxel, of which an extraction has found a voxel"
        ),
        scoring_columns=("extraction",),
    ),
    grid,
    scoring="inference",
)
