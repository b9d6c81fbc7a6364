"""Scoring of Figure 4: the stages of one extraction, in a plane of one case.

The extraction is `paper-prior`: the paper's Figure 4 draws an octree whose first lattice the encoder's segmentation
divides into occupied points and points to be evaluated. The released code has no octree, and evaluates the points that
are marked as occupied.
"""

import math
from dataclasses import dataclass as plain_dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from nibabel.orientations import io_orientation
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from benchmarks.scoring.inference_comparison import compare_extraction
from benchmarks.scoring.scoring import Outcome
from benchmarks.scoring.segmentation import dense_protocol
from benchmarks.scoring.segmentation_costs import SegmentationCosts
from benchmarks.study import Point
from ossnet.checks import STRICT
from ossnet.data.case import Case, Dataset
from ossnet.data.preprocessing import class_indices
from ossnet.data.splits import Split, scored_split
from ossnet.errors import UserError
from ossnet.evaluation.evaluation import field_of_case
from ossnet.evaluation.quantities import QUANTITIES
from ossnet.field import Grid, OccupancyField
from ossnet.files import replacing, write_text
from ossnet.inference.extraction import INITIAL_STRIDE, Extraction, mise, paper_prior
from ossnet.inference.octree import Level
from ossnet.model import SegmentationModel
from ossnet.training.profile import Profile
from ossnet.training.run import RunSpec

NO_POINT = -1
"""Value at voxels between the points of a lattice."""


@plain_dataclass(frozen=True)
class Plane:
    """Plane of a grid: all voxels with one index along one axis."""

    axis: int
    index: int

    def take(self, volume: np.ndarray) -> np.ndarray:
        """Return the plane of a volume [H, W, D], with a single voxel along the axis."""
        return volume.take([self.index], self.axis)

    def take_level(self, level: Level, values: Tensor) -> np.ndarray:
        """Return the plane of values [h, w, d] at a level's lattice, like `take`.

        The values are at the voxels of their points, with `NO_POINT` between them, int8.
        """
        points = [axis.cpu().numpy() for axis in level.axes]
        shape = list(level.grid.shape)
        place = np.searchsorted(points[self.axis], self.index)
        points[self.axis], shape[self.axis] = np.array([0]), 1
        voxels = np.full(shape, NO_POINT, np.int8)
        voxels[np.ix_(*points)] = values.cpu().numpy().take([place], self.axis)
        return voxels


def best_plane(label: np.ndarray, affine: np.ndarray) -> Plane:
    """Return the axial plane with points of every lattice that shows the largest area of a label [H, W, D]."""
    axis = int(np.flatnonzero(io_orientation(affine)[:, 0] == 2)[0])
    areas = (label > 0).sum(axis=tuple({0, 1, 2} - {axis}))
    last = len(areas) - 1
    return Plane(axis, max([*range(0, last, INITIAL_STRIDE), last], key=lambda index: int(areas[index])))


def extract_stages(
    field: OccupancyField, grid: Grid, plane: Plane, max_locations: int = 2**14
) -> dict[str, np.ndarray]:
    """Return the arrays by stage that `OctreeStages.score` writes.

    Raises:
        UserError: the model's encoder predicts no segmentation.
    """
    strides: list[int] = []
    occupied: list[np.ndarray] = []
    known: list[np.ndarray] = []

    def observe(level: Level) -> None:
        strides.append(level.stride)
        occupied.append(plane.take_level(level, level.labels > 0))
        known.append(plane.take_level(level, level.known) == 1)

    extraction = paper_prior(field, grid, max_locations, callback=observe)
    return {
        "stride": np.array(strides[::2]),
        "evaluated": np.array(extraction.evaluated),
        "evaluated_by_mise": np.array(sum(mise(field, grid, max_locations).evaluated)),
        "begun": np.stack(occupied[::2]),
        "settled": np.stack(occupied[1::2]),
        "asked": np.stack(known[1::2]) & ~np.stack(known[::2]),
    }


@dataclass(frozen=True, config=STRICT)
class OctreeStages:
    """Specification of the stages of an extraction by a trained model.

    Attributes:
        training: specification of the model's training.
        max_locations: maximal number of locations per pass of the extraction.
        extraction: name of the extraction in `ossnet.inference.extraction.EXTRACTORS`.
        measurement: name of this kind of scoring.
        schema_version: version of this specification.
    """

    training: RunSpec
    max_locations: int = Field(default=2**14, ge=1)
    extraction: Literal["paper-prior"] = "paper-prior"
    measurement: Literal["octree stages"] = "octree stages"
    schema_version: Literal[1] = 1

    @classmethod
    def of(cls, point: Point, profile: Profile, dataset: Dataset) -> "OctreeStages":
        """Make the specification of a point of a study on a data set.

        Raises:
            UserError: the data set has no case to score, or the profile has an invalid setting.
        """
        scored_split(dataset)
        return cls(profile.spec(point.model, dataset, point.seed, point.overrides), point.max_locations)

    def split_of(self, dataset: Dataset) -> Split:
        """Return the split whose first case is extracted; see `scored_split`."""
        return scored_split(dataset)

    def score(self, model: SegmentationModel, dataset: Dataset, cache: Path, folder: Path) -> Outcome:
        """Extract the first case of the scored split; write `per_case.csv` and `figure.npz`.

        The arrays of `figure.npz` are

        - `case`, `modality` and `model`: texts without axes;
        - `voxels`: number of voxels of the case;
        - `image` [H, W, D] float32 and `label` [H, W, D] bool: one axial plane, with a single voxel along its axis;
        - `affine` [4, 4]: affine of the case;
        - `stride` [s] and `evaluated` [s]: stride of each stage, and number of its evaluated locations in the case;
        - `evaluated_by_mise`: number of all locations that the original inference evaluates;
        - `begun` and `settled` [s, H, W, D] int8: whether a point of the stage's lattice in the plane is occupied
          before and after the evaluations of the stage, with `NO_POINT` between points;
        - `asked` [s, H, W, D] bool: whether the point is evaluated in the stage.

        Raises:
            UserError: the data set has no case to score, the first one has no label, or the model's encoder predicts
                no segmentation.
        """
        split = self.split_of(dataset)
        case = dataset.load(dataset.splits[split][0])
        if case.label is None:
            raise UserError(f"case {case.name} has no label, so it cannot be scored; add a label or leave the case out")
        label = class_indices(case.label, self.training.preprocessing, case.name) > 0
        plane = best_plane(label, case.affine)

        def extract(case: Case) -> tuple[OccupancyField, Grid, Extraction]:
            field, grid = field_of_case(model, case, self.training.preprocessing)
            return field, grid, paper_prior(field, grid, self.max_locations)

        costs = SegmentationCosts(model, extract)
        field, grid, extraction = costs.segment(case)
        costs.count_tensors(dataset)
        arrays: dict[str, Any] = {
            "case": np.array(case.name),
            "modality": np.array(case.modalities[0]),
            "model": np.array(self.training.model),
            "voxels": np.array(math.prod(case.shape)),
            "image": plane.take(case.image[0]),
            "label": plane.take(label),
            "affine": case.affine,
        }
        with replacing(folder / "figure.npz") as temporary:
            np.savez_compressed(temporary, **arrays | extract_stages(field, grid, plane, self.max_locations))
        values = compare_extraction(self.extraction, extraction, field, grid, self.max_locations)
        rows = [(case.name, quantity, value, QUANTITIES[quantity].unit) for quantity, value in values.items()]
        table = pd.DataFrame(rows, columns=["case", "quantity", "value", "unit"])
        write_text(folder / "per_case.csv", table.to_csv(index=False))
        return Outcome({"protocol": dense_protocol(split)}, costs.timing, costs.peaks)
