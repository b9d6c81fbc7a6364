"""A process of its own for one run: train, segment the test cases, score them, leave the records."""

import argparse
import fcntl
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks.jobs import Job
from ossnet.data.case import Case, Dataset
from ossnet.data.preprocessing import Preprocessing, class_indices
from ossnet.data.sources import open_dataset
from ossnet.errors import UserError
from ossnet.evaluation import score_segmentation, segment_case
from ossnet.files import replacing, write_text
from ossnet.memory import is_out_of_memory
from ossnet.metrics import disagreement_percent, valid_mean
from ossnet.model import SegmentationModel
from ossnet.profile import load_profile
from ossnet.run import load_run, read_spec, train_run
from ossnet.training import best_epoch

DENSE_CHECKS = 2
"""Test cases on which a sparse extraction is held against the evaluation of every voxel."""


def surface_tolerance_mm(case: Case) -> float:
    """Tolerance of the surface Dice: 2 mm, or the longest edge of a voxel where that is more."""
    return max(2.0, *case.spacing_mm)


def evaluate(model: SegmentationModel, job: Job, dataset: Dataset) -> dict[str, object]:
    """Score the test cases, write `per_case.csv` and `case.npz`; what goes into the result."""
    parts, seconds, evaluated, disagreements = [], [], [], []
    preprocessing = job.spec.preprocessing
    for index, name in enumerate(dataset.splits["test"]):
        case = dataset.load(name)
        start = time.perf_counter()
        extraction = segment_case(model, case, preprocessing, model.extraction)
        seconds.append(time.perf_counter() - start)
        evaluated.append(sum(extraction.evaluated))
        segmentation = extraction.segmentation.cpu().numpy()
        rows = score_segmentation(segmentation, case, preprocessing, surface_tolerance_mm(case))
        parts.append(rows)
        if index == 0:
            dice = float(rows.loc[rows["quantity"] == "dice", "value"].iloc[0])
            _write_case(job.folder / "case.npz", case, segmentation, dice, preprocessing)
        if model.extraction != "dense" and index < DENSE_CHECKS:
            dense = segment_case(model, case, preprocessing, "dense").segmentation.cpu().numpy()
            disagreements.append(disagreement_percent(segmentation, dense))
    scores = pd.concat(parts, ignore_index=True)
    scores = scores.assign(
        dataset=job.spec.dataset, profile=job.profile, model=job.spec.model, seed=job.spec.seed, protocol="dense"
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


def run(job: Job, cache: Path) -> None:
    """Make the run; what it comes to is in its folder."""
    start = time.monotonic()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dataset = open_dataset(job.source, load_profile(job.profile).generator(job.source), cache, workers=1)
    history = train_run(job.spec, dataset, job.folder, cache, device, lambda *_: None)
    model, _ = load_run(job.folder, device)
    evaluation = evaluate(model, job, dataset)
    best = best_epoch(history)
    result = {
        **evaluation,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "training_s": sum(epoch.seconds for epoch in history),
        "worker_s": time.monotonic() - start,
        "best_validation_dice": best.dice if best is not None else None,
        "validation_protocol": job.spec.recipe.validation.protocol,
    }
    write_text(job.folder / "result.json", json.dumps(result, indent=2) + "\n")


def main() -> int:
    """`python -m benchmarks.worker FOLDER --cache DIR --threads N`; 0, or 1 with `failure.json` in the folder."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if hasattr(os, "nice"):
        os.nice(5)
    settings = json.loads((arguments.folder / "job.json").read_text(encoding="utf-8"))
    job = Job(read_spec(arguments.folder), settings["source"], settings["profile"], arguments.folder)
    try:
        with (arguments.folder / "lock").open("w") as lock:
            # Another worker may still be at this run, one that outlived its sweep: let it finish.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not job.done:
                run(job, arguments.cache)
    except UserError as error:
        job.fail(str(error))
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        job.fail("OOM")
    return 0 if job.done else 1


if __name__ == "__main__":
    sys.exit(main())
