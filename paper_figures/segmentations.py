"""What every model makes of one case, in the manner of the paper's Figure 1: a slice and a mesh for each."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ossnet.errors import UserError
from paper_figures.picture import PaperFigure, Picture, RecordFiles
from paper_figures.style import LABEL_COLOUR, PAGE_WIDTH_IN, PREDICTION_COLOUR, model_name, settings
from paper_figures.volumes import FILL, axial_slices, coarse_meshes, draw_mesh, draw_slice, view_of

COLUMNS = 5
"""Blocks in a row: two rows hold the label and the nine models."""


@dataclass(frozen=True, eq=False)
class SegmentedCase:
    """One case and what models made of it, on one grid.

    Attributes:
        name: the case.
        modality: the channel that `image` holds.
        image: [H, W, D] float.
        label: [H, W, D] bool.
        predictions: model to mask [H, W, D] bool, in the order to show.
        dice: model to its Dice of this case, NaN where it has none.
        affine: [4, 4], voxel indices to mm in nibabel's RAS+ world.
    """

    name: str
    modality: str
    image: np.ndarray
    label: np.ndarray
    predictions: dict[str, np.ndarray]
    dice: dict[str, float]
    affine: np.ndarray

    def masks(self, models: Iterable[str]) -> np.ndarray:
        """The label and the predictions of some models, [1 + m, H, W, D] bool.

        Raises:
            UserError: the label is empty, and there is no place to look at.
        """
        if not self.label.any():
            raise UserError(f"cannot draw case {self.name}: its label is empty; choose a case that has one")
        return np.stack([self.label, *(self.predictions[model] for model in models)])


def pictures(folder: Path) -> list[Picture]:
    """One for each case that the runs of Table 2 left to draw, as `benchmarks.report.figure_case` writes it."""
    return [
        Picture(path.stem.replace(RECORDS.study, "segmentations", 1), partial(_draw_file, path), [path])
        for path in RECORDS.find(folder)
    ]


def load(path: str | Path) -> SegmentedCase:
    """Read a case that a run has left as an `.npz` file (`numpy.savez_compressed`, no pickled objects).

    The file's arrays: `case` and `modality`, texts without axes; `image` [H, W, D] float; `label` [H, W, D] 0 or 1;
    `models` [m] texts; in their order `predictions` [m, H, W, D] 0 or 1 and `dice` [m] float; `affine` [4, 4].

    Raises:
        UserError: the file is missing or no such file, lacks an array, or its arrays do not fit together.
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
    """The label and every prediction, each as a slice above a mesh; save it with `paper_figures.style.save`.

    The slice is the axial one with the largest area of label, in the radiological view (the patient's right is on the
    left), cropped to what is not background. All meshes have the same camera (from the patient's front right), light
    and limits, which follow the label: a panel says so where a prediction goes beyond them.

    Raises:
        UserError: the label is empty.
    """
    masks = case.masks(case.predictions)
    blocks = [("Label", LABEL_COLOUR)]
    blocks += [(f"{_broken_name(model)}\nDice {case.dice[model]:.3f}", PREDICTION_COLOUR) for model in case.predictions]
    picture, mask_slices, pixel_mm = axial_slices(case.image, masks, case.affine)
    meshes = coarse_meshes(masks, case.affine)
    limits = view_of(case.label, case.affine)

    block_rows = -(-len(blocks) // COLUMNS)
    with settings():
        figure = Figure(figsize=(PAGE_WIDTH_IN, 0.7 + 3.7 * block_rows), layout="constrained")
        grid = figure.add_gridspec(2 * block_rows, COLUMNS)
        for index, ((title, colour), mask, mesh) in enumerate(zip(blocks, mask_slices, meshes, strict=True)):
            row, column = divmod(index, COLUMNS)
            above = figure.add_subplot(grid[2 * row, column])
            above.set_title(title)
            draw_slice(above, picture, pixel_mm, [(mask_slices[0], LABEL_COLOUR), (mask, colour)])
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
SEGMENTATIONS = PaperFigure("segmentations", pictures, RECORDS)


def _draw_file(path: Path) -> Figure:
    return draw(load(path))


def _broken_name(model: str) -> str:
    return model_name(model).replace(", ", "\n")
