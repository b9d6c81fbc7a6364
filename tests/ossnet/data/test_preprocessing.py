from dataclasses import replace
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from nibabel.affines import apply_affine
from nibabel.orientations import aff2axcodes
from numpy.testing import assert_allclose, assert_array_equal

from ossnet.config import build, plain
from ossnet.data.case import Case
from ossnet.data.grid_map import GridMap
from ossnet.data.nifti import read_image, read_label
from ossnet.data.preprocessing import Preprocessing, grid_map, prepare
from ossnet.data.voxel_grid import VoxelGrid
from ossnet.errors import UserError

ORIENTATIONS = ["".join(codes) for order in permutations(("LR", "PA", "SI")) for codes in product(*order)]  # All 48.


def affine_of(orientation: str, spacing_mm: tuple[float, float, float] = (1.0, 1.5, 2.5)) -> np.ndarray:
    """An affine whose voxel axes point where the codes say, slightly oblique."""
    affine = np.eye(4)
    affine[:3, :3] = 0.02
    for axis, code in enumerate(orientation):
        world = ("LR", "PA", "SI").index(next(pair for pair in ("LR", "PA", "SI") if code in pair))
        affine[world, axis] = 1.0 if code in "RAS" else -1.0
    affine[:3, :3] *= spacing_mm
    affine[:3, 3] = (11.0, -7.0, 5.0)
    return affine


def phantom(orientation: str = "LPS", shape: tuple[int, int, int] = (9, 7, 6)) -> Case:
    """An L-shaped object, off the centre and without any symmetry; the image is the object with an offset."""
    label = np.zeros(shape, dtype=np.uint8)
    label[1:6, 1:3, 1:3] = 1
    label[1:3, 3:6, 1:2] = 2
    label[1, 1, 4] = 2
    image = np.stack([label * 3.0 + 100, label * 1.0]).astype(np.float32)
    return Case("phantom", image, label, affine_of(orientation), ("t1", "t2"))


def centre_of_mass_mm(mask: np.ndarray, affine: np.ndarray) -> np.ndarray:
    return apply_affine(affine, np.argwhere(mask).mean(0))


def moves_of(case: Case, preprocessing: Preprocessing) -> GridMap:
    return grid_map(case.shape, case.affine, preprocessing, case.name)


def test_padding_of_brats_is_the_released_one() -> None:
    case = Case("b", np.ones((1, 240, 240, 155), np.float32), None, affine_of("LPS"), ("t1",))
    prepared = prepare(case, Preprocessing(shape=(256, 256, 160), fit="pad", normalise="none"))
    assert prepared.shape == (256, 256, 160)
    assert prepared.image[0, 8:-8, 8:-8, 3:-2].all()
    assert np.count_nonzero(prepared.image) == 240 * 240 * 155
    assert_allclose(apply_affine(prepared.affine, [8, 8, 3]), case.affine[:3, 3])


def test_resizing_is_torchs_and_keeps_the_outer_faces() -> None:
    case = phantom()
    prepared = prepare(case, Preprocessing(shape=(18, 14, 12), fit="resize", normalise="none"))
    expected = F.interpolate(torch.tensor(case.image)[None], (18, 14, 12), mode="trilinear", align_corners=False)[0]
    assert_allclose(prepared.image, expected.numpy(), rtol=1e-6)
    assert_allclose(apply_affine(prepared.affine, [-0.5] * 3), apply_affine(case.affine, [-0.5] * 3))
    assert_allclose(apply_affine(prepared.affine, [17.5, 13.5, 11.5]), apply_affine(case.affine, [8.5, 6.5, 5.5]))
    assert_array_equal(prepared.label, (case.label > 0).repeat(2, 0).repeat(2, 1).repeat(2, 2))


@pytest.mark.parametrize("stored", ORIENTATIONS)
@pytest.mark.parametrize(("fit", "shape"), [("pad", (10, 10, 9)), ("resize", (13, 12, 11))])
def test_the_object_stays_where_it_is_and_comes_back(stored: str, fit: str, shape: tuple[int, int, int]) -> None:
    case = phantom(stored)
    values = {"shape": shape, "fit": fit, "classes": 3, "normalise": "none"}
    preprocessing = build(Preprocessing, values, "test")
    prepared = prepare(case, preprocessing)
    assert aff2axcodes(prepared.affine) == ("L", "P", "S")
    before, after = (centre_of_mass_mm(c.label == 1, c.affine) for c in (case, prepared))
    assert_allclose(after, before, atol=1e-9 if fit == "pad" else min(case.spacing_mm) / 2)
    moves = moves_of(case, preprocessing)
    assert_array_equal(moves.restore(prepared.label), case.label)
    assert_allclose(case.affine, prepared.affine @ moves.matrix, atol=1e-9)
    voxels = np.argwhere(np.ones(case.shape))
    locations = moves.to_prepared(torch.from_numpy(voxels))
    assert locations.dtype == torch.float32
    assert_allclose(apply_affine(prepared.affine, locations.numpy()), apply_affine(case.affine, voxels), atol=1e-4)
    assert_allclose(apply_affine(moves.matrix, voxels), locations.numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("label_resizing", "expected"), [("nearest-exact", [0, 0, 0, 1, 1]), ("nearest", [0, 0, 0, 0, 1])]
)
def test_labels_are_resized_by_centres_or_as_in_the_released_code(label_resizing: str, expected: list[int]) -> None:
    label = np.zeros((3, 1, 1), np.uint8)
    label[2] = 1
    case = Case("case", label[None].astype(np.float32), label, np.eye(4), ("ct",))
    preprocessing = Preprocessing((5, 1, 1), "resize", "stored", "none", label_resizing=label_resizing)
    assert prepare(case, preprocessing).label.ravel().tolist() == expected
    assert ("label_resizing" in plain(preprocessing)) == (label_resizing == "nearest")


@pytest.mark.parametrize("orientation", ["RAS", "SLP", "IPR"])
def test_any_orientation_can_be_asked_for(orientation: str) -> None:
    case = phantom("ASR")
    prepared = prepare(case, Preprocessing(shape=(9, 9, 9), fit="pad", orientation=orientation))
    assert aff2axcodes(prepared.affine) == tuple(orientation)


def test_without_orientation_the_axes_stay_as_stored() -> None:
    case = phantom("ASR")
    prepared = prepare(case, Preprocessing(shape=case.shape, orientation="stored", normalise="none"))
    assert_array_equal(prepared.image, case.image)
    assert_allclose(prepared.affine, case.affine, atol=1e-12)


def test_padded_locations_are_whole_and_show_the_original_values() -> None:
    case = phantom("IRA")
    preprocessing = Preprocessing(shape=(10, 10, 10), fit="pad", normalise="none")
    prepared, moves = prepare(case, preprocessing), moves_of(case, preprocessing)
    i, j, k = moves.to_prepared(torch.from_numpy(np.argwhere(np.ones(case.shape)))).T
    values = torch.from_numpy(prepared.image)[:, i.long(), j.long(), k.long()].reshape(case.image.shape)
    assert_array_equal(values.numpy(), case.image)


@pytest.mark.parametrize(("fit", "shape"), [("pad", (10, 10, 9)), ("resize", (13, 12, 11))])
def test_another_grid_over_the_same_volume_is_where_its_affine_says(fit: str, shape: tuple[int, int, int]) -> None:
    case = phantom("IRA")
    preprocessing = build(Preprocessing, {"shape": shape, "fit": fit, "classes": 3, "normalise": "none"}, "test")
    moves, prepared = moves_of(case, preprocessing), prepare(case, preprocessing)
    assert moves.resampled(case.shape) == moves
    for other in ((18, 14, 12), (4, 3, 11)):
        resampled, grid = moves.resampled(other), VoxelGrid(case.shape, case.affine).resampled(other)
        assert_allclose(prepared.affine @ resampled.matrix, grid.affine, atol=1e-9)
        assert not resampled.keeps_voxels


def test_restoring_a_smaller_grid_takes_the_nearest() -> None:
    case = replace(phantom(), image=np.zeros((2, 4, 2, 2), np.float32), label=None)
    moves = moves_of(case, Preprocessing(shape=(2, 2, 2), fit="resize"))
    halves = np.array([1, 2], dtype=np.uint8)[:, None, None] * np.ones((1, 2, 2), dtype=np.uint8)
    assert moves.restore(halves)[:, 0, 0].tolist() == [1, 1, 2, 2]
    with pytest.raises(UserError, match="prepared"):
        moves.restore(halves[:1])


def test_each_modality_gets_mean_0_and_deviation_1_before_padding() -> None:
    case = phantom()
    prepared = prepare(case, Preprocessing(shape=(16, 16, 16), fit="pad"))
    moves = moves_of(case, Preprocessing(shape=(16, 16, 16), fit="pad"))
    for channel in prepared.image:
        inner = moves.restore(channel).astype(np.float64)
        assert abs(inner.mean()) < 1e-5
        assert abs(inner.std() - 1) < 1e-5
        assert np.count_nonzero(channel) == inner.size
    assert case.image.max() == 106


def test_labels_become_class_indices() -> None:
    label = np.array([0, 1, 2, 4], dtype=np.uint8).reshape(4, 1, 1)
    case = Case("c", np.zeros((1, 4, 1, 1), np.float32), label, affine_of("LPS"), ("ct",))

    def indices(**options: object) -> list[int]:
        prepared = prepare(case, build(Preprocessing, {"shape": (4, 1, 1), **options}, "test"))
        assert prepared.label.dtype == np.uint8
        return prepared.label[:, 0, 0].tolist()

    assert indices() == [0, 1, 1, 1]
    assert indices(classes=4, label_values=(0, 1, 2, 4)) == [0, 1, 2, 3]
    assert indices(classes=5) == [0, 1, 2, 4]
    with pytest.raises(UserError, match=r"case c: its label holds 4.*label_values"):
        indices(classes=4)
    with pytest.raises(UserError, match=r"case c: its label holds 1.*label_values"):
        indices(classes=3, label_values=(0, 2, 4))


def test_a_case_that_does_not_fit_is_named_with_the_option() -> None:
    case = phantom()
    with pytest.raises(UserError, match=r"case phantom: .*shape \(9, 7, 5\).*set fit"):
        prepare(case, Preprocessing(shape=(9, 7, 5), fit="pad"))
    with pytest.raises(UserError, match=r"case phantom: .*is not shape.*set fit"):
        prepare(case, Preprocessing(shape=(9, 7, 8), fit="none"))


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"shape": (0, 2, 2)}, "shape"),
        ({"orientation": "LPX"}, "orientation"),
        ({"orientation": "LRS"}, "orientation"),
        ({"orientation": " PS"}, "orientation"),
        ({"orientation": "LPSS"}, "orientation"),
        ({"classes": 1}, "classes"),
        ({"classes": 3, "label_values": (0, 1)}, "label_values"),
        ({"classes": 3, "label_values": (0, 1, 1)}, "label_values"),
        ({"classes": 2, "label_values": (0, 256)}, "label_values"),
        ({"fit": "crop"}, "fit"),
        ({"clip": (1, 1)}, "clip"),
        ({"clip": (0, float("inf"))}, "clip"),
        ({"clip": (float("nan"), 1)}, "clip"),
        ({"clip": (50, 150), "normalise": "foreground"}, "clip"),
    ],
)
def test_an_impossible_configuration_is_refused(options: dict[str, object], field: str) -> None:
    with pytest.raises(UserError, match=field):
        build(Preprocessing, {"shape": (2, 2, 2), **options}, "test")


def test_a_real_glioma_on_its_way_to_the_papers_grid_and_back(real_cases: Path) -> None:
    folder = real_cases / "tcga_glioma" / "TCGA-FG-6692"
    image, affine = read_image([folder / "fla.nii.gz"])
    label, _ = read_label(folder / "label_by_algorithms.nii.gz")
    case = Case("FG", image, label, affine, ("flair",))
    preprocessing = Preprocessing((256, 256, 160), fit="pad", classes=4, label_values=(0, 1, 2, 4))
    prepared = prepare(case, preprocessing)
    assert_allclose(
        centre_of_mass_mm(prepared.label > 0, prepared.affine), centre_of_mass_mm(label > 0, affine), atol=1e-9
    )
    assert_array_equal(moves_of(case, preprocessing).restore(prepared.label), np.where(label == 4, 3, label))


def test_a_real_abdomen_is_turned_resized_and_restored(real_cases: Path) -> None:
    image, affine = read_image([real_cases / "ct_abdomen" / "ct.nii.gz"])
    label, _ = read_label(real_cases / "ct_abdomen" / "label_by_model.nii.gz")
    liver = (label == 5).astype(np.uint8)
    case = Case("ct", image, liver, affine, ("ct",))
    preprocessing = Preprocessing((128, 128, 128), fit="resize")
    prepared = prepare(case, preprocessing)
    shift_mm = centre_of_mass_mm(prepared.label, prepared.affine) - centre_of_mass_mm(liver, affine)
    assert np.linalg.norm(shift_mm) < min(prepared.spacing_mm) / 2
    assert_array_equal(moves_of(case, preprocessing).restore(prepared.label), liver)


def test_classes_are_given_back_as_the_values_that_they_were_stored_with() -> None:
    classes = np.array([[0, 1], [2, 3]], np.uint8)
    brats = Preprocessing(shape=(1, 1, 1), classes=4, label_values=(0, 1, 2, 4))
    np.testing.assert_array_equal(brats.stored(classes), [[0, 1], [2, 4]])
    np.testing.assert_array_equal(Preprocessing(shape=(1, 1, 1), classes=4).stored(classes), classes)


def test_a_clip_changes_the_identity_and_none_does_not() -> None:
    assert "clip" not in plain(Preprocessing((8, 8, 8)))
    clipping = plain(Preprocessing((8, 8, 8), clip=(-200, 250)))
    assert clipping["clip"] == [-200.0, 250.0]
    assert build(Preprocessing, clipping, "test").clip == (-200, 250)
