"""The ellipsoid's answers, and the number of points that an octree finds around it, with values and without."""

import math

import pytest
import torch

from ossnet.field import VoxelField, labels_of, labels_of_logits
from ossnet.inference.extraction import EXTRACTORS, mise
from ossnet.memory.ellipsoid import EllipsoidField, PointsAroundEllipsoid, in_ellipsoid, points_around

SHAPES = pytest.mark.parametrize("shape", [(64, 64, 64), (40, 48, 33)])


def test_an_ellipsoid_of_half_the_volumes_extent() -> None:
    shape = (40, 24, 32)
    inside = in_ellipsoid(torch.cartesian_prod(*map(torch.arange, shape)), shape).view(shape)
    for axis, size in enumerate(shape):
        others = tuple({0, 1, 2} - {axis})
        assert int(inside.any(others[1]).any(others[0]).sum()) == size // 2
    assert inside.float().mean() == pytest.approx(4 / 3 * math.pi / 4**3, rel=0.02)
    assert inside.equal(inside.flip(0, 1, 2))


@pytest.mark.parametrize("classes", [2, 4])
def test_the_network_is_evaluated_and_the_ellipsoid_answers(classes: int) -> None:
    shape = (8, 8, 8)
    asked = []

    class Noise(VoxelField):
        def __call__(self, locations: torch.Tensor) -> torch.Tensor:
            asked.append(locations)
            return super().__call__(locations)

    noise = torch.rand(*([classes] if classes > 2 else []), *shape, generator=torch.Generator().manual_seed(0))
    field = EllipsoidField(Noise(noise))
    assert (field.shape, field.classes, field.device) == (shape, classes, noise.device)
    locations = torch.tensor([[0, 0, 0], [4, 4, 4]])
    answers = field(locations)
    assert [a.tolist() for a in asked] == [locations.tolist()]
    rows = [0.0, 1.0] if classes == 2 else [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]
    assert answers.tolist() == rows


@pytest.mark.parametrize("classes", [2, 4])
def test_its_logits_have_the_classes_of_its_probabilities(classes: int) -> None:
    shape = (16, 12, 9)
    field = EllipsoidField(VoxelField(torch.rand(*([classes] if classes > 2 else []), *shape)))
    places = torch.cartesian_prod(*map(torch.arange, shape))
    assert torch.equal(labels_of_logits(field.logits(places), classes), labels_of(field(places), classes))


@pytest.mark.parametrize("name", ["dense", "mise", "adaptive"])
def test_it_is_a_field_of_nested_regions_too(name: str) -> None:
    shape = (24, 20, 22)
    field = EllipsoidField(VoxelField(torch.rand(3, *shape, generator=torch.Generator().manual_seed(0)), classes=4))
    segmentation = EXTRACTORS[name](field, None, 1000).segmentation.flatten()
    places = torch.cartesian_prod(*map(torch.arange, shape))
    assert torch.equal(segmentation > 0, in_ellipsoid(places, shape))
    assert torch.equal(labels_of_logits(field.logits(places), 4), labels_of(field(places), 4))
    # The innermost shell is class 1 of classes and class 3 of regions.
    shells = labels_of(EllipsoidField(VoxelField(torch.rand(4, *shape)))(places), 4)
    assert torch.equal(torch.where(shells > 0, 4 - shells, shells), segmentation)


def test_classes_are_shells_of_the_same_volume_from_inside_out() -> None:
    shape = (48, 40, 44)
    field = EllipsoidField(VoxelField(torch.rand(5, *shape)))
    places = torch.cartesian_prod(*map(torch.arange, shape))
    labels = labels_of(field(places), 5)
    assert torch.equal(labels > 0, in_ellipsoid(places, shape))
    sizes = labels.bincount()[1:]
    assert sizes.float() == pytest.approx(sizes.float().mean().item(), rel=0.05)
    along = labels.view(shape)[24, 20, 22:].tolist()
    assert along == sorted(along[: along.index(0)]) + [0] * along.count(0)


def test_points_by_hand() -> None:
    # Ellipses of radius 25 in three directions, each with two crossings, in the coarser lattice a quarter.
    assert points_around((100, 100, 100)) == round(10 * 3 * math.pi * 25**2 * 2 / 4)
    assert points_around((2, 2, 2)) == 8
    # Of two shells of the same volume, the inner one has a surface of 0.5^(2/3).
    assert points_around((100, 100, 100), 3) == round(10 * 3 * math.pi * 25**2 * (1 + 0.5 ** (2 / 3)) * 2 / 4)


@SHAPES
def test_an_octree_finds_about_as_many_points(shape: tuple[int, int, int]) -> None:
    first, *finer = mise(EllipsoidField(VoxelField(torch.zeros(shape)))).evaluated
    assert first == math.prod(-(-(size - 1) // 4) + 1 for size in shape)
    assert finer[1] == pytest.approx(points_around(shape), rel=0.05)


def test_it_finds_as_many_around_the_shells_of_several_classes() -> None:
    shape = (64, 64, 64)
    finest = mise(EllipsoidField(VoxelField(torch.zeros(3, *shape)))).evaluated[-1]
    # The shells are only three voxels apart, so that they share some of their cells.
    assert 0.85 * points_around(shape, 3) < finest < points_around(shape, 3)


@SHAPES
def test_without_values_it_finds_as_many_but_makes_few_passes(shape: tuple[int, int, int]) -> None:
    passes: list[int] = []

    class Empty(VoxelField):
        def __call__(self, locations: torch.Tensor) -> torch.Tensor:
            passes.append(len(locations))
            return locations.new_empty(len(locations), dtype=torch.float32)

    field = EllipsoidField(Empty(torch.empty(shape, device="meta")))
    with PointsAroundEllipsoid(shape, 100):
        segmentation = mise(field, None, 100).segmentation
    assert segmentation.shape == shape
    first = math.prod(-(-(size - 1) // 4) + 1 for size in shape)
    middle = points_around([-(-(size - 1) // 2) + 1 for size in shape])
    expected = [n for count in (first, middle, points_around(shape)) for n in (100, 100, count % 100) if n]
    assert passes == expected


def test_the_memory_of_all_points_is_taken() -> None:
    mask = torch.empty(33, 33, 33, dtype=torch.bool, device="meta")
    with PointsAroundEllipsoid((64, 64, 64), 10):
        places = mask.nonzero()
        again = mask.nonzero()
    assert places.shape[1] == 3
    assert places.untyped_storage().nbytes() == points_around(mask.shape) * 3 * 8
    assert len(again) == 0
