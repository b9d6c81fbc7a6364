import re
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ossnet.data.nifti import read_image, read_label, read_volume, same_place, write_label, write_volume
from ossnet.errors import UserError

OBLIQUE = np.array([[0, -1.5, 0.2, 10], [2.0, 0, 0, -20], [0, 0.25, 3.0, 30], [0, 0, 0, 1.0]])

several_runs_share_the_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)


def save(path: Path, array: np.ndarray, affine: np.ndarray | None = None) -> Path:
    nibabel.save(nibabel.Nifti1Image(array, np.eye(4) if affine is None else affine), path)
    return path


def refuses(read: object, path: object, pattern: str) -> None:
    assert callable(read)
    with pytest.raises(UserError, match=pattern) as caught:
        read(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@several_runs_share_the_folder
@given(
    volume=hnp.arrays(
        np.float32, hnp.array_shapes(min_dims=3, max_dims=3, max_side=5), elements=st.floats(-1e6, 1e6, width=32)
    )
)
def test_a_volume_comes_back_as_it_was(tmp_path: Path, suffix: str, volume: np.ndarray) -> None:
    write_volume(tmp_path / f"a{suffix}", volume, OBLIQUE)
    read, affine = read_volume(tmp_path / f"a{suffix}")
    assert read.dtype == np.float32
    assert affine.dtype == np.float64
    np.testing.assert_array_equal(read, volume)
    np.testing.assert_allclose(affine, OBLIQUE, atol=1e-5)


def test_labels_of_any_numeric_type_are_read_as_uint8(tmp_path: Path) -> None:
    label = np.array([0, 1, 2, 4], dtype=np.float64).reshape(1, 2, 2)
    for dtype in (np.int16, np.int32, np.float32, np.float64):
        assert read_label(save(tmp_path / "a.nii", label.astype(dtype)))[0].tolist() == label.tolist()


def test_the_headers_scaling_is_applied(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4))
    image.header.set_slope_inter(0.5, -1000)
    nibabel.save(image, tmp_path / "a.nii.gz")
    stored = nibabel.load(tmp_path / "a.nii.gz")
    np.testing.assert_allclose(read_volume(tmp_path / "a.nii.gz")[0], stored.get_fdata(), rtol=1e-6)


def test_both_forms_of_the_affine_are_written(tmp_path: Path) -> None:
    rigid = np.array([[0, -2.0, 0, 10], [2.0, 0, 0, -20], [0, 0, 3.0, 30], [0, 0, 0, 1.0]])
    write_label(tmp_path / "a.nii", np.ones((2, 3, 4), dtype=bool), rigid)
    header = nibabel.load(tmp_path / "a.nii").header
    np.testing.assert_allclose(header.get_sform(), rigid)
    np.testing.assert_allclose(header.get_qform(), rigid, atol=1e-5)
    assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 1)
    assert header.get_xyzt_units()[0] == "mm"
    assert header.get_data_dtype() == np.uint8


def test_space_and_unit_are_taken_from_like(tmp_path: Path) -> None:
    template = nibabel.Nifti1Image(np.zeros((2, 2, 2), dtype=np.float32), np.eye(4))
    template.set_sform(np.eye(4), code="mni")
    template.header.set_xyzt_units("micron")
    nibabel.save(template, tmp_path / "template.nii")
    write_label(tmp_path / "a.nii", np.zeros((2, 3, 4)), np.eye(4), like=tmp_path / "template.nii")
    header = nibabel.load(tmp_path / "a.nii").header
    assert (int(header["sform_code"]), int(header["qform_code"])) == (4, 4)
    assert header.get_xyzt_units()[0] == "micron"


def test_the_same_input_makes_the_same_file(tmp_path: Path) -> None:
    volume = np.random.default_rng(0).random((3, 4, 5))
    for name in ("a.nii.gz", "b.nii.gz"):
        write_volume(tmp_path / name, volume, np.eye(4))
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.mha"):
        write_label(tmp_path / "a.mha", np.zeros((2, 2, 2)), np.eye(4))
    assert not list(tmp_path.iterdir())


def test_channels_come_first_and_are_stored_last(tmp_path: Path) -> None:
    image = np.random.default_rng(0).random((2, 3, 4, 5), dtype=np.float32)
    write_volume(tmp_path / "a.nii.gz", image, np.eye(4))
    assert nibabel.load(tmp_path / "a.nii.gz").shape == (3, 4, 5, 2)
    np.testing.assert_array_equal(read_image([tmp_path / "a.nii.gz"])[0], image)


def test_modalities_are_stacked_in_the_order_given(tmp_path: Path) -> None:
    paths = [save(tmp_path / f"{value}.nii", np.full((2, 3, 4), value, dtype=np.int16)) for value in (7, 3, 5)]
    image, _ = read_image(paths)
    assert image.shape == (3, 2, 3, 4)
    assert image[:, 0, 0, 0].tolist() == [7, 3, 5]


def test_modalities_on_different_grids_name_both_files(tmp_path: Path) -> None:
    zeros = np.zeros((2, 3, 4), dtype=np.float32)
    first = save(tmp_path / "first.nii", zeros)
    refuses(read_image, [first, save(tmp_path / "grid.nii", zeros[:, :2])], r"grid\.nii.*first\.nii")
    moved = np.eye(4)
    moved[0, 3] = 0.2
    refuses(read_image, [first, save(tmp_path / "moved.nii", zeros, moved)], r"moved\.nii.*first\.nii")
    moved[0, 3] = 1e-3
    assert read_image([first, save(tmp_path / "rounded.nii", zeros, moved)])[0].shape == (2, 2, 3, 4)


def test_same_place_is_judged_at_the_far_corner() -> None:
    turned = np.eye(4)
    turned[0, 1] = 1e-3
    assert same_place((10, 10, 10), np.eye(4), turned)
    assert not same_place((10, 200, 10), np.eye(4), turned)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, suffix: str) -> None:
    values = np.random.default_rng(0).integers(0, 99, (5, 4, 3)).astype(np.int16)
    whole = save(tmp_path / f"whole{suffix}", values).read_bytes()
    cut = tmp_path / f"cut{suffix}"
    for length in range(0, len(whole), 1 if suffix == ".nii.gz" else 7):
        cut.write_bytes(whole[:length])
        refuses(read_volume, cut, "cut")


def test_a_flipped_bit_in_a_gz_is_refused(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 99, (5, 4, 3)).astype(np.int16)
    path = save(tmp_path / "a.nii.gz", values)
    damaged = bytearray(path.read_bytes())
    damaged[-6] ^= 1
    path.write_bytes(damaged)
    refuses(read_volume, path, r"a\.nii\.gz")


def test_what_is_no_nifti_file_is_refused(tmp_path: Path) -> None:
    refuses(read_volume, tmp_path / "none.nii", r"none\.nii does not exist")
    refuses(read_volume, tmp_path, "is a folder")
    for name, contents in [("empty.nii", b""), ("text.nii", b"name,image\n" * 99), ("text.csv", b"name,image\n")]:
        (tmp_path / name).write_bytes(contents)
        refuses(read_volume, tmp_path / name, re.escape(name))
    nibabel.save(nibabel.MGHImage(np.zeros((2, 2, 2), dtype=np.float32), np.eye(4)), tmp_path / "a.mgz")
    refuses(read_volume, tmp_path / "a.mgz", r"a\.mgz .*FreeSurfer")


HOLES = np.zeros((3, 4, 5), dtype=np.float32)
HOLES[1, 2, 3], HOLES[2, 0, 0] = np.nan, -np.inf


@pytest.mark.parametrize(
    ("array", "pattern"),
    [
        (HOLES, r"holds 2 NaN .* channel 0 at voxel \(1, 2, 3\)"),
        (np.full((1, 1, 1), 1e300), "holds 1 NaN or infinite"),
        (np.zeros((4, 4), dtype=np.float32), r"has the shape \(4, 4\)"),
        (np.zeros((2, 2, 2, 2, 3), dtype=np.float32), "has the shape"),
        (np.zeros((2, 3, 4, 2), dtype=np.float32), "holds 2 volumes"),
        (np.zeros((2, 2, 2), dtype=np.complex64), "complex64"),
    ],
)
def test_what_is_no_volume_is_refused(tmp_path: Path, array: np.ndarray, pattern: str) -> None:
    refuses(read_volume, save(tmp_path / "a.nii", array), rf"a\.nii .*{pattern}")


def test_further_axes_of_length_1_are_dropped(tmp_path: Path) -> None:
    trailing = np.zeros((2, 3, 4, 1, 1), dtype=np.float32)
    assert read_volume(save(tmp_path / "a.nii", trailing))[0].shape == (2, 3, 4)


@pytest.mark.parametrize("value", [0.5, -1, 256, 0.98, 1.02, -0.02, 255.02])
def test_what_is_no_label_is_refused(tmp_path: Path, value: float) -> None:
    label = np.zeros((2, 2, 2), dtype=np.float32)
    label[1, 1, 1] = value
    refuses(read_label, save(tmp_path / "a.nii", label), rf"a\.nii holds 1 values .* {np.float32(value):.9g};")


def test_an_affine_without_inverse_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii", np.zeros((2, 2, 2), dtype=np.float32))
    srow_x = slice(280, 296)
    for row in (np.zeros(4), np.full(4, np.nan)):
        header = bytearray(path.read_bytes())
        header[srow_x] = row.astype(np.float32).tobytes()
        path.write_bytes(header)
        refuses(read_volume, path, r"a\.nii has an affine")


def test_real_cases_are_read_as_nibabel_reads_them(real_cases: Path) -> None:
    folder = real_cases / "tcga_glioma" / "TCGA-FG-6692"
    image, affine = read_image([folder / "fla.nii.gz", folder / "t1c.nii.gz"])
    stored = nibabel.load(folder / "t1c.nii.gz")
    np.testing.assert_array_equal(image[1], np.asarray(stored.dataobj, dtype=np.float32))
    np.testing.assert_array_equal(affine, stored.affine)
    label, _ = read_label(folder / "label_by_algorithms.nii.gz")
    assert np.unique(label).tolist() == [0, 1, 2, 4]


def test_real_labels_stored_as_floats_are_read(real_cases: Path) -> None:
    label, affine = read_label(real_cases / "brats2015" / "train" / "brats_2013_pat0005_1" / "OTMultiClass.nii.gz")
    assert np.unique(label).tolist() == [0, 1, 2, 3, 4]
    assert nibabel.aff2axcodes(affine) == ("L", "P", "S")
