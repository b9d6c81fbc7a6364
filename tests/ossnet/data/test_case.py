from dataclasses import replace

import numpy as np
import pytest

from ossnet.data.case import Case
from ossnet.errors import UserError


def tiny_case() -> Case:
    affine = np.array([[0, -2.0, 0, 5], [3.0, 0, 0, 6], [0, 0, 4.0, 7], [0, 0, 0, 1]])
    image = np.zeros((2, 3, 4, 5), dtype=np.float32)
    return Case("tiny", image, np.zeros((3, 4, 5), dtype=np.uint8), affine, ("t1", "t2"))


def test_shape_and_spacing_follow_the_axes() -> None:
    assert tiny_case().shape == (3, 4, 5)
    assert tiny_case().spacing_mm == (3.0, 2.0, 4.0)
    assert tiny_case().voxel_mm3 == pytest.approx(24)
    unknown = replace(tiny_case(), spacing_known=False)
    assert np.isnan([*unknown.spacing_mm, unknown.voxel_mm3]).all()


def test_a_leaning_voxel_is_smaller_than_its_edges_say() -> None:
    # Slices of 3 x 2 mm, 4 mm apart, each of which lies 3 mm beside the one before.
    leaning = np.array([[0, -2.0, 0, 5], [3.0, 0, 3.0, 6], [0, 0, 4.0, 7], [0, 0, 0, 1]])
    case = replace(tiny_case(), affine=leaning)
    assert case.spacing_mm == (3, 2, 5)
    assert case.voxel_mm3 == pytest.approx(24)


@pytest.mark.parametrize(
    ("change", "mentions"),
    [
        ({"modalities": ("t1",)}, "shape"),
        ({"image": np.zeros((3, 4, 5), dtype=np.float32)}, "shape"),
        ({"label": np.zeros((3, 5, 4), dtype=np.uint8)}, "grid"),
        ({"image": np.full((2, 3, 4, 5), np.nan, dtype=np.float32)}, "NaN"),
        ({"image": np.full((2, 3, 4, 5), np.inf, dtype=np.float32)}, "infinite"),
        ({"affine": np.diag([1.0, 0, 1, 1])}, "affine"),
        ({"affine": np.full((4, 4), np.nan)}, "affine"),
        ({"affine": np.eye(3)}, "affine"),
    ],
)
def test_what_cannot_be_a_case_is_refused_by_name(change: dict[str, object], mentions: str) -> None:
    with pytest.raises(UserError, match=rf"case tiny: .*{mentions}"):
        replace(tiny_case(), **change)
