"""The embedded synthetic data sets: slices of cases with their labels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ossnet.data.case import Case
from ossnet.data.synthetic.glioma import GliomaConfig, glioma_case
from ossnet.data.synthetic.liver import LiverConfig, liver_case
from paper_figures.picture import PaperFigure, Picture
from paper_figures.style import LABEL_COLOUR, PAGE_WIDTH_IN, VERMILION, settings
from paper_figures.volumes import axial_slices, draw_slice

CT_WINDOW_HU = (-160.0, 240.0)
PICTURES = 5
"""Slices per row: four modalities and the label, or two cases of one modality with their labels and a gap."""


def pictures(_folder: Path, _reference: Path | None) -> list[Picture]:
    """Return the picture of two cases of each data set.

    It is drawn once, since making the cases takes about 20 s; delete its PNG to have it drawn again.
    """
    return [Picture("cases", _draw_made)]


def draw(gliomas: Sequence[Case], livers: Sequence[Case]) -> Figure:
    """Draw a row for each glioma (every modality, then the label over the first) and for each pair of livers.

    The filled outline is the foreground that models learn; the second outline is the tumour core, or the tumours in the
    liver.
    """
    rows = len(gliomas) + -(-len(livers) // 2)
    with settings():
        figure = Figure(figsize=(PAGE_WIDTH_IN, 0.4 + 1.75 * rows), layout="constrained")
        grid = figure.subplots(rows, PICTURES, squeeze=False)
        for axes, case in zip(grid, gliomas, strict=False):
            assert case.label is not None
            foreground, core = case.label > 0, np.isin(case.label, (1, 4))
            for channel, modality in enumerate(case.modalities):
                _draw(axes[channel], case, case.image[channel], foreground, [], modality)
            _draw(axes[-1], case, case.image[0], foreground, [core, foreground], f"{case.modalities[0]}, label")
        for index, case in enumerate(livers):
            assert case.label is not None
            axes = grid[len(gliomas) + index // 2][3 * (index % 2) :]
            image = case.image[0].clip(*CT_WINDOW_HU)
            foreground, tumour = case.label > 0, case.label == 2
            _draw(axes[0], case, image, foreground, [], "CT")
            _draw(axes[1], case, image, foreground, [tumour, foreground], "CT, label")
        for axes in grid[len(gliomas) :, 2]:
            axes.set_axis_off()
        for axes in grid.ravel():
            if not axes.has_data():
                axes.set_axis_off()
    return figure


CASES = PaperFigure("cases", pictures)


def _draw_made() -> Figure:
    gliomas = [glioma_case(GliomaConfig(shape=(240, 240, 155)), index) for index in range(2)]
    livers = [liver_case(LiverConfig(shape=(160, 160, 160)), index) for index in range(2)]
    return draw(gliomas, livers)


def _draw(
    axes: Axes, case: Case, image: np.ndarray, foreground: np.ndarray, masks: list[np.ndarray], title: str
) -> None:
    picture, (_, *slices), pixel_mm = axial_slices(image, np.stack([foreground, *masks]), case.affine)
    draw_slice(axes, picture, pixel_mm, list(zip(slices, (VERMILION, LABEL_COLOUR), strict=False)))
    axes.set_title(title)
