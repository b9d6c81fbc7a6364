"""The study `inference`: what the improved inference of Section 3.3 saves and loses, by the paper's text and its code."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.study import Point, Study
from benchmarks.tables import Layout

if TYPE_CHECKING:
    from ossnet.profile import Profile

MODEL = "c"
EXTRACTIONS = {
    "mise": "Original, the paper's text (mise)",
    "paper-prior": "Improved, the paper's text (paper-prior)",
    "released": "Original, the released code (released)",
    "released-prior": "Improved, the released code (released-prior)",
    "dense": "Every voxel (dense)",
}
"""As rows of the table name them."""


def grid(profile: "Profile") -> Sequence[Point]:
    """Every extraction by the OSS-Net C of every seed, as Table 2 trains it."""
    return [
        Point(MODEL, seed, {"extraction": extraction}, extraction=extraction)
        for extraction in EXTRACTIONS
        for seed in profile.seeds
    ]


INFERENCE = Study(
    "inference",
    grid,
    Layout(
        table="inference",
        title="Inferences of OSS-Net C, by interpretation",
        heads={"model": None, "extraction": "Inference"},
        rows=[(MODEL, extraction) for extraction in EXTRACTIONS],
        names={"extraction": EXTRACTIONS},
        note=(
            "Evaluated: locations of a volume. Disagreement: of all voxels. Precision and recall: of the encoder's "
            "segmentation, up-sampled to the first lattice and thresholded, against the decoder at the same points. By "
            "the paper's text, points that it marks as occupied are never evaluated; by the released code, only those "
            "are, of the first lattice"
        ),
    ),
)
