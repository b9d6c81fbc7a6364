"""The paper's Figure 4 for a real case: the improved inference from the encoder's segmentation to every voxel."""

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy.ndimage import find_objects

from benchmarks.names import model_name
from ossnet.errors import UserError
from paper_figures.panels import Look
from paper_figures.picture import RecordFiles, figure_by_file
from paper_figures.style import BLUE, GREEN, LABEL_COLOUR, PAGE_WIDTH_IN, PURPLE, VERMILION, settings
from paper_figures.volumes import axial_view, draw_outline, draw_slice

PRIOR_COLOUR = GREEN
SEGMENTATION_COLOUR = PURPLE

POINT: Look = {"marker": "o", "markersize": 4, "markeredgewidth": 0, "linestyle": "none"}
OCCUPIED: Look = {"color": VERMILION}
UNOCCUPIED: Look = {"color": BLUE}
EVALUATED: Look = {"color": "0.45"}
OCCUPIED_EVALUATED: Look = {"color": "0.7", "markeredgecolor": VERMILION, "markeredgewidth": 1}
"""Look of points, by their state when a stage begins and whether it evaluates them. Colours are the paper's but for
shades."""

OPACITY = 0.6
"""Opacity of cells."""

PANEL_PT = 110
"""Approximate width of a panel, in points."""

MARGIN = 2
"""Number of points of the first lattice shown around what is occupied at any stage."""

ROOM_PT = 3
"""Least distance from the centres of the outermost markers to the frame, in points; closer ones would be cut."""


@dataclass(frozen=True, eq=False)
class StagedCase:
    """The stages of an extraction in a window of an axial slice.

    Rows run from posterior to anterior, columns from the patient's right to the left.

    Attributes:
        name: name of the case.
        modality: modality of `image`.
        model: model that segmented it.
        voxels: number of voxels of the whole case.
        image: image [y, x] float.
        label: label [y, x] bool.
        pixel_mm: pixel size (y, x) in mm.
        strides: strides of the stages' lattices, in voxels.
        evaluated: number of evaluated locations of the whole case, by stage.
        evaluated_by_mise: number of locations of the whole case that the original inference evaluates.
        before: states of the lattice when each stage begins [s, y, x] int8: 1 occupied, 0 not, below 0 between points.
        after: states of the lattice when each stage ends, as in `before`.
        queried: points that each stage evaluates [s, y, x] bool.
    """

    name: str
    modality: str
    model: str
    voxels: int
    image: np.ndarray
    label: np.ndarray
    pixel_mm: tuple[float, float]
    strides: tuple[int, ...]
    evaluated: tuple[int, ...]
    evaluated_by_mise: int
    before: np.ndarray
    after: np.ndarray
    queried: np.ndarray


def load(path: str | Path) -> StagedCase:
    """Read a file of `benchmarks.scoring.octree_stages.OctreeStages.score`, cropped to what is occupied.

    Raises:
        UserError: the file is missing or not an archive of arrays, or lacks an array.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        stages = len(arrays["stride"])
        volumes = [arrays["image"], arrays["label"], *arrays["begun"], *arrays["settled"], *arrays["asked"]]
        turned, pixel_mm = axial_view(volumes, arrays["affine"])
        image, label, *by_stage = (slices[0] for slices in turned)
        before, after, queried = np.split(np.stack(by_stage), [stages, 2 * stages])
        box = _window(label | (before > 0).any(axis=0) | (after > 0).any(axis=0), MARGIN * int(arrays["stride"][0]))
        return StagedCase(
            name=str(arrays["case"]),
            modality=str(arrays["modality"]),
            model=str(arrays["model"]),
            voxels=int(arrays["voxels"]),
            image=image[box],
            label=label[box],
            pixel_mm=pixel_mm,
            strides=tuple(arrays["stride"].tolist()),
            evaluated=tuple(arrays["evaluated"].tolist()),
            evaluated_by_mise=int(arrays["evaluated_by_mise"]),
            before=before[:, *box],
            after=after[:, *box],
            queried=queried[:, *box].astype(bool),
        )
    except (OSError, BadZipFile, KeyError, ValueError) as error:
        raise UserError(
            f"cannot draw the extraction in {path}: {error}; delete it and run `{RECORDS.origin}`"
        ) from error


def draw(case: StagedCase) -> Figure:
    """Draw a column per stage: above, the points it begins with and evaluates; below, the segmentation it ends with.

    A column on the left shows the slice with the encoder's segmentation, which the first stage begins with, and with
    the final one.
    """
    stages = len(case.strides)
    with settings():
        figure = Figure(figsize=(PAGE_WIDTH_IN, 5.6), layout=ConstrainedLayoutEngine(h_pad=0.11))
        evaluated = sum(case.evaluated)
        figure.suptitle(
            f"Case {case.name}, {case.modality}, {model_name(case.model)}, improved inference as in the paper:\n"
            f"{evaluated:,} locations evaluated, {100 * evaluated / case.voxels:.1f} % of all voxels "
            f"(original inference: {case.evaluated_by_mise:,})"
        )
        (above, *points), (below, *cells) = figure.subplots(2, stages + 1)
        for axes, title, states, colour in (
            (above, "Encoder's segmentation", case.before[0], PRIOR_COLOUR),
            (below, "Final segmentation", case.after[-1], SEGMENTATION_COLOUR),
        ):
            axes.set_title(title)
            draw_slice(axes, case.image, case.pixel_mm, [(case.label, LABEL_COLOUR)])
            _draw_cells(axes, case, states, colour)
        for stage, (stride, count) in enumerate(zip(case.strides, case.evaluated, strict=True)):
            each = "every voxel" if stride == 1 else f"every {stride}{'nd' if stride == 2 else 'th'} voxel"
            points[stage].set_title(f"Stage {stage + 1}, {each}:\n{count:,} evaluated")
            cells[stage].set_title(f"Segmentation after stage {stage + 1}")
            _draw_points(points[stage], case, stage)
            _draw_cells(cells[stage], case, case.after[stage], SEGMENTATION_COLOUR, gap=0.2)
            for axes in (points[stage], cells[stage]):
                _frame(axes, case)
        figure.legend(handles=_legend(), loc="outside lower center", ncols=4)
    return figure


RECORDS = RecordFiles("figure4", ".npz")
FIGURE4 = figure_by_file("figure4", RECORDS, load, draw)


def _window(mask: np.ndarray, margin: int) -> tuple[slice, ...]:
    """Return the box around a mask [y, x] with a margin in voxels; all of it where the mask is empty."""
    if not mask.any():
        return slice(None), slice(None)
    (box,) = find_objects(mask.astype(np.uint8))
    return tuple(slice(max(part.start - margin, 0), part.stop + margin) for part in box)


def _draw_points(axes: Axes, case: StagedCase, stage: int) -> None:
    states, queried = case.before[stage], case.queried[stage]
    spacing_pt = PANEL_PT * case.strides[stage] / max(states.shape)
    size = min(0.65 * spacing_pt, 4)
    for mask, look in (
        ((states > 0) & ~queried, OCCUPIED),
        ((states == 0) & ~queried, UNOCCUPIED),
        ((states > 0) & queried, OCCUPIED_EVALUATED | {"markeredgewidth": size / 4}),
        ((states == 0) & queried, EVALUATED),
    ):
        rows, columns = mask.nonzero()
        places_mm = (columns + 0.5) * case.pixel_mm[1], (rows + 0.5) * case.pixel_mm[0]
        axes.plot(*places_mm, **POINT | look | {"markersize": size})


def _draw_cells(axes: Axes, case: StagedCase, states: np.ndarray, colour: str, gap: float = 0) -> None:
    """Draw a square around each occupied point, halfway to its neighbours on the lattice, less a gap in points."""
    rows, columns = (np.flatnonzero((states >= 0).any(axis=axis)) for axis in (1, 0))
    occupied = np.ma.masked_less_equal(states[np.ix_(rows, columns)], 0)
    axes.pcolormesh(
        (columns + 0.5) * case.pixel_mm[1],
        (rows + 0.5) * case.pixel_mm[0],
        occupied,
        shading="nearest",
        cmap=ListedColormap([colour]),
        alpha=OPACITY,
        edgecolors="white",
        linewidth=gap,
    )


def _frame(axes: Axes, case: StagedCase) -> None:
    sizes_mm = np.multiply(case.label.shape, case.pixel_mm)
    # The outermost points lie half a voxel within the frame.
    beyond_mm = ROOM_PT * sizes_mm.max() / PANEL_PT - np.divide(case.pixel_mm, 2)
    low_mm, high_mm = np.minimum(0, -beyond_mm), np.maximum(sizes_mm, sizes_mm + beyond_mm)
    axes.set(xlim=(low_mm[1], high_mm[1]), ylim=(low_mm[0], high_mm[0]), xticks=[], yticks=[], aspect="equal")
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color("0.8")
    draw_outline(axes, case.label, case.pixel_mm, LABEL_COLOUR)


def _legend() -> list[Artist]:
    points = {
        "occupied": OCCUPIED,
        "unoccupied": UNOCCUPIED,
        "unoccupied, evaluated": EVALUATED,
        "occupied, evaluated": OCCUPIED_EVALUATED,
    }
    cells = {"encoder's segmentation": PRIOR_COLOUR, "current segmentation": SEGMENTATION_COLOUR}
    return [
        *(Line2D([], [], label=label, **POINT | look) for label, look in points.items()),
        *(Patch(label=label, facecolor=colour, alpha=OPACITY) for label, colour in cells.items()),
        Line2D([], [], label="label", color=LABEL_COLOUR, linewidth=0.8),
    ]
