"""Rows of a table against each other, on scores whose differences can be worked out by hand."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks.claims.measures import measure
from benchmarks.layout import Layout
from benchmarks.markup import read_markdown
from benchmarks.report.comparisons import (
    NO_PAIRS,
    compare_rows,
    comparison_columns,
    comparisons_latex,
    comparisons_markdown,
)
from benchmarks.report.summary import summarise

LAYOUT = Layout(
    "table1",
    "Table 1",
    {"model": None, "sampling": "Sampling", "drawn": "Drawn"},
    [("c", "uniform"), ("c", "border")],
    {"sampling": {"uniform": "even"}},
)


def scores_of(values: dict[str, list[list[float]]], quantity: str = "dice", dataset: str = "own") -> pd.DataFrame:
    """Scores by sampling, of a list of cases for each seed."""
    rows = [
        (dataset, "laptop", "dense", "c", sampling, 8, seed, f"case-{case:02d}", quantity, value, "")
        for sampling, of_seeds in values.items()
        for seed, of_cases in enumerate(of_seeds)
        for case, value in enumerate(of_cases)
    ]
    columns = ["dataset", "profile", "protocol", *LAYOUT.columns, "seed", "case", "quantity", "value", "unit"]
    return pd.DataFrame(rows, columns=columns)


def of_model(scores: pd.DataFrame, model: str) -> pd.DataFrame:
    return scores.assign(model=model)


STEPS = [0.01 * step for step in range(1, 13)]
"""Differences of 12 cases, all different and all of one sign."""

SHIFTS = {"uniform": 0.0, "border": 0.2, "a": 0.5, "b": 0.9, "c": 0.9}

SCORES = scores_of({"border": [[0.5] * 12] * 2, "uniform": [[0.5 + step for step in STEPS]] * 2})


def test_a_pair_worked_by_hand() -> None:
    (row,) = compare_rows(SCORES, LAYOUT).itertuples()
    assert (row.sampling, row.other_sampling, row.drawn, row.other_drawn) == ("uniform", "border", 8, 8)
    assert (row.table, row.dataset, row.profile, row.protocol, row.quantity) == (
        *("table1", "own", "laptop", "dense", "dice"),
    )
    assert row.difference == pytest.approx(0.065)
    # Seeds are alike, and cases have a standard deviation of 0.01 sqrt(13), of which the mean has the t interval.
    half = stats.t(11).ppf(0.975) * 0.01 * math.sqrt(13 / 12)
    assert (row.low, row.high) == pytest.approx((0.065 - half, 0.065 + half))
    assert (row.low_joint, row.high_joint) == (row.low, row.high)
    assert row.n == 12


@pytest.mark.parametrize("scoring", [(), ("sampling",)])
def test_tables_comparisons_and_claims_share_their_intervals(scoring: tuple[str, ...]) -> None:
    layout = replace(LAYOUT, scoring_columns=scoring)
    generator = np.random.default_rng(0)
    scores = scores_of({name: generator.random((3, 12)).tolist() for name in SHIFTS})
    pairs = compare_rows(scores, layout)
    paper = pd.DataFrame(columns=["table", "dataset", "model", "sampling", "quantity", "value"])
    summary = summarise(scores, paper, layout)
    rows = {row["sampling"]: {**row, "source": "own"} for row in summary.to_dict("records")}
    for row in rows.values():
        assert measure("value", [row]) == pytest.approx((row["value"], row["low"], row["high"]))
    for pair in pairs.itertuples():
        both = [rows[pair.sampling], rows[pair.other_sampling]]
        assert measure("difference", both) == pytest.approx((pair.difference, pair.low, pair.high))
        assert measure("difference", both, len(pairs))[1:] == pytest.approx((pair.low_joint, pair.high_joint))


def test_joint_intervals_are_for_the_pairs_of_one_quantity() -> None:
    three = {"uniform": [[0.5 + step for step in STEPS]] * 2, "border": [[0.5] * 12] * 2, "other": [[0.5] * 12] * 2}
    both = pd.concat([scores_of(three), scores_of(three, "iou"), scores_of(three, "surface_dice")])
    frame = compare_rows(both, LAYOUT)
    assert list(frame) == comparison_columns(LAYOUT)
    assert list(frame["quantity"]) == ["dice"] * 3 + ["iou"] * 3
    pairs = list(zip(frame["sampling"][:3], frame["other_sampling"][:3], strict=True))
    assert pairs == [("uniform", "border"), ("uniform", "other"), ("border", "other")]
    half = stats.t(11).ppf((1 + 0.95 ** (1 / 3)) / 2) * 0.01 * math.sqrt(13 / 12)
    assert list(frame["high_joint"][:3] - frame["difference"][:3]) == pytest.approx([half, half, 0])


def test_rows_are_compared_within_the_values_of_a_column() -> None:
    """Of four rows, two of each kind, there are two pairs, each with a matrix and an interval of its own."""
    layout = replace(LAYOUT, heads={"model": None, "drawn": "Drawn", "sampling": "Sampling"}, rows=[])
    values = {"uniform": [[0.5 + step for step in STEPS]] * 2, "border": [[0.5] * 12] * 2}
    scores = pd.concat([scores_of(values).assign(drawn=drawn) for drawn in (8, 9)])
    frame = compare_rows(scores, replace(layout, compared_within=("drawn",)))
    pairs = list(frame[["drawn", "sampling", "other_drawn", "other_sampling"]].itertuples(index=False, name=None))
    assert pairs == [(8, "border", 8, "uniform"), (9, "border", 9, "uniform")]
    assert list(frame["high_joint"]) == list(frame["high"])
    tables = read_markdown(comparisons_markdown(frame, replace(layout, compared_within=("drawn",))))
    assert [len(table.rows) for table in tables] == [2, 2]
    assert ["drawn 8" in table.caption for table in tables] == [True, False]
    assert len(compare_rows(scores, layout)) == 6


def test_rows_of_the_same_trainings_share_their_seeds() -> None:
    """The last two rows are the same runs: they do not differ, and their seeds count once for the others' intervals."""
    generator = np.random.default_rng(0)
    values = {
        name: (spread * generator.normal(size=(3, 12))).tolist() for name, spread in (("a", 1), ("b", 4), ("c", 9))
    }
    scores = scores_of(values | {"again": values["c"]})
    scores["training"] = scores["sampling"].replace("again", "c")
    frame = compare_rows(scores, LAYOUT).set_index(["sampling", "other_sampling"])
    same = frame.loc[("again", "c")]
    assert (same["difference"], same["low_joint"], same["high_joint"]) == (0, 0, 0)
    without = compare_rows(scores[scores["sampling"] != "again"], LAYOUT).set_index(["sampling", "other_sampling"])
    for pair in without.index:
        assert list(frame.loc[pair, ["low", "high"]]) == pytest.approx(list(without.loc[pair, ["low", "high"]]))


def test_runs_that_failed_are_named_below_the_comparisons() -> None:
    failure = {"dataset": "own", "profile": "laptop", "model": "c", "sampling": "uniform", "drawn": 8, "seed": 2}
    failures = pd.DataFrame([failure | {"reason": "OOM"}])
    frame = compare_rows(SCORES, LAYOUT)
    assert "even, 8, seed 2: OOM" in comparisons_markdown(frame, LAYOUT, failures)
    layout = replace(LAYOUT, baseline=("c", "border", 8))
    assert "even, 8, seed 2: OOM" in comparisons_markdown(compare_rows(SCORES, layout), layout, failures)


def test_the_matrix_has_differences_above_and_intervals_below() -> None:
    three = {"uniform": [[0.5 + step for step in STEPS]] * 2, "border": [[0.5] * 12] * 2, "other": [[0.52] * 12] * 2}
    scores = scores_of(three)
    scores.loc[(scores["sampling"] == "other") & (scores["case"] > "case-02"), "value"] = math.nan
    frame = compare_rows(scores, LAYOUT)
    (table,) = read_markdown(comparisons_markdown(frame, LAYOUT))
    low, high = frame.loc[0, ["low_joint", "high_joint"]]
    assert table.head == ["Dice", "1", "2", "3"]
    first, second, third = table.rows
    assert first == ["1. even, 8", "–", "**+0.065**", "+0.000"]
    # Of the last two rows neither seeds nor cases vary: what they differ by is exact.
    assert second == ["2. border, 8", f"[{low:+.3f}, {high:+.3f}]", "–", "**−0.020**"]
    assert third[0] == "3. other, 8"
    assert third[2:] == ["[−0.020, −0.020]", "–"]
    assert "cases: 3–12." in table.caption


def test_rows_without_a_shared_case_or_a_second_seed_leave_their_places_empty() -> None:
    scores = scores_of({"uniform": [[0.5, 0.6, math.nan]], "border": [[math.nan, math.nan, 0.7]]})
    frame = compare_rows(scores, LAYOUT)
    assert frame.loc[0, ["difference", "low", "low_joint", "high_joint"]].isna().all()
    assert "| 2. border, 8 | – | – |" in comparisons_markdown(frame, LAYOUT)


@pytest.mark.parametrize("scores", [pd.DataFrame(), scores_of({"border": [[0.5]]})])
def test_one_row_or_none_has_no_pair(scores: pd.DataFrame) -> None:
    frame = compare_rows(scores, LAYOUT)
    assert list(frame) == comparison_columns(LAYOUT)
    assert frame.empty
    assert comparisons_markdown(frame, LAYOUT) == comparisons_latex(frame, LAYOUT) == f"{NO_PAIRS}\n"


def test_without_its_baseline_a_study_compares_with_the_same_row_of_the_first_model() -> None:
    layout = replace(LAYOUT, baseline=("c", "border", 8), quantities=("dice",))
    first, other = of_model(SCORES, "mine"), of_model(SCORES, "d").assign(dataset="other")
    frame = compare_rows(pd.concat([first, of_model(SCORES, "a"), other]), layout)
    pairs = frame[["dataset", "model", "sampling", "other_model", "other_sampling"]]
    assert pairs.to_numpy().tolist() == [
        ["other", "d", "uniform", "d", "border"],
        ["own", "mine", "uniform", "mine", "border"],
        ["own", "a", "uniform", "mine", "border"],
        ["own", "a", "border", "mine", "border"],
    ]
    of_d, of_mine = (table.rows for table in read_markdown(comparisons_markdown(frame, layout)))
    assert [row[:3] for row in of_d] == [["OSS-Net D", "even", "8"], ["OSS-Net D", "border", "8"]]
    assert [row[0] for row in of_mine] == ["mine", "mine", "OSS-Net A", "OSS-Net A"]
    assert of_mine[1][3] == "–"
    # With the study's own model, its baseline is that of all.
    both = compare_rows(pd.concat([first, SCORES]), layout)
    assert set(both["other_model"]) == {"c"}
