"""Shapes and fields, on points whose levels can be worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ossnet.data.synthetic.shapes import FAR_MM, Ellipsoid, SmoothField, Tube, blend

lengths = st.floats(1, 50, width=32)
levels = st.floats(-80, 80, width=32)


def column(*xyz: float) -> np.ndarray:
    return np.array(xyz, np.float32)[:, None]


@given(radius=lengths, distance=lengths)
def test_a_spheres_level_is_the_distance_to_its_surface(radius, distance):
    sphere = Ellipsoid(np.array([1, 2, 3], np.float32), np.full(3, radius, np.float32), np.eye(3, dtype=np.float32))
    assert sphere.level(column(1, 2 + distance, 3))[0] == pytest.approx(distance - radius, rel=1e-4, abs=1e-3)


def test_an_ellipsoid_turns_with_its_axes():
    quarter = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], np.float32)  # its first axis points along y
    long = Ellipsoid(np.zeros(3, np.float32), np.array([10, 2, 2], np.float32), quarter)
    assert long.level(column(0, 10, 0))[0] == pytest.approx(0, abs=1e-4)
    assert long.level(column(2, 0, 0))[0] == pytest.approx(0, abs=1e-4)
    assert long.level(column(9, 0, 0))[0] > 0 > long.level(column(0, 9, 0))[0]


def test_a_tube_has_round_ends_and_a_taper():
    tube = Tube(np.array([[0, 0, 0], [10, 0, 0]], np.float32), np.array([2, 4], np.float32))
    points = np.concatenate([column(-5, 0, 0), column(5, 5, 0), column(14, 0, 0), column(0, 0, 90)], axis=1)
    np.testing.assert_allclose(tube.level(points), [3, 2, 0, FAR_MM], atol=1e-5)


@given(first=levels, second=levels, width=lengths)
def test_a_blend_is_symmetric_and_rounds_the_crease_only(first, second, width):
    a, b = np.array([first]), np.array([second])
    both = blend(a, b, width)[0]
    assert both == blend(b, a, width)[0]
    assert min(first, second) - width / 4 - 1e-4 <= both <= min(first, second)
    if abs(first - second) >= width:
        assert both == min(first, second)


@given(value=st.floats(-5, 5, width=32))
def test_splines_sum_to_one(value):
    field = SmoothField(np.full((1, 7, 7, 7), value, np.float32))
    axis = np.linspace(-210, 210, 5)
    np.testing.assert_allclose(field.on_grid((axis, axis, axis)), value, atol=1e-5)


def test_a_field_has_the_asked_strength_and_no_grid_of_its_own():
    field = SmoothField.draw(np.random.default_rng(0), 1, spacing_mm=20, rms=3)
    axis = np.linspace(-180, 180, 31)
    values = field.on_grid((axis, axis, axis))
    assert values.std() == pytest.approx(3, rel=0.1)
    np.testing.assert_allclose(field.on_grid((axis[::3], axis[1:2], axis)), values[:, ::3, 1:2], atol=1e-5)
