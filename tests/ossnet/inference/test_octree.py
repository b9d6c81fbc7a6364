"""The octree's levels by hand, what the callback sees of them, and what they hold in memory."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ossnet.evaluation.metrics import disagreement_percent
from ossnet.field import Grid, logits_of
from ossnet.inference.extraction import EXTRACTORS, paper_prior
from ossnet.inference.octree import Level, lattice_axes
from ossnet.memory.accounting import StorageAccount

CPU = torch.device("cpu")


class LabelField:
    """A field that looks its answers up in a label [H, W, D]; its prior is the label in cells of four voxels."""

    device = CPU
    classes = 2

    def __init__(self, label: Tensor) -> None:
        self.label = label.float()
        self.shape = (label.shape[0], label.shape[1], label.shape[2])
        self.prior = torch.nn.functional.avg_pool3d(self.label[None], 4)[0]

    def __call__(self, locations: Tensor) -> Tensor:
        return self.label[tuple(locations.long().T)]

    def logits(self, locations: Tensor) -> Tensor:
        return logits_of(self(locations), 2)


def ball_label(shape: tuple[int, int, int]) -> Tensor:
    """A ball in the middle that takes 1.4 % of the volume's bounding cube."""
    voxels = torch.cartesian_prod(*map(torch.arange, shape))
    distance = (voxels - torch.tensor(shape) / 2).norm(dim=-1)
    return (distance < 0.15 * min(shape)).view(shape)


def half_space() -> Level:
    """The first level, evaluated, of a field that is occupied where the first index is below 2."""
    label = torch.zeros(9, 5, 6)
    label[:2] = 1
    field = LabelField(label)
    level = Level(field, Grid.over(field), 4, 100)
    level.evaluate(torch.ones_like(level.known))
    return level


def test_a_lattice_holds_the_last_voxel_of_each_axis() -> None:
    assert [axis.tolist() for axis in lattice_axes((9, 10, 1), 4, CPU)] == [[0, 4, 8], [0, 4, 8, 9], [0]]


def test_the_encoder_wins_where_it_marks_a_point_as_occupied() -> None:
    field = LabelField(torch.zeros(9, 5, 6))
    level = Level(field, Grid.over(field), 4, 100)
    marked = torch.zeros_like(level.labels)
    marked[0] = 1
    level.trust_prior(marked)
    level.evaluate(torch.ones_like(level.known))
    assert level.labels[:, 0, 0].tolist() == [1, 0, 0]
    # Of 3 x 2 x 3 points those that are not marked.
    assert level.evaluated == 2 * 2 * 3


def test_cells_and_their_corners_by_hand() -> None:
    level = half_space()
    assert level.labels[:, 0, 0].tolist() == [1, 0, 0]
    cells = level.undecided_cells()
    # 3 x 2 x 3 points have 2 x 1 x 2 cells, of which the first along the first axis is undecided.
    assert cells.shape == (2, 1, 2)
    assert cells[:, 0, 0].tolist() == [True, False]
    assert int(cells.sum()) == 2
    corners = level.corners_of(cells)
    assert corners[:2].all()
    assert not corners[2].any()
    one = torch.zeros(2, 1, 2, dtype=torch.bool)
    one[1, 0, 1] = True
    assert level.corners_of(one).nonzero().tolist() == [[i, j, k] for i in (1, 2) for j in (0, 1) for k in (1, 2)]


def test_a_finer_level_inherits_by_hand() -> None:
    finer, inside = half_space().subdivide()
    # Strides of 2: 0, 2, 4, 6, 8 and 0, 2, 4 and 0, 2, 4, 5. Points between take the label of the corner below.
    assert finer.labels[:, 0, 0].tolist() == [1, 1, 0, 0, 0]
    assert finer.known.nonzero().tolist() == [[i, j, k] for i in (0, 2, 4) for j in (0, 2) for k in (0, 2, 3)]
    # The undecided cells span the first axis from 0 to 4, ends included.
    assert inside[:3].all()
    assert not inside[3:].any()
    assert finer.evaluated == 0


def test_the_callback_sees_each_level_before_and_after_it_is_evaluated() -> None:
    field = LabelField(ball_label((22, 20, 18)))
    seen: list[tuple[int, Tensor, Tensor]] = []

    def record(level: Level) -> None:
        assert level.labels.shape == level.known.shape == tuple(map(len, level.axes))
        seen.append((level.stride, level.labels.clone(), level.known.clone()))

    observed, extraction = paper_prior(field, None, 2**14, record), paper_prior(field)
    assert torch.equal(observed.segmentation, extraction.segmentation)
    assert observed.evaluated == extraction.evaluated
    assert [stride for stride, *_ in seen] == [4, 4, 2, 2, 1, 1]
    begun, resolved = seen[::2], seen[1::2]
    # What the prior occupies is known from the start.
    assert torch.equal(begun[0][2], begun[0][1] > 0)
    evaluated = [int((after & ~before).sum()) for (*_, before), (*_, after) in zip(begun, resolved, strict=True)]
    assert tuple(evaluated) == extraction.evaluated
    assert torch.equal(resolved[-1][1], extraction.segmentation)


class LargestIndex(TorchDispatchMode):
    """The most elements of an int64 tensor that an operator took or gave: a GPU copies one that is a mere view."""

    elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves((args, kwargs, result)):
            if isinstance(leaf, Tensor) and leaf.dtype == torch.int64:
                self.elements = max(self.elements, leaf.numel())
        return result


@pytest.mark.parametrize("name", sorted(set(EXTRACTORS) - {"dense"}))
def test_an_extraction_holds_about_seven_bytes_a_voxel(name: str) -> None:
    field = LabelField(ball_label((80, 80, 64)))
    voxels = math.prod(field.shape)
    with StorageAccount() as account, LargestIndex() as indices:
        extraction = EXTRACTORS[name](field, None, 2**10)
    assert disagreement_percent(extraction.segmentation, field.label.to(torch.uint8)) < 0.1
    assert account.peak_bytes < 7.5 * voxels
    # No more than three for each point of the first lattice, and none of the grid's size.
    first = math.prod(map(len, lattice_axes(field.shape, 4, CPU)))
    assert indices.elements <= 3 * first < 0.06 * voxels


class ShellField:
    """A field of many classes, which are shells around the middle of the volume; it holds nothing."""

    shape, device, prior = (64, 64, 64), CPU, None
    classes = 9

    def logits(self, locations: Tensor) -> Tensor:
        distance = ((locations + 0.5) / self.shape[0] - 0.5).norm(dim=-1)
        return -100 * (distance[:, None] - torch.linspace(0.45, 0.05, self.classes)).abs()

    def __call__(self, locations: Tensor) -> Tensor:
        return self.logits(locations).softmax(-1)


@pytest.mark.parametrize("name", ["dense", "mise", "released", "adaptive"])
def test_logits_of_many_classes_are_never_held_for_all_voxels(name: str) -> None:
    field = ShellField()
    with StorageAccount() as account:
        segmentation = EXTRACTORS[name](field, None, 2**10).segmentation
    assert segmentation.unique().tolist() == list(range(field.classes))
    # With eight surfaces in so small a volume, points around them take a good part of the memory.
    assert account.peak_bytes < 0.75 * segmentation.numel() * field.classes * 4
