"""Files that figures of cases are drawn from: the segmentations of one case by every model, or the stages of one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from benchmarks.runs.plan import Plan
from benchmarks.runs.run_folder import Run
from ossnet.errors import UserError
from ossnet.files import replacing

SHARED = ("case", "modality", "image", "label", "affine")


def write_figure_case(plan: Plan, folder: Path) -> None:
    """Write `folder/STUDY-DATASET-PROFILE.npz` from what the runs of a plan have left for a figure.

    A run may leave `figure.npz`: that of the first run that is done is taken as it is. Where runs of several models
    have left `case.npz`, the first seed of each is taken, and the file is as `paper_figures.segmentations.load` reads
    it. Else there is nothing to write. A file that would come out the same is left alone, so that its figure is not
    drawn again.
    """
    done = [run for run in plan.runs if run.done]
    left = [run.folder / "figure.npz" for run in done if (run.folder / "figure.npz").exists()]
    figure = _read(left[0]) if left else _of_models(plan, done)
    path = folder / f"{plan.stem}.npz"
    kept = _read(path)
    if not figure or (kept.keys() == figure.keys() and all(_equal(kept[name], figure[name]) for name in figure)):
        return
    with replacing(path) as temporary:
        np.savez_compressed(temporary, **figure)


def _of_models(plan: Plan, done: Sequence[Run]) -> dict[str, Any]:
    """Return one case as every model segments it; empty for fewer than two models."""
    first: dict[str, Run] = {}
    for run in done:
        first.setdefault(run.model, run)
    if not first or len({run.model for run in plan.runs}) == 1:
        return {}
    cases = [_read(run.folder / "case.npz") for run in first.values()]
    if not all(cases):
        return {}
    return {name: cases[0][name] for name in SHARED} | {
        "models": np.array(list(first)),
        "predictions": np.stack([case["prediction"] for case in cases]),
        "dice": np.array([case["dice"] for case in cases]),
    }


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


def _read(path: Path) -> dict[str, np.ndarray]:
    if not path.exists():
        return {}
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except (OSError, ValueError, BadZipFile) as error:
        raise UserError(f"{path} is damaged ({error}); delete its folder and run the study again") from error
