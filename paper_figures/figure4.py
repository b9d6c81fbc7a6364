"""The paper's Figure 4, of a real case: by the paper's text from the encoder's segmentation to every voxel."""

from dataclasses import dataclass
from functools import partial
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

from ossnet.errors import UserError
from paper_figures.panels import Look
from paper_figures.picture import PaperFigure, Picture, RecordFiles
from paper_figures.style import BLUE, GREEN, LABEL_COLOUR, PAGE_WIDTH_IN, PURPLE, VERMILION, model_name, settings
from paper_figures.volumes import axial_view, draw_outline, draw_slice

PRIOR_COLOUR = GREEN
SEGMENTATION_COLOUR = PURPLE

POINT: Look = {"marker": "o", "markersize": 4, "markeredgewidth": 0, "linestyle": "none"}
OCCUPIED: Look = {"color": VERMILION}
UNOCCUPIED: Look = {"color": BLUE}
ASKED: Look = {"color": "0.45"}
CONTRADICTED: Look = {"color": "0.7", "markeredgecolor": VERMILION, "markeredgewidth": 1}
"""Of points, by what they are when a stage begins and whether it asks them. Colours are the paper's but for shades."""

OPACITY = 0.6
"""Of cells."""

PANEL_PT = 110
"""Width of a panel in points, roughly."""

MARGIN = 2
"""Points of the first lattice that are shown around what is occupied at any stage."""

ROOM_PT = 3
"""Points at least from the centres of the outermost ones to the frame, which would else cut them."""

COMMAND = "python -m benchmarks.studies.figure4"


@dataclass(frozen=True, eq=False)
class StagedCase:
    """A window of an axial slice, rows from posterior to anterior, columns from the patient's right to the left.

    Attributes:
        name: the case.
        modality: the channel that `image` holds.
        model: that it was segmented with.
        voxels: of the whole case.
        image: [y, x] float.
        label: [y, x] bool.
        pixel_mm: (y, x).
        strides: of the stages' lattices, in voxels.
        evaluated: locations of the whole case by stage.
        evaluated_by_mise: locations of the whole case that the original inference evaluates.
        begun: [s, y, x] int8: at a lattice's points whether they are occupied when the stage begins, below 0 between.
        settled: the same when it ends.
        asked: [s, y, x] bool, the points that were evaluated.
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
    begun: np.ndarray
    settled: np.ndarray
    asked: np.ndarray


def pictures(folder: Path) -> list[Picture]:
    """One for each case of which `benchmarks.studies.figure4` has left the stages."""
    return [Picture(path.stem, partial(_draw_file, path), [path]) for path in RECORDS.find(folder)]


def load(path: str | Path) -> StagedCase:
    """Read what `benchmarks.studies.figure4.write_extraction_case` has written, cropped to what is occupied.

    Raises:
        UserError: the file is missing or no such file, or lacks an array.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        stages = len(arrays["stride"])
        volumes = [arrays["image"], arrays["label"], *arrays["begun"], *arrays["settled"], *arrays["asked"]]
        turned, pixel_mm = axial_view(volumes, arrays["affine"])
        image, label, *by_stage = (slices[0] for slices in turned)
        begun, settled, asked = np.split(np.stack(by_stage), [stages, 2 * stages])
        box = _window(label | (begun > 0).any(axis=0) | (settled > 0).any(axis=0), MARGIN * int(arrays["stride"][0]))
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
            begun=begun[:, *box],
            settled=settled[:, *box],
            asked=asked[:, *box].astype(bool),
        )
    except (OSError, BadZipFile, KeyError, ValueError) as error:
        raise UserError(f"cannot draw the extraction in {path}: {error}; write it again by `{COMMAND}`") from error


def draw(case: StagedCase) -> Figure:
    """Above, what is known when each stage begins and what it asks; below, the segmentation that it comes to.

    On the left, the encoder's segmentation that the first stage begins with, and the last stage's, on the slice.
    """
    stages = len(case.strides)
    with settings():
        figure = Figure(figsize=(PAGE_WIDTH_IN, 5.6), layout=ConstrainedLayoutEngine(h_pad=0.11))
        evaluated = sum(case.evaluated)
        figure.suptitle(
            f"Case {case.name}, {case.modality}, {model_name(case.model)}, improved inference by the paper's text:\n"
            f"{evaluated:,} locations evaluated, {100 * evaluated / case.voxels:.1f} % of its voxels "
            f"(by the original inference {case.evaluated_by_mise:,})"
        )
        (above, *asking), (below, *answers) = figure.subplots(2, stages + 1)
        for axes, title, states, colour in (
            (above, "Encoder's segmentation", case.begun[0], PRIOR_COLOUR),
            (below, "Last segmentation", case.settled[-1], SEGMENTATION_COLOUR),
        ):
            axes.set_title(title)
            draw_slice(axes, case.image, case.pixel_mm, [(case.label, LABEL_COLOUR)])
            _draw_cells(axes, case, states, colour)
        for stage, (stride, count) in enumerate(zip(case.strides, case.evaluated, strict=True)):
            each = "every voxel" if stride == 1 else f"every {stride}{'nd' if stride == 2 else 'th'} voxel"
            asking[stage].set_title(f"Stage {stage + 1}, {each}:\n{count:,} evaluated")
            answers[stage].set_title(f"Segmentation after stage {stage + 1}")
            _draw_points(asking[stage], case, stage)
            _draw_cells(answers[stage], case, case.settled[stage], SEGMENTATION_COLOUR, gap=0.2)
            for axes in (asking[stage], answers[stage]):
                _frame(axes, case)
        figure.legend(handles=_legend(), loc="outside lower center", ncols=4)
    return figure


RECORDS = RecordFiles("figure4", ".npz", command=COMMAND)
FIGURE4 = PaperFigure("figure4", pictures, RECORDS)


def _draw_file(path: Path) -> Figure:
    return draw(load(path))


def _window(mask: np.ndarray, margin: int) -> tuple[slice, ...]:
    """Where a mask [y, x] is not empty, with a margin; all of it where it is."""
    if not mask.any():
        return slice(None), slice(None)
    (box,) = find_objects(mask.astype(np.uint8))
    return tuple(slice(max(part.start - margin, 0), part.stop + margin) for part in box)


def _draw_points(axes: Axes, case: StagedCase, stage: int) -> None:
    states, asked = case.begun[stage], case.asked[stage]
    spacing_pt = PANEL_PT * case.strides[stage] / max(states.shape)
    size = min(0.65 * spacing_pt, 4)
    for mask, look in (
        ((states > 0) & ~asked, OCCUPIED),
        ((states == 0) & ~asked, UNOCCUPIED),
        ((states > 0) & asked, CONTRADICTED | {"markeredgewidth": size / 4}),
        ((states == 0) & asked, ASKED),
    ):
        rows, columns = mask.nonzero()
        places_mm = (columns + 0.5) * case.pixel_mm[1], (rows + 0.5) * case.pixel_mm[0]
        axes.plot(*places_mm, **POINT | look | {"markersize": size})


def _draw_cells(axes: Axes, case: StagedCase, states: np.ndarray, colour: str, gap: float = 0) -> None:
    """A square around each occupied point of a lattice, half of the way to its neighbours, less a gap in points."""
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
    # The outermost points are half a voxel within.
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
        "unoccupied, evaluated": ASKED,
        "occupied, evaluated": CONTRADICTED,
    }
    cells = {"encoder's segmentation": PRIOR_COLOUR, "current segmentation": SEGMENTATION_COLOUR}
    return [
        *(Line2D([], [], label=label, **POINT | look) for label, look in points.items()),
        *(Patch(label=label, facecolor=colour, alpha=OPACITY) for label, colour in cells.items()),
        Line2D([], [], label="label", color=LABEL_COLOUR, linewidth=0.8),
    ]
