import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label as components
from torch import Tensor

from ossnet.errors import UserError
from ossnet.evaluation.metrics import disagreement_percent
from ossnet.field import Grid, VoxelField, labels_of
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
Balls = list[tuple[tuple[float, float, float], float]]


@dataclass
class AnalyticField:
    """Occupancy by a formula on coordinates [n, 3]; counts the locations that it was asked at."""

    shape: Shape
    occupancy: Callable[[Tensor], Tensor]
    prior: Tensor | None = None
    classes: int = 2
    asked: int = 0
    device = torch.device("cpu")

    def __call__(self, locations: Tensor) -> Tensor:
        self.asked += len(locations)
        return self.occupancy(locations.float())


def ball(centre: tuple[float, float, float], radius: float) -> Callable[[Tensor], Tensor]:
    return lambda locations: ((locations.float() - torch.tensor(centre)).norm(dim=-1) < radius).float()


def union(balls: Balls) -> Callable[[Tensor], Tensor]:
    return lambda locations: torch.stack([ball(*one)(locations) for one in balls]).amax(0)


def box(low: Shape, high: Shape) -> Callable[[Tensor], Tensor]:
    return lambda locations: ((locations >= torch.tensor(low)) & (locations <= torch.tensor(high))).all(-1).float()


def voxels(shape: Shape) -> Tensor:
    return torch.cartesian_prod(*(torch.arange(size) for size in shape))


def coarse(field: AnalyticField, shape: Shape = (4, 4, 4)) -> Tensor:
    """A right prior: the field's own answer at the centres of coarse voxels."""
    centres = Grid.over(field, shape).locate(voxels(shape))
    return field.occupancy(centres).reshape(shape)


BALL = AnalyticField((22, 20, 18), ball((10, 9, 8), 6.2))
BALL.prior = coarse(BALL)
TWO = AnalyticField((25, 17, 21), union([((6, 8, 7), 4.5), ((18, 8, 14), 4.2)]))
BOX = AnalyticField((16, 19, 23), box((3, 4, 5), (9, 12, 16)))


@pytest.mark.parametrize("field", [BALL, TWO, BOX])
def test_dense_is_the_thresholded_field(field: AnalyticField) -> None:
    extraction = dense(field)
    expected = labels_of(field.occupancy(voxels(field.shape).float()), 2).reshape(field.shape)
    assert torch.equal(extraction.segmentation, expected)
    assert extraction.segmentation.dtype == torch.uint8
    assert extraction.evaluated == (expected.numel(),)


@pytest.mark.parametrize("name", EXTRACTORS)
@pytest.mark.parametrize("max_locations", [7, 300])
def test_passes_do_not_change_the_answer(name: str, max_locations: int) -> None:
    whole, parts = EXTRACTORS[name](BALL, None, 2**20), EXTRACTORS[name](BALL, None, max_locations)
    assert torch.equal(whole.segmentation, parts.segmentation)
    assert whole.evaluated == parts.evaluated


@pytest.mark.parametrize("name", EXTRACTORS)
def test_every_extractor_counts_what_it_asks(name: str) -> None:
    before = BALL.asked
    extraction = EXTRACTORS[name](BALL, None, 500)
    assert sum(extraction.evaluated) == BALL.asked - before
    assert len(extraction.evaluated) == (1 if name == "dense" else 3)
    assert extraction.segmentation.shape == BALL.shape


@pytest.mark.parametrize("name", EXTRACTORS)
def test_every_extractor_gives_a_ball(name: str) -> None:
    segmentation = EXTRACTORS[name](BALL, None, 2**14).segmentation
    assert disagreement_percent(segmentation, dense(BALL).segmentation) < 0.1


@pytest.mark.parametrize("field", [BALL, TWO, BOX])
def test_mise_equals_dense_for_less(field: AnalyticField) -> None:
    extraction, everything = mise(field), dense(field)
    assert torch.equal(extraction.segmentation, everything.segmentation)
    assert sum(extraction.evaluated) < 0.6 * sum(everything.evaluated)


def test_mise_evaluates_the_corners_first() -> None:
    field = AnalyticField((9, 9, 10), lambda locations: torch.zeros(len(locations)))
    # 0, 4, 8 along each axis, and 9 as the last of ten; nothing to subdivide.
    assert mise(field).evaluated == (3 * 3 * 4, 0, 0)


def test_mise_by_hand_on_a_half_space() -> None:
    field = AnalyticField((9, 5, 5), lambda locations: (locations[:, 0] < 1.5).float())
    # Of 3 x 2 x 2 corners the cell 0-4 is undecided: its 27 points less 8 known, then the half 0-2, its 75 less 18.
    assert mise(field).evaluated == (12, 19, 57)


UNIONS = st.lists(
    st.tuples(st.tuples(st.floats(0, 19), st.floats(0, 16), st.floats(0, 18)), st.floats(4, 9)), min_size=1, max_size=4
)


def unseen(truth: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Voxels of the components, of each class and joined at corners too, that hold no known voxel."""
    missed = np.zeros(truth.shape, bool)
    for value in np.unique(truth):
        labelled, count = components(truth == value, np.ones((3, 3, 3)))
        seen = set(labelled[known].tolist())
        missed |= np.isin(labelled, [index for index in range(1, count + 1) if index not in seen])
    return missed


def lattice(shape: Shape) -> np.ndarray:
    """The points that the octree starts from."""
    mask = np.zeros(shape, bool)
    mask[np.ix_(*(sorted({*range(0, size, 4), size - 1}) for size in shape))] = True
    return mask


@settings(max_examples=40, deadline=None)
@given(UNIONS)
def test_mise_equals_dense_for_balls(balls: Balls) -> None:
    field = AnalyticField((20, 17, 19), union(balls))
    truth = dense(field).segmentation.numpy()
    # A ball of radius 4 holds a point of the lattice; a pocket between balls need not.
    missed = unseen(truth, lattice(field.shape))
    assert not missed[truth == 1].any()
    np.testing.assert_array_equal(mise(field).segmentation.numpy()[~missed], truth[~missed])


@dataclass
class Noise:
    """A field of random voxels, and a prior of random probabilities on a coarse grid."""

    truth: Tensor
    classes: int
    guess: Tensor

    def field(self, truth: Tensor | None = None) -> AnalyticField:
        """The field of `truth` [H, W, D], by default its own."""
        truth = self.truth if truth is None else truth
        one_hot = torch.nn.functional.one_hot(truth, self.classes).movedim(-1, 0).float()
        voxel_field = VoxelField(one_hot[1] if self.classes == 2 else one_hot)
        shape = (truth.shape[0], truth.shape[1], truth.shape[2])
        return AnalyticField(shape, lambda locations: voxel_field(locations.long()), self.guess, self.classes)


@st.composite
def noises(draw: st.DrawFn) -> Noise:
    shape, classes = draw(st.tuples(*[st.integers(1, 13)] * 3)), draw(st.integers(2, 4))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    filled = torch.rand(shape, generator=generator) < draw(st.floats(0.02, 0.98))
    truth = torch.randint(1, classes, shape, generator=generator) * filled
    guess = torch.rand((3, 2, 2) if classes == 2 else (classes, 3, 2, 2), generator=generator)
    return Noise(truth, classes, guess)


@settings(max_examples=40, deadline=None)
@given(noises())
def test_mise_misses_nothing_but_what_it_never_met(noise: Noise) -> None:
    truth = noise.truth.numpy()
    missed = unseen(truth, lattice(truth.shape))
    np.testing.assert_array_equal(mise(noise.field()).segmentation.numpy()[~missed], truth[~missed])


@settings(max_examples=40, deadline=None)
@given(noises())
def test_paper_prior_is_mise_of_a_field_that_the_prior_has_overruled(noise: Noise) -> None:
    field = noise.field()
    state = paper_first_state(field, Grid.over(field))
    overruled = noise.truth.clone()
    points = torch.cartesian_prod(*state.axes)[state.labels.flatten() > 0]
    overruled[tuple(points.T)] = state.labels[state.labels > 0].long()
    expected, extraction = mise(noise.field(overruled)), paper_prior(field)
    assert torch.equal(extraction.segmentation, expected.segmentation)
    assert extraction.evaluated == (expected.evaluated[0] - len(points), *expected.evaluated[1:])


@settings(max_examples=40, deadline=None)
@given(noises())
def test_released_prior_begins_with_what_the_prior_occupies(noise: Noise) -> None:
    field = noise.field()
    state = released_first_state(field, Grid.over(field))
    extraction = released_prior(field)
    assert extraction.evaluated[0] == (state.labels > 0).sum()
    assert extraction.evaluated[0] <= released(field).evaluated[0] == state.labels.numel()


@pytest.mark.parametrize("shape", [(1, 9, 12), (9, 1, 1), (1, 1, 1), (2, 3, 5)])
@pytest.mark.parametrize("extract", [mise, released])
def test_thin_grids(shape: Shape, extract: Callable[..., object]) -> None:
    field = AnalyticField(shape, lambda locations: (locations[:, 1] + locations[:, 0] < 5.5).float())
    assert torch.equal(EXTRACTORS[extract.__name__](field, None, 2**14).segmentation, dense(field).segmentation)


def test_several_classes() -> None:
    nested = [ball((9, 8, 10), 7.5), ball((9, 8, 10), 4.5)]

    def occupancy(locations: Tensor) -> Tensor:
        outer, inner = (one(locations) for one in nested)
        return torch.stack([1 - outer, outer - inner, inner], -1)

    field = AnalyticField((18, 17, 21), occupancy, classes=3)
    field.prior = occupancy(Grid.over(field, (4, 4, 5)).locate(voxels((4, 4, 5)))).T.reshape(3, 4, 4, 5)
    truth = dense(field).segmentation
    assert truth.unique().tolist() == [0, 1, 2]
    assert torch.equal(mise(field).segmentation, truth)
    for extract in (paper_prior, released, released_prior):
        assert disagreement_percent(extract(field).segmentation, truth) < 0.5


@pytest.mark.parametrize("shape", [(44, 40, 36), (11, 20, 9), (30, 10, 25)])
def test_target_grids_finer_coarser_and_anisotropic(shape: Shape) -> None:
    grid = Grid.over(BALL, shape)
    truth = dense(BALL, grid).segmentation
    assert truth.shape == shape
    # The ball fills the same part of any grid over the same space, to within a layer of voxels.
    assert truth.float().mean().item() == pytest.approx(dense(BALL).segmentation.float().mean().item(), rel=0.15)
    assert torch.equal(mise(BALL, grid).segmentation, truth)
    assert disagreement_percent(paper_prior(BALL, grid).segmentation, truth) < 0.5


def test_grids_over_the_same_space_meet_at_cell_centres() -> None:
    field = AnalyticField((4, 6, 5), ball((0, 0, 0), 1))
    locate = Grid.over(field, (8, 3, 5)).locate
    # Half voxels along the first axis, double ones along the second, the same along the third.
    assert torch.allclose(locate(torch.tensor([[0, 0, 0], [7, 2, 4]])), torch.tensor([[-0.25, 0.5, 0], [3.25, 4.5, 4]]))
    # One voxel over a whole axis is at its middle.
    assert torch.allclose(Grid.over(field, (1, 1, 1)).locate(torch.zeros(1, 3)), torch.tensor([[1.5, 2.5, 2.0]]))


def test_the_fields_own_grid_keeps_whole_voxels() -> None:
    field = AnalyticField((4, 6, 5), ball((0, 0, 0), 1))
    for grid in (Grid.over(field), Grid.over(field, (4, 6, 5))):
        assert grid.shape == (4, 6, 5)
        assert torch.equal(grid.locate(torch.tensor([[1, 2, 3]])), torch.tensor([[1, 2, 3]]))


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


def test_an_empty_prior_leaves_mise_to_the_text_and_nothing_to_the_released_code() -> None:
    assert extract_with(paper_prior, "empty") == (0, sum(mise(BALL).evaluated))
    assert extract_with(released_prior, "empty") == (100, 0)


def test_what_a_full_prior_costs() -> None:
    everything, inside = 22 * 20 * 18, int(dense(BALL).segmentation.sum())
    # By the text nothing is left to evaluate, and all is occupied.
    wrong, evaluated = extract_with(paper_prior, "full")
    assert (wrong, evaluated) == (pytest.approx(100 * (everything - inside) / inside), 0)
    # By the code all is evaluated, as without a prior.
    assert extract_with(released_prior, "full") == extract_with(released, "full")


@pytest.mark.parametrize("prior", ["shifted", "inverted"])
def test_a_wrong_prior_costs_voxels_and_evaluations_by_the_text(prior: str) -> None:
    wrong, evaluated = extract_with(paper_prior, prior)
    right, fewest = extract_with(paper_prior, "right")
    assert wrong > 1 > right
    assert evaluated > sum(mise(BALL).evaluated) > fewest


def test_an_inverted_prior_loses_most_of_the_inside_by_the_released_code() -> None:
    assert extract_with(released_prior, "right")[0] < 2 < extract_with(released_prior, "inverted")[0]


def test_a_right_prior_saves_the_occupied_points() -> None:
    field = AnalyticField((33, 33, 33), ball((16, 16, 16), 14))
    # One cell of the prior around each point of the lattice: what it says of them is right.
    field.prior = coarse(field, (33, 33, 33))
    first = int(field.prior[::4, ::4, ::4].sum())
    assert mise(field).evaluated[0] == 9**3
    assert paper_prior(field).evaluated == (9**3 - first, *mise(field).evaluated[1:])
    assert torch.equal(paper_prior(field).segmentation, dense(field).segmentation)


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


@settings(max_examples=40, deadline=None)
@given(noises())
def test_the_released_code_aligns_corners(noise: Noise) -> None:
    field = noise.field()
    state = released_first_state(field, Grid.over(field))
    probabilities = noise.guess if noise.classes > 2 else noise.guess[None]
    whole = [len(axis) for axis in state.axes]
    upsampled = torch.nn.functional.interpolate(probabilities[None], whole, mode="trilinear", align_corners=True)[0]
    expected = labels_of(upsampled[0] if noise.classes == 2 else upsampled.movedim(0, -1), noise.classes)
    assert torch.equal(state.labels, expected)


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


def test_released_evaluates_every_fourth_point_first() -> None:
    field = AnalyticField((9, 10, 12), lambda locations: torch.zeros(len(locations)))
    assert released(field).evaluated == (3 * 3 * 3, 0, 0)


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
