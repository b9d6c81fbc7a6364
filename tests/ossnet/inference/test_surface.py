"""Surfaces of fields in closed form, whose volume and place are known."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch
from nibabel.affines import apply_affine
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation
from torch import Tensor

from ossnet.field import Grid, OccupancyField
from ossnet.inference.extraction import dense
from ossnet.inference.mesh import mesh_of
from ossnet.inference.smoothing import smooth_mesh
from ossnet.inference.surface import surface_of_field

SHAPE = (40, 34, 28)
CENTRE, RADII = torch.tensor([19.2, 16.7, 13.4]), torch.tensor([15.0, 12.0, 10.0])

TURN = Rotation.from_euler("xyz", [20, -15, 35], degrees=True).as_matrix()
AFFINES = {
    "RAS": np.eye(4),
    "LPS, anisotropic": np.diag([-0.5, -0.7, 3.0, 1.0]),
    "oblique": np.vstack([np.c_[TURN @ np.diag([1.0, 0.8, -2.5]), [30.0, -20, 7]], [0, 0, 0, 1]]),
}


class ClosedForm:
    """Field of two or more classes whose logits are functions of the location."""

    shape, device, prior = SHAPE, torch.device("cpu"), None

    def __init__(self, *logits: Callable[[Tensor], Tensor], classes: int | None = None) -> None:
        self.functions, self.classes, self.asked = logits, classes or max(2, len(logits)), 0

    def logits(self, locations: Tensor) -> Tensor:
        self.asked += len(locations)
        values = torch.stack([function(locations.double()) for function in self.functions], -1).float()
        return values[:, 0] if self.classes == 2 else values

    def __call__(self, locations: Tensor) -> Tensor:
        logits = self.logits(locations)
        return logits.softmax(-1) if 2 < self.classes == len(self.functions) else logits.sigmoid()


def ellipsoid(slope: float = 1.0, centre: Tensor = CENTRE, radii: Tensor = RADII) -> Callable[[Tensor], Tensor]:
    """Logits that change by about `slope` per voxel across the surface, and are positive inside."""
    return lambda places: slope * radii.mean() * (1 - ((places - centre) / radii).norm(dim=-1))


def surface(field: OccupancyField, affine: np.ndarray, max_locations: int = 2**14) -> tuple[np.ndarray, np.ndarray]:
    grid = Grid.over(field)
    return surface_of_field(field, grid, dense(field, grid).segmentation, affine, max_locations)


def volume_of(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Signed volume, positive where the normals point outward."""
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def expected_volume(affine: np.ndarray, radii: Tensor = RADII) -> float:
    return 4 / 3 * np.pi * float(radii.prod()) * abs(np.linalg.det(affine[:3, :3]))


def is_closed(faces: np.ndarray) -> bool:
    edges = Counter(map(tuple, np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).tolist()))
    return all(edges[b, a] == count == 1 for (a, b), count in edges.items())


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
@pytest.mark.parametrize("slope", [0.3, 10.0])
def test_an_ellipsoid_has_its_volume_and_place(affine: np.ndarray, slope: float) -> None:
    vertices, faces = surface(ClosedForm(ellipsoid(slope)), affine)
    assert is_closed(faces)
    assert volume_of(vertices, faces) == pytest.approx(expected_volume(affine), rel=0.006)
    voxels = torch.from_numpy(apply_affine(np.linalg.inv(affine), vertices))
    distance_voxels = ((voxels - CENTRE) / RADII).norm(dim=-1).sub(1).abs() * RADII.max()
    assert float(distance_voxels.max()) < 0.05


def test_a_mask_alone_places_it_ten_times_worse() -> None:
    field = ClosedForm(ellipsoid())
    by_field, by_mask = (
        ((torch.from_numpy(vertices) - CENTRE) / RADII).norm(dim=-1).sub(1).abs().mean()
        for vertices, _ in (surface(field, np.eye(4)), mesh_of(dense(field).segmentation, np.eye(4)))
    )
    assert 10 * by_field < by_mask


def test_several_components_and_classes_are_one_foreground() -> None:
    first, second = (torch.tensor(centre) for centre in ([7.3, 8.1, 9.7], [20.6, 15.2, 11.9]))
    radii = (torch.tensor([5.0, 6.0, 7.0]), torch.tensor([7.0, 6.0, 8.0]))
    parts = [ellipsoid(1.0, centre, radius) for centre, radius in zip((first, second), radii, strict=True)]
    field = ClosedForm(lambda places: -torch.stack([part(places) for part in parts]).amax(0), *parts)
    assert field.classes == 3
    vertices, faces = surface(field, AFFINES["oblique"])
    assert is_closed(faces)
    expected = sum(expected_volume(AFFINES["oblique"], radius) for radius in radii)
    assert volume_of(vertices, faces) == pytest.approx(expected, rel=0.015)


def test_the_surface_of_nested_regions_is_the_outermost_ones() -> None:
    regions = [ellipsoid(0.5), ellipsoid(0.5, radii=RADII / 2), ellipsoid(0.5, radii=RADII / 3)]
    vertices, faces = surface(ClosedForm(*regions, classes=4), np.eye(4))
    assert is_closed(faces)
    distance = ((torch.from_numpy(vertices) - CENTRE) / RADII).norm(dim=-1).sub(1).abs() * RADII.max()
    assert float(distance.max()) < 0.05


def test_each_nested_region_has_a_surface() -> None:
    field = ClosedForm(ellipsoid(0.5), ellipsoid(0.5, radii=RADII / 2), classes=3)
    segmentation = dense(field).segmentation
    for region, radii in ((1, RADII), (2, RADII / 2)):
        vertices, faces = surface_of_field(field, Grid.over(field), segmentation, np.eye(4), 2**14, range(region, 3))
        assert is_closed(faces)
        distance = ((torch.from_numpy(vertices) - CENTRE) / radii).norm(dim=-1).sub(1).abs() * radii.max()
        assert float(distance.max()) < 0.05


def test_each_class_has_a_surface_that_it_shares_with_its_neighbour() -> None:
    # The inner class fills an ellipsoid within that of the outer one, which is hollow.
    outer, inner = ellipsoid(), ellipsoid(radii=RADII / 2)
    field = ClosedForm(lambda places: 0 * places[:, 0], outer, lambda places: outer(places) + inner(places))
    segmentation = dense(field).segmentation
    affine = AFFINES["oblique"]
    hollow, filled = (
        surface_of_field(field, Grid.over(field), segmentation, affine, 2**14, range(index, index + 1))
        for index in (1, 2)
    )
    assert is_closed(hollow[1])
    assert is_closed(filled[1])
    expected = expected_volume(affine)
    assert volume_of(*filled) == pytest.approx(expected / 8, rel=0.02)
    assert volume_of(*hollow) == pytest.approx(expected * 7 / 8, rel=0.006)
    distances, _ = KDTree(hollow[0]).query(filled[0])
    assert float(distances.max()) < 1e-3


def test_only_voxels_around_the_surface_are_evaluated_whatever_the_passes() -> None:
    field = ClosedForm(ellipsoid())
    segmentation = dense(field).segmentation
    field.asked = 0
    whole = surface_of_field(field, Grid.over(field), segmentation, np.eye(4), 2**14)
    # About four voxels for each of a surface of 1900 square voxels.
    assert 0 < field.asked < 5 * 1900
    parts = surface_of_field(field, Grid.over(field), segmentation, np.eye(4), 50)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_object_ends_at_the_outer_faces_of_the_volume() -> None:
    vertices, faces = surface(ClosedForm(lambda places: 3 + places[:, 0]), np.eye(4))
    assert is_closed(faces)
    np.testing.assert_allclose(vertices.min(0), [-0.5] * 3, atol=1e-6)
    np.testing.assert_allclose(vertices.max(0), np.array(SHAPE) - 0.5, atol=1e-6)


def test_where_they_contradict_each_other_the_segmentation_decides() -> None:
    field = ClosedForm(ellipsoid(radii=torch.tensor([3.0, 3, 3])))
    segmentation = torch.zeros(SHAPE, dtype=torch.uint8)
    segmentation[4:9, 3:8, 10] = 1
    vertices, faces = surface_of_field(field, Grid.over(field), segmentation, np.eye(4), 2**14)
    assert is_closed(faces)
    np.testing.assert_allclose(vertices.min(0), [4, 3, 10], atol=0.01)
    np.testing.assert_allclose(vertices.max(0), [8, 7, 10], atol=0.01)
    assert volume_of(vertices, faces) > 0


def test_nothing_has_no_surface() -> None:
    vertices, faces = surface(ClosedForm(lambda places: -1 - places[:, 0]), np.eye(4))
    assert vertices.shape == faces.shape == (0, 3)


def roughness(vertices: np.ndarray) -> float:
    """Mean distance from a sphere around the mean."""
    radii = np.linalg.norm(vertices - vertices.mean(0), axis=1)
    return float(np.abs(radii - radii.mean()).mean())


def test_smoothing_evens_a_mask_out_and_keeps_its_volume_and_place() -> None:
    ball = dense(ClosedForm(ellipsoid(radii=torch.tensor([8.0, 8, 8])))).segmentation
    vertices, faces = mesh_of(ball, np.eye(4))
    smooth = smooth_mesh(vertices, faces, 20)
    assert roughness(smooth) < 0.5 * roughness(vertices)
    assert volume_of(smooth, faces) == pytest.approx(volume_of(vertices, faces), rel=0.01)
    np.testing.assert_allclose(smooth.mean(0), vertices.mean(0), atol=0.02)
    np.testing.assert_array_equal(smooth_mesh(vertices, faces, 0), vertices)
