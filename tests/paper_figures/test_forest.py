"""Forest plots: differences from a baseline."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from benchmarks.layout import Layout
from benchmarks.study import Study
from paper_figures.forest import (
    ALONE,
    BETTER,
    LABEL_WIDTH,
    UNDECIDED,
    WORSE,
    Effect,
    Forest,
    draw,
    draw_effects,
    read_forests,
)

STUDY = Study(
    Layout(
        "widths",
        "Widths",
        {"model": None, "width": "Width"},
        [("c", 16), ("c", 32), ("c", 64), ("c", 128)],
        baseline=("c", 32),
        quantities=("dice", "hausdorff95"),
    )
)


def test_effects_are_read_in_the_order_of_the_rows_with_what_failed(tmp_path: Path, write_records: Any) -> None:
    runs = [
        ("c", seed, {"width": width}, dice + 0.01 * seed)
        for seed in (0, 1)
        for width, dice in ((64, 0.8), (16, 0.6), (32, 0.7))
    ]
    write_records(tmp_path, "widths", [*runs, ("c", 0, {"width": 128}, "OOM")])
    (forest,) = read_forests(STUDY, tmp_path)["laptop"]
    assert forest.baseline == "32"
    assert list(forest.effects) == ["dice", "hausdorff95"]
    for quantity, differences in (("dice", [-0.1, 0.1]), ("hausdorff95", [1, -1])):
        effects = forest.effects[quantity]
        assert [effect.label for effect in effects] == ["16", "64", "128"]
        assert [effect.difference for effect in effects[:2]] == pytest.approx(differences)
        assert all(effect.low < effect.difference < effect.high for effect in effects[:2])
        assert (effects[2].remark, math.isnan(effects[2].difference)) == ("OOM", True)


def test_missing_seeds_and_scores_are_stated(tmp_path: Path, write_records: Any) -> None:
    dice = {16: ["OOM", 0.6, 0.61], 32: [0.7, "OOM", 0.71], 64: [None, None, "OOM"], 128: [0.5, 0.52, 0.51]}
    runs = [("c", seed, {"width": width}, of) for width, seeds in dice.items() for seed, of in enumerate(seeds)]
    path = write_records(tmp_path, "widths", runs)
    (forest,) = read_forests(STUDY, tmp_path)["laptop"]
    assert forest.baseline == "32 (2 of 3 seeds)"
    assert [effect.remark for effect in forest.effects["dice"]] == ["2 of 3 seeds", "no valid score", ""]
    # What a study can detect differs from row to row.
    detectable = [effect.detectable for effect in forest.effects["dice"]]
    assert math.isnan(detectable[1])
    assert len({*detectable[::2]}) == 2
    # Of the baseline no distance is valid, and of no row a quantity that was not measured.
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        if row["columns"]["width"] == 32 and "scores" in row:
            row["scores"]["hausdorff95"] = dict.fromkeys("xy")
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (forest,) = read_forests(STUDY, tmp_path)["laptop"]
    assert forest.baseline == "32 (Dice: 2 of 3 seeds; HD95: no valid score)"
    none = "no case to compare"
    assert [effect.remark for effect in forest.effects["hausdorff95"]] == [none, "no valid score", none]
    unmeasured = replace(STUDY, layout=replace(STUDY.layout, quantities=["false_positive_volume"]))
    assert read_forests(unmeasured, tmp_path) == {}


def test_a_row_that_ends_early_stands_for_those_that_begin_with_it(tmp_path: Path, write_records: Any) -> None:
    layout = replace(STUDY.layout, rows=[("onet",), ("c",), ("d",)], baseline=("onet", 32))
    scored = [("onet", 32), ("c", 16)]
    runs = [(model, seed, {"width": width}, 0.7 + 0.01 * seed) for seed in (0, 1) for model, width in scored]
    write_records(tmp_path, "widths", [*runs, ("c", 0, {"width": 128}, "OOM")])
    (forest,) = read_forests(replace(STUDY, layout=layout), tmp_path)["laptop"]
    for effects in forest.effects.values():
        assert [(effect.label, effect.remark) for effect in effects] == [("128", "OOM"), ("16", ""), ("–", "not run")]


def test_without_its_baseline_a_study_is_drawn_against_the_first_model(tmp_path: Path, write_records: Any) -> None:
    runs = [
        (model, seed, {"width": width}, dice + 0.01 * seed)
        for model, dice in (("mine", 0.5), ("a", 0.7))
        for width in (16, 32)
        for seed in (0, 1)
    ]
    write_records(tmp_path, "widths", runs)
    (forest,) = read_forests(STUDY, tmp_path)["laptop"]
    assert forest.baseline == "mine, 32"
    effects = forest.effects["dice"]
    assert [effect.label for effect in effects] == ["mine, 16", "OSS-Net A, 16", "OSS-Net A, 32"]
    assert [effect.difference for effect in effects] == pytest.approx([0, 0.2, 0.2])


def test_looks_depend_on_the_interval_and_on_which_values_are_better() -> None:
    above, below, around = Effect("", 2, 1, 3), Effect("", -2, -3, -1), Effect("", 1, -1, 3)
    assert [effect.look(True) for effect in (above, below, around)] == [BETTER, WORSE, UNDECIDED]
    assert [effect.look(False) for effect in (above, below, around)] == [WORSE, BETTER, UNDECIDED]
    assert Effect("", 5).look(True) == ALONE


def test_marks_stand_at_their_values_and_the_first_row_at_the_top() -> None:
    axes = Figure().subplots()
    effects = [
        Effect("first", 0.1, 0.05, 0.15, by_seed=[0.08, 0.12], published=0.2, detectable=0.04),
        Effect("last", math.nan, remark="OOM"),
    ]
    draw_effects(axes, effects, "dice")
    _, interval, seeds, mean, paper = axes.lines[:5]
    assert list(interval.get_xdata()) == [0.05, 0.15]
    assert list(seeds.get_xdata()) == [0.08, 0.12]
    assert (list(mean.get_xdata()), list(mean.get_ydata())) == ([0.1], [0])
    assert list(paper.get_xdata()) == [0.2]
    (bar,) = axes.patches
    assert [bar.get_x(), bar.get_x() + bar.get_width()] == pytest.approx([-0.04, 0.04])
    assert bar.get_y() + bar.get_height() / 2 == pytest.approx(0)
    assert [text.get_text() for text in axes.get_yticklabels()] == ["first", "last"]
    assert axes.get_ylim() == (1.5, -0.5)
    assert [text.get_text() for text in axes.texts] == ["OOM"]


def test_long_labels_are_broken_and_what_cannot_be_is_cut() -> None:
    label = "a row with a label of many words, which would leave no room for marks"
    effects = [Effect(label, 0.7, 0.2, 1.2, detectable=1.5)]
    axes = Figure().subplots()
    draw_effects(axes, effects, "dice")
    (text,) = (tick.get_text() for tick in axes.get_yticklabels())
    assert (max(map(len, text.splitlines())) <= LABEL_WIDTH, " ".join(text.splitlines())) == (True, label)
    assert list(axes.lines[1].get_xdata()) == [0.2, 1]
    assert (axes.patches[0].get_x(), axes.patches[0].get_width()) == (-1, 2)
    short = [replace(effects[0], label="short")]
    high, low = (draw([Forest("", "C", {"dice": of})]).get_size_inches()[1] for of in (effects, short))
    assert high > low


def test_a_legend_names_only_what_is_drawn() -> None:
    plain = Forest("", "C", {"dice": [Effect("row", -0.1, -0.2, -0.05)]})
    (legend,) = draw([plain]).legends
    assert len(legend.get_texts()) == 1
    full = replace(plain, effects={"dice": [Effect("row", 0, -1, 1, (0.1,), 0.2, 0.1)]})
    (legend,) = draw([plain, full]).legends
    assert len(legend.get_texts()) == 5
