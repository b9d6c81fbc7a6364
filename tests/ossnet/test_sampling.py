from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import binary_erosion
from scipy.stats import chisquare

from ossnet.sampling import Sampling, border_voxels, draw_locations


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def band(label: np.ndarray, **settings: object) -> np.ndarray:
    """The border as a mask."""
    mask = np.zeros(label.shape, bool)
    mask.flat[border_voxels(label, Sampling(strategy="border", **settings))] = True
    return mask


def one_voxel(size: int) -> np.ndarray:
    label = np.zeros((size, size, size), np.uint8)
    label[size // 2, size // 2, size // 2] = 1
    return label


def half_space(size: int, filled: int) -> np.ndarray:
    label = np.zeros((size, 3, 4), np.uint8)
    label[:filled] = 1
    return label


def test_uniform_is_uniform_over_every_voxel() -> None:
    shape = (5, 4, 3)
    locations = draw_locations(Sampling(count=60_000), shape, None, generator())
    assert locations.shape == (60_000, 3)
    assert locations.dtype == torch.int64
    counts = np.bincount(np.ravel_multi_index(tuple(locations.T.numpy()), shape), minlength=60)
    assert counts.min() > 0
    assert chisquare(counts).pvalue > 0.01


def test_released_uniform_never_draws_the_last_index() -> None:
    shape = (5, 4, 1)
    locations = draw_locations(Sampling(count=12_000, protocol="released"), shape, None, generator())
    flat = np.ravel_multi_index(tuple(locations.T.numpy()), shape)
    counts = np.bincount(flat, minlength=20).reshape(shape)
    assert counts[-1].sum() == counts[:, -1].sum() == 0
    assert chisquare(counts[:-1, :-1].ravel()).pvalue > 0.01


SMALL_BORDER = torch.tensor([3, 17, 40, 99, 150, 200])


@pytest.mark.parametrize(
    ("strategy", "protocol", "locations", "next_draws"),
    [
        ("uniform", "paper", [[1, 2, 3], [5, 4, 4], [2, 4, 4], [3, 5, 0]], [211, 312, 318]),
        ("uniform", "released", [[4, 0, 3], [4, 4, 0], [0, 3, 0], [5, 3, 2]], [211, 312, 318]),
        ("border", "paper", [[6, 4, 0], [0, 0, 3], [2, 2, 2], [3, 4, 3]], [88, 404, 879]),
        ("border", "released", [[6, 4, 0], [0, 0, 3], [5, 4, 3], [0, 0, 2]], [88, 404, 879]),
    ],
)
def test_what_a_generator_draws_stays(
    strategy: str, protocol: str, locations: list[list[int]], next_draws: list[int]
) -> None:
    # Results name a seed, which is only worth it while that seed draws the same, and nothing more, in later versions.
    sampling = Sampling(strategy=strategy, count=4, protocol=protocol, confidence_share=0.9, memory_cell=3)
    draws = generator(5)
    assert draw_locations(sampling, (7, 6, 5), SMALL_BORDER, draws).tolist() == locations
    assert torch.randint(1000, (3,), generator=draws).tolist() == next_draws


def test_the_border_of_a_plane_is_25_wide_with_the_hull_in_the_middle() -> None:
    mask = band(half_space(60, filled=20))
    assert np.flatnonzero(mask[:, 0, 0]).tolist() == list(range(7, 32))
    assert (mask == mask[:, :1, :1]).all()


def test_the_edge_of_the_volume_is_no_hull() -> None:
    assert not band(np.ones((4, 5, 6), np.uint8)).any()
    assert np.flatnonzero(band(half_space(9, filled=3), border_width=1)[:, 0, 0]).tolist() == [2]


@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.parametrize("protocol", ["paper", "released"])
def test_a_label_without_a_border_is_sampled_uniformly(protocol: str, value: int) -> None:
    shape = (4, 5, 6)
    sampling = Sampling(strategy="border", count=40, protocol=protocol)
    border = torch.from_numpy(border_voxels(np.full(shape, value, np.uint8), sampling))
    assert len(border) == 0
    uniform = draw_locations(Sampling(count=40, protocol=protocol), shape, None, generator())
    assert torch.equal(draw_locations(sampling, shape, border, generator()), uniform)
    with pytest.raises(ValueError, match="border_voxels"):
        draw_locations(sampling, shape, None, generator())


@given(arrays(np.uint8, st.tuples(*[st.integers(1, 6)] * 3), elements=st.integers(0, 2)), st.sampled_from([1, 3, 5, 7]))
def test_the_border_is_all_voxels_within_reach_of_the_hull(label: np.ndarray, width: int) -> None:
    inside = label > 0
    hull = np.argwhere(inside & ~binary_erosion(inside, border_value=1))
    places = np.moveaxis(np.indices(label.shape), 0, -1)[..., None, :]
    squared = ((places - hull) ** 2).sum(-1)
    expected = (squared <= ((width - 1) / 2) ** 2).any(-1)
    for slab in (1, 2**24):
        with patch("ossnet.sampling.SLAB_VOXELS", slab):
            np.testing.assert_array_equal(band(label, border_width=width), expected)


def test_the_released_border_is_a_box_around_the_sobel_edge() -> None:
    # Of a voxel the Sobel edge is its 26 neighbours, which a 13^3 box makes 15 wide.
    np.testing.assert_array_equal(np.flatnonzero(band(one_voxel(31), protocol="released").any((1, 2))), range(8, 23))
    assert band(one_voxel(31), protocol="released").sum() == 15**3
    # Of a plane it is the voxels on both sides.
    assert np.flatnonzero(band(half_space(60, 20), protocol="released")[:, 0, 0]).tolist() == list(range(13, 27))


@pytest.mark.parametrize(("share", "near"), [(0.5, 500), (0.25, 250), (1.0, 1000), (0.0, 0)])
def test_the_share_of_the_border_lies_in_it(share: float, near: int) -> None:
    label = one_voxel(40)
    sampling = Sampling(strategy="border", count=1000, border_width=5, border_share=share)
    border = torch.from_numpy(border_voxels(label, sampling))
    locations = draw_locations(sampling, label.shape, border, generator())
    in_band = torch.from_numpy(band(label, border_width=5))[tuple(locations.T)]
    assert locations.shape == (1000, 3)
    assert in_band[:near].all()
    # 33 of 64,000 voxels are border: half a location of 1,000 falls there by chance.
    assert in_band[near:].sum() <= 5


def test_border_locations_are_uniform_over_the_border() -> None:
    sampling = Sampling(strategy="border", count=33_000, border_width=5, border_share=1)
    label = one_voxel(9)
    border = border_voxels(label, sampling)
    locations = draw_locations(sampling, label.shape, torch.from_numpy(border), generator())
    counts = np.bincount(np.ravel_multi_index(tuple(locations.T.numpy()), label.shape), minlength=label.size)
    assert chisquare(counts[border]).pvalue > 0.01


def test_the_released_protocol_takes_a_small_border_once_and_whole() -> None:
    border = torch.tensor([3, 17, 40])
    locations = {}
    for protocol in ("paper", "released"):
        sampling = Sampling(strategy="border", count=40, protocol=protocol)
        drawn = draw_locations(sampling, (50, 1, 1), border, generator())
        assert drawn.shape == (40, 3)
        locations[protocol] = drawn[:, 0]
    assert locations["released"][:3].tolist() == [3, 17, 40]
    assert len(set(locations["released"][3:].tolist()) - {3, 17, 40}) > 10
    assert set(locations["paper"][:20].tolist()) <= {3, 17, 40}


@pytest.mark.parametrize(
    "settings",
    [
        {"border_width": 24},
        {"count": 0},
        {"border_share": 1.1},
        {"confidence_share": 1.0},
        {"memory_cell": 0},
        {"memory_rate": 0.0},
        {"strategy": "edge"},
        {"widht": 3},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        Sampling(**settings)


def test_the_released_protocol_knows_no_confidence() -> None:
    with pytest.raises(ValueError, match="set protocol = paper"):
        Sampling(strategy="confidence", protocol="released")


def test_confidence_needs_a_memory() -> None:
    with pytest.raises(ValueError, match="ConfidenceMemory"):
        draw_locations(Sampling(strategy="confidence"), (4, 5, 6), None, generator())


def test_settings_that_the_strategy_does_not_read_tell_no_runs_apart() -> None:
    assert Sampling(border_width=7, confidence_share=0.75) == Sampling()
    assert Sampling(strategy="border", border_width=7, memory_cell=4) == Sampling(strategy="border", border_width=7)
    assert Sampling(strategy="confidence", memory_cell=4, border_share=0.1).memory_cell == 4
