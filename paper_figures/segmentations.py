"""Segmentations of one case by every model, in the manner of the paper's Figure 1: a slice and a mesh for each."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ossnet.errors import UserError
from paper_figures.picture import RecordFiles, figure_by_file
from paper_figures.style import LABEL_COLOUR, PAGE_WIDTH_IN, PREDICTION_COLOUR, settings, wrapped_name
from paper_figures.volumes import FILL, axial_slices, coarse_meshes, draw_mesh, draw_slice, view_of

COLUMNS = 5
"""Blocks per row: two rows hold the label and the nine models."""


class Views(NamedTuple):
    """Views of a case, of its label and of predictions.

    Attributes:
        picture: axial slice of the image [y, x].
        pixel_mm: its pixel size (y, x) in mm.
        slices: slices of the label and of the predictions [1 + m, y, x] bool.
        meshes: vertices and faces of the label and of the predictions.
    """

    picture: np.ndarray
    pixel_mm: tuple[float, float]
    slices: np.ndarray
    meshes: list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False)
class SegmentedCase:
    """A case and its segmentations by models, on one grid.

    Attributes:
        name: name of the case.
        modality: modality of `image`.
        image: image [H, W, D] float.
        label: label [H, W, D] bool.
        predictions: mask [H, W, D] bool by model, in the order to show.
        dice: Dice of the case by model, NaN where it is undefined.
        affine: voxel indices to mm in nibabel's RAS+ world, [4, 4].
    """

    name: str
    modality: str
    image: np.ndarray
    label: np.ndarray
    predictions: dict[str, np.ndarray]
    dice: dict[str, float]
    affine: np.ndarray

    def views(self, models: Iterable[str]) -> Views:
        """Return the axial slice with the largest area of label, and meshes, with the predictions of some models.

        Raises:
            UserError: the label is empty.
        """
        if not self.label.any():
            raise UserError(f"cannot draw case {self.name}: its label is empty; choose a case that has one")
        masks = np.stack([self.label, *(self.predictions[model] for model in models)])
        picture, slices, pixel_mm = axial_slices(self.image, masks, self.affine)
        return Views(picture, pixel_mm, slices, coarse_meshes(masks, self.affine))


def load(path: str | Path) -> SegmentedCase:
    """Read a case that `benchmarks.report.figure_case` has written as an `.npz` file without pickled objects.

    The file's arrays: `case` and `modality`, texts without axes; `image` [H, W, D] float; `label` [H, W, D] 0 or 1;
    `models` [m] texts; in their order `predictions` [m, H, W, D] 0 or 1 and `dice` [m] float; `affine` [4, 4].

    Raises:
        UserError: the file is missing or not an archive of arrays, lacks an array, or its arrays do not fit together.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        models = [str(model) for model in arrays["models"]]
        label, predictions = arrays["label"].astype(bool), arrays["predictions"].astype(bool)
        if predictions.shape != (len(models), *label.shape) or arrays["image"].shape != label.shape:
            raise ValueError(
                f"image {arrays['image'].shape}, label {label.shape} and predictions {predictions.shape} "
                f"of {len(models)} models do not fit together"
            )
        return SegmentedCase(
            name=str(arrays["case"]),
            modality=str(arrays["modality"]),
            image=arrays["image"],
            label=label,
            predictions=dict(zip(models, predictions, strict=True)),
            dice=dict(zip(models, arrays["dice"].tolist(), strict=True)),
            affine=arrays["affine"],
        )
    except (OSError, BadZipFile, KeyError, ValueError) as error:
        raise UserError(f"cannot draw the case in {path}: {error}; write it again by a run of the models") from error


def draw(case: SegmentedCase) -> Figure:
    """Draw the label and every prediction, each as a slice above a mesh.

    The slice is the axial one with the largest area of label, in the radiological view (the patient's right is on the
    left), cropped to what differs from the background. All meshes have the same camera (from the patient's front
    right), light and limits, which follow the label: a note says so where a prediction extends beyond them.

    Raises:
        UserError: the label is empty.
    """
    picture, pixel_mm, slices, meshes = case.views(case.predictions)
    limits = view_of(case.label, case.affine)
    blocks = [("Label", LABEL_COLOUR)]
    blocks += [(f"{wrapped_name(model)}\nDice {case.dice[model]:.3f}", PREDICTION_COLOUR) for model in case.predictions]
    block_rows = -(-len(blocks) // COLUMNS)
    with settings():
        figure = Figure(figsize=(PAGE_WIDTH_IN, 0.7 + 3.7 * block_rows), layout="constrained")
        grid = figure.add_gridspec(2 * block_rows, COLUMNS)
        for index, ((title, colour), mask, mesh) in enumerate(zip(blocks, slices, meshes, strict=True)):
            row, column = divmod(index, COLUMNS)
            above = figure.add_subplot(grid[2 * row, column])
            above.set_title(title)
            draw_slice(above, picture, pixel_mm, [(slices[0], LABEL_COLOUR), (mask, colour)])
            below = figure.add_subplot(grid[2 * row + 1, column], projection="3d")
            draw_mesh(below, *mesh, limits, colour)
        figure.legend(
            handles=[
                Patch(facecolor=(colour, FILL), edgecolor=colour, label=name)
                for name, colour in (("label", LABEL_COLOUR), ("prediction", PREDICTION_COLOUR))
            ],
            loc="outside lower center",
            ncols=2,
        )
        figure.suptitle(f"Case {case.name}, {case.modality}")
    return figure


RECORDS = RecordFiles("table2", ".npz")
SEGMENTATIONS = figure_by_file("segmentations", RECORDS, load, draw)
