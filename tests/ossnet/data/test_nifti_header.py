"""Headers that are mended, and files that are not what their names say."""

import gzip
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from unittest.mock import Mock

import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ossnet.data.nifti import has_spacing, read_image, read_label, read_volume, write_label
from ossnet.data.nifti_header import OTHER_KINDS
from ossnet.errors import UserError

VALUES = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
DIM, VOX_OFFSET, SLOPE, UNITS = 40, 108, 112, 123
QFORM, SFORM, QUATERN_B = 252, 254, 256


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A file with both forms of one affine, voxels of 1x2x3 mm."""
    image = nibabel.Nifti1Image(VALUES, np.diag([1.0, 2, 3, 1]))
    image.set_qform(image.affine, 1)
    nibabel.save(image, tmp_path / "plain.nii")
    return tmp_path / "plain.nii"


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_volume(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("code", "millimetres"), [(0, 1), (1, 1000), (2, 1), (3, 0.001), (5, 1), (10, 1), (11, 0.001)])
def test_lengths_become_millimetres(code: int, millimetres: float, plain: Path) -> None:
    image = nibabel.Nifti1Image(VALUES, np.diag([1.0 / millimetres, 2 / millimetres, 3 / millimetres, 1]))
    image.header["xyzt_units"] = code
    nibabel.save(image, plain)
    np.testing.assert_allclose(read_volume(plain)[1], np.diag([1.0, 2, 3, 1]), rtol=1e-6)


def test_voxels_longer_than_any_scanners_are_a_wrong_unit(plain: Path, overwrite: Callable[..., None]) -> None:
    overwrite(plain, (UNITS, "<B", 1))
    assert "voxels of 1000 x 2000 x 3000 mm" in refusal(plain)


@pytest.mark.parametrize(
    ("affine", "code", "known"),
    [
        (np.eye(4), 0, False),
        (np.eye(4), 1, False),
        (np.eye(4), 2, False),
        (np.diag([1.0, 1, 2, 1]), 0, True),
        (np.diag([1.0, 1, 2, 1]), 1, True),
        # As the gliomas of BraTS have it.
        (np.array([[-1.0, 0, 0, 0], [0, -1, 0, 239], [0, 0, 1, 0], [0, 0, 0, 1]]), 1, True),
        (np.array([[-1.0, 0, 0, 0], [0, -1, 0, 239], [0, 0, 1, 0], [0, 0, 0, 1]]), 0, False),
    ],
)
def test_a_header_that_nobody_filled_in_tells_no_spacing(
    affine: np.ndarray, code: int, known: bool, tmp_path: Path
) -> None:
    for form in ("sform", "qform"):
        image = nibabel.Nifti1Image(VALUES, affine)
        image.set_sform(affine, code if form == "sform" else 0)
        image.set_qform(affine, code if form == "qform" else 0)
        nibabel.save(image, tmp_path / "a.nii.gz")
        assert has_spacing(tmp_path / "a.nii.gz") is known


@pytest.mark.parametrize("start", [0.0, 348.0, -1.0, np.nan])
def test_voxels_that_start_in_the_header_are_read_from_behind_it(
    start: float, plain: Path, overwrite: Callable[..., None]
) -> None:
    overwrite(plain, (VOX_OFFSET, "<f", start))
    np.testing.assert_array_equal(read_volume(plain)[0], VALUES)
    whole = plain.read_bytes()
    plain.write_bytes(whole[:-1])
    assert "intact copy" in refusal(plain)
    # With more behind the header than voxels, nobody knows where they start.
    plain.write_bytes(whole + bytes(16))
    assert "vox_offset" in refusal(plain)


def test_a_header_extension_is_passed_over(plain: Path) -> None:
    image = nibabel.Nifti1Image(VALUES, np.eye(4))
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"made by a scanner"))
    nibabel.save(image, plain)
    np.testing.assert_array_equal(read_volume(plain)[0], VALUES)


@pytest.mark.parametrize("squared", [1 + 3.9e-7, 1.001, 1.02])
def test_a_quaternion_longer_than_1_by_rounding_is_a_rotation(
    squared: float, plain: Path, overwrite: Callable[..., None]
) -> None:
    overwrite(plain, (SFORM, "<h", 0), (QUATERN_B + 8, "<f", np.sqrt(squared)))
    # Half a turn around the third axis.
    np.testing.assert_allclose(read_volume(plain)[1], np.diag([-1.0, -2, 3, 1]), atol=1e-6)


@pytest.mark.parametrize(
    ("edit", "word"), [((QUATERN_B, "<f", 1.5), "quaternion"), ((80, "<f", 0.0), "pixdim 0")], ids=["turn", "size"]
)
def test_no_rotation_or_no_size_of_voxels_is_refused_unless_an_sform_is_there(
    edit: tuple[int, str, float], word: str, plain: Path, overwrite: Callable[..., None]
) -> None:
    overwrite(plain, edit)
    np.testing.assert_allclose(read_volume(plain)[1], np.diag([1.0, 2, 3, 1]))
    overwrite(plain, (SFORM, "<h", 0))
    assert word in refusal(plain)


def test_nothing_is_said_about_what_is_mended(
    plain: Path, capfd: pytest.CaptureFixture[str], overwrite: Callable[..., None]
) -> None:
    # A start that is no multiple of 16, unknown kinds of space, a negative voxel size, a wrong size of the header.
    plain.write_bytes(plain.read_bytes()[:352] + bytes(1) + plain.read_bytes()[352:])
    overwrite(plain, (VOX_OFFSET, "<f", 353.0), (QFORM, "<h", 77), (80, "<f", -1.0), (0, "<i", 347))
    for _ in range(3):
        np.testing.assert_array_equal(read_volume(plain)[0], VALUES)
        write_label(plain.parent / "mask.nii", VALUES, np.eye(4), like=plain)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.NII.GZ", "a.hdr", "a", "a.dcm"])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_the_contents_say_what_a_file_is_not_its_name(name: str, compress: type[bytes], plain: Path) -> None:
    misnamed = plain.parent / name
    misnamed.write_bytes(compress(plain.read_bytes()))
    np.testing.assert_array_equal(read_volume(misnamed)[0], VALUES)


def test_vectors_are_channels(plain: Path) -> None:
    both = np.stack([VALUES, -VALUES])
    nibabel.save(nibabel.Nifti1Image(np.moveaxis(both, 0, -1)[:, :, :, None], np.eye(4)), plain)
    np.testing.assert_array_equal(read_image([plain])[0], both)


@pytest.mark.parametrize(("place", "magic", "name"), OTHER_KINDS)
def test_another_kind_of_file_is_named(place: int, magic: bytes, name: str, plain: Path) -> None:
    plain.write_bytes(bytes(place) + magic + bytes(600))
    assert f"(it is {name}); give a NIfTI file" in refusal(plain)


def test_a_damaged_file_is_to_be_replaced_and_a_misnamed_one_is_not(plain: Path) -> None:
    whole = plain.read_bytes()
    plain.write_bytes(whole[:-1])
    assert "intact copy" in refusal(plain)
    for contents in (b"", b"name,image\n" * 99):
        plain.write_bytes(contents)
        assert "intact copy" not in refusal(plain)


def test_an_intact_file_is_not_to_be_replaced(
    plain: Path, forbid: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(np, "empty", Mock(side_effect=MemoryError("Unable to allocate 9 TiB")))
        assert "not enough memory (Unable to allocate 9 TiB)" in refusal(plain)
    forbid(plain)
    assert "Permission denied" in refusal(plain)


@pytest.mark.parametrize(
    ("slope", "label"),
    [(4 / 255, [0, 1, 2, 4]), (1 / 8191, [0, 1, 2, 3, 4]), (1.0, [0, 1, 255])],
)
def test_labels_that_a_writer_scaled_are_whole(
    slope: float, label: list[int], plain: Path, overwrite: Callable[..., None]
) -> None:
    stored = np.rint(np.array(label) / slope).astype(np.uint16).reshape(1, 1, -1)
    nibabel.save(nibabel.Nifti1Image(stored, np.eye(4)), plain)
    overwrite(plain, (SLOPE, "<f", slope), (SLOPE + 4, "<f", 0.0))
    assert read_label(plain)[0].ravel().tolist() == label


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(edits=st.lists(st.tuples(st.integers(0, 351), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_spoilt_header_leads_to_an_image_or_one_line(edits: list[tuple[int, int]], plain: Path) -> None:
    spoilt = bytearray(plain.read_bytes())
    for place, value in edits:
        spoilt[place] = value
    path = plain.parent / "spoilt.nii"
    path.write_bytes(spoilt)
    # Without an error where only what is not needed is spoilt.
    with suppress(UserError):
        volume, affine = read_volume(path)
        assert volume.dtype == np.float32
        assert np.isfinite(affine).all()
