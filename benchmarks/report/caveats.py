"""Caveats of a table of scores: departures of its runs from the paper, and what was left out.

They are worked out from the specifications and results of the runs, so that a table states only what is true of them.
The departures themselves are marked by `Departure:` where they occur in the code.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.names import PAPER_NAMES
from benchmarks.report.score_records import Record, Records
from benchmarks.workload import PAPER_VOLUMES
from ossnet.data.paper_datasets import PAPER_DATASETS

Caveats = Mapping[tuple[str, str, str], Sequence[str]]
"""Sentences about the runs behind a table, by data set, profile and protocol."""

BORDER_WIDTH = 25
"""Width of the paper's border sampling (Section 3.2), in voxels of its volumes."""


def caveats_of(records: Sequence[Records]) -> Caveats:
    """Return the caveats of every table of the records."""
    runs: dict[tuple[str, str, str], list[Record]] = {}
    for row in (row for part in records for row in part.rows if "scores" in row):
        runs.setdefault((row["dataset"], row["profile"], row["result"]["protocol"]), []).append(row)
    return {key: list(_sentences(key[0], key[2], of_key)) for key, of_key in runs.items()}


def scaled_border_width(shape: Sequence[int], paper_shape: Sequence[int]) -> int:
    """Return the paper's border width, scaled by the mean of the axes' scales and rounded to an odd number.

    Args:
        shape: the grid to scale to, in voxels.
        paper_shape: the grid of the paper's volumes, in voxels.
    """
    scale = sum(size / whole for size, whole in zip(shape, paper_shape, strict=True)) / len(shape)
    return 2 * round((BORDER_WIDTH * scale - 1) / 2) + 1


def _sentences(dataset: str, protocol: str, runs: Sequence[Record]) -> Iterator[str]:
    if protocol.endswith("validation cases"):
        yield (
            "As in the paper, the epoch of each training was chosen by its score on the cases that are scored here, so "
            "new cases would score lower"
        )
    trainings = [run["spec"]["training"] for run in runs]
    recipes = [training["recipe"] for training in trainings if _has_batch_norm(training)]
    for parts in sorted({recipe.get("norm_parts", 1) for recipe in recipes}):
        batches = sorted({recipe["batch_size"] for recipe in recipes if recipe.get("norm_parts", 1) == parts})
        whole = "whole batches" if parts == 1 else f"each of {parts} parts of batches"
        yield (
            f"Batch normalisation (O-Net, OSS-Net) uses the statistics of {whole} of {_listed(batches)} cases; "
            "the paper trained on two GPUs, each of which used the statistics of its half"
        )
    borders = {border for training in trainings if (border := _border(training)) is not None}
    for shape in sorted({shape for _, shape in borders}):
        widths = _listed(sorted(width for width, of in borders if of == shape))
        yield f"Border sampling uses a border of {widths} voxels; {_scaled_from_paper(dataset, shape)}"
    if dataset == "lits":
        yield "Each case is scored on its own grid; the paper scores cases resized to 512 x 512 x 512"
    unknown = sorted({name for run in runs for name in run["result"].get("cases_without_spacing", ())})
    if unknown:
        yield (
            f"The files of {len(unknown)} cases do not state their voxel size, so these cases have no scores in mm or "
            f"ml: {', '.join(unknown)}"
        )


def _has_batch_norm(training: Mapping[str, Any]) -> bool:
    # The U-Nets have group normalisation, which does not depend on the other cases of a batch.
    return "normalization" in training["network"]


def _border(training: Mapping[str, Any]) -> tuple[int, tuple[int, ...]] | None:
    """Return the border's width and grid in voxels; None if locations are not drawn by the paper's border sampling."""
    sampling = training["recipe"]["sampling"]
    by_border = sampling["strategy"] == "border" and sampling["protocol"] == "paper" and _has_batch_norm(training)
    return (sampling["border_width"], tuple(training["preprocessing"]["shape"])) if by_border else None


def _scaled_from_paper(dataset: str, shape: Sequence[int]) -> str:
    known = PAPER_DATASETS.get(dataset, dataset)
    datasets = [known] if known in PAPER_VOLUMES else [*PAPER_VOLUMES]
    scaled = ", ".join(
        f"{scaled_border_width(shape, grid)} from the {' x '.join(map(str, grid))} of {PAPER_NAMES[name]}"
        for name in datasets
        for grid, _ in [PAPER_VOLUMES[name]]
    )
    return f"the paper's {BORDER_WIDTH}, scaled to {' x '.join(map(str, shape))} voxels, would be {scaled}"


def _listed(numbers: Iterable[int]) -> str:
    return " or ".join(map(str, numbers))
