import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import chisquare
from torch import Tensor
from torch.testing import assert_close

from ossnet.sampling import Sampling
from ossnet.training.confidence import MIN_UNCERTAINTY, ConfidenceMemory, normalised_entropy


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make_memory(shape: tuple[int, int, int], cases: int = 1, **settings: Any) -> ConfidenceMemory:
    return ConfidenceMemory(cases, shape, Sampling(strategy="confidence", **settings))


def cell_of_each_voxel(shape: tuple[int, int, int], cell: int) -> np.ndarray:
    """[H, W, D], by counting the cells in C order."""
    number = {place: index for index, place in enumerate(np.ndindex(*(-(-edge // cell) for edge in shape)))}
    cells = np.empty(shape, int)
    for voxel in np.ndindex(shape):
        cells[voxel] = number[tuple(i // cell for i in voxel)]
    return cells


def counts_of(locations: Tensor, shape: tuple[int, int, int]) -> np.ndarray:
    """How often each voxel was drawn, [H, W, D]."""
    flat = np.ravel_multi_index(tuple(locations.reshape(-1, 3).T.numpy()), shape)
    return np.bincount(flat, minlength=math.prod(shape)).reshape(shape)


shapes = st.tuples(*[st.integers(1, 5)] * 3)
seeds = st.integers(0, 2**32)


@st.composite
def memories(draw: st.DrawFn, **settings: Any) -> ConfidenceMemory:
    """A memory of one case with any uncertainty."""
    memory = make_memory(draw(shapes), memory_cell=draw(st.integers(1, 4)), **settings)
    uncertainty = draw(arrays(np.float32, memory.uncertainty.shape, elements=st.floats(0, 1, width=32)))
    memory.uncertainty = torch.from_numpy(uncertainty)
    return memory


def test_uncertainty_by_hand() -> None:
    predictions = torch.tensor([[0.5, 0.5], [1.0, 0.0], [0.75, 0.25]])
    # In bits, -(3/4 log 3/4 + 1/4 log 1/4) = 2 - 3/4 log 3.
    assert_close(normalised_entropy(predictions), torch.tensor([1.0, 0.0, 2 - 0.75 * math.log2(3)]))
    three = torch.tensor([[1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    assert_close(normalised_entropy(three), torch.tensor([1.0, math.log(2) / math.log(3), 0.0]))


@given(seeds, st.integers(2, 5))
def test_uncertainty_lies_between_0_and_1_whatever_the_order_of_classes(seed: int, classes: int) -> None:
    predictions = (10 * torch.randn(20, classes, generator=generator(seed))).softmax(-1)
    uncertainty = normalised_entropy(predictions)
    assert ((uncertainty >= 0) & (uncertainty <= 1)).all()
    assert_close(normalised_entropy(predictions.flip(-1)), uncertainty)


@given(memories(count=4000), st.sampled_from([0.0, 0.25, 0.5, 0.75]), seeds)
def test_the_weighted_mean_is_unbiased_exactly(memory: ConfidenceMemory, share: float, seed: int) -> None:
    memory = with_settings(memory, confidence_share=share)
    locations, weights = memory.draw([0], generator(seed))
    # Weights by voxel, as drawn: 4000 locations of at most 125 voxels reach each one.
    weight = np.full(memory.shape, np.nan)
    weight[tuple(locations[0].T.numpy())] = weights[0]
    uncertainty = memory.uncertainty[0].double().clamp(min=MIN_UNCERTAINTY).numpy()
    uncertain_part = uncertainty[cell_of_each_voxel(memory.shape, memory.sampling.memory_cell)]
    mixture = share * uncertain_part / uncertain_part.sum() + (1 - share) / weight.size
    assert mixture.sum() == pytest.approx(1)
    losses = np.random.default_rng(seed).exponential(size=weight.shape)
    assert (mixture * weight * losses).sum() == pytest.approx(losses.mean(), rel=1e-5)


def with_settings(memory: ConfidenceMemory, **settings: Any) -> ConfidenceMemory:
    """The same memory under other settings."""
    sampling = memory.sampling
    other = make_memory(memory.shape, **{"count": sampling.count, "memory_cell": sampling.memory_cell} | settings)
    other.uncertainty = memory.uncertainty
    return other


@given(memories(), st.integers(1, 9), st.floats(0, 0.99), seeds)
def test_no_weight_exceeds_its_bound(memory: ConfidenceMemory, count: int, share: float, seed: int) -> None:
    memory = with_settings(memory, count=count, confidence_share=share)
    locations, weights = memory.draw([0, 0], generator(seed))
    assert (locations.shape, locations.dtype) == ((2, count, 3), torch.int64)
    assert (weights.shape, weights.dtype) == ((2, count), torch.float32)
    assert ((locations >= 0) & (locations < torch.tensor(memory.shape))).all()
    assert ((weights > 0) & (weights <= (1 + 1e-6) / (1 - share))).all()


@pytest.mark.parametrize("value", [1.0, 0.3, 0.0])
def test_a_memory_that_is_alike_everywhere_draws_uniformly(value: float) -> None:
    # 0 is a network that is certain everywhere. The cells are 8, 4, 4, 2, 4, 2, 2 and 1 voxels.
    memory = make_memory((3, 3, 3), count=27_000, memory_cell=2, confidence_share=0.9)
    memory.uncertainty.fill_(value)
    locations, weights = memory.draw([0], generator())
    assert_close(weights, torch.ones_like(weights))
    assert chisquare(counts_of(locations, memory.shape).ravel()).pvalue > 0.01


def test_locations_are_drawn_as_often_as_the_density_says() -> None:
    memory = make_memory((5, 3, 2), count=60_000, memory_cell=4, confidence_share=0.5)
    memory.uncertainty = torch.tensor([[0.25, 1.0]])
    locations, weights = memory.draw([0], generator())
    # 24 voxels of uncertainty 1/4 and 6 of uncertainty 1, which sum to 12: densities 1/48 and 1/12.
    expected = np.full(memory.shape, 30_000 / 48)
    expected[4] = 30_000 / 12
    assert chisquare(counts_of(locations[:, :30_000], memory.shape).ravel(), expected.ravel()).pvalue > 0.01
    assert chisquare(counts_of(locations[:, 30_000:], memory.shape).ravel()).pvalue > 0.01
    # Against the uniform 1/30: 30 / 48 = 5/8 and 30 / 12 = 5/2.
    in_first = locations[0, :, 0] < 4
    assert_close(weights[0], torch.where(in_first, 1 / (0.5 + 0.5 * 5 / 8), 1 / (0.5 + 0.5 * 5 / 2)))


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.29, 2), (0.5, 5), (0.99, 9)])
def test_the_share_is_rounded_down(share: float, expected: int) -> None:
    memory = make_memory((100, 100, 10), count=10, memory_cell=10, confidence_share=share)
    memory.uncertainty.zero_()
    memory.uncertainty[0, 0] = 1e6  # So far above the lower bound that no other cell is drawn.
    locations, _ = memory.draw([0], generator())
    assert (locations[0] < 10).all(-1).sum() == expected


def test_one_location_is_uniform() -> None:
    memory = make_memory((2, 3, 1), count=1, memory_cell=1, confidence_share=0.9)
    memory.uncertainty[0, 1:] = 0
    locations, weights = memory.draw([0] * 6000, generator())
    assert (weights == 1).all()
    assert chisquare(counts_of(locations, memory.shape).ravel()).pvalue > 0.01


def test_a_seed_draws_the_same_again() -> None:
    memory = make_memory((6, 5, 4), cases=3, count=50, memory_cell=2)
    memory.uncertainty = torch.rand(memory.uncertainty.shape, generator=generator())
    state, held = torch.get_rng_state(), memory.uncertainty.clone()
    first, again, other = (memory.draw([2, 0], generator(seed)) for seed in (3, 3, 4))
    assert all(map(torch.equal, first, again))
    assert not torch.equal(first[0], other[0])
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(memory.uncertainty, held)


def test_a_memory_is_updated_by_hand() -> None:
    memory = make_memory((4, 2, 2), cases=2, memory_cell=2, memory_rate=0.25)
    visited = torch.tensor([[[0, 0, 0], [1, 1, 1], [0, 1, 0]]])
    # Uncertainty 1, 0 and 0, whose mean of 1/3 has a weight of 1/4.
    memory.update([1], visited, torch.tensor([[0.5, 0.0, 1.0]]))
    assert_close(memory.uncertainty, torch.tensor([[1.0, 1.0], [0.75 + 0.25 / 3, 1.0]]))


def test_several_classes_update_a_memory_by_hand() -> None:
    memory = make_memory((4, 2, 2), memory_cell=2, memory_rate=1.0)
    memory.update([0], torch.tensor([[[0, 0, 0], [3, 0, 0]]]), torch.tensor([[[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]]]))
    assert_close(memory.uncertainty, torch.tensor([[math.log(2) / math.log(3), 0.0]]))


def test_a_case_twice_in_a_batch_updates_its_cells_twice() -> None:
    memory = make_memory((2, 2, 2), memory_cell=2, memory_rate=0.5)
    memory.update([0, 0], torch.zeros(2, 1, 3, dtype=torch.int64), torch.tensor([[0.0], [0.5]]))
    assert memory.uncertainty.tolist() == [[0.5 * 0.5 + 0.5]]


@given(memories(memory_rate=0.3), seeds)
def test_only_visited_cells_change_and_stay_between_old_and_new(memory: ConfidenceMemory, seed: int) -> None:
    before = memory.uncertainty.clone()
    locations = (torch.rand(1, 4, 3, generator=generator(seed)) * torch.tensor(memory.shape)).long()
    memory.update([0], locations, torch.rand(1, 4, generator=generator(seed)))
    cells = cell_of_each_voxel(memory.shape, memory.sampling.memory_cell)[tuple(locations[0].numpy().T)]
    unvisited = np.setdiff1d(np.arange(before.shape[1]), cells)
    assert torch.equal(memory.uncertainty[0, unvisited], before[0, unvisited])
    assert ((memory.uncertainty >= 0) & (memory.uncertainty <= 1)).all()
    assert ((memory.uncertainty - before).abs() <= 0.3 + 1e-6).all()
