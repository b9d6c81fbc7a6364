import numpy as np
import pytest

from benchmarks.report.ranks import rank_stability


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_model_that_is_always_better_keeps_its_rank() -> None:
    scores = {"low": np.full((3, 4), 0.2), "high": np.full((2, 4), 0.9), "mid": np.full((3, 4), 0.5)}
    ranks = rank_stability(scores, generator(), 200)
    assert ranks.index.tolist() == ["low", "high", "mid"]
    assert ranks["rank"].tolist() == ranks["low"].tolist() == ranks["high"].tolist() == [3, 1, 2]
    assert ranks["first"].tolist() == [0, 1, 0]
    assert ranks["same"].tolist() == [1, 1, 1]
    assert ranks["mean"].tolist() == pytest.approx([0.2, 0.9, 0.5])


def test_cases_are_drawn_for_all_models_together() -> None:
    """One model is a little better in every case; were each given cases of its own, it would often lose."""
    cases = np.linspace(0, 1, 8)[None]
    ranks = rank_stability({"a": cases, "b": cases + 0.01}, generator(), 500)
    assert ranks.loc["b", "first"] == 1


def test_seeds_are_drawn_for_each_model_by_itself() -> None:
    """Two of the seeds 0, 1/2 and 1 have a mean of 0, 1/4, 1/2, 3/4 or 1, by 1, 2, 3, 2 and 1 of 9 draws."""
    seeds = np.array([[0.0], [0.5], [1.0]])
    ranks = rank_stability({"a": seeds, "b": seeds}, generator(), 20_000)
    assert ranks["rank"].tolist() == [1.5, 1.5]
    # They tie if both draw the same, and else either is first with half of the rest.
    tied = (1 + 4 + 9 + 4 + 1) / 81
    assert ranks["same"].to_numpy() == pytest.approx(tied, abs=0.015)
    assert ranks["first"].to_numpy() == pytest.approx(tied + (1 - tied) / 2, abs=0.015)
    assert (ranks["low"].tolist(), ranks["high"].tolist()) == ([1, 1], [2, 2])


def test_invalid_scores_do_not_count_and_a_model_without_any_comes_last() -> None:
    scores = {"none": np.full((2, 2), np.nan), "some": np.array([[np.nan, 0.4], [np.nan, 0.4]]), "all": np.ones((2, 2))}
    ranks = rank_stability(scores, generator(), 100)
    assert ranks["rank"].tolist() == [3, 2, 1]
    assert ranks["mean"].tolist()[1:] == pytest.approx([0.4, 1.0])
    assert np.isnan(ranks.loc["none", "mean"])
