"""Scores of released checkpoints by several protocols, kept for each checkpoint and case."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal, NamedTuple

import pandas as pd
import torch

from ossnet.config import digest, plain
from ossnet.data.case import Case, Dataset
from ossnet.data.preprocessing import Preprocessing
from ossnet.errors import UserError
from ossnet.evaluation.class_scores import mean_scores
from ossnet.evaluation.evaluation import extractor, segment_case
from ossnet.evaluation.metrics import surface_tolerance_mm
from ossnet.files import write_text
from ossnet.model import SegmentationModel
from ossnet.training.protocols import sampled_protocol, score_case_sampled
from ossnet.training.released_run import read_released
from ossnet.training.run import RunSpec
from ossnet.training.validation import ProtocolName, Validation

SUFFIXES = (".pt", ".pth", ".pkl", ".bin", ".ckpt", ".tar")
"""Endings of the names of checkpoints that torch has saved."""

COLUMNS = ["protocol", "case", "quantity", "value", "unit"]
"""Columns of the scores of a case."""

VERSION = 1
"""Version of the kept scores, to be increased whenever a checkpoint would have other scores."""


class Checkpoint(NamedTuple):
    """Checkpoint of the released code and the specification of its model."""

    path: Path
    spec: RunSpec


def find_checkpoints(folder: Path) -> tuple[list[Checkpoint], list[str]]:
    """Find the checkpoints in a folder and its subfolders; their contents tell variant and data set, not their names.

    Returns:
        The checkpoints, sorted by path, without those whose weights another one has, and the reasons why other files
        with such a name are none.

    Raises:
        UserError: there is no such folder.
    """
    if not folder.is_dir():
        raise UserError(f"--weights {folder} is not a folder; give the one that holds the released checkpoints")
    found: dict[str | None, Checkpoint] = {}
    reasons = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file()):
        try:
            spec = read_released(path).spec
        except UserError as error:
            reasons.append(str(error))
            continue
        if spec.imported in found:
            reasons.append(f"{path} has the weights of {found[spec.imported].path}")
        found.setdefault(spec.imported, Checkpoint(path, spec))
    return list(found.values()), reasons


@dataclass(frozen=True)
class Reproduction:
    """Scoring of checkpoints on the cases of a split.

    Attributes:
        folder: folder in which scores are kept.
        dataset: data set of the cases.
        split: split of the cases.
        protocols: names of the protocols.
        locations: number of locations per volume of the protocol `paper`; that of `released` follows from it.
        extraction: name of the extraction of the protocol `dense`.
        max_locations: maximal number of locations per pass.
        device: device of the models.
    """

    folder: Path
    dataset: Dataset
    split: str
    protocols: Sequence[ProtocolName]
    locations: int
    extraction: str
    max_locations: int
    device: torch.device

    def __post_init__(self) -> None:
        extractor(self.extraction)  # An unknown one is refused before any work.

    def missing(self, checkpoints: Sequence[Checkpoint]) -> list[tuple[str, Checkpoint]]:
        """Return the pairs of a case and a checkpoint that lack the scores of a protocol, case by case."""
        return [
            (case, checkpoint)
            for case in self.dataset.splits[self.split]
            for checkpoint in checkpoints
            if self._missing(checkpoint, case)
        ]

    def score(self, pairs: Sequence[tuple[str, Checkpoint]]) -> Iterator[tuple[str, Checkpoint]]:
        """Score pairs of a case and a checkpoint, keep their scores, and yield each pair that is done.

        Raises:
            UserError: a case or a checkpoint cannot be read, or the scores cannot be written.
        """
        case: Case | None = None
        for name, checkpoint in pairs:
            if case is None or case.name != name:
                case = self.dataset.load(name)
            model = read_released(checkpoint.path).model.to(self.device)
            missing = self._missing(checkpoint, name)
            scores = self._score(model, checkpoint.spec.preprocessing, case, missing)
            for protocol in missing:
                rows = scores[scores["protocol"] == protocol]
                write_text(self._path(checkpoint, name, protocol), rows.to_csv(index=False))
            yield name, checkpoint

    def scores(self, checkpoints: Sequence[Checkpoint]) -> pd.DataFrame:
        """Return the scores of all cases, which are `COLUMNS`, `dataset`, `model` and `seed`.

        A checkpoint's number among those of its model stands for a seed.
        """
        parts, seeds = [], dict[str, int]()
        for checkpoint in checkpoints:
            model = checkpoint.spec.model
            seed = seeds[model] = seeds.get(model, -1) + 1
            for case, protocol in product(self.dataset.splits[self.split], self.protocols):
                # A column of empty texts only is read as numbers otherwise.
                kept = pd.read_csv(self._path(checkpoint, case, protocol), dtype={"unit": str}).fillna({"unit": ""})
                parts.append(kept.assign(dataset=self.dataset.name, model=model, seed=seed))
        return pd.concat(parts, ignore_index=True)

    def _missing(self, checkpoint: Checkpoint, case: str) -> list[ProtocolName]:
        return [protocol for protocol in self.protocols if not self._path(checkpoint, case, protocol).exists()]

    def _score(
        self, model: SegmentationModel, preprocessing: Preprocessing, case: Case, protocols: Sequence[ProtocolName]
    ) -> pd.DataFrame:
        parts = []
        sampled = [self._sampled(protocol) for protocol in protocols if protocol != "dense"]
        if sampled:
            parts.append(score_case_sampled(model, case, preprocessing, sampled, self.max_locations))
        if "dense" in protocols:
            found = segment_case(model, case, preprocessing, self.extraction, self.max_locations)
            tolerance = surface_tolerance_mm(case.spacing_mm)
            rows = mean_scores(found.segmentation.cpu().numpy(), case, preprocessing, tolerance)
            parts.append(rows.assign(protocol="dense"))
        return pd.concat(parts, ignore_index=True)[COLUMNS]

    def _sampled(self, protocol: Literal["paper", "released"]) -> Validation:
        return sampled_protocol(protocol, self.dataset.name, self.locations)

    def _path(self, checkpoint: Checkpoint, case: str, protocol: ProtocolName) -> Path:
        """Return the file of the scores of a case; other weights, voxels or settings have another one."""
        identity = checkpoint.spec.identity
        settings = self.extraction if protocol == "dense" else plain(self._sampled(protocol))
        key = digest([VERSION, identity, self.dataset.content(case), settings])
        folder = f"{self.dataset.name}-{checkpoint.spec.model}-{identity[:12]}"
        return self.folder / folder / f"{case}-{protocol}-{key[:12]}.csv"
