"""The figure of a study, chosen by its layout.

A grid of one setting is drawn as curves, a grid of two as heat maps, and rows as a forest plot. So is a larger grid,
whose rows are then differences from one baseline.
"""

import textwrap
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from matplotlib.figure import Figure

from benchmarks.study import Study
from paper_figures import forest, heat_map, setting_curve
from paper_figures.picture import PaperFigure, figure_by_profile
from paper_figures.scores import read_numbers

Content = TypeVar("Content")

TITLE_PT = 9
TITLE_WIDTH = 90
LINE_IN = 0.17
"""Size of a study's title in points, largest number of characters in a line of it, and a line's height in inches."""


def study_figure(study: Study) -> PaperFigure:
    """Return the figure that suits a study, under the study's name. A study of rows needs a baseline."""
    by_profile = partial(figure_by_profile, study.name, study.name, defined_in=study.file)
    axes, title = study.layout.axes, study.layout.title
    if len(axes) == 1:
        return by_profile(
            partial(read_numbers, study), partial(_titled, title, partial(setting_curve.draw, study.layout))
        )
    if len(axes) == 2:
        return by_profile(
            partial(heat_map.read_grids, study), partial(_titled, title, partial(heat_map.draw, study.layout))
        )
    return by_profile(partial(forest.read_forests, study), partial(_titled, title, forest.draw))


def _titled(title: str, draw: Callable[[Content], Figure], content: Content) -> Figure:
    """Draw what a study has found, with its title above, for which the figure is made higher."""
    figure = draw(content)
    lines = textwrap.wrap(title, TITLE_WIDTH)
    width_in, height_in = figure.get_size_inches()
    figure.set_size_inches(width_in, height_in + LINE_IN * len(lines))
    figure.suptitle("\n".join(lines), x=0.01, ha="left", fontsize=TITLE_PT)
    return figure
