"""What the adaptive extraction evaluates, on fields with a smooth logit, and what it can and cannot miss."""

import itertools
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ossnet.field import Grid, labels_of_logits
from ossnet.inference.adaptive import promising_cells, refine_adaptively
from ossnet.inference.extraction import adaptive, dense, mise
from ossnet.inference.interpolated_level import KNOWN, Level
from ossnet.nested import is_nested, nest

Shape = tuple[int, int, int]
BACKGROUND = 10.0


class SmoothField:
    """A field by logits [n] or [n, k] at coordinates [n, 3]; marks the voxels that it was asked at."""

    device = torch.device("cpu")
    prior = None

    def __init__(self, shape: Shape, formula: Callable[[Tensor], Tensor], classes: int = 2) -> None:
        self.shape, self.formula, self.classes = shape, formula, classes
        self.asked = torch.zeros(shape, dtype=torch.bool)

    def logits(self, locations: Tensor) -> Tensor:
        if not locations.is_floating_point():
            self.asked[tuple(locations.T)] = True
        return self.formula(locations.float())

    def __call__(self, locations: Tensor) -> Tensor:
        logits = self.logits(locations)
        return logits.sigmoid() if self.classes == 2 or is_nested(logits, self.classes) else logits.softmax(-1)


def ball(centre: tuple[float, float, float], radius: float, slope: float = 1.0) -> Callable[[Tensor], Tensor]:
    """Logits that fall by `slope` per voxel across the surface and level off at -`BACKGROUND`."""
    return lambda places: (
        BACKGROUND * torch.tanh(slope * (radius - (places - torch.tensor(centre)).norm(dim=-1)) / BACKGROUND)
    )


def truth_of(field: SmoothField) -> Tensor:
    return dense(SmoothField(field.shape, field.formula, field.classes)).segmentation


def waves(shape: Shape, classes: int, seed: int, offset: float, nested: bool = False) -> SmoothField:
    """Smooth random logits: sums of waves no shorter than 12 voxels."""
    generator = torch.Generator().manual_seed(seed)
    outputs = classes - 1 if nested or classes == 2 else classes
    directions = (torch.rand(6, 3, generator=generator) - 0.5) * 0.5
    phases = 6.3 * torch.rand(6, outputs, generator=generator)

    def formula(places: Tensor) -> Tensor:
        logits = 3 * torch.sin((places @ directions.T)[..., None] + phases).sum(-2) - offset
        return logits[..., 0] if outputs == 1 else nest(logits, -1) if nested else logits

    return SmoothField(shape, formula, classes)


@st.composite
def smooth_fields(draw: st.DrawFn) -> SmoothField:
    shape = draw(st.tuples(*[st.integers(1, 40)] * 3))
    return waves(
        shape, draw(st.integers(2, 4)), draw(st.integers(0, 2**31)), draw(st.floats(-4, 8)), draw(st.booleans())
    )


@settings(max_examples=40, deadline=None)
@given(smooth_fields(), st.booleans())
def test_the_surface_is_certified_and_evaluated_voxels_are_right(field: SmoothField, fine_start: bool) -> None:
    truth = truth_of(field)
    segmentation, evaluated = refine_adaptively(field, Grid.over(field), 500, fine_start)
    assert sum(evaluated) == int(field.asked.sum())
    assert torch.equal(segmentation[field.asked], truth[field.asked])
    # Voxels that were not evaluated touch no other class.
    for axis, size in enumerate(field.shape):
        before, after = (part.narrow(axis, 0, size - 1) for part in (segmentation, field.asked))
        others, asked = (part.narrow(axis, 1, size - 1) for part in (segmentation, field.asked))
        assert (after & asked)[before != others].all()


def test_a_gentle_ball_takes_a_fraction_of_the_octrees_evaluations() -> None:
    field = SmoothField((96, 80, 72), ball((50.3, 40.1, 30.7), 20))
    extraction = adaptive(field)
    assert torch.equal(extraction.segmentation, truth_of(field))
    assert sum(extraction.evaluated) < 0.45 * sum(mise(field).evaluated)


@pytest.mark.parametrize("shape", [(9, 9, 10), (17, 33, 20), (1, 1, 1), (50, 1, 7)])
def test_an_empty_volume_takes_the_lattice_of_stride_8(shape: Shape) -> None:
    field = SmoothField(shape, lambda places: torch.full([len(places)], -BACKGROUND))
    first, second = (len({*range(0, size, stride), size - 1}) for stride in (16, 8) for size in [shape[0]])
    for size in shape[1:]:
        first *= len({*range(0, size, 16), size - 1})
        second *= len({*range(0, size, 8), size - 1})
    extraction = adaptive(field)
    assert not extraction.segmentation.any()
    assert extraction.evaluated == (first, second - first, 0, 0, 0)
    full = SmoothField(shape, lambda places: torch.full([len(places)], BACKGROUND))
    assert adaptive(full).segmentation.all()
    assert adaptive(full).evaluated == extraction.evaluated


@pytest.mark.parametrize(("slope", "lattice"), [(0.8, "16"), (2.0, "8")])
def test_where_the_surface_is_steep_the_whole_lattice_of_stride_8_is_evaluated(slope: float, lattice: str) -> None:
    field = SmoothField((64, 64, 64), ball((31, 30, 33), 15, slope))
    chosen, of_16, of_8 = (
        refine_adaptively(field, Grid.over(field), 2**14, fine_start)[1] for fine_start in (None, False, True)
    )
    assert of_16 < of_8
    assert sum(of_8[:2]) == 9**3
    assert chosen == (of_16 if lattice == "16" else of_8)


@pytest.mark.parametrize("slope", [0.5, 1.0])
def test_small_gentle_balls_are_found_wherever_they_lie(slope: float) -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(8):
        centre = 8 + 16 * torch.rand(3, generator=generator)
        field = SmoothField((33, 33, 33), ball((float(centre[0]), float(centre[1]), float(centre[2])), 1.5, slope))
        assert torch.equal(adaptive(field).segmentation, truth_of(field))


def test_a_hole_is_found_as_a_component_is() -> None:
    inside = ball((16, 16, 16), 1.6)
    field = SmoothField((33, 33, 33), lambda places: -inside(places))
    assert torch.equal(adaptive(field).segmentation, truth_of(field))


def test_nested_classes() -> None:
    outer, inner = ball((24, 20, 22), 16), ball((26, 20, 20), 3)

    def formula(places: Tensor) -> Tensor:
        return torch.stack([-outer(places), outer(places), outer(places) + 2 * inner(places)], -1) / 2

    field = SmoothField((48, 40, 44), formula, classes=3)
    truth = truth_of(field)
    assert truth.unique().tolist() == [0, 1, 2]
    extraction = adaptive(field)
    assert torch.equal(extraction.segmentation, truth)
    assert sum(extraction.evaluated) < 0.2 * truth.numel()


@pytest.mark.parametrize("shape", [(66, 60, 54), (17, 31, 12), (45, 15, 37)])
def test_other_target_grids(shape: Shape) -> None:
    field = SmoothField((33, 30, 27), ball((15.2, 14.1, 12.6), 8))
    grid = Grid.over(field, shape)
    assert torch.equal(adaptive(field, grid).segmentation, dense(field, grid).segmentation)


def test_symmetric_fields_have_symmetric_segmentations() -> None:
    field = SmoothField((33, 33, 33), ball((16, 16, 16), 9.3))
    extraction = adaptive(field)
    for axes in itertools.permutations(range(3)):
        assert torch.equal(extraction.segmentation.permute(axes), extraction.segmentation)
    assert torch.equal(extraction.segmentation.flip(0, 1, 2), extraction.segmentation)


def test_thresholds_are_relative_to_the_background() -> None:
    formula = ball((31, 30, 33), 12)
    plain, scaled = (
        adaptive(SmoothField((64, 60, 50), lambda places, factor=factor: factor * formula(places)))  # type: ignore[misc]
        for factor in (1.0, 4.0)
    )
    assert torch.equal(plain.segmentation, scaled.segmentation)
    assert plain.evaluated == scaled.evaluated


def line(values: list[float], stride: int) -> Level:
    """An evaluated lattice along one axis, whose points have these logits."""
    places = (len(values) - 1) * stride + 1
    knots = torch.tensor(values, dtype=torch.float32)
    field = SmoothField((places, 1, 1), lambda locations: knots[(locations[:, 0] / stride).round().long()])
    level = Level(field, Grid.over(field), stride, 100)
    level.evaluate_all()
    return level


def test_promising_cells_by_hand() -> None:
    # With a confidence of 10 a corner above -2 makes a cell promising at stride 8.
    level = line([-10, -10, -1.9, -10, -2.1, -2.05, -10, -10], 8)
    # The third point is near, and so are, as a peak (above -6), the cells of the sixth.
    assert promising_cells(level, 10)[:, 0, 0].tolist() == [False, True, True, False, True, True, False, False]
    # At stride 2 there are only peaks, above -2, and a minimum of the foreground below 2.
    level = line([-10, -1.9, -1.8, -3, -10, 5, 1.9, 5], 2)
    assert promising_cells(level, 10)[:, 0, 0].tolist() == [False, True, True, False, False, True, True, False]


def test_interpolation_by_hand() -> None:
    # From stride 4: 3, -1 is 3, 1, -1 at stride 2. From there to voxels: 3, 2, 1, 0, -1, of which 0 is background.
    level = line([3, -1, -5], 4)
    assert level.state[:, 0, 0].tolist() == [1 | KNOWN, KNOWN, KNOWN]
    finer = level.subdivide()
    assert finer.logits is not None
    assert finer.logits[0, :, 0, 0].tolist() == [3, 1, -1, -3, -5]
    assert finer.state[:, 0, 0].tolist() == [1 | KNOWN, 1, KNOWN, 0, KNOWN]
    voxels = finer.subdivide()
    assert voxels.state[:, 0, 0].tolist() == [1 | KNOWN, 1, 1, 0, KNOWN, 0, 0, 0, KNOWN]
    cells = torch.zeros(3, 1, 1, dtype=torch.bool)
    cells[0] = True
    assert level.points_of_cells(cells, finer).tolist() == [[1, 0, 0]]


def test_the_last_cell_may_be_of_any_width() -> None:
    field = SmoothField((12, 8, 19), lambda places: 5.47 - places[:, 0] + 0.3137 * (places[:, 2] - places[:, 1]))
    for stride in (16, 8, 4, 2):
        level = Level(field, Grid.over(field), stride, 100)
        level.evaluate_all()
        while level.stride > 1:
            level = level.subdivide()
        # Interpolation is exact on an affine logit, which is nowhere zero.
        expected = labels_of_logits(field.formula(torch.cartesian_prod(*map(torch.arange, field.shape)).float()), 2)
        assert torch.equal((level.state & (KNOWN - 1)).flatten(), expected)
