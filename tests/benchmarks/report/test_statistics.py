"""Statements about models from their scores, against worked answers and what must not matter."""

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from benchmarks.report import statistics

NAN = float("nan")


def matrix(values: list[list[float]] | np.ndarray) -> pd.DataFrame:
    values = np.asarray(values, float)
    return pd.DataFrame(values, columns=[f"case-{index:03d}" for index in range(values.shape[1])])


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def study(
    generator: np.random.Generator, seeds: int, cases: int, models: str = "ab", luck: float = 0.05
) -> dict[str, pd.DataFrame]:
    """Scores of models with a true mean of 0.8 each: the cases' difficulty is shared, the seeds' luck is not."""
    of_cases = 0.8 + 0.1 * generator.normal(size=cases)
    noise = {model: 0.02 * generator.normal(size=(seeds, cases)) for model in models}
    return {model: matrix(of_cases + luck * generator.normal(size=(seeds, 1)) + noise[model]) for model in models}


MEANS = matrix([[0.2, 0.4], [0.9, 0.7], [0.5, 0.5], [0.1, NAN]])  # 0.3, 0.8, 0.5, 0.1


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize(("higher", "best"), [(True, max), (False, min)])
def test_best_of_n_is_the_mean_over_all_choices(n: int, higher: bool, best: Callable[[Sequence[float]], float]) -> None:
    expected = np.mean([best(chosen) for chosen in combinations([0.3, 0.8, 0.5, 0.1], n)])
    assert statistics.best_of(MEANS, n, higher) == pytest.approx(expected)


def test_best_of_may_be_picked_by_another_quantity() -> None:
    dice, iou = matrix([[0.7], [0.9], [0.8]]), matrix([[0.6], [0.5], [0.4]])
    assert statistics.best_of(dice, 3, picked_by=iou) == pytest.approx(0.7)
    # Of two seeds: 0.7 twice, as the first has the highest IoU, and once 0.9.
    assert statistics.best_of(dice, 2, picked_by=iou) == pytest.approx((0.7 + 0.7 + 0.9) / 3)
    # Less is better of the quantity, more of what it is picked by.
    assert statistics.best_of(dice, 3, higher_is_better=False, picked_by=iou) == pytest.approx(0.7)
    assert statistics.best_of(dice, 3, picked_by=matrix([[0.6], [NAN], [0.4]])) == pytest.approx(0.7)


def test_best_of_too_few_seeds_is_nan_and_of_none_an_error() -> None:
    assert np.isnan(statistics.best_of(MEANS, 5))
    assert np.isnan(statistics.best_of(matrix([[0.5], [NAN]]), 2))
    assert np.isnan(statistics.best_of(matrix([[NAN]]), 1))
    with pytest.raises(ValueError, match="best of 0"):
        statistics.best_of(MEANS, 0)


def test_description_worked_by_hand() -> None:
    row = statistics.describe({"a": matrix([[0.2, 0.4, NAN], [0.6, 0.8, 0.7]])}).iloc[0]
    # Seeds' means are 0.3 and 0.7; cases' 0.4, 0.6 and 0.7.
    assert row["mean"] == pytest.approx(0.5)
    assert row["std_seeds"] == pytest.approx(0.4 / np.sqrt(2))
    assert row["std_cases"] == pytest.approx(np.sqrt(0.07 / 3))
    assert (row["seeds"], row["cases"]) == (2, 3)
    assert row["low"] < 0.5 < row["high"]


def test_description_is_in_the_order_given() -> None:
    frame = statistics.describe(study(rng(0), 2, 3, "cab"))
    assert list(frame) == statistics.DESCRIPTION
    assert list(frame["model"]) == ["c", "a", "b"]


def test_models_tell_of_each_others_seeds() -> None:
    """An interval is narrower beside models with steadier seeds, and wider beside others."""
    model = study(rng(1), 3, 8)["a"]
    steady, shaky = (study(rng(2), 3, 8, "bcd", luck=luck) for luck in (0.001, 1.0))
    frames = [statistics.describe({"a": model, **others}) for others in ({}, steady, shaky)]
    alone, beside_steady, beside_shaky = (frame.loc[0, "high"] - frame.loc[0, "low"] for frame in frames)
    assert beside_steady < alone < beside_shaky


@pytest.mark.parametrize("values", [[[0.1, 0.5, 0.6]], [[0.1], [0.2]], [[0.1, 0.5], [NAN, NAN]], [[0.1, NAN]] * 2])
def test_one_seed_or_one_case_has_no_interval(values: list[list[float]]) -> None:
    row = statistics.describe({"a": matrix(values), "b": matrix(rng().normal(size=(3, len(values[0]))))}).iloc[0]
    assert np.isfinite(row["mean"])
    assert np.isnan([row["low"], row["high"]]).all()
    assert np.isnan(row["std_seeds"]) or np.isnan(row["std_cases"])


def test_comparison_worked_by_hand() -> None:
    first = matrix([[0.5, 0.6, 0.7, 0.8], [0.5, 0.6, NAN, 0.8]])
    other = matrix([[0.5, 0.5, 0.5, 0.4, 0.1], [0.5, 0.5, 0.5, 0.4, 0.1]])
    row = statistics.compare({"a": first, "b": other}).iloc[0]
    # Seeds' means over the four shared cases are 0.65 and 1.9 / 3, and 0.475 for both of the other model.
    assert row["difference"] == pytest.approx((0.65 + 1.9 / 3) / 2 - 0.475)
    assert row["n"] == 4
    assert row["low"] < row["difference"] < row["high"]


def test_comparison_has_a_row_a_pair() -> None:
    frame = statistics.compare(study(rng(0), 3, 8, "cab"))
    assert list(frame) == statistics.COMPARISON
    assert list(zip(frame["model"], frame["other"], strict=True)) == [("c", "a"), ("c", "b"), ("a", "b")]
    assert (frame["low_joint"] < frame["low"]).all()
    assert (frame["high_joint"] > frame["high"]).all()


def test_the_joint_interval_of_a_single_pair_is_its_own() -> None:
    models = study(rng(0), 3, 8)
    row = statistics.compare(models).iloc[0]
    assert (row["low_joint"], row["high_joint"]) == (row["low"], row["high"])
    # A pair of which nothing can be told is none of several.
    with_one_seed = statistics.compare({**models, "c": models["a"].iloc[:1] + 0.1}).iloc[0]
    assert (with_one_seed["low_joint"], with_one_seed["high_joint"]) == (row["low"], row["high"])


def test_cases_stay_paired() -> None:
    scores = rng().normal(size=20)
    row = statistics.compare({"a": matrix([scores, scores]), "b": matrix([scores - 0.1] * 3)}).iloc[0]
    # However much cases differ, they differ alike for both models.
    assert row[["low", "difference", "high"]].to_list() == pytest.approx([0.1] * 3)


def test_neither_order_nor_a_constant_matters() -> None:
    models = study(rng(4), 3, 15, "abc")
    models["a"].iloc[0, 3] = NAN
    shuffled = {name: model.sample(frac=1, random_state=1) + 5 for name, model in models.items()}
    shuffled = {name: model.sample(frac=1, axis=1, random_state=1) for name, model in shuffled.items()}
    pd.testing.assert_frame_equal(statistics.compare(models), statistics.compare(shuffled))
    plain, moved = (statistics.describe(kind).drop(columns="scores") for kind in (models, shuffled))
    pd.testing.assert_frame_equal(plain, moved.assign(**{name: moved[name] - 5 for name in ("mean", "low", "high")}))


def test_cases_without_a_valid_score_of_both_do_not_count() -> None:
    models = study(rng(6), 3, 10)
    models["a"].iloc[:, 0] = NAN
    models["b"].iloc[:, 1] = NAN
    row = statistics.compare(models).iloc[0]
    fewer = statistics.compare({name: model.iloc[:, 2:] for name, model in models.items()}).iloc[0]
    assert row["n"] == 8
    assert row["difference"] == pytest.approx(fewer["difference"])


def test_one_seed_has_a_difference_but_no_interval() -> None:
    models = study(rng(7), 3, 10)
    row = statistics.compare({"a": models["a"].iloc[:1], "b": models["b"]}).iloc[0]
    assert np.isnan([row["low"], row["high"], row["low_joint"], row["high_joint"]]).all()
    assert np.isfinite(row["difference"])


@pytest.mark.parametrize("cases", [0, 1])
def test_one_shared_case_or_none_says_nothing(cases: int) -> None:
    models = study(rng(8), 3, 6)
    models = {"a": models["a"].iloc[:, :3], "b": models["b"].iloc[:, 3 - cases :]}
    row = statistics.compare(models).iloc[0]
    assert row["n"] == cases
    assert row[["low", "high", "low_joint", "high_joint"]].isna().all()
    assert np.isnan(row["difference"]) == (cases == 0)


def test_scorings_of_one_training_tell_nothing_of_each_others_seeds() -> None:
    models = study(rng(9), 3, 8, "abc")
    again = {**models, "a2": models["a"], "a3": models["a"]}
    trainings = {model: model[0] for model in again}
    columns = ["model", "mean", "low", "high"]
    pd.testing.assert_frame_equal(
        statistics.describe(again, trainings)[columns].iloc[:3], statistics.describe(models)[columns]
    )
    # As if they were three trainings, they would count three times.
    assert statistics.describe(again).loc[1, "high"] != statistics.describe(models).loc[1, "high"]
    low, high = statistics.describe({"a": models["a"]})[["low", "high"]].iloc[0]
    every = statistics.describe({name: again[name] for name in ("a", "a2", "a3")}, trainings)
    assert every[["low", "high"]].to_numpy() == pytest.approx(np.array([[low, high]] * 3))


def test_scorings_of_one_training_are_compared_seed_by_seed() -> None:
    first = matrix(rng(1).normal(size=(3, 6)))
    second = first.sample(frac=1, random_state=0) + 0.25
    row = statistics.compare({"a": first, "b": second}, {"a": 0, "b": 0}).iloc[0]
    assert row[["low", "difference", "high"]].to_list() == pytest.approx([-0.25] * 3)
    apart = statistics.compare({"a": first, "b": second}).iloc[0]
    assert apart["low"] < -0.3 < -0.2 < apart["high"]


def test_of_one_training_a_case_needs_a_seed_that_both_have_it_from() -> None:
    first, second = matrix([[0.5, NAN, 0.7], [0.4, 0.6, 0.8]]), matrix([[0.5, 0.5, 0.9], [0.4, NAN, 0.8]])
    assert statistics.compare({"a": first, "b": second}, {"a": 0, "b": 0}).loc[0, "n"] == 2
    assert statistics.compare({"a": first, "b": second}).loc[0, "n"] == 3
