"""Table of variants of the paper's U-Nets: the predictions for each, next to the paper's Table 3."""

import math
from collections.abc import Sequence

from benchmarks.markup import NOTHING, Cell, Table
from benchmarks.names import PAPER_NAMES, model_name
from benchmarks.probes.answers import Answers
from benchmarks.probes.published import UNETS, PublishedMemory, unet_memory, unet_probe
from benchmarks.probes.records import GIGABYTE, PREDICTED
from benchmarks.report.probe_cells import gigabytes, notes
from benchmarks.workload import Implementation, Probe

AFTER_SUM: Implementation = "activation after the sum"

READING = (
    "Each row changes the named property from this suite's choices, which are pre-activation blocks with ReLUs in "
    "place, max-pooling and linear up-sampling",
    "In brackets: the ratio to the paper; bold: the closest to the paper",
    "The paper's numbers of the 3D U-Net on LiTS repeat those on BraTS 2020",
)


def unets_table(answers: Answers) -> Table:
    """Return a row for each variant, with a column for each of the paper's numbers and the largest deviation."""
    numbers = unet_memory()
    ratios = {unets: [_ratio_to_paper(answers, number, unets) for number in numbers] for unets in UNETS}
    smallest = [min(map(_deviation, of_number)) for of_number in zip(*ratios.values(), strict=True)]
    largest = {unets: max(map(_deviation, of_unets)) for unets, of_unets in ratios.items()}
    rows = [[Cell("Paper"), *(Cell(f"{number.gigabytes:.2f}") for number in numbers), NOTHING]]
    for unets, of_unets in ratios.items():
        cells = []
        for number, to_paper, closest in zip(numbers, of_unets, smallest, strict=True):
            cell = gigabytes(answers, PREDICTED, unet_probe(number, unets))
            if to_paper is not None:
                cell = Cell(cell.text, bold=_deviation(to_paper) == closest, detail=f"({to_paper:.3f})")
            cells.append(cell)
        rows.append([Cell(_name(unets)), *cells, _percent(largest[unets])])
    head = ["U-Nets", *(_title(number.probe) for number in numbers), "Largest deviation"]
    caption = "Table 3: variants of the paper's U-Nets (GB), predicted as for the released code."
    return Table(caption, head, rows, notes([*READING, *_closest(largest), *_without_image(answers)]))


def _closest(largest: dict[Implementation, float]) -> Sequence[str]:
    """Name the variants whose largest deviation is smallest; nothing where no variant has all predictions."""
    least = min(largest.values())
    if math.isinf(least):
        return ()
    closest = "; ".join(_name(unets) for unets, off in largest.items() if off == least)
    return (f"Closest to all numbers at once: {closest}, with a largest deviation of {_percent(least).text}",)


def _without_image(answers: Answers) -> Sequence[str]:
    """State what 3D inference takes if the image is freed once the first block has read it."""
    numbers = {(number.probe.model, number.probe.phase): number for number in unet_memory()}
    probe = unet_probe(numbers["unet3d", "inference"], AFTER_SUM)
    allocated, parts = (answers.value(PREDICTED, probe, name) for name in ("allocated_bytes", "by_part"))
    if allocated is None or parts is None:
        return ()
    without = (allocated - parts.get("inputs", 0)) / GIGABYTE
    return (
        "Predictions keep the image until the end, as the caller does; without it, 3D inference takes "
        f"{without:.2f} GB with activation after the sum",
    )


def _ratio_to_paper(answers: Answers, number: PublishedMemory, unets: Implementation) -> float | None:
    """Return the prediction divided by the paper's number; None where either is missing."""
    predicted = answers.value(PREDICTED, unet_probe(number, unets), "allocated_bytes")
    return None if predicted is None or number.gigabytes is None else predicted / (number.gigabytes * GIGABYTE)


def _deviation(to_paper: float | None) -> float:
    return math.inf if to_paper is None else abs(to_paper - 1)


def _percent(share: float) -> Cell:
    return NOTHING if math.isinf(share) else Cell(f"{share:.0%}")


def _name(unets: Implementation) -> str:
    return "This suite's" if unets == "released" else f"{unets[0].upper()}{unets[1:]}"


def _title(probe: Probe) -> str:
    dimensions, *_ = model_name(probe.model).split()
    return f"{dimensions}, {PAPER_NAMES[probe.dataset]}, {probe.phase}"
