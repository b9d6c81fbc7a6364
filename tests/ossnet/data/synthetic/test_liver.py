"""The embedded data set `liver`: repeatable, the same patient on any grid, and no easier than it looks."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from threadpoolctl import threadpool_limits

from ossnet.config import build
from ossnet.data.case import Case
from ossnet.data.synthetic import liver
from ossnet.data.synthetic.liver import LiverConfig, liver_case, liver_dataset
from ossnet.errors import UserError


@cache
def small(index: int, noise_hu: float = 14.0, tumour_share: float = 0.5, size: int = 32) -> Case:
    return liver_case(LiverConfig(shape=(size, size, size), noise_hu=noise_hu, tumour_share=tumour_share), index)


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return 2 * float((first & second).sum()) / float(first.sum() + second.sum())


def test_a_case_has_the_promised_form():
    case = liver_case(LiverConfig(shape=(24, 32, 16)), 3)
    assert case.name == "liver-0003"
    assert case.modalities == ("ct",)
    assert case.image.shape == (1, 24, 32, 16)
    assert case.image.dtype == np.float32
    assert case.label.dtype == np.uint8
    assert set(np.unique(case.label)) <= {0, 1, 2}
    assert case.spacing_mm == pytest.approx((15, 11.25, 22.5))
    assert -1024 <= case.image.min() < -900
    assert 200 < case.image.max() <= 3071


def test_the_centre_of_the_grid_is_the_origin_and_its_axes_point_left_back_and_up():
    affine = small(0).affine
    np.testing.assert_allclose(affine @ [15.5, 15.5, 15.5, 1], [0, 0, 0, 1], atol=1e-9)
    np.testing.assert_array_equal(np.sign(np.diag(affine)), [-1, -1, 1, 1])


@settings(max_examples=3)
@given(seed=st.integers(0, 2**32), index=st.integers(0, 10_000))
def test_a_case_depends_on_seed_and_index_alone(seed, index):
    shape = (16, 16, 16)
    case = liver_case(LiverConfig(shape=shape, seed=seed), index)
    again = liver_case(LiverConfig(shape=shape, seed=seed, train=1, validation=2, test=3), index)
    np.testing.assert_array_equal(case.image, again.image)
    np.testing.assert_array_equal(case.label, again.label)
    for other in (
        liver_case(LiverConfig(shape=shape, seed=seed + 1), index),
        liver_case(LiverConfig(shape=shape, seed=seed), index + 1),
    ):
        assert (other.image != case.image).any()


@pytest.mark.parametrize("axis", range(3))
def test_any_grid_shows_the_same_patient(axis):
    fine = liver_case(LiverConfig(shape=tuple(96 if other == axis else 32 for other in range(3))), 2).label
    coarse = small(2).label
    assert (coarse == 2).any()
    # Every centre of a coarse voxel is the centre of a fine one.
    assert (fine.take(range(1, 96, 3), axis) == coarse).mean() > 0.9999


def test_slabs_leave_no_seam(monkeypatch):
    config = LiverConfig(shape=(32, 24, 20), noise_hu=0)
    whole = liver_case(config, 2)
    monkeypatch.setattr(liver, "SLAB_VOXELS", 32 * 24 * 3)
    pieces = liver_case(config, 2)
    np.testing.assert_allclose(pieces.image, whole.image, atol=0.05)
    np.testing.assert_array_equal(pieces.label, whole.label)


@pytest.mark.parametrize("index", range(8))
def test_the_liver_is_one_piece_of_plausible_size_on_the_patients_right(index):
    case = small(index)
    mask = case.label > 0
    assert 0.02 < mask.mean() < 0.08
    pieces, _ = ndimage.label(mask)
    assert np.bincount(pieces[mask]).max() > 0.97 * mask.sum()
    centre = case.affine @ [*np.argwhere(mask).mean(0), 1]
    assert centre[0] > 15  # RAS: the right is positive


def test_tumours_come_as_often_as_asked_and_leave_the_liver_as_it_is():
    for index in range(4):
        healthy, ill = small(index, tumour_share=0.0).label, small(index, tumour_share=1.0).label
        assert not (healthy == 2).any()
        assert (ill == 2).any()
        np.testing.assert_array_equal(healthy > 0, ill > 0)


def test_tumours_are_darker():
    case = small(2, noise_hu=0, size=64)
    core = ndimage.binary_erosion(case.label == 2)
    assert case.image[0][core].mean() < case.image[0][case.label == 1].mean() - 15


def test_the_spleen_has_the_livers_intensity():
    for index in range(3):
        case = small(index, noise_hu=0, tumour_share=0.0, size=64)
        parenchyma = np.median(case.image[0][case.label == 1])
        alike = (abs(case.image[0] - parenchyma) < 8) & (case.label == 0)
        alike[: len(alike) // 2] = False  # keep the patient's left
        pieces, _ = ndimage.label(alike)
        assert np.bincount(pieces[pieces > 0]).max() * np.prod(case.spacing_mm) > 50_000  # mm3


def test_no_window_of_intensities_segments_the_liver():
    cases = [small(index) for index in range(12)]
    image = np.stack([case.image[0] for case in cases])
    label = np.stack([case.label for case in cases]) > 0
    bounds = np.arange(-50, 250, 15)
    best = max(
        dice((image >= low) & (image < high), label) for low in bounds for high in [*bounds[bounds > low], np.inf]
    )
    assert best < 0.6


def test_the_noise_has_the_asked_strength_and_is_correlated_in_the_plane():
    noise = small(0, noise_hu=20).image[0] - small(0, noise_hu=0).image[0]
    inside = noise[small(0).label > 0]
    assert inside.mean() == pytest.approx(0, abs=4)
    assert inside.std() == pytest.approx(20, rel=0.15)
    core = noise[8:24, 10:22, 8:24]  # away from air, which is clipped
    in_plane = np.corrcoef(core[1:].ravel(), core[:-1].ravel())[0, 1]
    across = np.corrcoef(core[..., 1:].ravel(), core[..., :-1].ravel())[0, 1]
    assert in_plane > 0.3 > 0.1 > abs(across)


@pytest.mark.parametrize("values", [{"shape": (8, 64, 64)}, {"tumour_share": 1.5}, {"train": -1}, {"noise": 3}])
def test_a_wrong_option_is_named(values):
    with pytest.raises(UserError, match=f"profile.toml: {next(iter(values))}"):
        build(LiverConfig, values, "profile.toml")


def test_the_data_set_serves_the_cases(tmp_path):
    config = LiverConfig(shape=(16, 16, 16), train=2, validation=1, test=1)
    seen = []
    dataset = liver_dataset(config, tmp_path, workers=1, report=lambda done, total: seen.append((done, total)))
    assert [len(dataset.splits[split]) for split in ("train", "validation", "test")] == [2, 1, 1]
    assert seen[-1] == (4, 4)
    loaded = dataset.load(dataset.splits["test"][0])
    # The data set makes its cases on one thread; on some CPUs more give other last digits.
    with threadpool_limits(1):
        made = liver_case(config, 3)
    assert loaded.name == made.name
    np.testing.assert_array_equal(loaded.image, made.image)
    np.testing.assert_array_equal(loaded.label, made.label)
    np.testing.assert_array_equal(loaded.affine, made.affine)
