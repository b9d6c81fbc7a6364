"""Tests of differences and their corrections, against worked answers, scipy, and every way to sign ranks."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmarks import significance

NAN = float("nan")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", significance.TESTS)
def test_six_cases_that_agree(name: str) -> None:
    differences = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert significance.paired_p(differences, significance.TESTS[name], rng()) == pytest.approx(2 / 2**6)


@given(st.lists(st.integers(-4, 4).filter(bool), min_size=2, max_size=8))
def test_wilcoxon_counts_all_ways_to_sign_the_ranks(steps: list[int]) -> None:
    differences = np.array(steps, float)
    ranks = stats.rankdata(np.abs(differences))
    sums = [np.dot(ranks, signs) for signs in itertools.product([-1, 1], repeat=len(ranks))]
    expected = np.mean(np.abs(sums) >= abs(np.dot(ranks, np.sign(differences))))
    assert significance.wilcoxon(differences, rng()) == pytest.approx(expected)


@pytest.mark.parametrize("n", [2, 16, 45, 320])
def test_wilcoxon_is_that_of_scipy(n: int) -> None:
    differences = rng(n).normal(0.1, 0.5, n)
    theirs = stats.wilcoxon(differences, method="exact").pvalue
    assert significance.wilcoxon(differences, rng()) == pytest.approx(theirs)


def test_wilcoxon_leaves_out_cases_without_a_difference() -> None:
    differences = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    one, two = (significance.wilcoxon(np.append(differences, more), rng()) for more in ([], [0.0, 0.0]))
    assert one == two == pytest.approx(2 / 2**6)


def test_sign_flips_worked_by_hand() -> None:
    # Of the eight sums of +-1, +-2 and +-4, three (7, 5 and 3) are at least 1 - 2 + 4.
    assert significance.sign_flip(np.array([1.0, -2.0, 4.0]), rng()) == pytest.approx(2 * 3 / 8)


@pytest.mark.parametrize("name", significance.TESTS)
def test_false_alarms_are_as_rare_as_they_should_be(name: str) -> None:
    generator = rng(3)
    test = significance.TESTS[name]
    p = [significance.paired_p(generator.normal(size=8), test, generator) for _ in range(400)]
    assert np.mean(np.array(p) <= 0.05) < 0.075


def test_ties_survive_rounding() -> None:
    steps = np.array([0.1, 0.1, 0.1, -0.1, 0.1, 0.1])
    noisy = (steps + 0.7) - 0.7
    one, two = (significance.paired_p(values, significance.wilcoxon, rng()) for values in (steps, noisy))
    assert one == two


def test_holm_worked_by_hand() -> None:
    # In order: 4 * 0.005, 3 * 0.01, 2 * 0.03, and 0.04 which may not be below the one before.
    p = np.array([0.01, 0.04, 0.03, 0.005])
    assert significance.holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_benjamini_hochberg_worked_by_hand() -> None:
    # In order: 0.005 * 4 / 1 and 0.01 * 4 / 2, both 0.02; 0.03 * 4 / 3 and 0.04, both 0.04.
    p = np.array([0.01, 0.04, 0.03, 0.005])
    assert significance.benjamini_hochberg(p) == pytest.approx([0.02, 0.04, 0.04, 0.02])


@pytest.mark.parametrize("name", significance.CORRECTIONS)
def test_nan_is_not_corrected(name: str) -> None:
    correct = significance.CORRECTIONS[name]
    adjusted = correct(np.array([0.01, NAN, 0.2]))
    assert np.isnan(adjusted[1])
    assert adjusted[[0, 2]] == pytest.approx(correct(np.array([0.01, 0.2])))
    assert np.isnan(correct(np.array([NAN]))).all()


@pytest.mark.parametrize("name", significance.CORRECTIONS)
@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_corrections_raise_p_and_keep_its_order(name: str, p: list[float]) -> None:
    values = np.sort(p)
    adjusted = significance.CORRECTIONS[name](values)
    assert (adjusted >= values * (1 - 1e-12)).all()
    assert (adjusted <= 1).all()
    assert (np.diff(adjusted) >= 0).all()
    assert (adjusted <= significance.holm(values) * (1 + 1e-12)).all()
