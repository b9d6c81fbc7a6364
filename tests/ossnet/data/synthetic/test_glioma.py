from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.ndimage import distance_transform_edt
from threadpoolctl import threadpool_limits

from ossnet.data.synthetic.glioma import GliomaConfig, glioma_case, glioma_dataset

CONFIG = GliomaConfig(shape=(48, 40, 31), tumour_fraction=(0.01, 0.04))
CASES = range(6)


@pytest.fixture(scope="module")
def cases():
    return [glioma_case(CONFIG, index) for index in CASES]


def assert_covers_the_field_of_brats(case):
    whole = (240.0, 240.0, 155.0)
    assert case.spacing_mm == pytest.approx([extent / size for extent, size in zip(whole, case.shape, strict=True)])
    first_corner = case.affine @ [-0.5, -0.5, -0.5, 1]
    last_corner = case.affine @ [*(np.array(case.shape) - 0.5), 1]
    np.testing.assert_allclose(first_corner[:3], [0.5, 239.5, -0.5])
    np.testing.assert_allclose(last_corner[:3], [-239.5, -0.5, 154.5])


def test_a_case_has_the_promised_form(cases):
    for index, case in enumerate(cases):
        assert case.name == f"glioma-{index:04d}"
        assert case.shape == CONFIG.shape
        assert case.modalities == ("flair", "t1", "t1ce", "t2")
        assert case.image.dtype == np.float32
        assert case.label.dtype == np.uint8
        assert_covers_the_field_of_brats(case)
        # The labels are those of BraTS, and the tumour fills the part of the volume that is asked for.
        assert set(np.unique(case.label)) <= {0, 1, 2, 4}
        assert (case.label == 2).any()
        assert 0.0099 < (case.label > 0).mean() < 0.0401
    assert any((case.label == 4).any() for case in cases)


def test_background_is_zero_and_the_tumour_lies_in_the_brain(cases):
    for case in cases:
        brain = case.image[0] > 0
        assert 0.1 < brain.mean() < 0.25
        assert not case.image[:, ~brain].any()
        assert brain[case.label > 0].mean() > 0.99


def test_depends_on_seed_and_index_alone(cases):
    again = glioma_case(replace(CONFIG, train=3, validation=1, test=0), 2)
    np.testing.assert_array_equal(again.image, cases[2].image)
    np.testing.assert_array_equal(again.label, cases[2].label)
    assert not np.array_equal(cases[1].label, cases[2].label)
    assert not np.array_equal(glioma_case(replace(CONFIG, seed=1), 2).label, cases[2].label)


def test_a_finer_grid_shows_the_same_tumour():
    coarse = glioma_case(replace(CONFIG, shape=(40, 40, 31)), 4).label > 0
    fine = glioma_case(replace(CONFIG, shape=(80, 80, 62)), 4).label > 0
    pooled = fine.reshape(40, 2, 40, 2, 31, 2).mean((1, 3, 5)) > 0.5
    assert 2 * (coarse & pooled).sum() / (coarse.sum() + pooled.sum()) > 0.85


def test_oedema_is_bright_in_flair_and_t2_and_dark_in_t1(cases):
    contrasts = []
    for case in cases:
        healthy = (case.image[0] > 0) & (distance_transform_edt(case.label == 0) > 2)
        oedema = case.label == 2
        # The upper quartile is fluid and grey matter in T2, white matter in T1.
        contrasts.append([channel[oedema].mean() / np.percentile(channel[healthy], 75) for channel in case.image])
    flair, t1, _, t2 = np.mean(contrasts, axis=0)
    assert flair > 1.2
    assert t1 < 0.95
    assert t2 > 1.1


def test_no_threshold_on_flair_solves_the_task(cases):
    scores = []
    for case in cases:
        flair, tumour = case.image[0], case.label > 0
        z = (flair - flair.mean()) / flair.std()
        above = z > np.arange(0, 6, 0.2)[:, None, None, None]
        scores.append(2 * (above & tumour).sum((1, 2, 3)) / (above.sum((1, 2, 3)) + tumour.sum()))
    assert np.mean(scores, axis=0).max() < 0.75


@pytest.mark.parametrize(
    "wrong",
    [{"shape": (64, 64, 0)}, {"train": -1}, {"tumour_fraction": (0.04, 0.01)}, {"tumour_fraction": (0.0, 0.01)}],
)
def test_configuration_is_checked(wrong):
    with pytest.raises(ValidationError):
        GliomaConfig(**wrong)


def test_dataset_gives_the_cases_of_the_generator(tmp_path):
    config = GliomaConfig(shape=(24, 24, 16), train=1, validation=0, test=1)
    dataset = glioma_dataset(config, tmp_path, workers=0)
    assert dataset.splits == {"train": ("glioma-0000",), "validation": (), "test": ("glioma-0001",)}
    loaded = dataset.load("glioma-0001")
    assert_covers_the_field_of_brats(loaded)
    # The data set makes its cases on one thread; on some CPUs more give other last digits.
    with threadpool_limits(1):
        made = glioma_case(config, 1)
    np.testing.assert_array_equal(loaded.image, made.image)
    np.testing.assert_array_equal(loaded.label, made.label)
    np.testing.assert_array_equal(loaded.affine, made.affine)
