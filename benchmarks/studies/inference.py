"""The study `inference`: savings and losses of the improved inference of Section 3.3, by each interpretation."""

import math
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from benchmarks.layout import Layout
from benchmarks.markup import NOTHING, Cell, Table
from benchmarks.names import model_name
from benchmarks.probes.answers import Answers
from benchmarks.report.probe_cells import machine_notes, notes, ratio, seconds
from benchmarks.studies import figure5
from benchmarks.study import Point, Study
from benchmarks.workload import Shape

if TYPE_CHECKING:
    from ossnet.training.profile import Profile

MODEL = "c"
EXTRACTIONS = {
    "mise": "Original, paper's text (mise)",
    "paper-prior": "Improved, paper's text (paper-prior)",
    "released": "Original, released code (released)",
    "released-prior": "Improved, released code (released-prior)",
    "dense": "Every voxel (dense)",
}
"""Extractions, with their names in the rows of the tables."""

ORIGINALS = {improved: original for original, improved in figure5.READINGS.values()}
"""Original inference that each improved one is compared with."""

PRIOR = (
    "Precision and recall: the prior, up-sampled to the first lattice and thresholded, compared with the target at the "
    "same points"
)


LESIONS = (
    "Lesions found: share of the connected components of a case's label, small ones of at most 100 voxels and larger "
    "ones, of which the segmentation holds a voxel"
)


def grid(profile: "Profile") -> Sequence[Point]:
    """Return every extraction by the OSS-Net C of every seed."""
    return points(EXTRACTIONS, profile)


def points(extractions: Iterable[str], profile: "Profile") -> Sequence[Point]:
    """Return some extractions by the OSS-Net C of every seed, as Table 2 trains it."""
    return [
        Point(MODEL, seed, {"extraction": extraction}, extraction=extraction)
        for extraction in extractions
        for seed in profile.seeds
    ]


def closed_form_table(answers: Answers) -> Table:
    """Return the table of evaluations and runtimes of the closed-form volume, from the records of Figure 5."""
    shape = figure5.SHAPES["cuda"]
    probes = {name: figure5.probe(shape, figure5.FULL_LOCATIONS, name) for name in EXTRACTIONS}
    # The number of evaluated locations does not depend on the machine.
    counts: dict[str, list[int]] = {"dense": [math.prod(shape)]} | {
        name: evaluated
        for name, probe in probes.items()
        for machine in answers.measured
        if (evaluated := answers.value(machine, probe, "evaluated"))
    }
    totals = {name: sum(evaluated) for name, evaluated in counts.items()}
    quality = _quality_of_prior(shape)
    rows = [
        [
            Cell(EXTRACTIONS[name]),
            Cell(f"{totals[name]:,}" if name in totals else "not measured"),
            Cell(" + ".join(f"{count:,}" for count in counts[name])) if len(counts.get(name, ())) > 1 else NOTHING,
            ratio(totals.get(name), totals.get(ORIGINALS.get(name, ""))),
            *(
                Cell(f"{quality[name][measure]:.3f}") if name in quality else NOTHING
                for measure in ("prior_precision", "prior_recall")
            ),
            *(seconds(answers, machine, probe) for machine in answers.measured),
        ]
        for name, probe in probes.items()
    ]
    return Table(
        f"{model_name(MODEL)} on a closed-form volume of {'x'.join(map(str, shape))} voxels, whose target, max-pooled "
        "to the encoder's grid, is the prior.",
        [
            *("Inference", "Evaluated", "By stage", "Evaluated / original's", "Precision", "Recall"),
            *(f"Time, {answers.title(machine)} (s)" for machine in answers.measured),
        ],
        rows,
        notes([figure5.ONE_VOLUME, PRIOR, *machine_notes(answers)]),
    )


@cache
def _quality_of_prior(shape: Shape) -> dict[str, dict[str, float]]:
    """Compute the `prior_quality` of the closed-form volume, for each extraction that begins with a prior."""
    # Torch is imported here, so that other tables are made without it.
    from benchmarks.probes.phantom import ClosedFormField, make_volume
    from benchmarks.scoring.inference_comparison import prior_quality
    from ossnet.field import Grid, VoxelField
    from ossnet.inference.extraction import FIRST_STATES
    from ossnet.network.configuration import OccupancyNetworkConfig

    config = figure5.probe(shape, figure5.FULL_LOCATIONS, "mise").config
    assert isinstance(config, OccupancyNetworkConfig)
    volume = make_volume(shape, modalities=1)
    field = ClosedFormField(VoxelField(volume.label.float()), volume.label, volume.prior(config.lowest_grid))
    voxels = Grid.over(field)
    return {name: prior_quality(state(field, voxels), field, voxels) for name, state in FIRST_STATES.items()}


INFERENCE = Study(
    Layout(
        table="inference",
        title="Inferences of OSS-Net C, by interpretation",
        heads={"model": None, "extraction": "Inference"},
        rows=[(MODEL, extraction) for extraction in EXTRACTIONS],
        names={"extraction": EXTRACTIONS},
        note=(
            f"{LESIONS}. "
            "Evaluated: number of locations per volume. Disagreement: percentage of all voxels of a volume; that with "
            "every voxel evaluated is in the row of dense. Precision and recall: the encoder's segmentation, "
            "up-sampled to the first lattice and thresholded, compared with the decoder at the same points. By the "
            "paper's text, the points that this segmentation marks as occupied are never evaluated; by the released "
            "code, only these are evaluated on the first lattice. The table of costs has the times of these runs, "
            "during which the machine may have done other work"
        ),
        scoring_columns=("extraction",),
    ),
    grid,
    scoring="inference",
    tables=lambda found: [closed_form_table(Answers.read("figure5", found.results, found.reference))],
)
