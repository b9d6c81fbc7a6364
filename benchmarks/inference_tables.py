"""The table below that of the study `inference`: a closed-form volume of the paper's size."""

import math
from collections.abc import Sequence
from pathlib import Path

from benchmarks.efficiency import figure5
from benchmarks.efficiency.answers import Answers
from benchmarks.efficiency.cells import machine_notes, notes, ratio, seconds
from benchmarks.efficiency.curve_tables import ONE_VOLUME
from benchmarks.markup import NOTHING, Cell, Grid
from benchmarks.records import Records
from benchmarks.tables import MODEL_NAMES

MODEL = "c"
EXTRACTIONS = {
    "mise": "Original, paper's text (mise)",
    "paper-prior": "Improved, paper's text (paper-prior)",
    "released": "Original, released code (released)",
    "released-prior": "Improved, released code (released-prior)",
    "dense": "Every voxel (dense)",
}
"""As rows of the tables name them."""

ORIGINALS = {improved: original for original, improved in figure5.READINGS.values()}
"""Of each improved inference the original one that it is compared with."""


def closed_form_grids(_records: Sequence[Records], results: Path, reference: Path | None) -> list[Grid]:
    """Make the table of evaluations and runtimes of the closed-form volume.

    Raises:
        UserError: records of memory and time in `results` or `reference` cannot be read.
    """
    return [_closed_form(Answers.read("figure5", results, reference))]


def _closed_form(answers: Answers) -> Grid:
    shape = figure5.SHAPES["cuda"]
    probes = {name: figure5.probe(shape, figure5.FULL_LOCATIONS, name) for name in EXTRACTIONS}
    # How many locations are evaluated does not depend on the machine.
    counts: dict[str, list[int]] = {"dense": [math.prod(shape)]} | {
        name: evaluated
        for name, probe in probes.items()
        for machine in answers.measured
        if (evaluated := answers.value(machine, probe, "evaluated"))
    }
    totals = {name: sum(evaluated) for name, evaluated in counts.items()}
    rows = [
        [
            Cell(EXTRACTIONS[name]),
            Cell(f"{totals[name]:,}" if name in totals else "not measured"),
            Cell(" + ".join(f"{count:,}" for count in counts[name])) if len(counts.get(name, ())) > 1 else NOTHING,
            ratio(totals.get(name), totals.get(ORIGINALS.get(name, ""))),
            *(seconds(answers, machine, probe) for machine in answers.measured),
        ]
        for name, probe in probes.items()
    ]
    return Grid(
        f"{MODEL_NAMES[MODEL]} on a closed-form volume of {'x'.join(map(str, shape))} voxels, from its target max-pooled "
        "to the encoder's grid.",
        [
            *("Inference", "Evaluated", "By stage", "Evaluated / original's"),
            *(f"Time, {answers.title(machine)} (s)" for machine in answers.measured),
        ],
        rows,
        notes([ONE_VOLUME, *machine_notes(answers)]),
    )
