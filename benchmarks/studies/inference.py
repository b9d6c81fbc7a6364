"""The study `inference`: what the improved inference of Section 3.3 saves and loses, by each interpretation."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.studies.inference_tables import EXTRACTIONS, MODEL, closed_form_grids
from benchmarks.study import Layout, Point, Study

if TYPE_CHECKING:
    from ossnet.training.profile import Profile


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
            "Evaluated: locations of a volume. Disagreement: of all its voxels; that with every voxel evaluated stands "
            "in the row of dense. Precision and recall: of the encoder's segmentation, up-sampled to the first lattice "
            "and thresholded, against the decoder at the same points. By the paper's text, the points that it marks as "
            "occupied are never evaluated; by the released code, only these are, of the first lattice. Times of these "
            "runs, beside whatever else the machine did, are in the table of costs"
        ),
        scoring=("extraction",),
    ),
    closed_form_grids,
)
