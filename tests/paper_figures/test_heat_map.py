"""Quantities over two settings."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.layout import Layout
from benchmarks.report.score_records import read_records
from benchmarks.study import Study
from paper_figures.heat_map import draw, panels_per_line, read_grids

LAYOUT = Layout(
    "sizes",
    "Sizes",
    {"model": None, "size": "Size (voxels)", "kind": "Kind"},
    [("c", size, kind) for size in (3, 5) for kind in ("x", "y")],
    baseline=("c", 3, "y"),
    quantities=("dice", "hausdorff95", "training_memory"),
    axes=["size", "kind"],
)


def drawn(folder: Path, write_records: Any, dice: dict[tuple[int, str], Any], layout: Layout = LAYOUT) -> Figure:
    """Draw a study of three seeds of each size and kind, which have a Dice (None: no valid one) or why they failed."""
    runs = [
        ("c", seed, {"size": size, "kind": kind}, mean + 0.001 * seed if isinstance(mean, float) else mean)
        for (size, kind), means in dice.items()
        for seed, mean in enumerate(means if isinstance(means, list) else [means] * 3)
    ]
    write_records(folder, "sizes", runs)
    return draw(layout, read_grids(Study(layout), folder)["laptop"])


def test_cells_stand_in_the_order_of_the_values_with_a_mark_for_what_differs(
    tmp_path: Path, write_records: Any
) -> None:
    figure = drawn(tmp_path, write_records, {(5, "x"): 0.9, (5, "y"): "OOM", (3, "x"): 0.301, (3, "y"): 0.3})
    dice, distance = figure.axes[:2]
    values = np.ma.filled(dice.images[0].get_array(), math.nan)
    np.testing.assert_allclose(values, [[0.302, 0.301], [0.901, math.nan]])
    assert [text.get_text() for text in dice.texts] == ["0.302\n± 0.001", "0.301\n± 0.001", "0.901 *\n± 0.001", "OOM"]
    for axes in (dice, distance):
        assert [text.get_text() for text in axes.get_yticklabels()] == ["3", "5"]
        assert [text.get_text() for text in axes.get_xticklabels()] == ["x", "y"]
        assert (axes.get_ylabel(), axes.get_xlabel()) == ("Size (voxels)", "Kind")
    # The baseline's frame is around the cell of the first row and the second column.
    assert dice.patches[0].get_xy() == (0.52, -0.48)
    # Brighter is better: a high Dice, and a low distance.
    for axes in (dice, distance):
        image = axes.images[0]
        colours = image.cmap(image.norm(image.get_array()))
        assert colours[1, 0, :3].sum() > colours[0, 0, :3].sum()


def test_fewer_panels_stand_side_by_side_where_cells_would_be_too_narrow() -> None:
    def of(down: list[Any], across: list[Any]) -> int:
        return panels_per_line(replace(LAYOUT, rows=[("c", y, x) for y in down for x in across], baseline=None))

    assert of([3, 5], [32, 64, 128]) == 3
    assert of(["a longer text", "text", "another text"], [1, 2, 3]) == 2
    assert of([3, 5], list(range(30))) == 1


def test_no_panel_stands_where_a_line_has_fewer_quantities(tmp_path: Path, write_records: Any) -> None:
    quantities = ("dice", "iou", "hausdorff95")
    layout = replace(LAYOUT, quantities=quantities, names={"size": {3: "a longer text"}})
    assert panels_per_line(layout) == 2
    figure = drawn(tmp_path, write_records, {(3, "x"): 0.3, (5, "y"): 0.4}, layout)
    # Each has a map and a bar.
    assert len(figure.axes) == 2 * len(quantities)


def test_missing_seeds_and_scores_are_stated(tmp_path: Path, write_records: Any) -> None:
    dice = {(3, "x"): [0.5, "OOM", "OOM"], (3, "y"): 0.3, (5, "x"): [None, None, "OOM"]}
    axes, *_ = drawn(tmp_path, write_records, dice).axes
    texts = [" ".join(text.get_text().split()) for text in axes.texts]
    assert texts == ["0.500 1 of 3 seeds", "0.301 ± 0.001", "no valid score", "not run"]


def test_models_in_place_of_the_study_s_own_have_maps_with_their_names(tmp_path: Path, write_records: Any) -> None:
    runs = [(model, 0, {"size": 3, "kind": kind}, 0.5) for model in ("d", "mine") for kind in ("x", "y")]
    write_records(tmp_path, "sizes", runs)
    figure = draw(LAYOUT, read_grids(Study(LAYOUT), tmp_path)["laptop"])
    titles = [part.get_suptitle() for part in figure.subfigs]
    assert {title.split(". ")[0] for title in titles} == {"OSS-Net D", "mine"}
    assert len([axes for axes in figure.axes if axes.images]) == 4


def test_a_quantity_that_no_record_has_is_left_out(tmp_path: Path, write_records: Any) -> None:
    figure = drawn(tmp_path, write_records, {(3, "y"): 0.3})
    assert [axes.get_ylabel() for axes in figure.axes if not axes.images] == ["Dice ↑", "HD95 (mm) ↓"]
    assert len(read_records(tmp_path, ["sizes"])) == 1
