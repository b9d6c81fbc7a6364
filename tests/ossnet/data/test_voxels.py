from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nibabel.affines import from_matvec
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform

from ossnet.data.case import Case, Dataset
from ossnet.data.voxels import kept_voxel_digest, voxel_digest
from ossnet.errors import UserError

IMAGE = np.random.default_rng(0).normal(size=(2, 4, 5, 6)).astype(np.float32)
IMAGE[0, 0, 0] = 0
CASE = Case("a", IMAGE, None, from_matvec(np.diag([-1.0, -2, 3]), [4, 5, 6]), ("t1", "t2"))


def reoriented(case: Case, codes: str) -> Case:
    """The same image, stored with its axes in another order and direction."""
    turn = ornt_transform(io_orientation(case.affine), axcodes2ornt(codes))
    image = np.stack([apply_orientation(channel, turn) for channel in case.image])
    return replace(case, image=image, affine=case.affine @ inv_ornt_aff(turn, case.shape))


def test_an_image_is_known_again() -> None:
    negative_zeros = np.where(IMAGE == 0, np.float32(-0.0), IMAGE)
    same = [
        replace(CASE, name="other"),
        replace(CASE, label=np.ones(CASE.shape, np.uint8)),
        replace(CASE, image=np.asfortranarray(IMAGE)),
        replace(CASE, image=negative_zeros),
        replace(CASE, affine=np.eye(4)),
        replace(CASE, image=IMAGE[::-1]),
        replace(CASE, image=IMAGE[:, ::-1]),
        replace(CASE, image=IMAGE.transpose(0, 2, 3, 1)),
        *(reoriented(CASE, codes) for codes in ("RAS", "PSL", "IRA")),
    ]
    assert {voxel_digest(case) for case in same} == {voxel_digest(CASE)}


def test_another_image_is_another() -> None:
    changed = IMAGE.copy()
    changed[1, 2, 3, 4] += 1e-3
    # One value of the first channel in the second: all values together are the same.
    exchanged = IMAGE.copy()
    exchanged[:, 2, 3, 4] = exchanged[::-1, 2, 3, 4]
    others = [
        replace(CASE, image=changed),
        replace(CASE, image=exchanged),
        replace(CASE, image=IMAGE[:1], modalities=("t1",)),
        replace(CASE, image=IMAGE.reshape(2, 5, 2, 12)),
    ]
    assert len({voxel_digest(case) for case in (CASE, *others)}) == 5


def test_a_digest_is_kept_by_content(dataset: Dataset, tmp_path: Path) -> None:
    kept = kept_voxel_digest(dataset, "a", tmp_path)
    assert kept == voxel_digest(dataset.load("a"))

    def never(name: str) -> Case:
        pytest.fail(f"case {name} is loaded again")

    renamed = replace(dataset, name="other", fingerprint="other", load=never)
    assert kept_voxel_digest(renamed, "a", tmp_path) == kept


@pytest.mark.parametrize("contents", [b"", b"0123", b"\xff" * 64])
def test_a_damaged_digest_is_told_in_a_line(contents: bytes, dataset: Dataset, tmp_path: Path) -> None:
    kept_voxel_digest(dataset, "a", tmp_path)
    (path,) = (tmp_path / "voxels").iterdir()
    path.write_bytes(contents)
    with pytest.raises(UserError, match=f"{path.name} .*delete it"):
        kept_voxel_digest(dataset, "a", tmp_path)
