"""`python -m benchmarks.studies.figure4`: the stages of an extraction in one plane of a real case, for the figure.

The model is a trained one of Table 2, the extraction `paper-prior`: the paper's Figure 4 draws an octree whose first
lattice the encoder's segmentation divides into occupied points and points to be evaluated. The released code has no
octree, and evaluates the others.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nibabel.orientations import io_orientation
from torch import Tensor

from benchmarks.runs.plan import Plan, read_plans
from benchmarks.runs.run_folder import Run, read_json
from benchmarks.scoring.scoring import Job
from benchmarks.scoring.segmentation import scored_split
from ossnet.command import run_command
from ossnet.config import build
from ossnet.data.preprocessing import class_indices
from ossnet.data.sources import open_dataset
from ossnet.errors import UserError
from ossnet.evaluation.evaluation import field_of_case
from ossnet.field import Grid, OccupancyField
from ossnet.files import replacing
from ossnet.inference.extraction import INITIAL_STRIDE, mise, paper_prior
from ossnet.inference.octree import Level
from ossnet.training.run import load_run

STUDY = "table2"
MODEL = "c"

NO_POINT = -1
"""At voxels between the points of a lattice."""


@dataclass(frozen=True)
class Plane:
    """The voxels of a grid that have one index along one axis."""

    axis: int
    index: int

    def of(self, volume: np.ndarray) -> np.ndarray:
        """Of a volume [H, W, D], as one with a single voxel along the axis."""
        return volume.take([self.index], self.axis)

    def of_level(self, level: Level, values: Tensor) -> np.ndarray:
        """Of values [h, w, d] at a level's lattice, at their voxels and `NO_POINT` between, int8; see `of`."""
        points = [axis.cpu().numpy() for axis in level.axes]
        shape = list(level.grid.shape)
        place = np.searchsorted(points[self.axis], self.index)
        points[self.axis], shape[self.axis] = np.array([0]), 1
        voxels = np.full(shape, NO_POINT, np.int8)
        voxels[np.ix_(*points)] = values.cpu().numpy().take([place], self.axis)
        return voxels


def best_plane(label: np.ndarray, affine: np.ndarray) -> Plane:
    """Of the axial planes with points of every lattice, the one with the largest area of a label [H, W, D]."""
    axis = int(np.flatnonzero(io_orientation(affine)[:, 0] == 2)[0])
    areas = (label > 0).sum(axis=tuple({0, 1, 2} - {axis}))
    last = len(areas) - 1
    return Plane(axis, max([*range(0, last, INITIAL_STRIDE), last], key=lambda index: int(areas[index])))


def extract_stages(field: OccupancyField, grid: Grid, plane: Plane) -> dict[str, np.ndarray]:
    """The arrays by stage that `write_extraction_case` tells of.

    Raises:
        UserError: the model's encoder has no segmentation.
    """
    strides: list[int] = []
    occupied: list[np.ndarray] = []
    known: list[np.ndarray] = []

    def observe(level: Level) -> None:
        strides.append(level.stride)
        occupied.append(plane.of_level(level, level.labels > 0))
        known.append(plane.of_level(level, level.known) == 1)

    extraction = paper_prior(field, grid, callback=observe)
    return {
        "stride": np.array(strides[::2]),
        "evaluated": np.array(extraction.evaluated),
        "evaluated_by_mise": np.array(sum(mise(field, grid).evaluated)),
        "begun": np.stack(occupied[::2]),
        "settled": np.stack(occupied[1::2]),
        "asked": np.stack(known[1::2]) & ~np.stack(known[::2]),
    }


def write_extraction_case(plan: Plan, folder: Path) -> Path:
    """Extract the first scored case with the first trained OSS-Net C of a plan; `folder/figure4-DATASET-PROFILE.npz`.

    Its arrays: `case`, `modality` and `model`, texts without axes; `voxels`, how many the case has; of one axial plane,
    with a single voxel along its axis, `image` [H, W, D] float32 and `label` [H, W, D] bool; `affine` [4, 4] of the
    case; by stage `stride` [s], and `evaluated` [s], locations of the whole case; `evaluated_by_mise`, all those that
    the original inference evaluates; by stage in the plane `begun` and `settled` [s, H, W, D] int8: whether a point of
    the stage's lattice is occupied before and after its evaluations (`NO_POINT` between points), and `asked`
    [s, H, W, D] bool: whether it was evaluated.

    Raises:
        UserError: no run of the model is done, or its data or its weights cannot be had.
    """
    run = _first_trained(plan)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model, spec = load_run(run.training, device)
    job = build(Job, read_json(run.folder / "job.json"), str(run.folder / "job.json"))
    dataset = open_dataset(job.source, job.generator, Path(job.cache), workers=1)
    case = dataset.load(dataset.splits[scored_split(dataset)][0])
    assert case.label is not None
    label = class_indices(case.label, spec.preprocessing, case.name) > 0
    plane = best_plane(label, case.affine)
    field, grid = field_of_case(model, case, spec.preprocessing)
    arrays: dict[str, Any] = {
        "case": np.array(case.name),
        "modality": np.array(case.modalities[0]),
        "model": np.array(run.model),
        "voxels": np.array(math.prod(case.shape)),
        "image": plane.of(case.image[0]),
        "label": plane.of(label),
        "affine": case.affine,
    }
    path = folder / f"figure4-{plan.dataset}-{plan.profile}.npz"
    with replacing(path) as temporary:
        np.savez_compressed(temporary, **arrays | extract_stages(field, grid, plane))
    return path


def _first_trained(plan: Plan) -> Run:
    for run in plan.runs:
        if run.model == MODEL and run.done:
            return run
    raise UserError(
        f"no OSS-Net C of {plan.study} on {plan.dataset}, profile {plan.profile}, is trained; "
        f"run `python -m benchmarks run {plan.study}`"
    )


def write_all(results: Path, data: str | None, profile: str | None) -> int:
    """Write the file of each plan of Table 2 in a results folder, and tell of it; 0.

    Args:
        data: only of plans on this data set, by its name or by its source as the study was given it; None for all.
        profile: only of plans with this profile, by its name or its TOML file; None for all.

    Raises:
        UserError: there is no such plan, or as `write_extraction_case` says.
    """
    name = profile and Path(profile).name.removesuffix(".toml")
    plans = [
        plan
        for plan in read_plans(results, [STUDY])
        if data in (None, plan.dataset, plan.source) and name in (None, plan.profile)
    ]
    if not plans:
        on = (f" on {data}" if data else "") + (f" with profile {name}" if name else "")
        raise UserError(f"{STUDY} was not begun{on} in {results}; run `python -m benchmarks run {STUDY}`")
    for plan in plans:
        print(write_extraction_case(plan, results / "records"))
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 2 for a user's mistake."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.studies.figure4", description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of the studies (%(default)s)")
    parser.add_argument("--data", metavar="NAME", help="data set of the trained models, as glioma (all of them)")
    parser.add_argument("--profile", help="profile of the trained models, as laptop (all of them)")
    options = parser.parse_args(arguments)
    return run_command("extraction_case", lambda: write_all(options.results, options.data, options.profile))


if __name__ == "__main__":
    sys.exit(main())
