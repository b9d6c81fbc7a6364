"""Normalisation of intensities by the preprocessing."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from ossnet.data.case import Case
from ossnet.data.preprocessing import Preprocessing, prepare
from ossnet.errors import UserError


def normalised(image: np.ndarray, **options: object) -> np.ndarray:
    """The prepared image of one modality, on its own grid."""
    case = Case("a", image[None].astype(np.float32), None, np.eye(4), ("ct",))
    return prepare(case, Preprocessing(image.shape, orientation="stored", **options)).image[0]


RANDOM = np.random.default_rng(0).normal(100, 30, (8, 9, 10)).astype(np.float32)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("volume", np.array([-2, -2, 0, 4]) / np.sqrt(6)), ("foreground", [0, 0, -1, 1]), ("none", [0, 0, 2, 6])],
)
def test_the_normalisation_by_hand(mode: str, expected: np.ndarray) -> None:
    image = np.array([0, 0, 2, 6]).reshape(4, 1, 1)
    assert_allclose(normalised(image, normalise=mode).ravel(), expected, rtol=1e-6)


@pytest.mark.parametrize("mode", ["volume", "foreground"])
@pytest.mark.parametrize("value", [0.0, 0.1, -1000.0])
def test_a_constant_channel_becomes_zero(mode: str, value: float) -> None:
    assert not normalised(np.full((7, 5, 3), value), normalise=mode).any()


@settings(max_examples=20)
@given(scale=st.floats(0.01, 100), shift=st.floats(-1000, 1000))
def test_the_normalisation_ignores_scale_and_shift(scale: float, shift: float) -> None:
    image = np.random.default_rng(0).normal(size=(6, 5, 4)) * 1000
    assert_allclose(normalised(image), normalised(image * scale + shift), atol=1e-3)


@pytest.mark.parametrize("exponent", [-60, -1, 30, 118])
def test_no_square_overflows_and_no_digit_depends_on_the_scale(exponent: int) -> None:
    assert_array_equal(normalised(np.ldexp(RANDOM, exponent)), normalised(RANDOM))


def test_clipped_values_are_those_of_the_image_without_what_is_beyond() -> None:
    padded = RANDOM.copy()
    padded[0] = -32768
    padded[-1, 0, 0] = np.finfo(np.float32).max
    assert_array_equal(normalised(padded, clip=(50, 150)), normalised(padded.clip(50, 150)))
    assert_array_equal(normalised(padded, clip=(50, 150), normalise="none"), padded.clip(50, 150))
    # What lies below becomes the background.
    by_foreground = normalised(padded, clip=(0, 150), normalise="foreground")
    assert not by_foreground[0].any()
    assert by_foreground[1:].mean() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("padding", [-32768, np.finfo(np.float32).max, -np.finfo(np.float32).max])
def test_padding_that_would_decide_the_normalisation_is_refused(padding: float) -> None:
    padded = RANDOM.copy()
    padded.ravel()[:90] = padding
    with pytest.raises(UserError, match=re.escape(f"case a: ct has 90 voxels of {padding:g},")):
        normalised(padded)
