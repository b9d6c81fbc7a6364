"""Differences of the rows of a table from its baseline."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks.layout import Layout
from benchmarks.markup import read_markdown
from benchmarks.report.comparisons import compare_rows, comparisons_markdown

LAYOUT = Layout(
    "widths",
    "Widths",
    {"model": None, "width": "Width"},
    [("c", 16), ("c", 32), ("c", 64)],
    baseline=("c", 32),
    quantities=("dice", "hausdorff95"),
)

STEPS = 0.01 * np.arange(1, 13)
"""Differences of 12 cases, all different and all of one sign."""


def scores_of(values: dict[int, np.ndarray], quantity: str) -> pd.DataFrame:
    """Scores of 12 cases by width, alike for two seeds."""
    rows = [
        ("own", "laptop", "dense", "c", width, seed, f"case-{case:02d}", quantity, value, "")
        for width, of_cases in values.items()
        for seed in (0, 1)
        for case, value in enumerate(of_cases)
    ]
    columns = ["dataset", "profile", "protocol", *LAYOUT.columns, "seed", "case", "quantity", "value", "unit"]
    return pd.DataFrame(rows, columns=columns)


SCORES = pd.concat(
    [
        scores_of({16: np.full(12, 0.5), 32: 0.5 + STEPS, 64: 0.5 + STEPS}, "dice"),
        scores_of({16: np.full(12, 7.0), 32: np.full(12, 5.0)}, "hausdorff95"),
        scores_of({16: np.ones(12), 32: np.ones(12)}, "iou"),
    ]
)

HALF = stats.t(11).ppf((1 + math.sqrt(0.95)) / 2) * 0.01 * math.sqrt(13 / 12)
"""Half width of one of two joint intervals of a difference that has the deviation of `STEPS` over cases."""


def test_only_the_baseline_is_compared_with_and_only_by_the_quantities() -> None:
    frame = compare_rows(SCORES, LAYOUT)
    found = list(frame[["quantity", "width", "other_width"]].itertuples(index=False, name=None))
    assert found == [("dice", 16, 32), ("dice", 64, 32), ("hausdorff95", 16, 32)]
    assert list(frame["difference"]) == pytest.approx([-0.065, 0, 2])
    assert list(frame["low_joint"]) == pytest.approx([-0.065 - HALF, 0, 2])
    assert list(frame["high_joint"]) == pytest.approx([-0.065 + HALF, 0, 2])


def test_a_table_has_the_baseline_at_its_place_and_a_column_for_each_quantity() -> None:
    (table,) = read_markdown(comparisons_markdown(compare_rows(SCORES, LAYOUT), LAYOUT))
    assert table.head == ["Width", "Dice ↑", "Dice, detectable", "HD95 (mm) ↓", "HD95, detectable"]
    low, high = (f"−{0.065 + shift:.3f}" for shift in (HALF, -HALF))
    # Power of 80 % by the noncentral t distribution.
    deviation = 0.01 * math.sqrt(13 / 12)
    detectable = next(d for d in np.arange(0, 0.1, 1e-4) if stats.nct(11, d / deviation).sf(HALF / deviation) >= 0.8)
    assert table.rows == [
        ["16", f"**−0.065** [{low}, {high}]", f"{detectable:.3f}", "**+2.00** [+2.00, +2.00]", "0.00"],
        ["32", "–", "–", "–", "–"],
        ["64", "+0.000 [+0.000, +0.000]", "0.000", "–", "–"],
    ]


def test_the_papers_difference_is_that_of_the_rows_in_its_tables() -> None:
    in_paper = {("c", 32): {"table": "table2", "model": "c"}, ("c", 64): {"table": "table2", "model": "d"}}
    layout = replace(LAYOUT, in_paper=in_paper)
    frame = compare_rows(SCORES.assign(dataset="glioma"), layout)
    # Table 2: Dice 0.8774 of D and 0.8842 of C.
    assert list(frame["published"]) == pytest.approx([math.nan, 0.8774 - 0.8842, math.nan], nan_ok=True)
    (table,) = read_markdown(comparisons_markdown(frame, layout))
    assert [row[3] for row in table.rows] == ["–", "–", "−0.007"]
    assert compare_rows(SCORES, layout)["published"].isna().all()


def test_without_scores_of_the_baseline_there_is_nothing_to_compare_with() -> None:
    assert compare_rows(SCORES, replace(LAYOUT, baseline=("c", 128))).empty
