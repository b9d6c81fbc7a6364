"""Intervals over seeds and cases, against worked answers, textbook intervals and simulated truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmarks.report.intervals import Components, Pool, components, estimate, pool, weigh, widening
from benchmarks.report.simulation import KINDS

NAN = float("nan")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def ends(parts: list[Components], comparisons: int = 1, **options: object) -> tuple[float, float]:
    low, high = estimate(parts, **options).ends(comparisons)  # type: ignore[arg-type]
    return float(low), float(high)


def test_components_by_hand() -> None:
    # Seeds' means are 2 and 4, cases' 2 and 4, the mean 3: what is left is 1 everywhere, up or down.
    found = components(np.array([[2.0, 2.0], [2.0, 6.0]]))
    assert found.value == 3
    assert found.seeds == 2
    assert found.by_case == pytest.approx([-0.5, 0.5])
    assert found.spread == pytest.approx(2.0)
    # Four squares of 1 with one degree of freedom, in a mean of two cases.
    assert found.residual == pytest.approx(4 / 1 / 2)


def test_the_variance_is_the_sum_of_its_components() -> None:
    # Seeds differ by 2 and cases by 4, without a residual.
    part = components(np.array([[0.0, 4.0], [2.0, 6.0]]))
    one = Pool(np.array(8.0), np.array(1.0), 5.0)
    # Cases: a variance of 8 over two. Seeds: 2 of their own with a weight of 1 / 3, and 8 - 1 with 2 / 3, over two.
    assert estimate([part], pooled=one).variance == pytest.approx(8 / 2 + (2 / 3 + (8 - 1) * 2 / 3) / 2)


def test_the_pooled_spread_is_the_median_of_those_that_can_be_told() -> None:
    models = [components(np.array([[0.0, 0.0], [step, step]])) for step in (1.0, 2.0, 100.0)]
    found = pool(enumerate([*models, components(np.array([[1.0, 2.0]]))]))
    assert found is not None
    # The median of a chi-squared of one degree of freedom is 0.455.
    assert found.spread == pytest.approx(2.0 / stats.chi2(1).median())
    assert found.degrees == pytest.approx(3 * 2 / np.pi)
    assert found.residual == 0


def test_scorings_of_one_training_count_once_in_the_pool() -> None:
    one, two, other = (components(np.array([[0.0, 0.0], [step, step]])) for step in (1.0, 3.0, 4.0))
    mean = components(np.array([[0.0, 0.0], [5**0.5, 5**0.5]]))
    found, expected = pool([("a", one), ("a", two), ("b", other)]), pool([("a", mean), ("b", other)])
    assert found is not None
    assert expected is not None
    assert (float(found.spread), float(found.degrees)) == pytest.approx((expected.spread, expected.degrees))


@pytest.mark.parametrize("trainings", ["a", "aaa"])
def test_one_training_tells_nothing_of_what_is_usual(trainings: str) -> None:
    model, one_seed = components(rng().normal(size=(3, 8))), components(rng().normal(size=(1, 8)))
    assert pool([(training, model) for training in trainings]) is None
    assert pool([*((training, model) for training in trainings), ("b", one_seed)]) is None


def test_without_a_pool_the_seeds_variance_is_the_models_own() -> None:
    # Cases are equal: what is left is the t interval of the seeds.
    scores = rng().normal(size=3)
    expected = stats.ttest_1samp(scores, 0).confidence_interval(0.95)
    assert ends([components(np.stack([scores] * 4, axis=1))]) == pytest.approx((expected.low, expected.high))


def test_scorings_of_one_training_are_paired_in_their_seeds() -> None:
    # Seeds differ by much and scorings of one by little, in each case alike.
    seeds, steps = 10 * rng(1).normal(size=(4, 1)), rng(2).normal(size=(4, 1))
    both = [np.tile(seeds, 5), np.tile(seeds + steps, 5)]
    usual = Pool(np.array(100.0), np.array(0.0), 10.0)
    expected = stats.ttest_1samp(-steps[:, 0], 0).confidence_interval(0.95)
    low, high = weigh(both, (1, -1), ("a", "a"), usual).ends()
    assert (low, high) == pytest.approx((expected.low, expected.high))
    apart_low, apart_high = weigh(both, (1, -1), ("a", "b"), usual).ends()
    assert apart_high - apart_low > 5 * (high - low)


def test_equal_seeds_leave_the_t_interval_of_the_cases() -> None:
    scores = rng(1).normal(size=12)
    first, second = scores, scores + rng(2).normal(size=12)
    expected = stats.ttest_1samp(first, 0).confidence_interval(0.95)
    assert ends([components(np.stack([first] * 3))]) == pytest.approx((expected.low, expected.high))
    expected = stats.ttest_rel(first, second).confidence_interval(0.95)
    both = [components(np.stack([of] * 3)) for of in (first, second)]
    assert ends(both, weights=(1, -1)) == pytest.approx((expected.low, expected.high))


def test_with_many_seeds_and_equal_cases_the_interval_is_welchs() -> None:
    first, second = rng(1).normal(size=200), 2 * rng(2).normal(size=150)
    expected = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    both = [components(np.stack([of] * 2, axis=1)) for of in (first, second)]
    assert ends(both, weights=(1, -1)) == pytest.approx((expected.low, expected.high), rel=0.02)


@pytest.mark.parametrize("scores", [[[1.0, 2.0, 3.0]], [[1.0], [2.0]], [[1.0, 2.0], [NAN, NAN]], [[NAN, NAN]] * 2])
def test_one_seed_or_one_case_has_no_interval(scores: list[list[float]]) -> None:
    usual = Pool(np.array(1.0), np.array(0.0), 10.0)
    assert np.isnan(ends([components(np.array(scores))], pooled=usual)).all()
    other = components(rng().normal(size=(3, len(scores[0]))))
    assert np.isnan(ends([components(np.array(scores)), other], weights=(1, -1), pooled=usual)).all()


def test_a_case_that_a_seed_lacks_does_not_make_the_seed_better() -> None:
    # Seeds are equal in each case that both have.
    found = components(np.array([[0.1, 0.5, 0.9], [0.1, 0.5, NAN]]))
    assert found.spread == pytest.approx(0)
    assert found.residual == pytest.approx(0)
    assert found.value == pytest.approx((0.5 + 0.3) / 2)


def test_several_intervals_are_sidaks() -> None:
    part = components(np.stack([rng().normal(size=10)] * 2))
    level = (1 + 0.95 ** (1 / 6)) / 2
    one, six = (np.ptp(ends([part], comparisons)) for comparisons in (1, 6))
    assert six / one == pytest.approx(stats.t(9).ppf(level) / stats.t(9).ppf(0.975))
    assert widening(6) == pytest.approx(stats.norm.ppf(level) / stats.norm.ppf(0.975))
    assert widening(1) == 1


def test_many_studies_at_once_give_what_each_gives() -> None:
    scores = rng().normal(size=(5, 2, 3, 4))
    scores[2, 0, 1, 2] = NAN
    both = estimate([components(scores[:, model]) for model in (0, 1)], (1, -1))
    for study in range(5):
        alone = estimate([components(scores[study, model]) for model in (0, 1)], (1, -1))
        assert both.ends()[0][study] == pytest.approx(alone.ends()[0])
        assert both.degrees[study] == pytest.approx(alone.degrees)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1), st.integers(2, 4), st.integers(2, 6), st.floats(0.1, 10), st.floats(-5, 5))
def test_order_shift_and_scale_do_what_they_must(
    state: int, seeds: int, cases: int, factor: float, shift: float
) -> None:
    generator = rng(state)
    scores = generator.normal(size=(seeds, cases))
    low, high = ends([components(scores)])
    moved = generator.permutation(generator.permutation(scores * factor + shift), axis=1)
    assert ends([components(moved)]) == pytest.approx((low * factor + shift, high * factor + shift), abs=1e-7)
    other = generator.normal(size=(seeds + 1, cases))
    first, second = components(scores), components(other)
    low, high = ends([first, second], weights=(1, -1))
    assert ends([second, first], weights=(1, -1)) == pytest.approx((-high, -low))


@pytest.mark.parametrize("kind", ["seeds dominate", "seeds and cases", "cases dominate"])
@pytest.mark.parametrize("comparisons", [1, 15])
def test_a_detectable_difference_is_found_in_four_of_five_studies(kind: str, comparisons: int) -> None:
    scores = KINDS[kind](np.random.default_rng(0), 2000, 5)
    parts = [components(scores[:, model]) for model in range(scores.shape[1])]
    difference = estimate(parts[:2], (1, -1), pool(enumerate(parts)))
    truth = np.median(difference.detectable(comparisons))
    low, _ = difference.ends(comparisons)
    # The models are alike: what is detected is what would be with this difference between them. It is not exactly 80 %,
    # since a study knows its variance only from its own scores.
    assert np.mean(low + truth > 0) == pytest.approx(0.8, abs=0.06)
