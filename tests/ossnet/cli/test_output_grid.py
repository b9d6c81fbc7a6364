"""Segmentations in every orientation and resolution: each voxel is in its place in the world.

The images hold the world coordinates of their voxels. A model that finds a shape by these alone finds it wherever the
file says that it is, so that a segmentation is right if its own affine puts every voxel where the shape is.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations, product
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from nibabel.affines import apply_affine, from_matvec
from nibabel.orientations import aff2axcodes
from scipy.spatial.transform import Rotation
from torch import Tensor

from ossnet.cli.__main__ import main
from ossnet.data.case import Case
from ossnet.data.nifti import read_image, read_label, write_volume
from ossnet.data.preprocessing import Preprocessing, prepare
from ossnet.field import VoxelField, labels_of
from ossnet.model import Batch, ModelConfig, SegmentationModel
from ossnet.training.run import RunSpec, load_run

SHAPE, SPACING_MM = (12, 10, 9), (1.0, 1.5, 2.5)
HALF = ["--spacing", "0.5", "0.75", "1.25"]
PAST_ZERO = 1000.0
"""What is added to coordinates, so that the zeros around a padded image are far from the shape."""

CENTRES, RADII_MM = torch.tensor([[1.0, -0.5, 0.5], [-2.5, 2.0, 1.0]]), torch.tensor([4.0, 2.5])
"""Two balls that overlap, without any symmetry."""

ORIENTATIONS = ["".join(codes) for order in permutations(("LR", "PA", "SI")) for codes in product(*order)]  # All 48.


def margins(places_mm: Tensor) -> Tensor:
    """How deep places [n, 3] lie in each ball, [n, 2] in mm."""
    return RADII_MM - (places_mm[:, None] - CENTRES).norm(dim=-1)


class CoordinateField(VoxelField):
    """Occupied where the coordinates that the image holds lie in the balls: one class, or one for each."""

    def __init__(self, image: Tensor, classes: int) -> None:
        super().__init__(image)
        self.classes = classes
        self.coordinates = VoxelField(image)

    def logits(self, locations: Tensor) -> Tensor:
        inside = margins(self.coordinates(locations) - PAST_ZERO)
        return inside.amax(-1) if self.classes == 2 else torch.cat([-inside.amax(-1, keepdim=True), inside], -1)

    def __call__(self, locations: Tensor) -> Tensor:
        logits = self.logits(locations)
        return logits.sigmoid() if self.classes == 2 else logits.softmax(-1)


class CoordinateModel(SegmentationModel):
    config_type = ModelConfig
    host_images = True

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        raise NotImplementedError

    def field(self, image: Tensor) -> CoordinateField:
        return CoordinateField(image, self.config.classes)


@pytest.fixture
def run(tiny_spec: Callable[..., RunSpec], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put the model in the place of a trained run, and work in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def put(**changes: Any) -> None:
        preprocessing = Preprocessing(**{"shape": (16, 16, 16), "fit": "pad", "normalise": "none", **changes})
        spec = replace(tiny_spec(), modalities=("x", "y", "z"), preprocessing=preprocessing)
        model = CoordinateModel(ModelConfig(preprocessing.shape, 3, preprocessing.classes))
        monkeypatch.setattr("ossnet.training.run.load_run", lambda *_: (model, spec))

    put()
    return put


def write_image(directions: np.ndarray) -> np.ndarray:
    """Write an image of coordinates around the world's origin and return its affine."""
    matrix = directions @ np.diag(SPACING_MM)
    affine = from_matvec(matrix, -matrix @ (np.array(SHAPE) - 1) / 2)
    places = apply_affine(affine, np.moveaxis(np.indices(SHAPE), 0, -1))
    write_volume("image.nii", np.moveaxis(places, -1, 0) + PAST_ZERO, affine)
    return affine


def directions_of(orientation: str) -> np.ndarray:
    directions = np.zeros((3, 3))
    for axis, code in enumerate(orientation):
        world = ("LR", "PA", "SI").index(next(pair for pair in ("LR", "PA", "SI") if code in pair))
        directions[world, axis] = 1 if code in "RAS" else -1
    return directions


def segment(*options: str) -> nibabel.Nifti1Image:
    command = ["segment", "image.nii", "--model", "run", "-o", "mask.nii", "--device", "cpu", *options]
    assert main(command) == 0
    return nibabel.load("mask.nii")


def require_shape_in_place(mask: nibabel.Nifti1Image, values: tuple[int, ...] = (0, 1, 1)) -> None:
    """Compare each voxel with the balls at its place in the world, unless it lies on their surface."""
    stored = np.asarray(mask.dataobj)
    places = apply_affine(mask.affine, np.moveaxis(np.indices(mask.shape), 0, -1)).reshape(-1, 3)
    first, second = margins(torch.from_numpy(places).float()).T
    expected = torch.where(torch.maximum(first, second) < 0, values[0], torch.where(first > second, *values[1:]))
    certain = (torch.stack([torch.maximum(first, second), first - second]).abs() > 1e-2).all(0).numpy()
    np.testing.assert_array_equal(stored.reshape(-1)[certain], expected.numpy()[certain])
    assert certain.mean() > 0.9
    volume_ml = np.count_nonzero(stored) * abs(np.linalg.det(mask.affine[:3, :3]))
    assert volume_ml == pytest.approx(310, rel=0.15)


def require_round_trip(affine: np.ndarray) -> None:
    mask = segment()
    assert mask.shape == SHAPE
    np.testing.assert_allclose(mask.affine, affine, atol=1e-5)
    assert aff2axcodes(mask.affine) == aff2axcodes(affine)
    require_shape_in_place(mask)

    finer = segment(*HALF)
    assert finer.shape == tuple(2 * size for size in SHAPE)
    np.testing.assert_allclose(finer.affine[:3, :3], affine[:3, :3] / 2, atol=1e-5)
    assert aff2axcodes(finer.affine) == aff2axcodes(affine)
    for corner in product((0, 1), repeat=3):
        faces = [np.array(corner) * image.shape - 0.5 for image in (mask, finer)]
        np.testing.assert_allclose(apply_affine(finer.affine, faces[1]), apply_affine(affine, faces[0]), atol=1e-4)
    require_shape_in_place(finer)


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_every_orientation_comes_back(orientation: str) -> None:
    require_round_trip(write_image(directions_of(orientation)))


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("orientation", ["RAS", "LPS", "SLA", "PIR"])
@pytest.mark.parametrize("angles", [(20, -30, 15), (5, 10, 40)])
def test_an_oblique_image_comes_back(orientation: str, angles: tuple[int, int, int]) -> None:
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    require_round_trip(write_image(turn @ directions_of(orientation)))


@pytest.mark.parametrize("changes", [{"fit": "resize", "shape": (11, 13, 20)}, {"orientation": "PIR"}])
def test_so_it_does_from_other_prepared_grids(changes: dict[str, Any], run: Callable[..., None]) -> None:
    run(**changes)
    require_round_trip(write_image(directions_of("AIL")))


@pytest.mark.parametrize("extraction", ["dense", "mise", "released", "adaptive"])
def test_every_extraction_takes_classes_passes_audit_and_mesh(
    extraction: str, run: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    run(classes=3, label_values=(0, 2, 4))
    write_image(Rotation.from_euler("xyz", [20, -30, 15], degrees=True).as_matrix() @ directions_of("ARS"))
    options = ["--extraction", extraction, "--max-locations", "1000", "--audit", "0.01", "--mesh", "surface.obj"]
    mask = segment("--spacing", "0.5", *options)
    assert mask.shape == (24, 30, 45)
    require_shape_in_place(mask, (0, 2, 4))
    told = capsys.readouterr().out
    assert "24 x 30 x 45 voxels of 0.5 x 0.5 x 0.5 mm" in told
    assert "0 differ" in told
    lines = [line.split() for line in Path("surface.obj").read_text(encoding="ascii").splitlines()]
    vertices = torch.tensor([[float(value) for value in line[1:]] for line in lines if line[0] == "v"])
    # Voxels of 0.5 mm do not show the crease between the balls.
    distance_mm = margins(vertices).amax(-1).abs()
    assert float(distance_mm.max()) < 0.5
    assert float(distance_mm.mean()) < 0.03


@pytest.mark.usefixtures("run")
def test_a_coarser_grid_and_one_of_a_given_shape() -> None:
    affine = write_image(directions_of("LPS"))
    coarse = segment("--spacing", "3")
    assert coarse.shape == (4, 5, 8)
    np.testing.assert_allclose(np.linalg.norm(coarse.affine[:3, :3], axis=0), (3, 3, 22.5 / 8), rtol=1e-6)
    require_shape = segment("--shape", "36", "25", "31")
    assert require_shape.shape == (36, 25, 31)
    require_shape_in_place(require_shape)
    np.testing.assert_array_equal(segment("--shape", *map(str, SHAPE)).affine, segment().affine)
    np.testing.assert_allclose(segment().affine, affine, atol=1e-6)


def test_a_spacing_needs_one_to_begin_with(run: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    run(orientation="stored")
    write_volume("image.nii", np.zeros((3, 4, 4, 4)), np.eye(4))
    command = ["segment", "image.nii", "--model", "run", "-o", "mask.nii", "--device", "cpu"]
    assert main([*command, "--spacing", "1"]) == 2
    told = capsys.readouterr().err
    assert "image.nii" in told
    assert "--shape" in told
    assert not Path("mask.nii").exists()


def test_a_model_of_stored_axes_says_that_it_does_not_turn_images(
    run: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    run(orientation="stored")
    write_image(directions_of("RAS"))
    segment()
    assert "stored" in capsys.readouterr().out


@pytest.mark.usefixtures("run")
def test_smoothing_moves_only_the_surface() -> None:
    write_image(directions_of("RAS"))
    masks = []
    for options in ([], ["--smooth", "5"]):
        masks.append(np.asarray(segment("--mesh", f"{len(options)}.ply", *options).dataobj))
    np.testing.assert_array_equal(*masks)
    assert Path("0.ply").stat().st_size == Path("2.ply").stat().st_size
    assert Path("0.ply").read_bytes() != Path("2.ply").read_bytes()


@pytest.mark.parametrize("name", ["c", "unet3d"])
def test_a_network_is_evaluated_between_voxels(name: str, learned: Callable[[str], Any], place: Path) -> None:
    images = [f"data/e-{modality}.nii.gz" for modality in ("flair", "t1")]
    folder = learned(name).run
    command = ["segment", *images, "--model", str(folder), "-o", "mask.nii", "--device", "cpu"]
    assert main([*command, "--shape", "24", "28", "20", "--extraction", "dense"]) == 0
    mask, _ = read_label("mask.nii")
    model, spec = load_run(folder)
    image, affine = read_image(images)
    prepared = prepare(Case("e", image, None, affine, spec.modalities), spec.preprocessing)
    voxels = torch.cartesian_prod(*map(torch.arange, (24, 28, 20)))
    # The image of 12 x 14 x 10 voxels, stored as LPS, is padded by 2, 1 and 3 voxels on either side.
    locations = (voxels + 0.5) / 2 - 0.5 + torch.tensor([2, 1, 3])
    field = getattr(model, "plain_field", model.field)(torch.from_numpy(prepared.image))
    probabilities = field(locations)
    certain = ((probabilities - 0.5).abs() > 1e-4).numpy()
    expected = labels_of(probabilities, 2).numpy()
    assert 0 < expected.sum() < len(expected)
    np.testing.assert_array_equal(mask.reshape(-1)[certain], expected[certain])
