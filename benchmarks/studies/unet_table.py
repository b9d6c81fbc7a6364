"""What the paper's U-Nets may be: numbers of its Table 3 beside what is predicted of several."""

import math
from collections.abc import Sequence

from benchmarks.markup import NOTHING, Cell, Grid
from benchmarks.names import DATASET_NAMES, MODEL_NAMES
from benchmarks.probes.answers import Answers
from benchmarks.probes.records import GIGABYTE, PREDICTED
from benchmarks.report.probe_cells import gigabytes, notes
from benchmarks.studies.table3 import UNETS, PublishedMemory, unet_memory, unet_probe
from benchmarks.study import Implementation, Probe

AFTER_SUM: Implementation = "activation after the sum"

READING = (
    "Each row changes what it names from this suite's choices, which are pre-activation blocks with ReLUs in place, "
    "max-pooling and linear up-sampling",
    "In brackets: the ratio to the paper; bold: the closest to the paper",
    "The paper's numbers of the 3D U-Net on LiTS are those on BraTS 2020",
)


def unets_grid(answers: Answers) -> Grid:
    """A row for each choice of U-Nets, a column for each of the paper's numbers, and which choice is closest."""
    numbers = unet_memory()
    ratios = {unets: [_to_paper(answers, number, unets) for number in numbers] for unets in UNETS}
    least = [min(map(_off, of_number)) for of_number in zip(*ratios.values(), strict=True)]
    furthest = {unets: max(map(_off, of_unets)) for unets, of_unets in ratios.items()}
    rows = [[Cell("Paper"), *(Cell(f"{number.gigabytes:.2f}") for number in numbers), NOTHING]]
    for unets, of_unets in ratios.items():
        cells = []
        for number, to_paper, closest in zip(numbers, of_unets, least, strict=True):
            cell = gigabytes(answers, PREDICTED, unet_probe(number, unets))
            if to_paper is not None:
                cell = Cell(cell.text, bold=_off(to_paper) == closest, detail=f"({to_paper:.3f})")
            cells.append(cell)
        rows.append([Cell(_name(unets)), *cells, _percent(furthest[unets])])
    head = ["U-Nets", *(_title(number.probe) for number in numbers), "Furthest off"]
    caption = "Table 3, what the paper's U-Nets may be (GB): predicted as for the released code."
    return Grid(caption, head, rows, notes([*READING, *_finding(furthest), *_without_image(answers)]))


def _finding(furthest: dict[Implementation, float]) -> Sequence[str]:
    """Those of which the furthest number is the least off; nothing where of none all numbers are predicted."""
    least = min(furthest.values())
    if math.isinf(least):
        return ()
    closest = "; ".join(_name(unets) for unets, off in furthest.items() if off == least)
    return (f"Closest to all numbers at once: {closest}, off by {_percent(least).text} where furthest",)


def _without_image(answers: Answers) -> Sequence[str]:
    """What 3-D inference takes if nobody holds the image once the first block has read it."""
    (number,) = (one for one in unet_memory() if (one.probe.model, one.probe.phase) == ("unet3d", "inference"))
    probe = unet_probe(number, AFTER_SUM)
    allocated, parts = (answers.value(PREDICTED, probe, name) for name in ("allocated_bytes", "by_part"))
    if allocated is None or parts is None:
        return ()
    without = (allocated - parts.get("inputs", 0)) / GIGABYTE
    return (
        "Predictions hold the image to the end, as the caller does; without it 3D inference comes to "
        f"{without:.2f} GB with activation after the sum",
    )


def _to_paper(answers: Answers, number: PublishedMemory, unets: Implementation) -> float | None:
    """What is predicted over what the paper has."""
    predicted = answers.value(PREDICTED, unet_probe(number, unets), "allocated_bytes")
    return None if predicted is None or number.gigabytes is None else predicted / (number.gigabytes * GIGABYTE)


def _off(to_paper: float | None) -> float:
    return math.inf if to_paper is None else abs(to_paper - 1)


def _percent(share: float) -> Cell:
    return NOTHING if math.isinf(share) else Cell(f"{share:.0%}")


def _name(unets: Implementation) -> str:
    return "This suite's" if unets == "released" else f"{unets[0].upper()}{unets[1:]}"


def _title(probe: Probe) -> str:
    dimensions, *_ = MODEL_NAMES[probe.model].split()
    return f"{dimensions}, {DATASET_NAMES[probe.dataset]}, {probe.phase}"
