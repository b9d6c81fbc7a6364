"""A test case segmented by every model of a table, saved for the figure that shows the segmentations."""

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
    """Write `folder/STUDY-DATASET-PROFILE.npz`, which `paper_figures.segmentations.load` reads.

    The file has the first finished seed of each model. Nothing is written if no run is finished or all are of one
    model. A file that would not change is left alone, so that its figure is not drawn again.
    """
    first: dict[str, Run] = {}
    for run in plan.runs:
        if run.done:
            first.setdefault(run.model, run)
    if not first or len({run.model for run in plan.runs}) == 1:
        return
    path = folder / f"{plan.stem}.npz"
    kept = _read(path)
    cases = [_read(run.folder / "case.npz") for run in first.values()]
    figure: dict[str, Any] = {name: cases[0][name] for name in SHARED} | {
        "models": np.array(list(first)),
        "predictions": np.stack([case["prediction"] for case in cases]),
        "dice": np.array([case["dice"] for case in cases]),
    }
    if kept.keys() == figure.keys() and all(_equal(kept[name], figure[name]) for name in figure):
        return
    with replacing(path) as temporary:
        np.savez_compressed(temporary, **figure)


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
