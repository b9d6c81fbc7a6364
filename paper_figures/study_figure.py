"""The figure of a study, chosen by its layout.

A grid of one setting is drawn as curves, a grid of two as heat maps, and rows as a forest plot. So is a larger grid,
whose rows are then differences from one baseline.
"""

from functools import partial

from benchmarks.study import Study
from paper_figures import forest, heat_map, setting_curve
from paper_figures.picture import PaperFigure, figure_by_profile
from paper_figures.scores import read_numbers


def study_figure(study: Study) -> PaperFigure:
    """Return the figure that suits a study, under the study's name. A study of rows needs a baseline."""
    by_profile = partial(figure_by_profile, study.name, study.name, defined_in=study.file)
    axes = study.layout.axes
    if len(axes) == 1:
        return by_profile(partial(read_numbers, study), partial(setting_curve.draw, study.layout))
    if len(axes) == 2:
        return by_profile(partial(heat_map.read_grids, study), partial(heat_map.draw, study.layout))
    return by_profile(partial(forest.read_forests, study), forest.draw)
