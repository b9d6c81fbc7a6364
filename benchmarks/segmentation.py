"""The measurement of Tables 1 and 2: train a model, segment cases that it has not learned from, score them."""

import math
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from pydantic import Field
from pydantic.dataclasses import dataclass

from benchmarks.estimate import training_work
from benchmarks.measurement import Job, Outcome
from benchmarks.study import Point
from ossnet.checks import STRICT
from ossnet.data.case import Case, Dataset
from ossnet.data.preprocessing import Preprocessing, class_indices
from ossnet.data.sources import open_dataset
from ossnet.errors import UserError
from ossnet.evaluation import score_segmentation, segment_case
from ossnet.extraction import EXTRACTORS
from ossnet.files import replacing, write_text
from ossnet.metrics import disagreement_percent, surface_tolerance_mm
from ossnet.model import SegmentationModel
from ossnet.profile import Profile
from ossnet.registry import model_type
from ossnet.run import RunSpec, load_run, train_run
from ossnet.training import best_epoch

DENSE_CASES = 1
"""Cases of each run on which a sparse extraction is held against the evaluation of every voxel."""

PRIOR_CASES = 4
"""Cases of each run on which `mise` and `prior` are held against each other, where the model gives a prior."""


@dataclass(frozen=True, config=STRICT)
class Segmentation:
    """What decides a run's scores.

    Attributes:
        training: the trained model.
        extraction: how the segmentations are made, a name of `ossnet.extraction.EXTRACTORS`.
        max_locations: locations per pass of an extraction.
    """

    training: RunSpec
    extraction: str
    max_locations: int = Field(default=2**14, ge=1)
    measurement: Literal["segmentation"] = "segmentation"
    schema_version: Literal[1] = 1

    def __post_init__(self) -> None:
        if self.extraction not in EXTRACTORS:
            raise ValueError(f"extraction {self.extraction!r} is none of {', '.join(EXTRACTORS)}")

    @classmethod
    def of(cls, point: Point, profile: Profile, dataset: Dataset) -> "Segmentation":
        scored_split(dataset)
        training = profile.spec(point.model, dataset, point.seed, point.overrides)
        return cls(training, point.extraction or model_type(point.model).extraction, point.max_locations)

    @property
    def label(self) -> str:
        return f"{self.training.dataset}-{self.training.model}-seed{self.training.seed}"

    @property
    def epochs(self) -> int:
        return self.training.recipe.epochs

    def work(self, dataset: Dataset) -> float:
        """Of the training: it takes most of the time."""
        return training_work(self.training, len(dataset.splits["train"]))

    def measure(self, job: Job, folder: Path, device: torch.device) -> Outcome:
        """Train in `folder/training`; write `per_case.csv`, and `case.npz` with the first case's segmentation.

        Raises:
            UserError: the data set is not the one of the specification, has no case to train on or to score, or one
                that is refused.
        """
        cache = Path(job.cache)
        dataset = open_dataset(job.source, job.generator, cache, workers=1)
        if dataset.fingerprint != self.training.fingerprint:
            raise UserError(f"data {job.source} have changed since this run was planned; start the study again")
        split = scored_split(dataset)
        history = train_run(self.training, dataset, folder / "training", cache, device, lambda *_: None)
        model, _ = load_run(folder / "training", device)
        result, timing = self._score(model, dataset, split, folder)
        best = best_epoch(history)
        result |= {
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "best_validation_dice": None if best is None or best.dice is None or math.isnan(best.dice) else best.dice,
            "validation_protocol": self.training.recipe.validation.protocol,
        }
        return Outcome(result, timing | {"training_s": sum(epoch.seconds for epoch in history)})

    def _score(self, model: SegmentationModel, dataset: Dataset, split: str, folder: Path) -> Outcome:
        preprocessing = self.training.preprocessing
        parts, seconds, evaluated = [], [], []
        from_dense: dict[str, float] = {}
        from_prior: dict[str, float] = {}
        evaluated_locations: dict[str, dict[str, int]] = {"mise": {}, "prior": {}}

        def segment(case: Case, extraction: str) -> tuple[np.ndarray, int]:
            made = segment_case(model, case, preprocessing, extraction, self.max_locations)
            return made.segmentation.cpu().numpy(), sum(made.evaluated)

        for index, name in enumerate(dataset.splits[split]):
            case = dataset.load(name)
            start = time.perf_counter()
            segmentation, locations = segment(case, self.extraction)
            seconds.append(time.perf_counter() - start)
            evaluated.append(locations)
            rows = score_segmentation(segmentation, case, preprocessing, surface_tolerance_mm(case.spacing_mm))
            parts.append(rows)
            if index == 0:
                _write_case(folder / "case.npz", case, segmentation, float(rows["value"].iloc[0]), preprocessing)
            if index < DENSE_CASES and self.extraction != "dense":
                from_dense[name] = disagreement_percent(segmentation, segment(case, "dense")[0])
            if index < PRIOR_CASES and self.extraction == "mise" and model.has_prior:
                other, locations_of_prior = segment(case, "paper-prior")
                from_prior[name] = disagreement_percent(segmentation, other)
                for extraction, count in (("mise", locations), ("prior", locations_of_prior)):
                    evaluated_locations[extraction][name] = count
        write_text(folder / "per_case.csv", pd.concat(parts).to_csv(index=False))
        result: dict[str, Any] = {
            "protocol": "dense" if split == "test" else "dense, validation cases",
            "locations_mean": float(np.mean(evaluated)),
            "disagreement_with_dense_percent": from_dense,
            "disagreement_with_prior_percent": from_prior,
            "evaluated_locations": evaluated_locations,
        }
        return Outcome(result, {"extraction_s_median": float(np.median(seconds))})


def scored_split(dataset: Dataset) -> str:
    """Which cases are scored: those of `test`, or of `validation` where there are no others, as in the paper.

    Raises:
        UserError: there are neither.
    """
    for split in ("test", "validation"):
        if dataset.splits[split]:
            return split
    raise UserError(f"data set {dataset.name} has no test and no validation cases, so there is nothing to score")


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
