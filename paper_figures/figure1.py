"""The paper's Figure 1: label and prediction of OSS-Net C for one case, each as a slice and as a mesh."""

from matplotlib.figure import Figure

from benchmarks.names import model_name
from paper_figures.picture import figure_by_file
from paper_figures.segmentations import RECORDS, SegmentedCase, load
from paper_figures.style import LABEL_COLOUR, PAGE_WIDTH_IN, PREDICTION_COLOUR, settings
from paper_figures.volumes import draw_mesh, draw_slice, view_of

MODEL = "c"


def draw(case: SegmentedCase) -> Figure:
    """Draw the label, then the prediction: each as a filled outline on the slice, and as a mesh in a view of both.

    Departure: the colour-blind can distinguish the colours, which replace the paper's green and yellow.

    Raises:
        UserError: the label is empty.
    """
    picture, pixel_mm, slices, meshes = case.views([MODEL])
    limits = view_of(case.label | case.predictions[MODEL], case.affine)
    titles = ("Label", f"{model_name(MODEL)}, Dice {case.dice[MODEL]:.3f}")
    colours = (LABEL_COLOUR, PREDICTION_COLOUR)
    with settings():
        figure = Figure(figsize=(PAGE_WIDTH_IN, 2.4), layout="constrained")
        figure.suptitle(f"Case {case.name}, {case.modality}")
        for part, title, colour, mask, mesh in zip(
            figure.subfigures(1, 2, squeeze=False)[0], titles, colours, slices, meshes, strict=True
        ):
            part.suptitle(title, fontsize="medium")
            grid = part.add_gridspec(1, 2)
            draw_slice(part.add_subplot(grid[0]), picture, pixel_mm, [(mask, colour)])
            draw_mesh(part.add_subplot(grid[1], projection="3d"), *mesh, limits, colour)
    return figure


def _is_drawable(case: SegmentedCase) -> bool:
    return MODEL in case.predictions


FIGURE1 = figure_by_file("figure1", RECORDS, load, draw, _is_drawable)
