"""Curves that may overlap: lines that alternate where they do, and names at their ends."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from scipy.optimize import isotonic_regression

SAME = 1.02
"""Largest ratio of ends that count as equal and are named together."""

COVERED = 1.06
"""Largest ratio of lines that would cover each other, on a scale of several powers of ten."""

DASH = 3.0
"""Length of a dash, in widths of the line."""

NAME_PT = 6.5
LINE_PT = 8.0
DISTANCE_PT = 7.0
"""Font size of a name, height of its line, and its distance from the curve's end, in points."""

SEVERAL = "0.25"
"""Colour of a name that several curves share."""


@dataclass(frozen=True)
class Curve:
    """The values of one model.

    Attributes:
        name: name of the model.
        colour: colour of the line and of the name.
        points: points (x, y), x ascending, y above 0.
    """

    name: str
    colour: str
    points: Sequence[tuple[float, float]]


def group_alike(curves: Iterable[Curve], ratio: float) -> list[list[Curve]]:
    """Return groups of curves with the same x, whose y are within a ratio of those of the group's first curve."""
    groups: list[list[Curve]] = []
    for curve in curves:
        fitting = (group for group in groups if _within(ratio, curve, group[0]))
        if (group := next(fitting, None)) is not None:
            group.append(curve)
        else:
            groups.append([curve])
    return groups


def draw_curves(axes: Axes, curves: Sequence[Curve], width_pt: float = 1.0) -> None:
    """Draw a line through the points of each curve, or dashes in alternating colours where lines would overlap."""
    parts = [replace(curve, points=part) for curve in curves for part in pairwise(curve.points)]
    for group in group_alike(parts, COVERED):
        for place, part in enumerate(group):
            dashes = (-place * DASH, (DASH, (len(group) - 1) * DASH)) if len(group) > 1 else "-"
            x, y = zip(*part.points, strict=True)
            axes.plot(x, y, color=part.colour, linewidth=width_pt, linestyle=dashes, zorder=2)


def name_ends(axes: Axes, curves: Sequence[Curve]) -> None:
    """Write the name of each curve right of its last point, with one name for curves that end at the same place.

    The name of a single point stands on its left, where longer curves do not pass. See `write_names`.
    """
    for left in (False, True):
        ends = [replace(curve, points=curve.points[-1:]) for curve in curves if (len(curve.points) == 1) is left]
        named = [
            group[0]
            if len(group) == 1
            else replace(group[0], name=_joined(curve.name for curve in group), colour=SEVERAL)
            for group in group_alike(ends, SAME)
        ]
        write_names(axes, named, left)


def _joined(names: Iterable[str]) -> str:
    """Return names in a list that is short enough for the space beside a curve."""
    return ", ".join(names).replace("A, B, C, D", "A–D")


def write_names(axes: Axes, ends: Sequence[Curve], left: bool = False) -> None:
    """Write the names of single points on their right or left, each joined to its point by a thin line.

    Names are stacked without overlap. The axes must have their limits and, by `Figure.draw_without_rendering`, their
    place in the figure.
    """
    ascending = sorted(ends, key=lambda end: end.points[0][1])
    to_pt = 72 / axes.figure.dpi
    heights_pt = [to_pt * axes.transData.transform(end.points[0])[1] for end in ascending]
    _, (bottom_pt, top_pt) = to_pt * axes.get_window_extent().get_points().T
    places_pt = spread(heights_pt, LINE_PT, bottom_pt, top_pt)
    for end, height_pt, place_pt in zip(ascending, heights_pt, places_pt, strict=True):
        name = axes.annotate(
            end.name,
            end.points[0],
            (-DISTANCE_PT if left else DISTANCE_PT, place_pt - height_pt),
            textcoords="offset points",
            fontsize=NAME_PT,
            color=end.colour,
            horizontalalignment="right" if left else "left",
            verticalalignment="center",
            arrowprops={"arrowstyle": "-", "linewidth": 0.4, "color": end.colour, "shrinkA": 0, "shrinkB": 3},
            path_effects=[withStroke(linewidth=1.5, foreground="white")],
            zorder=5,
        )
        # Its place was computed for a layout without it.
        name.set_in_layout(False)


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return places that are closest to ascending wanted ones (least squares), with a gap between neighbours.

    They lie between `low` and `high`, if there is room for all.
    """
    if len(wanted) == 0:
        return []
    steps = gap * np.arange(len(wanted))
    level = isotonic_regression(np.asarray(wanted) - steps).x
    return list(np.clip(level, low, max(low, high - steps[-1])) + steps)


def _within(ratio: float, curve: Curve, other: Curve) -> bool:
    if [x for x, _ in curve.points] != [x for x, _ in other.points]:
        return False
    pairs = zip(curve.points, other.points, strict=True)
    return all(max(y, to) <= ratio * min(y, to) for (_, y), (_, to) in pairs)
