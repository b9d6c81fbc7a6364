"""Scoring of Tables 1 and 2: scores of the segmentations of cases that a model has not learned from."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field
from pydantic.dataclasses import dataclass

from benchmarks.scoring.protocols import protocols_of
from benchmarks.scoring.scoring import Outcome
from benchmarks.scoring.segmentation_costs import SegmentationCosts
from benchmarks.study import Point
from ossnet.checks import STRICT
from ossnet.config import newer, plain
from ossnet.data.case import Case, Dataset
from ossnet.data.prepared import PreparedCases
from ossnet.data.preprocessing import Preprocessing, class_indices
from ossnet.data.regions import MEAN
from ossnet.data.splits import Split, scored_split
from ossnet.evaluation.class_scores import score_classes, scored_classes
from ossnet.evaluation.evaluation import field_of_case, segment_case
from ossnet.evaluation.metrics import disagreement_percent, surface_tolerance_mm
from ossnet.field import OccupancyField
from ossnet.files import replacing, write_text
from ossnet.inference.extraction import EXTRACTORS
from ossnet.model import SegmentationModel
from ossnet.registry import model_type
from ossnet.training.profile import Profile
from ossnet.training.protocols import score_sampled
from ossnet.training.run import RunSpec
from ossnet.training.validation import Validation

DENSE_CASES = 1
"""Number of cases per run on which a sparse extraction is compared with the evaluation of every voxel."""


@dataclass(frozen=True, config=STRICT)
class Segmentation:
    """Specification of the scores of a trained model.

    Attributes:
        training: specification of the model's training.
        extraction: name of the extraction in `ossnet.inference.extraction.EXTRACTORS`.
        max_locations: maximal number of locations per pass of the extraction.
        measurement: name of this kind of scoring.
        schema_version: version of this specification.
        split: split whose cases are scored; None for that of `scored_split`.
        protocols: sampled protocols, in addition to the dense one; None for `protocols_of`.
    """

    training: RunSpec
    extraction: str
    max_locations: int = Field(default=2**14, ge=1)
    measurement: Literal["segmentation"] = "segmentation"
    schema_version: Literal[1] = 1
    split: Split | None = newer(None)
    protocols: tuple[Validation, ...] | None = newer(None)

    def __post_init__(self) -> None:
        if self.extraction not in EXTRACTORS:
            raise ValueError(f"extraction {self.extraction!r} is none of {', '.join(EXTRACTORS)}")
        names = [protocol.protocol for protocol in self.protocols or ()]
        if "dense" in names or len(set(names)) < len(names):
            raise ValueError(
                f"protocols {', '.join(names)}: give paper or released, each at most once; dense is always included"
            )

    @classmethod
    def of(cls, point: Point, profile: Profile, dataset: Dataset) -> "Segmentation":
        """Make the specification of a point of a study on a data set.

        Raises:
            UserError: the data set has no case to score, or the profile has an invalid setting.
        """
        scored_split(dataset, point.split)
        training = profile.spec(point.model, dataset, point.seed, point.overrides)
        extraction = point.extraction or model_type(point.model).extraction
        return cls(training, extraction, point.max_locations, split=point.split, protocols=point.protocols)

    def split_of(self, dataset: Dataset) -> Split:
        """Return the split whose cases are scored; see `scored_split`."""
        return scored_split(dataset, self.split)

    def score(self, model: SegmentationModel, dataset: Dataset, cache: Path, folder: Path) -> Outcome:
        """Segment and score every case of the split.

        It writes `per_case.csv` and `sampled.csv`, the dense and the sampled scores, `per_class.csv`, the dense ones of
        each class or region where there are several, and `case.npz`, the segmentation of the first case with
        foreground.

        Raises:
            UserError: the data set has no case to score, or an invalid one.
        """
        split = self.split_of(dataset)
        preprocessing = self.training.preprocessing
        scored = scored_classes(preprocessing)
        parts, sampled, evaluated = [], [], []
        without_foreground, without_spacing = list[str](), list[str]()
        from_dense: dict[str, float] = {}

        def segment(case: Case) -> tuple[OccupancyField, np.ndarray, int]:
            field, grid = field_of_case(model, case, preprocessing)
            extracted = EXTRACTORS[self.extraction](field, grid, self.max_locations)
            return field, extracted.segmentation.cpu().numpy(), sum(extracted.evaluated)

        costs = SegmentationCosts(model, segment)
        to_compare: dict[str, np.ndarray] = {}
        protocols = protocols_of(self.training) if self.protocols is None else self.protocols
        prepared = PreparedCases(dataset, split, preprocessing, cache)
        for index, name in enumerate(dataset.splits[split]):
            case = dataset.load(name)
            field, segmentation, locations = costs.segment(case)
            evaluated.append(locations)
            rows = score_classes(segmentation, case, preprocessing, surface_tolerance_mm(case.spacing_mm), scored)
            parts.append(rows)
            # In passes of the extraction's size, so that an allocator keeps no more memory than the extraction takes.
            sampled.append(score_sampled(field, prepared[index], protocols, self.max_locations))
            del field  # Before the next one is made.
            has_foreground = case.label is None or class_indices(case.label, preprocessing, name).any()
            if not case.spacing_known:
                without_spacing.append(name)
            # The figure shows the first case with foreground, or the first case where none has any.
            if index == 0 or (has_foreground and len(without_foreground) == index):
                _write_case(folder / "case.npz", case, segmentation, float(rows["value"].iloc[0]), preprocessing)
            if not has_foreground:
                without_foreground.append(name)
            if index < DENSE_CASES and self.extraction != "dense":
                to_compare[name] = segmentation
        # After the loop, since the dense evaluation takes another amount of memory.
        for name, segmentation in to_compare.items():
            every_voxel = segment_case(model, dataset.load(name), preprocessing, "dense", self.max_locations)
            from_dense[name] = disagreement_percent(segmentation, every_voxel.segmentation)
        costs.count_tensors(dataset)
        scores = pd.concat(parts)
        of_means = scores["class"] == MEAN
        write_text(folder / "per_case.csv", scores[of_means].drop(columns="class").to_csv(index=False))
        if not of_means.all():
            write_text(folder / "per_class.csv", scores[~of_means].to_csv(index=False))
        by_protocol = pd.concat(sampled).sort_values("protocol", kind="stable")
        write_text(folder / "sampled.csv", by_protocol.to_csv(index=False))
        result: dict[str, Any] = {
            "protocol": dense_protocol(split),
            "sampled_protocols": [plain(protocol) for protocol in protocols],
            "locations_mean": float(np.mean(evaluated)),
            "disagreement_with_dense_percent": from_dense,
        }
        if without_foreground:
            result["cases_without_foreground"] = without_foreground
        if without_spacing:
            result["cases_without_spacing"] = without_spacing
        return Outcome(result, costs.timing, costs.peaks)


def dense_protocol(split: Split) -> str:
    """Return the name of the protocol that scores all voxels, with the split if it is not `test`."""
    return "dense" if split == "test" else f"dense, {split} cases"


def _write_case(path: Path, case: Case, segmentation: np.ndarray, dice: float, preprocessing: Preprocessing) -> None:
    assert case.label is not None
    with replacing(path) as temporary:
        np.savez_compressed(
            temporary,
            case=np.array(case.name),
            modality=np.array(case.modalities[0]),
            image=case.image[0],
            label=class_indices(case.label, preprocessing, case.name) > 0,
            prediction=segmentation > 0,
            dice=np.array(dice),
            affine=case.affine,
        )
