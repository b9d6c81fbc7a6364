"""What stands below the table of inferences: runtimes as measured, and a closed-form volume of the paper's size."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.efficiency import figure5
from benchmarks.efficiency.answers import Answers
from benchmarks.efficiency.cells import machine_notes, notes, ratio, seconds, threads_text
from benchmarks.efficiency.curve_tables import ONE_VOLUME
from benchmarks.markup import NOTHING, Cell, Grid
from benchmarks.records import Records
from benchmarks.tables import MODEL_NAMES, source_text

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


def inference_appendix(records: Sequence[Records], results: Path, reference: Path | None) -> list[Grid]:
    """Make the tables of runtimes on trained models and of the closed-form volume.

    Raises:
        UserError: records of memory and time in `results` or `reference` cannot be read.
    """
    return [*map(_runtimes, records), _closed_form(Answers.read("figure5", results, reference))]


def _runtimes(records: Records) -> Grid:
    rows = []
    for extraction, name in EXTRACTIONS.items():
        made = [
            row["provenance"]
            for row in records.rows
            if row["columns"]["extraction"] == extraction and "result" in row and "provenance" in row
        ]
        medians_s = sorted(provenance["timing"]["extraction_s_median"] for provenance in made)
        machines = sorted({_machine(provenance["attempts"][-1]) for provenance in made})
        spread = Cell(f"{medians_s[0]:.3g} to {medians_s[-1]:.3g}") if medians_s else NOTHING
        rows.append([Cell(name), spread, Cell("; ".join(machines)) if machines else NOTHING])
    return Grid(
        f"Runtime of {MODEL_NAMES[MODEL]} as measured. {source_text(records.dataset, records.profile, '')}.",
        ["Inference", "Time of a volume (s)", "Machine"],
        rows,
        notes(
            [
                "Encoder included; the lowest and the highest of the seeds' medians over cases",
                "Other runs may have shared the machine, so that these times compare no inferences: for that, figure5 "
                "times each alone",
            ]
        ),
    )


def _machine(attempt: Mapping[str, Any]) -> str:
    if attempt["gpu"]:
        return str(attempt["gpu"]["name"])
    return f"{attempt['cpu']['model']}, {threads_text(attempt['cpu']['torch_threads'])}"


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
        f"{MODEL_NAMES[MODEL]} on a closed-form volume of {'x'.join(map(str, shape))} voxels, prior without error.",
        [
            *("Inference", "Evaluated", "By stage", "Evaluated / original's"),
            *(f"Time, {answers.title(machine)} (s)" for machine in answers.measured),
        ],
        rows,
        notes([ONE_VOLUME, *machine_notes(answers)]),
    )
