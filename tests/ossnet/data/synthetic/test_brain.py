import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ossnet.data.synthetic.brain import (
    HEAD_BOX_MM,
    HEAD_CENTRE_MM,
    TEMPLATE_CENTRE_MM,
    Grid,
    Pose,
    Push,
    bend,
    smooth_noise,
    template,
)

NO_PUSH = Push(np.array(HEAD_CENTRE_MM), radius_mm=20.0, shift_mm=0.0)
sizes = st.integers(2, 40)


def rng(seed=0):
    return np.random.default_rng(seed)


def test_brats_grid_has_its_voxels_at_whole_millimetres():
    grid = Grid.covering((240, 240, 155))
    assert grid.spacing_mm == pytest.approx((1, 1, 1))
    for axis in grid.axes_mm:
        np.testing.assert_allclose(axis, np.arange(len(axis)), atol=1e-9)
    # The box holds the centres between its corners.
    assert grid.box((10, 20.5, -5), (12, 23.5, 1.5)) == (slice(10, 12), slice(21, 24), slice(0, 2))
    corner = grid.crop((slice(0, 4), slice(0, 5), slice(0, 2)))
    assert corner.distance_mm((0, 0, 0))[3, 4, 0] == pytest.approx(5)


@given(st.tuples(sizes, sizes, sizes))
def test_every_grid_covers_the_same_box(shape):
    grid = Grid.covering(shape)
    for axis, size, extent in zip(grid.axes_mm, grid.spacing_mm, (240, 240, 155), strict=True):
        assert axis[0] - size / 2 == pytest.approx(-0.5)
        assert axis[-1] + size / 2 == pytest.approx(extent - 0.5)


@given(st.tuples(sizes, sizes, sizes), st.tuples(*[st.integers(1, 4)] * 3))
def test_refining_equals_covering_with_more_voxels(shape, factors):
    refined = Grid.covering(shape).refined(factors)
    whole = Grid.covering([size * factor for size, factor in zip(shape, factors, strict=True)])
    for one, other in zip(refined.axes_mm, whole.axes_mm, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)


@pytest.mark.parametrize("scale_mm", [6.0, 15.0, 40.0])
def test_noise_has_unit_variance(scale_mm):
    noise = np.stack([smooth_noise(rng(seed), Grid.covering((20, 20, 20)), scale_mm) for seed in range(30)])
    assert noise.dtype == np.float32
    assert noise.mean() == pytest.approx(0, abs=0.1)
    assert noise.std() == pytest.approx(1, abs=0.1)


def test_noise_is_one_smooth_function_of_place_on_every_grid():
    coarse = smooth_noise(rng(), Grid.covering((24, 24, 31)), 20.0)
    fine = smooth_noise(rng(), Grid.covering((72, 72, 93)), 20.0)
    np.testing.assert_allclose(fine[1::3, 1::3, 1::3], coarse, atol=1e-4)
    line = smooth_noise(rng(), Grid.covering((240, 240, 155)).crop((slice(0, 200), slice(0, 4), slice(0, 4))), 40.0)
    assert np.abs(np.diff(line, axis=0)).max() < 0.2


def test_template_tissues_are_fractions_and_ventricles_lie_in_the_middle():
    brain = template()
    assert min(brain.grey.min(), brain.white.min()) >= 0
    assert (brain.grey + brain.white).max() <= 1 + 1e-5
    assert not (brain.grey + brain.white)[~brain.brain].any()
    millilitres = brain.ventricles.sum() / 1000
    assert 10 < millilitres < 30
    centre = np.average(np.indices(brain.ventricles.shape).reshape(3, -1), axis=1, weights=brain.ventricles.ravel())
    np.testing.assert_allclose(centre + brain.affine[:3, 3], [0, -15, 13], atol=8)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_pose_maps_back_and_forth_within_the_head_box(seed):
    pose = Pose.draw(rng(seed))
    np.testing.assert_allclose(pose.to_frame(np.array(TEMPLATE_CENTRE_MM)), HEAD_CENTRE_MM)
    point = np.array([30.0, -60.0, 40.0])
    frame = pose.to_frame(point)
    np.testing.assert_allclose(pose.matrix @ (frame - HEAD_CENTRE_MM) + TEMPLATE_CENTRE_MM, point, atol=1e-9)
    # Right of the template is low on the first axis, posterior high on the second, superior high on the third.
    assert frame[0] < HEAD_CENTRE_MM[0]
    assert frame[1] > HEAD_CENTRE_MM[1]
    assert frame[2] > HEAD_CENTRE_MM[2]


def test_bent_brain_keeps_fractions_and_has_the_size_of_brats_brains():
    grid = Grid.covering((40, 40, 31))
    anatomy = bend(rng(), grid, Pose.draw(rng(1)), NO_PUSH)
    assert anatomy.tissues.shape == (3, 40, 40, 31)
    assert anatomy.tissues.min() >= -1e-6
    assert anatomy.tissues.sum(0).max() <= 1 + 1e-5
    millilitres = anatomy.brain.sum() * np.prod(grid.spacing_mm) / 1000
    assert 1000 < millilitres < 1900
    outside = np.ones(grid.shape, dtype=bool)
    outside[grid.box(*HEAD_BOX_MM)] = False
    assert not anatomy.brain[outside].any()


def test_push_moves_tissue_outward_by_its_shift_at_its_radius():
    grid = Grid.covering((60, 60, 31))
    pose = Pose.draw(rng(1))
    centre_mm = np.array(HEAD_CENTRE_MM)
    still, pushed = (
        bend(rng(), grid, pose, Push(centre_mm, radius_mm=25.0, shift_mm=shift)).ventricles for shift in (0.0, 6.0)
    )
    distance = grid.distance_mm(centre_mm)
    assert np.average(distance, weights=pushed) > np.average(distance, weights=still) + 1
