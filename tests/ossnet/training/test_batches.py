"""Tests of batches: their cases, augmentation and locations."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ossnet.config import build
from ossnet.data.prepared import PreparedCase
from ossnet.data.slices import Slices, Slicing
from ossnet.model import Batch
from ossnet.training.batches import BatchMaker, reading_threads
from ossnet.training.confidence import ConfidenceMemory
from ossnet.training.recipe import Recipe

SHAPE = (16, 16, 16)
ALWAYS_FLIP = {"probability": 1, "noise": 0, "brightness": 0}


def make_recipe(**changes: Any) -> Recipe:
    return build(Recipe, {"batch_size": 2, "sampling": {"count": 32}} | changes, "recipe")


def make_case(*box: slice, border: bool = False) -> PreparedCase:
    """A case with a box of ones in label and image, off the middle of every axis, so that every flip is visible."""
    label = torch.zeros(SHAPE, dtype=torch.uint8)
    label[box] = 1
    places = torch.from_numpy(np.flatnonzero(label.numpy())) if border else None
    return PreparedCase("box", label[None].float(), label, places, np.eye(4), (1, 1, 1))


CASES = [make_case(slice(first, first + 3), slice(3, 10), slice(6, 12)) for first in (3, 4, 5)]


def batch_of(cases: list[PreparedCase], chosen: list[int], recipe: Recipe, memory: ConfidenceMemory | None) -> Batch:
    with ThreadPoolExecutor(1) as readers:
        return maker(cases, recipe, readers, memory).begin(chosen, torch.Generator().manual_seed(0))()


def maker(
    cases: list[PreparedCase],
    recipe: Recipe,
    readers: ThreadPoolExecutor,
    memory: ConfidenceMemory | None = None,
    slicing: Slicing | None = None,
) -> BatchMaker:
    return BatchMaker(cases, recipe.sampling, recipe.augmentation, memory, slicing, readers, torch.device("cpu"))


def draw(batch: Batch) -> tuple[Tensor, Tensor | None]:
    return batch.draw_locations(torch.Generator().manual_seed(1))


def test_a_batch_is_augmented_alike_in_all_its_parts() -> None:
    recipe = make_recipe(augmentation=ALWAYS_FLIP, sampling={"count": 200})
    batch = batch_of(CASES, [0, 1], recipe, None)
    assert batch.images.shape == (2, 1, *SHAPE)
    assert batch.labels.shape == (2, *SHAPE)
    locations, weights = draw(batch)
    assert weights is None
    assert locations.shape == (2, 200, 3)
    assert locations.dtype == torch.int64
    assert ((locations >= 0) & (locations < 16)).all()
    assert torch.equal(batch.images[:, 0], batch.labels.float())
    for case, label in zip(CASES, batch.labels, strict=False):
        assert not torch.equal(label, case.label)
        assert label.sum() == case.label.sum()


def test_border_locations_follow_the_flip() -> None:
    corner = make_case(slice(4), slice(4), slice(4), border=True)
    sampling = {"strategy": "border", "border_share": 1, "count": 50}
    batch = batch_of([corner], [0], make_recipe(augmentation=ALWAYS_FLIP, sampling=sampling), None)
    assert not torch.equal(batch.labels[0], corner.label)
    assert batch.labels[0][tuple(draw(batch)[0][0].T)].all()


def test_the_memory_holds_the_cases_before_the_flip() -> None:
    recipe = make_recipe(
        augmentation=ALWAYS_FLIP | {"flip_axes": [0]},
        sampling={"strategy": "confidence", "count": 50, "memory_cell": 8, "memory_rate": 1, "confidence_share": 0.9},
    )
    memory = ConfidenceMemory(len(CASES), SHAPE, recipe.sampling)
    # All but the first of the eight cells of case 2 are certain.
    memory.uncertainty[2, 1:] = 0
    batch = batch_of(CASES, [1, 2], recipe, memory)
    locations, weights = draw(batch)
    assert weights is not None
    assert locations.shape == (2, 50, 3)
    assert weights.shape == (2, 50)
    corner = (locations[1, :45] >= torch.tensor([8, 0, 0])) & (locations[1, :45] < torch.tensor([16, 8, 8]))
    assert corner.all(-1).sum() >= 43
    before = memory.uncertainty.clone()
    batch.remember(locations, torch.where(locations[..., 0] >= 8, 0.0, 0.5))
    # The predictions are certain from 8 on along the flipped axis, which is below 8 in the cases.
    assert torch.equal(memory.uncertainty[0], before[0])
    assert memory.uncertainty[1].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert memory.uncertainty[2, 0] == 0


@pytest.mark.parametrize("axis", range(3))
def test_a_slicing_model_gets_slices_of_the_augmented_cases(axis: int) -> None:
    recipe = make_recipe(augmentation={"probability": 0.8, "flip_axes": [0, 1, 2]})
    with ThreadPoolExecutor(2) as readers:
        generator, same = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
        batch = maker(CASES, recipe, readers, slicing=Slicing(axis, 5)).begin([2, 0], generator)()
        whole = maker(CASES, recipe, readers).begin([2, 0], same)()
    # After the augmentation, a generator's next draws are the slices, case by case.
    for image, label, all_of_image, all_of_label in zip(
        batch.images, batch.labels, whole.images, whole.labels, strict=True
    ):
        slices = Slices(axis, SHAPE, torch.randperm(16, generator=same)[:5])
        assert torch.equal(image, slices.of(all_of_image))
        assert torch.equal(label, slices.of(all_of_label))
    assert torch.equal(generator.get_state(), same.get_state())


def test_slices_are_all_that_is_read() -> None:
    case, expected = make_case(slice(4), slice(4), slice(4)), []
    recorded = PreparedCase("box", case.image, case.label, None, case.affine, (1, 1, 1), 1.0, expected.append)
    recipe = make_recipe(augmentation=ALWAYS_FLIP | {"flip_axes": [0]})
    with ThreadPoolExecutor(1) as readers:
        maker([recorded], recipe, readers, slicing=Slicing(0, 3)).begin([0], torch.Generator().manual_seed(0))()
    (slices,) = expected
    assert (slices.axis, slices.shape, len(slices.indices)) == (0, SHAPE, 3)


def test_cases_are_read_while_the_caller_goes_on() -> None:
    go_on = threading.Event()

    class Readers(ThreadPoolExecutor):
        def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
            return super().submit(lambda: go_on.wait(60) and function(*arguments, **named))

    with Readers(1) as readers:
        batch = maker(CASES, make_recipe(), readers).begin([0, 1], torch.Generator().manual_seed(0))
        # The call has returned although nothing has been read yet.
        go_on.set()
        assert batch().images.shape == (2, 1, *SHAPE)


def test_interrupted_threads_cancel_the_reads_that_have_not_begun() -> None:
    is_cancelled = threading.Event()
    reading: list[Future[bool]] = []

    def interrupted() -> None:
        with reading_threads(1) as readers:
            # The first read ends when the second is cancelled; without that, the second would wait for it.
            reading.append(readers.submit(is_cancelled.wait, 60))
            readers.submit(pytest.fail, "it was read").add_done_callback(lambda _: is_cancelled.set())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert reading[0].result()
