"""Draws of seeds and cases: what they share, what they do not, and means over them worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.bootstrap import Bootstrap, interval

NAN = float("nan")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def counts(rows: list[list[float]], names: list) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=names, dtype=float)


BY_HAND = Bootstrap({"a": counts([[1, 1], [2, 0]], [0, 1])}, counts([[1, 1], [2, 0]], ["x", "y"]))
"""Two resamples: everything once; seed 0 twice and case x twice."""


def test_means_worked_by_hand() -> None:
    matrix = pd.DataFrame([[0.2, 0.4], [0.6, NAN]], index=[0, 1], columns=["x", "y"])
    # Seeds' means are 0.3 and 0.6, then seed 0 of case x alone.
    assert BY_HAND.means("a", matrix) == pytest.approx([0.45, 0.2])
    by_case = BY_HAND.case_means("a", matrix)
    assert by_case == pytest.approx(np.array([[0.4, 0.4], [0.2, 0.4]]))
    assert BY_HAND.mean(by_case) == pytest.approx([0.4, 0.2])


def test_what_a_resample_lacks_is_nan() -> None:
    matrix = pd.DataFrame([[NAN, 0.4], [NAN, 0.6]], index=[0, 1], columns=["x", "y"])
    np.testing.assert_allclose(BY_HAND.means("a", matrix), [0.5, NAN])


def test_seeds_and_cases_are_matched_by_name() -> None:
    matrix = pd.DataFrame([[0.6, 0.2], [0.5, 0.1]], index=[1, 0], columns=["y", "x"])
    bootstrap = Bootstrap.draw({"a": [1, 0]}, ["y", "x"], rng(), 50)
    turned = Bootstrap.draw({"a": [0, 1]}, ["x", "y", "x"], rng(), 50)
    np.testing.assert_array_equal(bootstrap.means("a", matrix), turned.means("a", matrix.iloc[::-1, ::-1]))


@given(st.integers(1, 6), st.integers(1, 9), st.integers(0, 99))
def test_every_resample_is_as_large_as_the_study(seeds: int, cases: int, state: int) -> None:
    bootstrap = Bootstrap.draw({"b": range(seeds), "a": range(2)}, map(str, range(cases)), rng(state), 20)
    assert list(bootstrap.seeds) == ["a", "b"]
    assert (bootstrap.seeds["b"].sum(axis=1) == seeds).all()
    assert (bootstrap.cases.sum(axis=1) == cases).all()


def test_each_is_drawn_once_on_average_and_independently_by_models() -> None:
    bootstrap = Bootstrap.draw({"a": range(4), "b": range(4)}, list("xyz"), rng(), 10_000)
    assert bootstrap.cases.mean().to_numpy() == pytest.approx(np.ones(3), abs=0.03)
    # The variance of a count of 4 draws with chance 1/4.
    assert bootstrap.seeds["a"].var().to_numpy() == pytest.approx(np.full(4, 0.75), abs=0.04)
    assert abs(np.corrcoef(bootstrap.seeds["a"][0], bootstrap.seeds["b"][0])[0, 1]) < 0.04


def test_an_interval_cuts_as_much_from_both_ends() -> None:
    resampled = np.append(np.arange(101.0), NAN)
    assert interval(resampled, 0.9, 2, 2) == pytest.approx((5, 95))
    assert np.isnan(interval(resampled, 0.9, 2, 1)).all()
