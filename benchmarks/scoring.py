"""What a trained run is worth on cases that it has not learned from, and the records of that."""

import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.jobs import Job
from ossnet.data.case import Case, Dataset
from ossnet.data.preprocessing import Preprocessing, class_indices
from ossnet.errors import UserError
from ossnet.evaluation import score_segmentation, segment_case
from ossnet.files import replacing, write_text
from ossnet.metrics import disagreement_percent, surface_tolerance_mm, valid_mean
from ossnet.model import SegmentationModel

DENSE_CHECKS = 1
"""Cases of each run on which a sparse extraction is held against the evaluation of every voxel."""


def scored_split(dataset: Dataset) -> str:
    """Which cases a table is over: those of `test`, or of `validation` where there are no others, as in the paper.

    Raises:
        UserError: there are neither.
    """
    for split in ("test", "validation"):
        if dataset.splits[split]:
            return split
    raise UserError(f"data set {dataset.name} has no test and no validation cases, so there is nothing to score")


def evaluate(model: SegmentationModel, job: Job, dataset: Dataset) -> dict[str, object]:
    """Score the cases of `scored_split`, write `per_case.csv` and `case.npz`; what goes into the result."""
    parts, seconds, evaluated, disagreements = [], [], [], []
    preprocessing, split = job.spec.preprocessing, scored_split(dataset)
    for index, name in enumerate(dataset.splits[split]):
        case = dataset.load(name)
        start = time.perf_counter()
        extraction = segment_case(model, case, preprocessing, model.extraction)
        seconds.append(time.perf_counter() - start)
        evaluated.append(sum(extraction.evaluated))
        segmentation = extraction.segmentation.cpu().numpy()
        rows = score_segmentation(segmentation, case, preprocessing, surface_tolerance_mm(case.spacing_mm))
        parts.append(rows)
        if index == 0:
            dice = float(rows.loc[rows["quantity"] == "dice", "value"].iloc[0])
            _write_case(job.folder / "case.npz", case, segmentation, dice, preprocessing)
        if model.extraction != "dense" and index < DENSE_CHECKS:
            dense = segment_case(model, case, preprocessing, "dense").segmentation.cpu().numpy()
            disagreements.append(disagreement_percent(segmentation, dense))
    scores = pd.concat(parts, ignore_index=True)
    scores = scores.assign(
        dataset=job.spec.dataset,
        profile=job.profile,
        model=job.spec.model,
        seed=job.spec.seed,
        protocol="dense" if split == "test" else "dense, validation cases",
    )
    write_text(job.folder / "per_case.csv", scores.to_csv(index=False))
    return {
        "extraction": model.extraction,
        "extraction_s_median": float(np.median(seconds)),
        "locations_mean": float(np.mean(evaluated)),
        "disagreement_with_dense_percent": valid_mean(disagreements)[0] if disagreements else None,
    }


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
