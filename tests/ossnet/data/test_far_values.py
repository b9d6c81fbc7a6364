"""Values far from all others: which of them are refused, with which remedy, and which images are left alone."""

import numpy as np
import pytest

from ossnet.data.far_values import refuse_far_values
from ossnet.errors import UserError

RANDOM = np.random.default_rng(0)
TISSUE = RANDOM.normal(100, 30, (40, 24, 24)).astype(np.float32)


def check(image: np.ndarray) -> None:
    values = image.astype(np.float32).ravel()
    refuse_far_values(values, np.float32(values.std(dtype=np.float64)), "case a: ct")


def padded(padding: float | np.ndarray, slices: int = 8) -> np.ndarray:
    image = TISSUE.copy()
    image[:slices] = padding
    return image


def blended() -> np.ndarray:
    """Padded, and resampled: the slice next to the padding is a bit of both."""
    image = padded(-32768)
    image[8] = 0.3 * image[7] + 0.7 * image[8]
    return image


def with_broken(*broken: float) -> np.ndarray:
    image = TISSUE.copy()
    image[20, 3, : len(broken)] = broken
    return image


@pytest.mark.parametrize(
    ("image", "voxels"),
    [
        (padded(-32768), 8 * 24 * 24),
        (padded(RANDOM.integers(-32768, -32766, (8, 24, 24))), 8 * 24 * 24),
        (padded(RANDOM.normal(-32768, 0.5, (8, 24, 24))), 8 * 24 * 24),
        (padded(-32768, slices=36), 36 * 24 * 24),
        (blended(), 8 * 24 * 24),
        (with_broken(1e6), 1),
        (with_broken(-1e6), 1),
        (with_broken(1e6, 0.9e6), 2),
        (with_broken(1e6, -1e6), 1),
    ],
    ids=["constant", "two-values", "noise", "most", "blended", "hot", "dead", "two-hot", "hot-and-dead"],
)
def test_what_a_clip_mends_is_refused_with_that_advice(image: np.ndarray, voxels: int) -> None:
    with pytest.raises(UserError, match=rf"case a: ct has {voxels} voxels .* preprocessing\.clip=\[LOW, HIGH\]"):
        check(image)


@pytest.mark.parametrize("padding", [32767, RANDOM.integers(32766, 32768, (8, 24, 24)), np.finfo(np.float32).max])
def test_padding_above_is_refused_without_it(padding: float | np.ndarray) -> None:
    with pytest.raises(UserError, match=f"has {8 * 24 * 24} voxels") as caught:
        check(padded(padding))
    assert "clip" not in str(caught.value)


def ct_with_metal() -> np.ndarray:
    """A body in exact air, with fat around soft tissue, bone and a little metal."""
    image = np.full((40, 40, 40), -1000.0)
    image[6:34, 6:34] = RANDOM.normal(-100, 15, (28, 28, 40))
    image[10:30, 10:30] = RANDOM.normal(50, 20, (20, 20, 40))
    image[18:22, 18:22] = RANDOM.normal(600, 200, (4, 4, 40))
    image[12, 12, :20] = 3000
    return image


def brain_mr(noise: float) -> np.ndarray:
    """A small brain before a large background, exact or noisy."""
    image = RANDOM.normal(0, noise, (40, 40, 40))
    image[18:24, 18:24, 18:24] = RANDOM.normal(800, 150, (6, 6, 6))
    return image


@pytest.mark.parametrize(
    "image",
    [
        ct_with_metal(),
        np.where(np.arange(40)[:, None, None] < 24, -1024, 3 * TISSUE),
        brain_mr(0),
        brain_mr(2),
        TISSUE,
        with_broken(3000),
        np.indices((4, 4, 4)).sum(axis=0) % 3 - 1,
        TISSUE / 10 + np.float32(1000) * (np.arange(40) > 20)[:, None, None],
        RANDOM.normal(0, 0.01, (20, 20, 20)) + (np.arange(20) > 12)[:, None, None],
        RANDOM.integers(0, 2, (9, 9, 9)),
        np.repeat([0, 1, 2, 4], [28000, 200, 500, 500]),
        np.full((9, 9, 9), -1000.0),
    ],
    ids=[
        *("metal", "air", "brain", "noisy-brain", "tissue", "bright", "three-values", "step", "phantom"),
        *("two-values", "labels", "constant"),
    ],
)
def test_other_images_are_left_alone(image: np.ndarray) -> None:
    check(image)
