"""What is said of models from their scores, against worked answers, scipy, and what must not matter."""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks import significance, statistics
from benchmarks.bootstrap import RESAMPLES, Bootstrap

NAN = float("nan")


def matrix(values: list[list[float]] | np.ndarray) -> pd.DataFrame:
    values = np.asarray(values, float)
    return pd.DataFrame(values, columns=[f"case-{index:03d}" for index in range(values.shape[1])])


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def study(
    generator: np.random.Generator,
    seeds: int,
    cases: int,
    models: str = "ab",
    luck: float = 0.05,
    difficulty: float = 0.1,
) -> dict[str, pd.DataFrame]:
    """Scores of models with a true mean of 0.8 each: the cases' difficulty is shared, the seeds' luck is not."""
    of_cases = 0.8 + difficulty * generator.normal(size=cases)
    noise = {model: 0.02 * generator.normal(size=(seeds, cases)) for model in models}
    return {model: matrix(of_cases + luck * generator.normal(size=(seeds, 1)) + noise[model]) for model in models}


def drawn(models: dict[str, pd.DataFrame], generator: np.random.Generator, resamples: int) -> Bootstrap:
    cases = {case for model in models.values() for case in model.columns}
    return Bootstrap.draw({name: model.index for name, model in models.items()}, cases, generator, resamples)


def described(
    models: dict[str, pd.DataFrame], generator: np.random.Generator | None = None, resamples: int = RESAMPLES
) -> pd.DataFrame:
    return statistics.describe(models, drawn(models, generator or rng(), resamples))


def compared(
    models: dict[str, pd.DataFrame],
    generator: np.random.Generator | None = None,
    resamples: int = RESAMPLES,
    test: Literal["wilcoxon", "sign-flip"] = "wilcoxon",
) -> pd.DataFrame:
    generator = generator or rng()
    return statistics.compare(models, drawn(models, generator, resamples), generator, test)


MEANS = matrix([[0.2, 0.4], [0.9, 0.7], [0.5, 0.5], [0.1, NAN]])  # 0.3, 0.8, 0.5, 0.1


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize(("higher", "best"), [(True, max), (False, min)])
def test_best_of_n_is_the_mean_over_all_choices(n: int, higher: bool, best: Callable[[Sequence[float]], float]) -> None:
    expected = np.mean([best(chosen) for chosen in combinations([0.3, 0.8, 0.5, 0.1], n)])
    assert statistics.best_of(MEANS, n, higher) == pytest.approx(expected)


@pytest.mark.parametrize(("higher", "best"), [(True, 0.8), (False, 0.1)])
def test_best_without_n_is_the_plain_best(higher: bool, best: float) -> None:
    assert statistics.best_of(MEANS, higher_is_better=higher) == pytest.approx(best)


def test_best_of_may_be_picked_by_another_quantity() -> None:
    dice, iou = matrix([[0.7], [0.9], [0.8]]), matrix([[0.6], [0.5], [0.4]])
    assert statistics.best_of(dice, 3, picked_by=iou) == pytest.approx(0.7)
    # Of two seeds: 0.7 twice, as the first has the highest IoU, and once 0.9.
    assert statistics.best_of(dice, 2, picked_by=iou) == pytest.approx((0.7 + 0.7 + 0.9) / 3)
    # Less is better of the quantity, more of what it is picked by.
    assert statistics.best_of(dice, 3, higher_is_better=False, picked_by=iou) == pytest.approx(0.7)
    assert statistics.best_of(dice, 3, picked_by=matrix([[0.6], [NAN], [0.4]])) == pytest.approx(0.7)


def test_best_of_too_few_seeds_is_nan() -> None:
    assert np.isnan(statistics.best_of(MEANS, 5))
    assert np.isnan(statistics.best_of(matrix([[0.5], [NAN]]), 2))
    assert np.isnan(statistics.best_of(matrix([[NAN]])))


def test_best_of_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="best of 0"):
        statistics.best_of(MEANS, 0)


def test_description_worked_by_hand() -> None:
    row = described({"a": matrix([[0.2, 0.4, NAN], [0.6, 0.8, 0.7]])}).iloc[0]
    # Seeds' means are 0.3 and 0.7; cases' 0.4, 0.6 and 0.7.
    assert row["mean"] == pytest.approx(0.5)
    assert row["std_seeds"] == pytest.approx(0.4 / np.sqrt(2))
    assert row["std_cases"] == pytest.approx(np.sqrt(0.07 / 3))
    assert (row["seeds"], row["cases"]) == (2, 3)
    assert 0.2 <= row["low"] < 0.5 < row["high"] <= 0.8


def test_description_is_in_the_order_given() -> None:
    models = study(rng(0), 2, 3, "cab")
    frame = described(models, rng(), resamples=10)
    assert list(frame) == statistics.DESCRIPTION
    assert list(frame["model"]) == ["c", "a", "b"]


@pytest.mark.parametrize("axis", [0, 1])
def test_what_varies_by_seeds_or_cases_alone_is_resampled_as_scipy_does(axis: int) -> None:
    scores = rng(1).normal(size=30)
    row = described({"a": matrix(np.stack([scores, scores], axis))}).iloc[0]
    theirs = stats.bootstrap((scores,), np.mean, method="percentile", n_resamples=10_000, rng=rng())
    tolerance = 0.03 * (row["high"] - row["low"])
    assert (row["low"], row["high"]) == pytest.approx(theirs.confidence_interval, abs=tolerance)


def test_the_interval_of_two_seeds_reaches_from_one_to_the_other() -> None:
    row = described({"a": matrix([[0.3] * 5, [0.7] * 5])}).iloc[0]
    assert (row["low"], row["high"]) == pytest.approx((0.3, 0.7))


@pytest.mark.parametrize(
    ("seeds", "cases", "luck", "difficulty", "of_means", "of_differences"),
    [(2, 20, 0.2, 0, 0.50, 0.65), (3, 20, 0.2, 0, 0.75, 0.80), (20, 40, 0.05, 0.1, 0.95, 0.95)],
)
def test_intervals_of_95_percent_hold_the_truth_as_often_as_is_said(
    seeds: int, cases: int, luck: float, difficulty: float, of_means: float, of_differences: float
) -> None:
    generator = rng(2)
    held = []
    for _ in range(250):
        models = study(generator, seeds, cases, luck=luck, difficulty=difficulty)
        bootstrap = drawn(models, generator, resamples=1000)
        mean = statistics.describe({"a": models["a"]}, bootstrap).iloc[0]
        difference = statistics.compare(models, bootstrap, generator).iloc[0]
        held.append((mean["low"] <= 0.8 <= mean["high"], difference["low"] <= 0 <= difference["high"]))
    assert np.mean(held, axis=0) == pytest.approx([of_means, of_differences], abs=0.07)


@pytest.mark.parametrize("values", [[[0.1, 0.5, 0.6]], [[0.1], [0.2]], [[0.1, 0.5], [NAN, NAN]], [[0.1, NAN]] * 2])
def test_one_seed_or_one_case_has_no_interval(values: list[list[float]]) -> None:
    row = described({"a": matrix(values)}).iloc[0]
    assert np.isfinite(row["mean"])
    assert np.isnan([row["low"], row["high"]]).all()
    assert np.isnan(row["std_seeds"]) or np.isnan(row["std_cases"])


def test_nothing_valid_has_no_mean() -> None:
    row = described({"a": matrix([[NAN, NAN], [NAN, NAN]])}).iloc[0]
    assert row[["mean", "low", "high", "std_seeds", "std_cases"]].isna().all()
    assert (row["seeds"], row["cases"]) == (0, 0)


def test_resamples_that_miss_all_valid_scores_do_not_count() -> None:
    values = np.full((2, 12), NAN)
    values[:, :2] = [[0.2, 0.4], [0.2, 0.4]]
    row = described({"a": matrix(values)}).iloc[0]
    assert (row["low"], row["high"]) == pytest.approx((0.2, 0.4))


def test_comparison_worked_by_hand() -> None:
    first = matrix([[0.5, 0.6, 0.7, 0.8], [0.7, 0.8, NAN, 0.8]])
    other = matrix([[0.5, 0.5, 0.5, 0.4, 0.1], [0.5, 0.5, 0.5, 0.4, 0.1]])
    row = compared({"a": first, "b": other}).iloc[0]
    # Differences of the shared cases: 0.1, 0.2, 0.2, 0.4. Of 16 ways to sign their ranks two are as one-sided.
    assert row["difference"] == pytest.approx(0.225)
    assert row["p"] == pytest.approx(2 / 16)
    assert row["n"] == 4
    assert row["low"] < 0.225 < row["high"]


def test_comparison_has_a_row_a_pair() -> None:
    frame = compared(study(rng(0), 3, 8, "cab"), rng(), resamples=10)
    assert list(frame) == statistics.COMPARISON
    assert list(zip(frame["model"], frame["other"], strict=True)) == [("c", "a"), ("c", "b"), ("a", "b")]
    assert list(frame["p_adjusted"]) == list(significance.holm(frame["p"].to_numpy()))


def test_one_model_has_no_pairs() -> None:
    frame = compared(study(rng(0), 3, 8, "a"), rng(), resamples=10)
    assert list(frame) == statistics.COMPARISON
    assert frame.empty


def test_cases_stay_paired() -> None:
    scores = rng().normal(size=20)
    row = compared({"a": matrix([scores, scores]), "b": matrix([scores - 0.1] * 3)}).iloc[0]
    # However much cases differ, they differ alike for both models.
    assert row[["low", "difference", "high"]].to_list() == pytest.approx([0.1] * 3)
    assert row["p"] < 1e-4


@pytest.mark.parametrize("test", significance.TESTS)
def test_a_model_does_not_differ_from_itself(test: str) -> None:
    model = study(rng(0), 3, 20)["a"]
    row = compared({"a": model, "b": model.copy()}, rng(), test=test).iloc[0]
    assert row["difference"] == 0
    assert row["low"] < 0 < row["high"]
    assert (row["p"], row["p_adjusted"]) == (1, 1)


def test_swapping_models_flips_signs() -> None:
    models = study(rng(3), 3, 10)
    one = compared(models).iloc[0]
    two = compared(dict(reversed(models.items()))).iloc[0]
    assert (two["model"], two["other"]) == ("b", "a")
    assert -two["difference"] == pytest.approx(one["difference"])
    assert (-two["high"], -two["low"]) == pytest.approx((one["low"], one["high"]))
    assert two["p"] == one["p"]


@pytest.mark.parametrize("test", significance.TESTS)
def test_neither_order_nor_a_constant_matters(test: str) -> None:
    models = study(rng(4), 3, 15, "abc")
    models["a"].iloc[0, 3] = NAN
    shuffled = {name: model.sample(frac=1, random_state=1) + 5 for name, model in models.items()}
    shuffled = {name: model.sample(frac=1, axis=1, random_state=1) for name, model in shuffled.items()}
    pd.testing.assert_frame_equal(
        compared(models, rng(), test=test, resamples=200),
        compared(shuffled, rng(), test=test, resamples=200),
    )
    means = ["mean", "low", "high", "resampled"]
    plain, moved = (described(kind, rng(), resamples=200) for kind in (models, shuffled))
    pd.testing.assert_frame_equal(plain, moved.assign(**{name: moved[name] - 5 for name in means}))


def test_equal_generators_give_equal_numbers() -> None:
    models = study(rng(5), 3, 20)
    one, two = (compared(models, rng(7), test="sign-flip", resamples=50) for _ in range(2))
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_cases_without_a_valid_score_of_both_do_not_count() -> None:
    models = study(rng(6), 3, 10)
    models["a"].iloc[:, 0] = NAN
    models["b"].iloc[:, 1] = NAN
    row = compared(models).iloc[0]
    fewer = compared({name: model.iloc[:, 2:] for name, model in models.items()}).iloc[0]
    assert row["n"] == 8
    assert row[["difference", "p"]].to_list() == pytest.approx(fewer[["difference", "p"]].to_list())


def test_one_seed_has_a_test_but_no_interval() -> None:
    models = study(rng(7), 3, 10)
    row = compared({"a": models["a"].iloc[:1], "b": models["b"]}).iloc[0]
    assert np.isnan([row["low"], row["high"]]).all()
    assert 0 < row["p"] <= 1


@pytest.mark.parametrize("test", significance.TESTS)
@pytest.mark.parametrize("cases", [0, 1])
def test_one_shared_case_or_none_says_nothing(cases: int, test: str) -> None:
    models = study(rng(8), 3, 6)
    models = {"a": models["a"].iloc[:, :3], "b": models["b"].iloc[:, 3 - cases :]}
    row = compared(models, rng(), test=test).iloc[0]
    assert row["n"] == cases
    assert row[["low", "high", "p", "p_adjusted"]].isna().all()
    assert np.isnan(row["difference"]) == (cases == 0)
