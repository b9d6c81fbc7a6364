"""What every model makes of one case, in the manner of the paper's Figure 1: a slice and a mesh for each."""

from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from matplotlib.colors import LightSource
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from mpl_toolkits.mplot3d.axes3d import Axes3D
from nibabel.affines import apply_affine, from_matvec
from scipy.ndimage import find_objects
from skimage.measure import block_reduce

from ossnet.errors import UserError
from ossnet.mesh import mesh_of
from paper_figures.picture import PaperFigure, Picture, RecordFiles
from paper_figures.slices import FILL, axial_slices, bar_length_mm, draw_slice
from paper_figures.style import LABEL_COLOUR, PAGE_WIDTH_IN, PREDICTION_COLOUR, model_name, settings

COLUMNS = 5
"""Blocks in a row: two rows hold the label and the nine models."""

MAX_MESH_VOXELS = 80
"""Longest edge of the grid that a mesh is drawn from; more would not be seen at the size of a block."""

LIGHT = 310
"""Where the light of the meshes comes from, in degrees of azimuth."""


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


def pictures(folder: Path) -> list[Picture]:
    """One for each case that the runs of Table 2 left to draw, as `benchmarks.figure_case` writes it."""
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
    if not case.label.any():
        raise UserError(f"cannot draw case {case.name}: its label is empty; choose a case that has one")
    blocks = [("Label", LABEL_COLOUR)]
    blocks += [(f"{_broken_name(model)}\nDice {case.dice[model]:.3f}", PREDICTION_COLOUR) for model in case.predictions]
    masks = np.stack([case.label, *case.predictions.values()])
    picture, mask_slices, pixel_mm = axial_slices(case.image, masks, case.affine)
    meshes = _meshes(masks, case.affine)
    limits = _view(case.label, case.affine)

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
            _draw_mesh(below, *mesh, limits, colour)
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


def _meshes(masks: np.ndarray, affine: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Meshes of masks [m, H, W, D], from their averages over cubes so that the grid has `MAX_MESH_VOXELS` at most."""
    (box,) = find_objects(masks.any(axis=0).astype(np.uint8))
    cropped = masks[:, *box].astype(np.float32)
    edge = -(-max(cropped.shape[1:]) // MAX_MESH_VOXELS)
    # The centre of a cube's first voxel lies (edge - 1) / 2 before the cube's own.
    to_voxels = from_matvec(np.eye(3) * edge, np.array([part.start for part in box]) + (edge - 1) / 2)
    return [mesh_of(block_reduce(mask, edge, np.mean), affine @ to_voxels) for mask in cropped]


def _view(label: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Limits [2, 3] in mm around the label, with a margin of a quarter of its longest edge."""
    (box,) = find_objects(label.astype(np.uint8))
    corners = apply_affine(affine, list(product(*((part.start - 0.5, part.stop - 0.5) for part in box))))
    low, high = corners.min(axis=0), corners.max(axis=0)
    margin = (high - low).max() / 4
    return np.stack([low - margin, high + margin])


def _draw_mesh(axes: Axes3D, vertices: np.ndarray, faces: np.ndarray, limits: np.ndarray, colour: str) -> None:
    """A shaded mesh within limits [2, 3] in mm, with three arms that show the directions and the scale."""
    low, high = limits
    extent = high - low
    # matplotlib would draw what lies beyond the limits over the neighbouring panels.
    within = ((vertices >= low) & (vertices <= high)).all(axis=1)[faces].all(axis=1)
    if within.any():
        mesh = Poly3DCollection(
            vertices[faces[within]], facecolors=colour, shade=True, lightsource=LightSource(azdeg=LIGHT, altdeg=45)
        )
        # Smoothed edges would leave hairlines between triangles.
        mesh.set_antialiased(False)
        # As vectors, tens of thousands of triangles would make the PDF unwieldy.
        mesh.set_rasterized(True)
        axes.add_collection3d(mesh)
    if not within.all() or not len(faces):
        note = "extends beyond view" if len(faces) else "no surface"
        axes.text2D(0.5, 0.97, note, transform=axes.transAxes, ha="center", va="top", style="italic")
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
    axes.set_box_aspect(tuple(extent), zoom=1.2)
    axes.set_proj_type("ortho")
    axes.view_init(elev=20, azim=60)
    axes.set_axis_off()

    length_mm = bar_length_mm(extent.max() / 5)
    corner = np.array([high[0] - 0.15 * extent[0], low[1], low[2]])
    for letter, direction in (("L", (-1, 0, 0)), ("A", (0, 1, 0)), ("S", (0, 0, 1))):
        end = corner + length_mm * np.array(direction)
        axes.plot(*zip(corner, end, strict=True), color="black", linewidth=1)
        axes.text(*(corner + 1.6 * (end - corner)), letter, ha="center", va="center")
    axes.text2D(0, 0, f"arms: {length_mm:g} mm", transform=axes.transAxes)
