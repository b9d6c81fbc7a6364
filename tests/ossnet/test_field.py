import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from ossnet.field import Grid, VoxelField, evaluate, labels_of, labels_of_logits, logits_of


def random_field(*shape: int) -> VoxelField:
    return VoxelField(torch.rand(shape, generator=torch.Generator().manual_seed(0)))


def voxels(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.cartesian_prod(*(torch.arange(size) for size in shape))


@pytest.mark.parametrize("shape", [(4, 3, 5), (1, 2, 3)])
def test_value_at_each_voxel_for_integer_and_float_coordinates(shape: tuple[int, int, int]) -> None:
    field = random_field(*shape)
    assert field.shape == shape
    assert field.classes == 2
    assert torch.equal(field(voxels(shape)).reshape(shape), field.probabilities[0])
    assert_close(field(voxels(shape).float()).reshape(shape), field.probabilities[0])


@given(st.tuples(*(st.floats(0, size - 1) for size in (4, 3, 5))))
def test_trilinear_is_exact_on_an_affine_volume(point: tuple[float, float, float]) -> None:
    weights = torch.tensor([0.03, 0.07, 0.11])
    field = VoxelField((voxels((4, 3, 5)) * weights).sum(-1).reshape(4, 3, 5))
    location = torch.tensor([point])
    assert_close(field(location), (location * weights).sum(-1), atol=1e-5, rtol=0)


def test_nearest_voxel_beyond_the_border() -> None:
    field = random_field(4, 3, 5)
    outside = torch.tensor([[-2, 1, 2], [9, 1, 2], [3, 7, -1]])
    expected = field(torch.tensor([[0, 1, 2], [3, 1, 2], [3, 2, 0]]))
    assert_close(field(outside), expected)
    assert_close(field(outside.float()), expected)


def test_several_classes_come_last() -> None:
    field = random_field(3, 4, 3, 5)
    assert field.classes == 3
    values = field(torch.tensor([[1, 2, 3], [0, 0, 0]]))
    assert values.shape == (2, 3)
    assert torch.equal(values[0], field.probabilities[:, 1, 2, 3])
    assert_close(field(torch.tensor([[1.0, 2.0, 3.0]])), values[:1])


@pytest.mark.parametrize("max_locations", [1, 7, 60, 1000])
def test_passes_do_not_change_the_answer(max_locations: int) -> None:
    field = random_field(4, 3, 5)
    locations = voxels((4, 3, 5)) * 0.9
    assert torch.equal(evaluate(field, locations, max_locations), field(locations))


def test_no_locations_give_no_probabilities() -> None:
    assert evaluate(random_field(4, 3, 5), torch.empty(0, 3), 8).shape == (0,)
    assert evaluate(random_field(3, 4, 3, 5), torch.empty(0, 3), 8).shape == (0, 3)


def test_labels() -> None:
    assert labels_of(torch.tensor([0.2, 0.5, 0.6]), 2).tolist() == [0, 0, 1]
    labels = labels_of(torch.tensor([[0.2, 0.5, 0.3], [0.4, 0.3, 0.3]]), 3)
    assert labels.tolist() == [1, 0]
    assert labels.dtype == torch.uint8


def test_grids_over_the_same_space_meet_at_cell_centres() -> None:
    field = random_field(4, 6, 5)
    locate = Grid.over(field, (8, 3, 5)).locate
    # Half voxels along the first axis, double ones along the second, the same along the third.
    assert_close(locate(torch.tensor([[0, 0, 0], [7, 2, 4]])), torch.tensor([[-0.25, 0.5, 0], [3.25, 4.5, 4]]))
    # One voxel over a whole axis is at its middle.
    assert_close(Grid.over(field, (1, 1, 1)).locate(torch.zeros(1, 3)), torch.tensor([[1.5, 2.5, 2.0]]))


def test_the_fields_own_grid_keeps_whole_voxels() -> None:
    field = random_field(4, 6, 5)
    for grid in (Grid.over(field), Grid.over(field, (4, 6, 5))):
        assert grid.shape == (4, 6, 5)
        assert torch.equal(grid.locate(torch.tensor([[1, 2, 3]])), torch.tensor([[1, 2, 3]]))


@pytest.mark.parametrize("shape", [(4, 3, 5), (3, 4, 3, 5)])
def test_logits_are_those_of_the_probabilities(shape: tuple[int, ...]) -> None:
    field = random_field(*shape)
    places = voxels((4, 3, 5))
    logits = field.logits(places)
    if field.classes == 2:
        assert_close(logits.sigmoid(), field(places))
    else:
        assert_close(logits.softmax(-1), field(places) / field(places).sum(-1, keepdim=True))
    assert torch.equal(labels_of_logits(logits, field.classes), labels_of(field(places), field.classes))


def test_saturated_probabilities_have_finite_logits() -> None:
    assert logits_of(torch.tensor([0.0, 0.5, 1.0]), 2).tolist() == pytest.approx([-16.1, 0, 16.1], abs=0.2)
    assert logits_of(torch.tensor([[0.0, 0.5, 0.5]]), 3).isfinite().all()


def test_a_lead_within_rounding_is_none() -> None:
    assert labels_of_logits(torch.tensor([-1.0, 0.0, 1e-9, 1e-3]), 2).tolist() == [0, 0, 0, 1]
