import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ossnet.data.slices import Slices
from ossnet.training.augmentation import (
    Augmentation,
    AugmentationDraw,
    augment_image,
    augment_label,
    augment_locations,
    draw,
)

SHAPE = (4, 5, 6)
ALWAYS = Augmentation(probability=1)
NOTHING = AugmentationDraw(flips=(), shifts=None, noise_seed=None)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_image(modalities: int = 2) -> Tensor:
    return torch.rand(modalities, *SHAPE, generator=generator())


def every_voxel() -> Tensor:
    return torch.cartesian_prod(*(torch.arange(size) for size in SHAPE))


@given(st.sets(st.integers(0, 2)))
def test_image_label_and_locations_are_flipped_alike(axes: set[int]) -> None:
    drawn = AugmentationDraw(tuple(sorted(axes)), None, None)
    image, locations = random_image(), every_voxel()
    label = (image[0] > 0.5).to(torch.uint8)
    moved = augment_locations(locations, SHAPE, drawn)
    flipped_image, flipped_label = augment_image(image, ALWAYS, drawn), augment_label(label, drawn)
    assert torch.equal(flipped_image[(slice(None), *moved.T)], image[(slice(None), *locations.T)])
    assert torch.equal(flipped_label[tuple(moved.T)], label[tuple(locations.T)])
    assert torch.equal(augment_locations(moved, SHAPE, drawn), locations)


def test_a_flip_by_hand() -> None:
    drawn = AugmentationDraw((0,), None, None)
    locations = torch.tensor([[0, 1, 2], [3, 1, 2]])
    assert augment_locations(locations, SHAPE, drawn).tolist() == [[3, 1, 2], [0, 1, 2]]
    assert locations.tolist() == [[0, 1, 2], [3, 1, 2]]


def test_probability_0_changes_nothing() -> None:
    never = Augmentation(probability=0)
    assert all(draw(never, 4, generator(seed)) == NOTHING for seed in range(50))
    image = random_image()
    assert torch.equal(augment_image(image, never, NOTHING), image)
    assert torch.equal(augment_label(image[0], NOTHING), image[0])


def test_each_augmentation_has_its_probability() -> None:
    source = generator()
    draws = [draw(Augmentation(probability=0.3), 2, source) for _ in range(3000)]
    for happened in (
        [bool(drawn.flips) for drawn in draws],
        [drawn.shifts is not None for drawn in draws],
        [drawn.noise_seed is not None for drawn in draws],
    ):
        # Five standard deviations of a binomial around 900.
        assert abs(sum(happened) - 900) < 126


def test_flips_are_the_non_empty_subsets_of_the_first_two_axes() -> None:
    source = generator()
    flips = [draw(ALWAYS, 1, source).flips for _ in range(300)]
    assert set(flips) == {(0,), (1,), (0, 1)}
    assert min(flips.count(subset) for subset in set(flips)) > 60


def test_only_the_chosen_axes_are_flipped() -> None:
    source = generator()
    assert {draw(Augmentation(probability=1, flip_axes=(2,)), 1, source).flips for _ in range(20)} == {(2,)}
    assert draw(Augmentation(probability=1, flip_axes=()), 1, source).flips == ()
    for axes in ((0, 3), (0, 0)):
        with pytest.raises(ValueError, match="flip_axes"):
            Augmentation(flip_axes=axes)


def test_brightness_moves_each_modality_within_bounds() -> None:
    source = generator()
    shifts = torch.tensor([draw(ALWAYS, 3, source).shifts for _ in range(500)])
    assert shifts.shape == (500, 3)
    assert 0.14 < shifts.max() <= 0.15
    assert -0.15 <= shifts.min() < -0.14
    assert len(set(shifts[0].tolist())) == 3


def test_brightness_by_hand() -> None:
    image = torch.tensor([1.0, 4.0])[:, None, None, None] * torch.ones(2, *SHAPE)
    brighter = augment_image(image, ALWAYS, AugmentationDraw((), (0.1, -0.05), None))
    # The maximum of the whole image is 4.
    assert torch.allclose(brighter[0], torch.tensor(1.4))
    assert torch.allclose(brighter[1], torch.tensor(3.8))


def test_noise_has_its_standard_deviation_and_can_be_replayed() -> None:
    image = torch.zeros(1, 40, 40, 40)
    drawn = AugmentationDraw((), None, 5)
    noise = augment_image(image, ALWAYS, drawn)
    assert noise.std().item() == pytest.approx(0.15, rel=0.02)
    assert noise.mean().item() == pytest.approx(0, abs=0.003)
    assert torch.equal(augment_image(image, ALWAYS, drawn), noise)
    assert not torch.equal(augment_image(image, ALWAYS, AugmentationDraw((), None, 6)), noise)


@given(axis=st.integers(0, 2), seed=st.integers(0, 50))
def test_slices_come_out_as_they_do_of_the_whole_volume(axis: int, seed: int) -> None:
    augmentation = Augmentation(probability=0.7, flip_axes=(0, 1, 2))
    drawn = draw(augmentation, 2, generator(seed))
    image = random_image()
    label = (image[0] > 0.5).to(torch.uint8)
    slices = Slices(axis, SHAPE, torch.tensor([3, 0]))
    read = slices.flipped(drawn.flips)
    part = augment_image(read.of(image), augmentation, drawn, float(image.max()), slices)
    assert torch.equal(part, slices.of(augment_image(image, augmentation, drawn)))
    assert torch.equal(augment_label(read.of(label), drawn, slices), slices.of(augment_label(label, drawn)))
