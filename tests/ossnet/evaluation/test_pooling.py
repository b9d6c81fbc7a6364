import pandas as pd
import pytest

from ossnet.errors import UserError
from ossnet.evaluation.pooling import pool_scores, pooled_table, require_cases_of_folds


def scores(values: dict[str, float], role: str = "unseen", quantity: str = "dice", **columns: object) -> pd.DataFrame:
    table = pd.DataFrame({"case": list(values), "quantity": quantity, "value": list(values.values())})
    return table.assign(unit="", protocol="dense", role_in_training=role, **columns)


def test_means_and_spreads_over_cases_and_over_folds() -> None:
    pooled = pool_scores({1: scores({"c": 0.9, "d": 0.7}), 0: scores({"a": 0.5, "b": 0.3, "e": float("nan")})})
    row = pooled_table(pooled).loc["dice"]
    assert row["fold 0"] == pytest.approx(0.4)
    assert row["fold 1"] == pytest.approx(0.8)
    assert (row["mean_over_cases"], row["mean_over_folds"], row["cases"]) == pytest.approx((0.6, 0.6, 4))
    # Deviations from 0.6 are 0.3, 0.1, -0.1 and -0.3: a sum of squares of 0.2, over 3.
    assert row["sd_over_cases"] == pytest.approx((0.2 / 3) ** 0.5)
    assert row["sd_over_folds"] == pytest.approx(0.08**0.5)
    assert pooled["fold"].tolist() == [0, 0, 0, 1, 1]


def test_quantities_protocols_and_classes_are_kept_apart() -> None:
    def fold(case: str, value: float) -> pd.DataFrame:
        parts = [
            scores({case: value}, quantity=quantity, label=label)
            for quantity in ("dice", "iou")
            for label in ("1", None)
        ]
        return pd.concat(parts)

    table = pooled_table(pool_scores({0: fold("a", 0.2), 1: fold("b", 0.4)}))
    assert len(table) == 4
    assert table["mean_over_cases"].tolist() == pytest.approx([0.3] * 4)


@pytest.mark.parametrize("role", ["train", "unknown"])
def test_learned_cases_are_refused(role: str) -> None:
    with pytest.raises(UserError, match=r"fold 1 .* b"):
        pool_scores({0: scores({"a": 0.5}), 1: scores({"b": 0.5}, role)})


@pytest.mark.parametrize("other", [{"protocol": "paper"}, {"class": "whole tumour"}, {"quantity": "iou"}])
def test_folds_that_were_scored_in_different_ways_are_refused(other: dict[str, str]) -> None:
    same = {"class": "1"}
    with pytest.raises(UserError, match="folds 0 and 1"):
        pool_scores({0: scores({"a": 0.5}, **same), 1: scores({"b": 0.5}, **same).assign(**other)})


def test_a_case_of_two_folds_is_refused() -> None:
    with pytest.raises(UserError, match=r"case a .* 0 and 1"):
        pool_scores({0: scores({"a": 0.5}), 1: scores({"a": 0.5})})


def test_scores_are_those_of_the_cases_of_each_fold() -> None:
    splits = {
        0: {"train": ("c",), "validation": ("d",), "test": ("a", "b")},
        1: {"train": ("a",), "validation": ("b",), "test": ("c", "d")},
    }
    own = {fold: scores(dict.fromkeys(split["test"], 0.5)) for fold, split in splits.items()}
    require_cases_of_folds(own, splits, "test")
    require_cases_of_folds({0: scores({"d": 0.5}), 1: scores({"b": 0.5})}, splits, "validation")
    for cases in ("a", "abd", "cd"):
        with pytest.raises(UserError, match="of fold 0"):
            require_cases_of_folds({**own, 0: scores(dict.fromkeys(cases, 0.5))}, splits, "test")
    # A case that one fold lacks, and one that two folds hold out.
    for other in ({**splits[1], "train": ()}, {"train": ("a",), "validation": (), "test": ("b", "c", "d")}):
        with pytest.raises(UserError, match="same cases"):
            require_cases_of_folds(own, {0: splits[0], 1: other}, "test")
