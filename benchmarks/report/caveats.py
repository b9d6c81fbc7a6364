"""What a reader of a table of scores must know of its runs: where they depart from the paper, and what was left out.

Worked out from the runs' specifications and results, so that a table never says it of runs for which it is not so.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.names import PAPER_DATASETS
from benchmarks.report.score_records import Record, Records

Caveats = Mapping[tuple[str, str, str], Sequence[str]]
"""What a reader must know of the runs behind a table, in sentences, by `GROUP`; see `benchmarks.report.caveats`."""

BORDER_WIDTH = 25
"""Of the paper's border sampling (Section 3.2), in voxels of its own volumes."""

PAPER_VOLUMES = {"brats": ("BraTS 2020", (256, 256, 160)), "lits": ("LiTS", (512, 512, 512))}
"""What the paper trained on (Section 4.2): names and grids, by its data sets."""


def caveats_of(records: Sequence[Records]) -> Caveats:
    """Sentences by data set, profile and protocol."""
    runs: dict[tuple[str, str, str], list[Record]] = {}
    for row in (row for part in records for row in part.rows if "scores" in row):
        runs.setdefault((row["dataset"], row["profile"], row["result"]["protocol"]), []).append(row)
    return {key: list(_sentences(key[0], key[2], of_key)) for key, of_key in runs.items()}


def with_caveats(notes: str, caveats: Sequence[str]) -> str:
    """Put sentences of caveats below the notes of a table."""
    return " ".join([notes, *(f"{sentence.rstrip('.')}." for sentence in caveats)])


def scaled_border_width(shape: Sequence[int], paper_shape: Sequence[int]) -> int:
    """Scale the paper's border width from its grid to another, by the mean of the axes' scales; odd."""
    scale = sum(size / whole for size, whole in zip(shape, paper_shape, strict=True)) / len(shape)
    return 2 * round((BORDER_WIDTH * scale - 1) / 2) + 1


def _sentences(dataset: str, protocol: str, runs: Sequence[Record]) -> Iterator[str]:
    if protocol.endswith("validation cases"):
        yield (
            "The epoch of each training was chosen by its score on the very cases that are scored here, as in the "
            "paper: new cases would score lower"
        )
    trainings = [run["spec"]["training"] for run in runs]
    batches = sorted({training["recipe"]["batch_size"] for training in trainings if _has_batch_norm(training)})
    if batches:
        yield (
            f"Batch norm (O-Net, OSS-Net) takes its statistics from whole batches, of {_listed(batches)} cases; the "
            "paper trained on two GPUs, each of which took those of its half"
        )
    for width, shape in sorted({of for training in trainings if (of := _border(training)) is not None}):
        yield f"Border sampling takes a border of {width} voxels; {_scaled_from_paper(dataset, shape)}"
    if dataset == "lits":
        yield "Scores are of each case on its own grid; the paper resizes the cases to 512 x 512 x 512 and scores there"
    unknown = sorted({name for run in runs for name in run["result"].get("cases_without_spacing", ())})
    if unknown:
        yield (
            f"The files of {len(unknown)} cases do not tell the size of their voxels, so that they have no scores that "
            f"rest on mm or ml: {', '.join(unknown)}"
        )


def _has_batch_norm(training: Mapping[str, Any]) -> bool:
    """The U-Nets have group norms, which know of no other case."""
    return "normalization" in training["network"]


def _border(training: Mapping[str, Any]) -> tuple[int, tuple[int, ...]] | None:
    """The border's width and the grid that it is on; None where locations are not drawn so."""
    sampling = training["recipe"]["sampling"]
    by_border = sampling["strategy"] == "border" and sampling["protocol"] == "paper" and _has_batch_norm(training)
    return (sampling["border_width"], tuple(training["preprocessing"]["shape"])) if by_border else None


def _scaled_from_paper(dataset: str, shape: Sequence[int]) -> str:
    known = PAPER_DATASETS.get(dataset, dataset)
    volumes = [PAPER_VOLUMES[known]] if known in PAPER_VOLUMES else PAPER_VOLUMES.values()
    scaled = ", ".join(
        f"{scaled_border_width(shape, grid)} from the {' x '.join(map(str, grid))} of {name}" for name, grid in volumes
    )
    return f"the paper's {BORDER_WIDTH}, scaled to {' x '.join(map(str, shape))} voxels, would be {scaled}"


def _listed(numbers: Iterable[int]) -> str:
    return " or ".join(map(str, numbers))
