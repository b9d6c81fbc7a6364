"""`python -m benchmarks reproduce`: Table 2 from the weights of the paper's released code, without training."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from benchmarks.names import PUBLISHED, model_name, read_published
from benchmarks.report.caveats import Caveats
from benchmarks.report.score_table import write_table
from benchmarks.report.summary import summarise
from benchmarks.scoring.reproduction import Checkpoint, Reproduction, find_checkpoints
from benchmarks.studies.table2 import TABLE2
from ossnet.data import brats, lits
from ossnet.data.case import Dataset
from ossnet.data.sources import FOLDERS, open_dataset, with_released_split
from ossnet.errors import UserError
from ossnet.progress import ProgressLine
from ossnet.training.protocols import sampled_protocol
from ossnet.training.released_run import DATA, MODELS
from ossnet.training.validation import ProtocolName

PROFILE = "released"
"""Profile of the trainings whose weights are scored."""

LAYOUT = replace(
    TABLE2.layout,
    title="Table 2: segmentation performance of released weights, not trained here",
    rows=[(model,) for model in MODELS.values()],
    quantities=("dice", "iou"),
)


@dataclass(frozen=True)
class ReproduceRequest:
    """Options of `reproduce`.

    Attributes:
        source: data set, as `ossnet.data.sources.open_dataset` takes it.
        weights: folder of the checkpoints.
        results: results folder.
        protocols: names of the protocols.
        locations: number of locations per volume of the protocol `paper`.
        extraction: name of the extraction of the protocol `dense`.
        max_locations: maximal number of locations per pass.
        device: device of the models.
    """

    source: str
    weights: Path
    results: Path
    protocols: Sequence[ProtocolName]
    locations: int
    extraction: str
    max_locations: int
    device: torch.device


def reproduce(request: ReproduceRequest) -> Path:
    """Score every checkpoint of a folder that fits the data set, and write Table 2 for each protocol.

    Scores are kept for each checkpoint and case, so that the same command continues after an interrupt. The cases are
    those of the split `validation`, as in the paper.

    Returns:
        The path of the table in Markdown; CSV and LaTeX are beside it.

    Raises:
        UserError: the data set is none of the paper's or has no case to score, the folder has no checkpoint for it, or
            a file cannot be read or written.
    """
    dataset = _open(request.source, request.results / "cache")
    found, reasons = find_checkpoints(request.weights)
    for reason in reasons:
        print(f"left out: {reason}")
    checkpoints = [checkpoint for checkpoint in found if checkpoint.spec.dataset == dataset.name]
    for checkpoint in found:
        if checkpoint not in checkpoints:
            print(f"left out: {checkpoint.path} is for {checkpoint.spec.dataset}")
    if not checkpoints:
        raise UserError(f"{request.weights} has no released checkpoint for {dataset.name}; give another with --weights")
    reproduction = Reproduction(
        request.results / "reproduction",
        dataset,
        "validation",
        request.protocols,
        request.locations,
        request.extraction,
        request.max_locations,
        request.device,
    )
    missing = reproduction.missing(checkpoints)
    cases = len(dataset.splits["validation"])
    if missing:
        kept = len(checkpoints) * cases - len(missing)
        label = f"scoring {len(checkpoints)} checkpoints on {cases} cases" + (f", {kept} scores kept" if kept else "")
        with ProgressLine(label, len(missing)) as line:
            for done, (case, checkpoint) in enumerate(reproduction.score(missing), start=1):
                line.update(done, f"{checkpoint.spec.model} on {case}")
    scores = reproduction.scores(checkpoints).assign(profile=PROFILE)
    stem = request.results / "tables" / "reproduction"
    numbers = summarise(scores, read_published(PUBLISHED, LAYOUT.table), LAYOUT)
    write_table(numbers, stem, LAYOUT, caveats=_caveats(request, dataset, checkpoints))
    return stem.with_suffix(".md")


def _open(source: str, cache: Path) -> Dataset:
    """Open the paper's data set of a source with the split that the released code lists, if it lists one."""
    names = {data.name for data in DATA.values()}
    readers = sorted(reader for reader, folder in FOLDERS.items() if folder.name in names)
    if source.partition(":")[0] not in readers:
        raise UserError(
            f"--data {source}: the released weights are for the paper's data sets; "
            f"give one of {', '.join(f'{reader}:FOLDER' for reader in readers)}"
        )
    dataset = open_dataset(with_released_split(source), {}, cache)
    if not dataset.splits["validation"]:
        listed = " that the released code lists" if dataset.name == brats.BRATS2020.name else ""
        raise UserError(f"{source} has none of the validation cases{listed}, so there is nothing to score")
    return dataset


def _caveats(request: ReproduceRequest, dataset: Dataset, checkpoints: Sequence[Checkpoint]) -> Caveats:
    """Return the notes of the table of each protocol."""
    released = sampled_protocol("released", dataset.name, request.locations)
    border = f", {released.border_share:.0%} of them from the border" if released.border_share else ""
    files = ", ".join(f"{model_name(spec.model)} from {path.name}" for path, spec in checkpoints)
    shared = [f"Weights: {files}", "Checkpoints of the same network count as seeds"]
    if dataset.name == brats.BRATS2020.name:
        shared.append(
            "The cases are the validation cases that the released code lists, by which it also chose its epochs, so "
            "new cases would score lower"
        )
    if dataset.name == lits.NAME:
        shared.append(
            "Which cases of LiTS the weights have learned from is not published: some of them may be among these, "
            "which are drawn at random, and then raise the scores"
        )
    of_protocol = {
        "paper": f"Each case is scored at {request.locations} uniform locations of the prepared volume",
        "released": f"Each case is scored at {released.locations} locations as the released code draws them{border}, "
        "and the larger patches of OSS-Net B and D are max-pooled, as at that code's inference",
        "dense": f"Each case is scored at every voxel of its own grid, segmented by {request.extraction}",
    }
    return {(dataset.name, PROFILE, name): [*shared, of_protocol[name]] for name in request.protocols}
