import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ossnet.data.slices import Slices, Slicing

SHAPE = (4, 5, 6)
VOLUME = torch.arange(2 * 4 * 5 * 6).reshape(2, *SHAPE)


@given(count=st.integers(1, 20), total=st.integers(1, 20), seed=st.integers(0, 99))
def test_drawn_slices_differ_where_they_can(count: int, total: int, seed: int) -> None:
    def draw() -> list[int]:
        return Slicing(1, count).draw((3, total, 3), torch.Generator().manual_seed(seed)).indices.tolist()

    drawn = draw()
    assert len(drawn) == count
    assert set(drawn) <= set(range(total))
    assert len(set(drawn)) == count or count > total
    assert drawn == draw()


def test_every_slice_is_drawn_equally_often() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = [Slicing(2, 2).draw((1, 1, 5), generator).indices for _ in range(2000)]
    assert (torch.cat(drawn).bincount(minlength=5) - 800).abs().max() < 100  # 800 expected, standard deviation 22


@pytest.mark.parametrize("axis", range(3))
def test_slices_of_a_volume_by_numpy(axis: int) -> None:
    slices = Slices(axis, SHAPE, torch.tensor([3, 0]))
    expected = np.take(VOLUME.numpy(), [3, 0], axis + 1)
    for answer in (slices.of(VOLUME), slices.read(VOLUME)):
        np.testing.assert_array_equal(answer, expected)
    np.testing.assert_array_equal(slices.read(VOLUME[0]), expected[0])
    assert Slicing(axis, 2).grid(SHAPE) == expected.shape[1:]


@given(axis=st.integers(0, 2), axes=st.sets(st.integers(0, 2)))
def test_slices_of_a_flipped_volume_are_those_that_the_flip_moves_there(axis: int, axes: set[int]) -> None:
    slices = Slices(axis, SHAPE, torch.tensor([1, 3]))
    flips = tuple(axes)
    moved = slices.flipped(flips).of(VOLUME).flip([other + 1 for other in flips if other != axis])
    assert torch.equal(moved, slices.of(VOLUME.flip([other + 1 for other in flips])))
