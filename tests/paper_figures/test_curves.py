"""Curves that lie on each other, and their names."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from paper_figures.curves import (
    COVERED,
    DISTANCE_PT,
    SAME,
    SEVERAL,
    Curve,
    draw_curves,
    group_alike,
    name_ends,
    spread,
    write_names,
)


def curve(name: str, *y: float, colour: str = "black", first: int = 0) -> Curve:
    return Curve(name, colour, [(first + place, value) for place, value in enumerate(y)])


@pytest.mark.parametrize(
    ("curves", "groups"),
    [
        ([curve("a", 1, 100), curve("b", 1.01, 101), curve("c", 1, 110), curve("d", 0.99, 99)], ["abd", "c"]),
        # With the first of their group alone.
        ([curve("a", 1.0), curve("b", 1.015), curve("c", 1.03)], ["ab", "c"]),
        # At the same places alone.
        ([curve("a", 1), curve("b", 1, first=1), curve("c", 1, 1)], ["a", "b", "c"]),
    ],
)
def test_curves_are_alike_within_a_ratio_at_every_point(curves: list[Curve], groups: list[str]) -> None:
    assert ["".join(curve.name for curve in group) for group in group_alike(curves, SAME)] == groups


def shares(*curves: Curve) -> dict[str, float]:
    """Of the coloured pixels those that are red, and blue."""
    figure = Figure(figsize=(4, 1))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    draw_curves(axes, curves, width_pt=4)
    axes.set(xlim=(0, 2), ylim=(0, 2))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    red, _, blue, _ = np.moveaxis(np.asarray(canvas.buffer_rgba()).astype(int), -1, 0)
    counts = {"red": int((red > blue + 128).sum()), "blue": int((blue > red + 128).sum())}
    return {colour: count / sum(counts.values()) for colour, count in counts.items()}


def test_where_lines_cover_each_other_both_are_seen() -> None:
    red = curve("a", 1, 1, 1, colour="red")
    assert shares(red, curve("b", 1, 1, 1, colour="blue"))["blue"] == pytest.approx(0.5, abs=0.1)
    # Of two parts one is covered.
    assert shares(red, curve("b", 1, 1, colour="blue"))["blue"] == pytest.approx(0.25, abs=0.05)
    assert shares(red, curve("b", 1.5, 1.5, 1.5, colour="blue"))["blue"] == pytest.approx(0.5, abs=0.1)


def test_a_line_of_its_own_is_solid() -> None:
    axes = Figure().subplots()
    draw_curves(axes, [curve("a", 1, 1), curve("b", 1.1 * COVERED, 1)])
    assert [line.get_linestyle() for line in axes.lines] == ["-", "-"]


def named(*curves: Curve) -> Axes:
    figure = Figure()
    axes = figure.subplots()
    axes.set(xlim=(0, 3), ylim=(0.1, 100), yscale="log")
    figure.draw_without_rendering()
    name_ends(axes, curves)
    return axes


def boxes_of(axes: Axes) -> list[Bbox]:
    """Of the names, without the lines that lead to them."""
    axes.figure.draw_without_rendering()
    return [Text.get_window_extent(text) for text in axes.texts]


def test_ends_that_are_the_same_are_named_together() -> None:
    axes = named(curve("a", 1, 10, colour="red"), curve("b", 5, 10.1, colour="blue"), curve("c", 5, 50, colour="green"))
    assert [(text.get_text(), text.get_color()) for text in axes.texts] == [("a, b", SEVERAL), ("c", "green")]
    assert [text.xy for text in axes.texts] == [(1, 10), (1, 50)]


def test_names_that_would_cover_each_other_stand_apart() -> None:
    axes = named(*(curve(name, 2, end) for name, end in {"a": 10, "b": 10.5, "c": 9.5, "d": 100, "e": 1}.items()))
    assert [text.get_text() for text in axes.texts] == ["e", "c", "a", "b", "d"]
    boxes = boxes_of(axes)
    assert all(below.y1 <= above.y0 for below, above in pairwise(boxes))
    # Where there is room, a name stays at its curve's end.
    assert axes.texts[0].xyann == (DISTANCE_PT, pytest.approx(0))
    # And it stays within the axes, up to half of its height.
    assert (boxes[-1].y0 + boxes[-1].y1) / 2 <= axes.get_window_extent().y1 + 1


def test_the_name_of_a_single_point_stands_left_of_it() -> None:
    axes = named(curve("line", 10, 20), curve("point", 15, first=1))
    assert {text.get_text(): text.xyann[0] for text in axes.texts} == {"line": DISTANCE_PT, "point": -DISTANCE_PT}


def test_names_stand_on_the_left_on_demand() -> None:
    figure = Figure()
    axes = figure.subplots()
    figure.draw_without_rendering()
    write_names(axes, [curve("one", 0.5), curve("other", 0.6)], left=True)
    end_px = axes.transData.transform((0, 0))[0]
    assert all(box.x1 < end_px for box in boxes_of(axes))


def test_places_keep_their_gap_and_move_as_little_as_they_can() -> None:
    np.testing.assert_allclose(spread([0, 1, 10], 4, -9, 20), [-1.5, 2.5, 10])
    np.testing.assert_allclose(spread([0, 5, 10], 4, -9, 20), [0, 5, 10])
    # Within bounds that the first, or the last two, would leave.
    np.testing.assert_allclose(spread([0, 1, 10], 4, 0, 20), [0, 4, 10])
    np.testing.assert_allclose(spread([0, 9, 10], 4, -9, 10), [0, 6, 10])
    wanted = np.sort(np.random.default_rng(0).uniform(0, 20, 9))
    places = np.asarray(spread(wanted, 3, -100, 100))
    assert (np.diff(places) >= 3 - 1e-9).all()
    assert places.mean() == pytest.approx(wanted.mean())
