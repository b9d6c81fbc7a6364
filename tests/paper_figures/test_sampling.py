"""Table 1 as a figure."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes

from benchmarks.studies.table1 import LOCATIONS, STRATEGIES, TABLE1
from paper_figures.sampling import APART, LOOKS, SAMPLING, draw
from paper_figures.scores import read_numbers


def runs(strategies: tuple[str, ...], scale: int = 64, seeds: tuple[int, ...] = (0, 1)) -> list[Any]:
    return [
        ("c", seed, {"sampling": strategy, "locations": locations, "drawn": locations // scale}, 0.5 + place / 10)
        for strategy in strategies
        for place, locations in enumerate(LOCATIONS)
        for seed in seeds
    ]


def panels(folder: Path) -> list[Axes]:
    return draw(read_numbers(TABLE1, folder)["laptop"]).axes


def lines(axes: Axes, colour: str) -> list[Any]:
    return [line for line in axes.lines if line.get_color() == colour]


def test_every_strategy_has_a_look_of_its_own() -> None:
    assert tuple(LOOKS) == STRATEGIES
    for part in ("color", "marker", "linestyle"):
        assert len({look[part] for look in LOOKS.values()}) == len(LOOKS)


def test_a_line_joins_a_strategys_means_over_log2_of_the_locations(tmp_path: Path, write_records: Any) -> None:
    write_records(tmp_path, "table1", runs(STRATEGIES))
    dice, iou = panels(tmp_path)
    assert (dice.get_ylabel(), iou.get_ylabel()) == ("Dice ↑", "IoU ↑")
    border, *_ = lines(dice, LOOKS["border"]["color"])
    np.testing.assert_allclose(border.get_xdata(), [13, 14, 15])
    np.testing.assert_allclose(border.get_ydata(), [0.5, 0.6, 0.7])
    uniform, *_ = lines(dice, LOOKS["uniform"]["color"])
    np.testing.assert_allclose(uniform.get_xdata(), np.array([13, 14, 15]) - APART)


def test_the_papers_numbers_are_those_of_its_table(tmp_path: Path, write_records: Any) -> None:
    write_records(tmp_path, "table1", runs(STRATEGIES), "liver")
    dice, _ = panels(tmp_path)
    hollow = [line.get_ydata()[0] for line in dice.lines if line.get_markerfacecolor() == "none"]
    assert hollow[:6] == [0.6844, 0.6317, 0.6997, 0.7596, 0.7616, 0.7559]
    assert np.isnan(hollow[6:]).all()


def test_ticks_tell_the_papers_number_and_ours(tmp_path: Path, write_records: Any) -> None:
    write_records(tmp_path, "table1", runs(STRATEGIES))
    dice, _ = panels(tmp_path)
    assert [tick.get_text() for tick in dice.get_xticklabels()] == ["2¹³\n(128)", "2¹⁴\n(256)", "2¹⁵\n(512)"]
    assert "(as drawn here)" in dice.get_xlabel()


def test_where_both_are_the_same_one_is_told(tmp_path: Path, write_records: Any) -> None:
    write_records(tmp_path, "table1", runs(STRATEGIES, scale=1))
    dice, _ = panels(tmp_path)
    assert [tick.get_text() for tick in dice.get_xticklabels()] == ["2¹³", "2¹⁴", "2¹⁵"]
    assert dice.get_xlabel() == "Locations drawn per volume"


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_a_missing_strategy_leaves_its_place_and_no_legend(
    seeds: tuple[int, ...], tmp_path: Path, write_records: Any
) -> None:
    write_records(tmp_path, "table1", runs(("uniform", "confidence"), seeds=seeds))
    figure = draw(read_numbers(TABLE1, tmp_path)["laptop"])
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"Uniform", "Confidence (ours)"} < set(names)
    assert "Border" not in names
    confidence, *_ = lines(figure.axes[0], LOOKS["confidence"]["color"])
    np.testing.assert_allclose(confidence.get_xdata(), np.array([13, 14, 15]) + APART)


def test_one_picture_a_profile_holds_every_data_set(tmp_path: Path, write_records: Any) -> None:
    paths = [write_records(tmp_path, "table1", runs(STRATEGIES), dataset) for dataset in ("glioma", "liver")]
    (picture,) = SAMPLING.pictures(tmp_path, None)
    assert picture.name == "sampling-laptop"
    assert list(picture.sources) == paths
    assert len(picture.draw().axes) == 4
