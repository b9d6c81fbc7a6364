"""Selected numbers, their measures and intervals."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks.claims.measures import fits, measure, select
from benchmarks.claims.schema import Kind
from benchmarks.report.intervals import widening
from benchmarks.report.statistics import describe

KINDS: tuple[Kind, ...] = ("value", "difference", "ratio")


def test_each_combination_of_a_selection_is_there_or_absent() -> None:
    rows = [{"model": "unet2d-depth", "locations": 8192.0}, {"model": "c", "locations": 8192}, {"model": "c"}]
    chosen, absent = select(rows, {"model": ("unet2d-*", "c"), "locations": (8192, 16384)})
    assert chosen == rows[:2]
    assert absent == [{"model": "unet2d-*", "locations": 16384}, {"model": "c", "locations": 16384}]
    assert select(rows, {"model": ("c",)}) == (rows[1:], [])
    assert not fits(None, "*")


def rows_of(*models: np.ndarray) -> list[dict[str, Any]]:
    """Records of models from their scores [seeds, cases]."""
    frame = describe({str(place): pd.DataFrame(scores) for place, scores in enumerate(models)})
    rows = frame.rename(columns={"mean": "value"}).to_dict("records")
    return [{**row, "source": "x", "quantity": "iou"} for row in rows]


def test_intervals_of_measures() -> None:
    # Cases differ by 2 and 4, seeds by nothing.
    first, second = rows_of(np.array([[8.0, 12.0]] * 3), np.array([[4.0, 6.0]] * 3))
    t = stats.t(1).ppf(0.975)
    assert measure("value", [first]) == pytest.approx((10, 10 - 2 * t, 10 + 2 * t))
    assert measure("difference", [first, second]) == pytest.approx((5, 5 - t, 5 + t))
    assert measure("difference", [second, first]) == pytest.approx((-5, -5 - t, -5 + t))
    assert measure("spread", [second, first]) == pytest.approx((5, 0, 5 + t))
    # One is twice the other in each case.
    assert measure("ratio", [first, {**second, "low": 1}]) == (2, -math.inf, math.inf)
    large = rows_of(np.array([[80.0, 82.0]] * 3), np.array([[40.0, 41.0]] * 3))
    assert measure("ratio", large) == pytest.approx((2, 2, 2), rel=1e-3)


# Means of 0.5 and 0.6 on cases that differ much, and for both models alike.
LOW, HIGH = np.array([[0.39, 0.61] * 8] * 3), np.array([[0.50, 0.70] * 8] * 3)


def test_the_interval_of_a_ratio_is_that_of_its_logarithm() -> None:
    first, second = rows_of(LOW, HIGH)
    low, high = measure("ratio", [first, second])[1:]
    assert low < 0.5 / 0.6 < high
    assert low * high == pytest.approx((0.5 / 0.6) ** 2)
    other_low, other_high = measure("ratio", [second, first])[1:]
    assert (1 / other_high, 1 / other_low) == pytest.approx((low, high))


def test_one_of_several_intervals_is_wider() -> None:
    generator = np.random.default_rng(0)
    rows = rows_of(*generator.random((2, 3, 8)) + 5)
    ends = {"value": 3.0, "low": 2.9, "high": 3.2}
    for kind in KINDS:
        for group in (rows, [{**ends, "source": "x"}] * 2):
            one, two = (measure(kind, group[: 1 if kind == "value" else 2], number) for number in (1, 5))
            assert two.low < one.low < one.value == two.value < one.high < two.high
    assert measure("value", [ends], 5).high - 3 == pytest.approx(0.2 * widening(5))


def test_quantities_of_one_training_are_paired_in_their_seeds() -> None:
    """The seeds of two models differ by chance, those of two quantities of one model do not."""
    dice = np.array([[0.4, 0.5], [0.6, 0.7], [0.8, 0.9]])
    (of_dice,), (of_iou,) = rows_of(dice), rows_of(dice - 0.1)
    assert measure("difference", [of_dice, {**of_iou, "quantity": "iou"}]) == pytest.approx((0.1, 0.1, 0.1))
    apart = measure("difference", rows_of(dice, dice - 0.1))
    assert apart.low < 0.09 < apart.value < apart.high


@pytest.mark.parametrize("changes", [{"table": "table1"}, {"source": "y"}, {"scores": None}])
def test_numbers_of_other_cases_are_not_paired(changes: dict[str, object]) -> None:
    first, other = rows_of(HIGH, LOW)
    other = {name: value for name, value in (other | changes).items() if value is not None}
    ends = first["low"] - other["high"], first["high"] - other["low"]
    assert measure("difference", [first, other]) == pytest.approx((0.1, *ends))
