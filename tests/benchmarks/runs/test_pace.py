import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.runs.pace import FinishedRun, Pace, in_words

RUNS = (FinishedRun("a", 10, 20), FinishedRun("a", 10, 40), FinishedRun("a", 1, 60), FinishedRun("b", 4, 40))
AMOUNTS = st.floats(1, 1e18)


def test_the_median_pace_of_the_models_own_runs_or_of_all_counts() -> None:
    # a: 2, 4 and 60 seconds an operation; b: 10.
    pace = Pace(RUNS)
    assert pace.seconds("a", 5) == 20
    assert pace.seconds("b", 5) == 50
    # The median of 2, 4, 10 and 60.
    assert pace.seconds("c", 5) == 35


def test_without_runs_that_did_work_the_assumed_rate_counts() -> None:
    assert Pace().seconds("a", 5) is None
    assert Pace((FinishedRun("a", 0, 3),)).seconds("a", 1) is None
    assumed = Pace(operations_per_second=10)
    assert assumed.seconds("a", 5) == 0.5
    assert assumed.with_run("b", 4, 40).seconds("a", 5) == 50
    assert assumed.seconds("a", 5) == 0.5


def test_time_to_go_is_an_even_share_or_the_longest_run() -> None:
    pace = Pace(operations_per_second=1)
    assert pace.time_to_go([("a", 3), ("a", 3), ("b", 6)], 2) == 6
    assert pace.time_to_go([("a", 1), ("b", 9)], 2) == 9
    assert pace.time_to_go([], 0) == 0
    assert Pace().time_to_go([("a", 1)], 1) is None


@given(st.lists(st.tuples(st.sampled_from("abc"), AMOUNTS), min_size=1), st.integers(1, 8))
def test_more_workers_are_never_slower(runs: list[tuple[str, float]], workers: int) -> None:
    pace = Pace(RUNS)
    fewer, more = pace.time_to_go(runs, workers), pace.time_to_go(runs, workers + 1)
    assert fewer is not None
    assert more is not None
    assert more <= fewer


@given(AMOUNTS, st.floats(1, 1e9), st.floats(0.1, 10))
def test_an_estimate_is_proportional_to_the_work(work: float, seconds: float, factor: float) -> None:
    pace = Pace().with_run("a", work, seconds)
    assert pace.seconds("a", factor * work) == pytest.approx(factor * seconds)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (45, "45 s"), (720, "12 min"), (3.4 * 3600, "3.4 h"), (47 * 3600, "47.0 h"), (21 * 86400, "21 days")],
)
def test_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
