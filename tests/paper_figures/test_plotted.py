"""Plotted data of figures whose numbers are known."""

import json
import math
from hashlib import sha256

import numpy as np
from matplotlib.figure import Figure

from paper_figures.plotted import LISTED, plotted_data, to_json
from paper_figures.volumes import Mesh, draw_outline


def drawn() -> Figure:
    """A line, a bar, markers and an interval in two panels."""
    figure = Figure()
    figure.suptitle("Above")
    left, right = figure.subplots(1, 2)
    left.plot([1, 2, 3], [0.12345678, math.nan, 3e-15], label="line")
    left.bar(2, 3, width=0.5, bottom=1)
    left.text(1, 1, "note")
    left.legend()
    left.set_xticks([1, 2], ["one", "two"])
    left.set(title="Left", xlabel="x (mm)", ylabel="Dice", xlim=(0, 4), ylim=(0.5, 1))
    right.scatter([1, 2], [3, 4], s=[20, 30])
    right.vlines([1], [2], [5])
    right.set(xlim=(0, 3), ylim=(1, 10), yscale="log")
    figure.legend(handles=left.lines, labels=["below"])
    return figure


def test_everything_is_there_in_its_order() -> None:
    assert plotted_data(drawn()) == {
        "texts": ["Above", "below"],
        "axes": [
            {
                "title": "Left",
                "x": {
                    "label": "x (mm)",
                    "limits": [0, 4],
                    "scale": "linear",
                    "ticks": [1, 2],
                    "tick_labels": ["one", "two"],
                },
                "y": {"label": "Dice", "limits": [0.5, 1], "scale": "linear"},
                # Six significant digits, no NaN, and nothing that is only a rounding error.
                "lines": [{"label": "line", "x": [1, 2, 3], "y": [0.123457, None, 0]}],
                "patches": [[[1.75, 1], [2.25, 1], [2.25, 4], [1.75, 4], [1.75, 1]]],
                "texts": ["note"],
                "legend": ["line"],
            },
            {
                "x": {"limits": [0, 3], "scale": "linear"},
                "y": {"limits": [1, 10], "scale": "log"},
                "collections": [
                    {"offsets": [[1, 3], [2, 4]], "sizes": [20, 30]},
                    {"vertices": [[1, 2], [1, 5]]},
                ],
            },
        ],
    }


def test_titles_and_legends_of_subfigures_follow_those_of_the_figure() -> None:
    figure = Figure()
    for part, name in zip(figure.subfigures(1, 2), "ab", strict=True):
        part.suptitle(name)
        part.legend(handles=part.subplots().plot([0, 1], label=f"legend {name}"))
    figure.supxlabel("x")
    assert plotted_data(figure)["texts"] == ["x", "a", "legend a", "b", "legend b"]


def test_images_and_long_arrays_are_digests_of_their_rounded_values() -> None:
    axes = Figure().subplots()
    axes.imshow(np.ma.masked_equal([[0, 1, 2], [3, 4, 50.0000001]], 4))
    axes.plot(range(LISTED + 1))
    (plotted,) = plotted_data(axes.figure)["axes"]
    assert plotted["images"] == [{"shape": [2, 3], "sha256": sha256(b"0 1 2 3 nan 50").hexdigest()}]
    numbers = " ".join(map(str, range(LISTED + 1))).encode()
    assert plotted["lines"][0]["y"] == {"shape": [LISTED + 1], "sha256": sha256(numbers).hexdigest()}


def test_outlines_have_their_vertices_and_cells_their_array() -> None:
    axes = Figure().subplots()
    draw_outline(axes, np.ones((1, 1), bool), (1.0, 1.0), "red")
    axes.pcolormesh([0, 1, 2], [0, 1], np.ma.masked_equal([[1, 0]], 0))
    outline, cells = plotted_data(axes.figure)["axes"][0]["collections"]
    # Half of the way from the centre of the only pixel to its neighbours.
    assert {tuple(point) for point in outline["vertices"]} == {(0.5, 0), (1, 0.5), (0.5, 1), (0, 0.5)}
    assert cells["array"] == [[1, None]]
    assert {tuple(point) for point in cells["vertices"]} == {(x, y) for x in (0, 1, 2) for y in (0, 1)}


def test_lines_and_meshes_in_3d_are_in_space() -> None:
    axes = Figure().add_subplot(projection="3d")
    triangles = np.array([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]])
    axes.add_collection3d(Mesh(triangles, "#009E73"))
    axes.plot([0, 1], [0, 2], [0, 3])
    axes.set(zlabel="z (mm)")
    (plotted,) = plotted_data(axes.figure)["axes"]
    assert plotted["collections"] == [{"vertices": triangles.tolist()}]
    assert plotted["lines"] == [{"x": [0, 1], "y": [0, 2], "z": [0, 3]}]
    assert plotted["z"]["label"] == "z (mm)"


def test_json_holds_the_same_with_a_line_for_each_axes() -> None:
    plotted = plotted_data(drawn())
    text = to_json(plotted)
    assert json.loads(text) == plotted
    assert [line[:10] for line in text.splitlines()] == ['{"texts": ', '{"title": ', '{"x": {"li', "]}"]
