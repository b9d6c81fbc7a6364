import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import label as components
from torch import Tensor

from ossnet.errors import UserError
from ossnet.evaluation.metrics import disagreement_percent
from ossnet.field import Grid, VoxelField, labels_of, logits_of
from ossnet.inference.extraction import (
    EXTRACTORS,
    FIRST_STATES,
    Extraction,
    dense,
    mise,
    paper_first_state,
    paper_prior,
    released,
    released_first_state,
    released_prior,
)

Shape = tuple[int, int, int]
Occupancy = Callable[[Tensor], Tensor]


@dataclass
class AnalyticField:
    """Occupancy by a formula on coordinates [n, 3]; counts the locations that it was asked at."""

    shape: Shape
    occupancy: Occupancy
    prior: Tensor | None = None
    classes: int = 2
    asked: int = 0
    device = torch.device("cpu")

    def __call__(self, locations: Tensor) -> Tensor:
        self.asked += len(locations)
        return self.occupancy(locations.float())

    def logits(self, locations: Tensor) -> Tensor:
        return logits_of(self(locations), self.classes)


def ball(centre: tuple[float, float, float], radius: float) -> Occupancy:
    return lambda locations: ((locations.float() - torch.tensor(centre)).norm(dim=-1) < radius).float()


def union(first: Occupancy, second: Occupancy) -> Occupancy:
    return lambda locations: torch.maximum(first(locations), second(locations))


def box(low: Shape, high: Shape) -> Occupancy:
    return lambda locations: ((locations >= torch.tensor(low)) & (locations <= torch.tensor(high))).all(-1).float()


def voxels(shape: Shape) -> Tensor:
    return torch.cartesian_prod(*(torch.arange(size) for size in shape))


def coarse(field: AnalyticField, shape: Shape = (4, 4, 4)) -> Tensor:
    """A right prior: the field's own answer at the centres of coarse voxels."""
    centres = Grid.over(field, shape).locate(voxels(shape))
    return field.occupancy(centres).reshape(shape)


BALL = AnalyticField((22, 20, 18), ball((10, 9, 8), 6.2))
BALL.prior = coarse(BALL)
TWO = AnalyticField((25, 17, 21), union(ball((6, 8, 7), 4.5), ball((18, 8, 14), 4.2)))
BOX = AnalyticField((16, 19, 23), box((3, 4, 5), (9, 12, 16)))


@pytest.mark.parametrize("field", [BALL, TWO, BOX])
def test_dense_is_the_thresholded_field_and_mise_the_same_for_less(field: AnalyticField) -> None:
    everything, octree = dense(field), mise(field)
    expected = labels_of(field.occupancy(voxels(field.shape).float()), 2).reshape(field.shape)
    assert torch.equal(everything.segmentation, expected)
    assert everything.segmentation.dtype == torch.uint8
    assert everything.evaluated == (expected.numel(),)
    assert torch.equal(octree.segmentation, expected)
    assert sum(octree.evaluated) < 0.6 * expected.numel()


@pytest.mark.parametrize("name", EXTRACTORS)
def test_every_extractor_gives_the_ball_and_counts_what_it_asks_whatever_the_passes(name: str) -> None:
    before = BALL.asked
    whole = EXTRACTORS[name](BALL, None, 2**20)
    assert sum(whole.evaluated) == BALL.asked - before
    assert len(whole.evaluated) == {"dense": 1, "adaptive": 5}.get(name, 3)
    assert disagreement_percent(whole.segmentation, dense(BALL).segmentation) < 0.1
    for max_locations in (7, 300):
        parts = EXTRACTORS[name](BALL, None, max_locations)
        assert torch.equal(whole.segmentation, parts.segmentation)
        assert whole.evaluated == parts.evaluated


# 0, 4, 8 along each axis, and for the octree also 9 as the last of ten.
@pytest.mark.parametrize(("name", "shape", "first"), [("mise", (9, 9, 10), 3 * 3 * 4), ("released", (9, 10, 12), 3**3)])
def test_in_an_empty_volume_only_the_first_lattice_is_evaluated(name: str, shape: Shape, first: int) -> None:
    field = AnalyticField(shape, lambda locations: torch.zeros(len(locations)))
    assert EXTRACTORS[name](field, None, 2**14).evaluated == (first, 0, 0)


def test_mise_by_hand_on_a_half_space() -> None:
    field = AnalyticField((9, 5, 5), lambda locations: (locations[:, 0] < 1.5).float())
    # Of 3 x 2 x 2 corners the cell 0-4 is undecided: its 27 points less 8 known, then the half 0-2, its 75 less 18.
    assert mise(field).evaluated == (12, 19, 57)


def unseen(truth: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Voxels of the components, of each class and joined at corners too, that hold no known voxel."""
    missed = np.zeros(truth.shape, bool)
    for value in np.unique(truth):
        labelled, _ = components(truth == value, np.ones((3, 3, 3)))
        missed |= (labelled > 0) & ~np.isin(labelled, labelled[known])
    return missed


def lattice(shape: Shape) -> np.ndarray:
    """The points that the octree starts from."""
    mask = np.zeros(shape, bool)
    mask[np.ix_(*(sorted({*range(0, size, 4), size - 1}) for size in shape))] = True
    return mask


def field_of(label: Tensor, classes: int, prior: Tensor | None) -> AnalyticField:
    """The field of a label [H, W, D], with any prior."""
    one_hot = torch.nn.functional.one_hot(label.long(), classes).movedim(-1, 0).float()
    field = VoxelField(one_hot[1] if classes == 2 else one_hot)
    return AnalyticField(field.shape, lambda locations: field(locations.long()), prior, classes)


@st.composite
def noises(draw: st.DrawFn) -> AnalyticField:
    """A field of random voxels, and a prior of random probabilities on a coarse grid."""
    shape, classes = draw(st.tuples(*[st.integers(1, 13)] * 3)), draw(st.integers(2, 4))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    filled = torch.rand(shape, generator=generator) < draw(st.floats(0.02, 0.98))
    label = torch.randint(1, classes, shape, generator=generator) * filled
    prior = torch.rand((3, 2, 2) if classes == 2 else (classes, 3, 2, 2), generator=generator)
    return field_of(label, classes, prior)


@given(noises())
def test_mise_misses_nothing_but_what_it_never_met(field: AnalyticField) -> None:
    truth = dense(field).segmentation.numpy()
    missed = unseen(truth, lattice(truth.shape))
    np.testing.assert_array_equal(mise(field).segmentation.numpy()[~missed], truth[~missed])


@given(noises())
def test_paper_prior_is_mise_of_a_field_that_the_prior_has_overruled(field: AnalyticField) -> None:
    state = paper_first_state(field, Grid.over(field))
    overruled = dense(field).segmentation
    points = torch.cartesian_prod(*state.axes)[state.labels.flatten() > 0]
    overruled[tuple(points.T)] = state.labels[state.labels > 0]
    expected, extraction = mise(field_of(overruled, field.classes, None)), paper_prior(field)
    assert torch.equal(extraction.segmentation, expected.segmentation)
    assert extraction.evaluated == (expected.evaluated[0] - len(points), *expected.evaluated[1:])


@given(noises())
def test_released_prior_begins_with_what_the_prior_occupies_with_aligned_corners(field: AnalyticField) -> None:
    state = released_first_state(field, Grid.over(field))
    prior = field.prior if field.classes > 2 else field.prior[None]
    whole = [len(axis) for axis in state.axes]
    upsampled = torch.nn.functional.interpolate(prior[None], whole, mode="trilinear", align_corners=True)[0]
    expected = labels_of(upsampled[0] if field.classes == 2 else upsampled.movedim(0, -1), field.classes)
    assert torch.equal(state.labels, expected)
    extraction = released_prior(field)
    assert extraction.evaluated[0] == (state.labels > 0).sum()
    assert extraction.evaluated[0] <= released(field).evaluated[0] == state.labels.numel()


@pytest.mark.parametrize("shape", [(1, 9, 12), (9, 1, 1), (1, 1, 1), (2, 3, 5)])
@pytest.mark.parametrize("name", ["mise", "released"])
def test_thin_grids(shape: Shape, name: str) -> None:
    field = AnalyticField(shape, lambda locations: (locations[:, 1] + locations[:, 0] < 5.5).float())
    assert torch.equal(EXTRACTORS[name](field, None, 2**14).segmentation, dense(field).segmentation)


def test_several_classes() -> None:
    outer, inner = ball((9, 8, 10), 7.5), ball((9, 8, 10), 4.5)

    def occupancy(locations: Tensor) -> Tensor:
        return torch.stack([1 - outer(locations), outer(locations) - inner(locations), inner(locations)], -1)

    field = AnalyticField((18, 17, 21), occupancy, classes=3)
    field.prior = occupancy(Grid.over(field, (4, 4, 5)).locate(voxels((4, 4, 5)))).T.reshape(3, 4, 4, 5)
    truth = dense(field).segmentation
    assert truth.unique().tolist() == [0, 1, 2]
    assert torch.equal(mise(field).segmentation, truth)
    for extract in (paper_prior, released, released_prior):
        assert disagreement_percent(extract(field).segmentation, truth) < 0.5


@pytest.mark.parametrize("name", EXTRACTORS)
def test_nested_regions_are_refined_at_every_surface(name: str) -> None:
    """Logits that fall by one per voxel across three spheres, each of them inside the next."""
    spheres = ((15, 14, 16), 12), ((16, 15, 14), 8), ((17, 15, 14), 4)

    def occupancy(locations: Tensor) -> Tensor:
        return torch.stack([r - (locations - torch.tensor(c)).norm(dim=-1) for c, r in spheres], -1).sigmoid()

    field = AnalyticField((32, 30, 31), occupancy, classes=4)
    coarse = Grid.over(field, (8, 8, 8)).locate(voxels((8, 8, 8)))
    field.prior = field(coarse).T.reshape(3, 8, 8, 8)
    truth = dense(field).segmentation
    assert truth.unique().tolist() == [0, 1, 2, 3]
    field.asked = 0
    extraction = EXTRACTORS[name](field, None, 2**14)
    assert field.asked == sum(extraction.evaluated)
    assert disagreement_percent(extraction.segmentation, truth) < (
        0.5 if "prior" in name or name == "released" else 1e-9
    )
    again = EXTRACTORS[name](field, None, 100)
    assert torch.equal(again.segmentation, extraction.segmentation)


@pytest.mark.parametrize("shape", [(44, 40, 36), (11, 20, 9), (30, 10, 25)])
def test_target_grids_finer_coarser_and_anisotropic(shape: Shape) -> None:
    grid = Grid.over(BALL, shape)
    truth = dense(BALL, grid).segmentation
    assert truth.shape == shape
    # The ball fills the same part of any grid over the same space, to within a layer of voxels.
    assert truth.float().mean().item() == pytest.approx(dense(BALL).segmentation.float().mean().item(), rel=0.15)
    assert torch.equal(mise(BALL, grid).segmentation, truth)
    assert disagreement_percent(paper_prior(BALL, grid).segmentation, truth) < 0.5


def test_one_voxel_on_an_axis_of_the_target() -> None:
    for extract in (dense, mise):
        segmentation = extract(BALL, Grid.over(BALL, (22, 20, 1))).segmentation
        # The middle of the third axis is 8.5, half a voxel from the centre of the ball.
        disc = ball((10, 9, 8), 6.2)(voxels((22, 20, 1)) + torch.tensor([0, 0, 8.5]))
        assert torch.equal(segmentation.flatten().float(), disc)


# A ball of radius 6.2 in 22 x 20 x 18 voxels, whose octree begins with 7 x 6 x 6 points.
PRIORS = {
    "right": coarse(BALL),
    "empty": torch.zeros(4, 4, 4),
    "shifted": coarse(BALL).roll(1, dims=0),
    "inverted": 1 - coarse(BALL),
    "full": torch.ones(4, 4, 4),
}


def extract_with(extract: Callable[[AnalyticField], Extraction], prior: str) -> tuple[float, int]:
    """Disagreement with the field in percent of the ball's voxels, and locations evaluated, with a named prior."""
    field = AnalyticField(BALL.shape, BALL.occupancy, PRIORS[prior])
    truth, extraction = dense(field).segmentation, extract(field)
    return 100 * float((extraction.segmentation != truth).sum() / truth.sum()), sum(extraction.evaluated)


def test_an_empty_and_a_full_prior() -> None:
    # Empty, it leaves `mise` to the text and nothing to the code.
    assert extract_with(paper_prior, "empty") == (0, sum(mise(BALL).evaluated))
    assert extract_with(released_prior, "empty") == (100, 0)
    # Full, it leaves the text nothing to evaluate, so that all is occupied, and the code all, as without a prior.
    everything, inside = 22 * 20 * 18, int(dense(BALL).segmentation.sum())
    assert extract_with(paper_prior, "full") == (pytest.approx(100 * (everything - inside) / inside), 0)
    assert extract_with(released_prior, "full") == extract_with(released, "full")


def test_a_wrong_prior_costs_voxels_and_by_the_text_evaluations_too() -> None:
    right, fewest = extract_with(paper_prior, "right")
    for prior in ("shifted", "inverted"):
        wrong, evaluated = extract_with(paper_prior, prior)
        assert wrong > 1 > right
        assert evaluated > sum(mise(BALL).evaluated) > fewest
    assert extract_with(released_prior, "right")[0] < 2 < extract_with(released_prior, "inverted")[0]


def test_both_readings_up_sample_the_prior_by_hand() -> None:
    # Two cells of 4.5 voxels, whose centres lie at 1.75 and 6.25 by the text, and at 0 and 8 by the code.
    field = AnalyticField((9, 5, 5), ball((0, 0, 0), 1), torch.tensor([1.0, 0.25])[:, None, None].expand(2, 1, 1))
    for extraction, first_state in FIRST_STATES.items():
        state = first_state(field, Grid.over(field))
        assert [axis.tolist() for axis in state.axes] == [[0, 4, 8], [0, 4], [0, 4]]
        # Midway at 4 it is 0.625 by both.
        assert state.labels[:, 0, 0].tolist() == [1, 1, 0], extraction
    # At 5 it is 0.458 by the text and 0.531 by the code.
    shifted = Grid((9, 5, 5), lambda indices: indices + torch.tensor([1.0, 0, 0]))
    assert paper_first_state(field, shifted).labels[:, 0, 0].tolist() == [1, 0, 0]
    assert released_first_state(field, shifted).labels[:, 0, 0].tolist() == [1, 1, 0]


def test_what_the_prior_misses_is_lost_to_the_released_code() -> None:
    field = AnalyticField(TWO.shape, TWO.occupancy)
    field.prior = coarse(field, (6, 4, 5)) * (torch.arange(6)[:, None, None] < 3)
    truth = dense(field).segmentation
    assert torch.equal(paper_prior(field).segmentation[13:], truth[13:])
    lost = released_prior(field).segmentation
    assert not lost[13:].any()
    assert disagreement_percent(lost[:12], truth[:12]) < 0.5


@pytest.mark.parametrize("extract", [paper_prior, released_prior])
def test_a_model_without_prior_is_refused(extract: Callable[..., object]) -> None:
    with pytest.raises(UserError, match="extract with mise or dense"):
        extract(TWO)


def test_a_full_volume_is_full() -> None:
    field = AnalyticField((9, 10, 12), lambda locations: torch.ones(len(locations)), torch.ones(2, 2, 2))
    for name, extract in EXTRACTORS.items():
        assert extract(field, None, 2**14).segmentation.all(), name


def test_symmetric_fields_have_symmetric_segmentations() -> None:
    field = AnalyticField((17, 17, 17), ball((8, 8, 8), 5.3))
    segmentation = mise(field).segmentation
    for axes in itertools.permutations(range(3)):
        assert torch.equal(segmentation.permute(axes), segmentation)
    assert torch.equal(segmentation.flip(0, 1, 2), segmentation)
