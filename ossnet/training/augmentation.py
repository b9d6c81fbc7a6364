"""Augmentations of Section 4.2, which are flips, brightness and Gaussian noise: their draws and their application."""

from dataclasses import dataclass

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass as checked
from torch import Tensor

from ossnet.checks import STRICT
from ossnet.data.slices import Slices


@checked(frozen=True, config=STRICT)
class Augmentation:
    """Probability and strengths of flips, brightness and Gaussian noise.

    The paper names the three and their probability; axes and strengths are those of the released code.

    Attributes:
        probability: probability of each of the three; 0 switches all of them off.
        flip_axes: axes (0, 1, 2 for H, W, D) of which a random non-empty subset is flipped.
        brightness: largest shift of a modality, up or down, as a share of the image's maximum.
        noise: standard deviation of the noise, in units of the normalised image.
    """

    probability: float = Field(default=0.5, ge=0, le=1)
    flip_axes: tuple[int, ...] = (0, 1)
    brightness: float = Field(default=0.15, ge=0)
    noise: float = Field(default=0.15, ge=0)

    def __post_init__(self) -> None:
        if not set(self.flip_axes) <= {0, 1, 2}:
            raise ValueError(f"flip_axes is {self.flip_axes}; name axes 0, 1 and 2 only")
        if len(set(self.flip_axes)) < len(self.flip_axes):
            raise ValueError(f"flip_axes is {self.flip_axes}; name each axis once")


@dataclass(frozen=True)
class AugmentationDraw:
    """Draw of an augmentation, which can be applied several times.

    Attributes:
        flips: axes of the grid that are flipped.
        shifts: shift of the brightness of each modality as a share of the image's maximum, [C]; None for no shift.
        noise_seed: seed of the noise; None for no noise. The noise itself is as large as the image and is made on the
            image's device.
    """

    flips: tuple[int, ...]
    shifts: tuple[float, ...] | None
    noise_seed: int | None


def draw(augmentation: Augmentation, modalities: int, generator: torch.Generator) -> AugmentationDraw:
    """Draw the augmentation of one image of C = `modalities` channels."""

    def happens() -> bool:
        return bool(torch.rand((), generator=generator) < augmentation.probability)

    flips: tuple[int, ...] = ()
    if happens() and augmentation.flip_axes:
        subset = int(torch.randint(1, 2 ** len(augmentation.flip_axes), (), generator=generator))
        flips = tuple(axis for bit, axis in enumerate(augmentation.flip_axes) if subset >> bit & 1)
    shifts = None
    if happens():
        uniform = 2 * torch.rand(modalities, generator=generator) - 1
        shifts = tuple((augmentation.brightness * uniform).tolist())
    noise_seed = int(torch.randint(2**62, (), generator=generator)) if happens() else None
    return AugmentationDraw(flips, shifts, noise_seed)


def augment_image(
    image: Tensor,
    augmentation: Augmentation,
    drawn: AugmentationDraw,
    maximum: float | None = None,
    slices: Slices | None = None,
) -> Tensor:
    """Flip an image [C, H, W, D], shift its brightness and add noise.

    Args:
        image: normalised image, or slices of one.
        augmentation: augmentation that `drawn` was drawn from.
        drawn: draw to apply.
        maximum: largest value of the whole image; None to take it from `image`.
        slices: places, in the augmented volume, of the slices that `image` holds; None for a whole volume. The result
            equals the same slices of the augmented whole image: noise is drawn for the whole volume, which takes that
            much memory for a moment.
    """
    image = image.flip([axis + 1 for axis in _flips_of(drawn, slices)])  # Always a copy.
    if drawn.shifts is not None:
        maximum = float(image.max()) if maximum is None else maximum
        image.add_(maximum * torch.tensor(drawn.shifts, device=image.device)[:, None, None, None])
    if drawn.noise_seed is not None:
        generator = torch.Generator(image.device).manual_seed(drawn.noise_seed)
        grid = image.shape[1:] if slices is None else slices.shape
        noise = torch.randn(len(image), *grid, generator=generator, device=image.device)
        image.add_((noise if slices is None else slices.of(noise)).mul_(augmentation.noise))
    return image


def augment_label(label: Tensor, drawn: AugmentationDraw, slices: Slices | None = None) -> Tensor:
    """Flip a label [H, W, D], or slices of one, as its image."""
    return label.flip(_flips_of(drawn, slices))


def _flips_of(drawn: AugmentationDraw, slices: Slices | None) -> list[int]:
    """Return the axes of the grid to flip, without that of slices: a flip along it was applied when they were read."""
    return [axis for axis in drawn.flips if slices is None or axis != slices.axis]


def augment_locations(locations: Tensor, shape: tuple[int, int, int], drawn: AugmentationDraw) -> Tensor:
    """Move voxel indices [n, 3] of the grid `shape` as the flips move the voxels."""
    locations = locations.clone()
    for axis in drawn.flips:
        locations[:, axis] = shape[axis] - 1 - locations[:, axis]
    return locations
