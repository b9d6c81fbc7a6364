"""The paper's Figure 1: a slice and the mesh beside it, of the label and of what OSS-Net C makes of the case."""

from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from paper_figures.picture import PaperFigure, Picture
from paper_figures.segmentations import RECORDS, SegmentedCase, load
from paper_figures.style import LABEL_COLOUR, PAGE_WIDTH_IN, PREDICTION_COLOUR, model_name, settings
from paper_figures.volumes import axial_slices, coarse_meshes, draw_mesh, draw_slice, view_of

MODEL = "c"


def pictures(folder: Path) -> list[Picture]:
    """One for each case that Table 2 left to draw, where OSS-Net C is among its models."""
    return [
        Picture(path.stem.replace(RECORDS.study, "figure1", 1), partial(draw, case), [path])
        for path in RECORDS.find(folder)
        if MODEL in (case := load(path)).predictions
    ]


def draw(case: SegmentedCase) -> Figure:
    """The label, then the prediction: each as a filled outline on the slice, and as a mesh in a view of both.

    Departure: colours that the colour-blind can tell apart in place of the paper's green and yellow.

    Raises:
        UserError: the label is empty.
    """
    masks = case.masks([MODEL])
    picture, slices, pixel_mm = axial_slices(case.image, masks, case.affine)
    meshes = coarse_meshes(masks, case.affine)
    limits = view_of(masks[0] | masks[1], case.affine)
    titles = ("Label", f"{model_name(MODEL)}, Dice {case.dice[MODEL]:.3f}")
    colours = (LABEL_COLOUR, PREDICTION_COLOUR)
    with settings():
        figure = Figure(figsize=(PAGE_WIDTH_IN, 2.4), layout="constrained")
        figure.suptitle(f"Case {case.name}, {case.modality}")
        for part, title, colour, mask, mesh in zip(
            figure.subfigures(1, 2, squeeze=False)[0], titles, colours, slices, meshes, strict=True
        ):
            part.suptitle(title, fontsize="medium")
            beside = part.add_gridspec(1, 2)
            draw_slice(part.add_subplot(beside[0]), picture, pixel_mm, [(mask, colour)])
            draw_mesh(part.add_subplot(beside[1], projection="3d"), *mesh, limits, colour)
    return figure


FIGURE1 = PaperFigure("figure1", pictures, RECORDS)
