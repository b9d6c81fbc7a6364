"""The three augmentations of Sec. 4.2: what is drawn, and what it does to an image and its label."""

from dataclasses import dataclass

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass as checked
from torch import Tensor

from ossnet.checks import STRICT
from ossnet.data.slices import Slices


@checked(frozen=True, config=STRICT)
class Augmentation:
    """Flip, brightness and Gaussian noise, each with the same probability.

    The paper names the three and their probability; axes and strengths are the released code's.

    Attributes:
        probability: of each augmentation, 0 to switch all off.
        flip_axes: the axes (0, 1, 2 for H, W, D) of which a random non-empty subset is flipped.
        brightness: a modality moves by up to this part of the image's maximum, up or down.
        noise: standard deviation, in units of the normalised image.
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
    """One draw, that can be applied again.

    Attributes:
        flips: axes of the grid to flip.
        shifts: brightness of each modality as a part of the image's maximum, [C]; None to leave it.
        noise_seed: of the noise; None for no noise. A seed and not the noise, which is as large as the image and is
            made where the image is.
    """

    flips: tuple[int, ...]
    shifts: tuple[float, ...] | None
    noise_seed: int | None


def draw(augmentation: Augmentation, modalities: int, generator: torch.Generator) -> AugmentationDraw:
    """Draw what to do to one image of C = `modalities` channels."""

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
    """The image [C, H, W, D] flipped, brightened and with noise.

    Args:
        maximum: of the whole image; None to look for it in `image`.
        slices: the places, in the augmented volume, of the slices that `image` holds instead of the whole. They come
            out as they do of the whole image: noise is drawn for all of it, which takes a volume's memory for a moment.
    """
    image = image.flip([axis + 1 for axis in _flips_of(drawn, slices)])
    if drawn.shifts is not None:
        maximum = float(image.max()) if maximum is None else maximum
        image = image + maximum * torch.tensor(drawn.shifts, device=image.device)[:, None, None, None]
    if drawn.noise_seed is not None:
        generator = torch.Generator(image.device).manual_seed(drawn.noise_seed)
        grid = image.shape[1:] if slices is None else slices.shape
        noise = torch.randn(len(image), *grid, generator=generator, device=image.device)
        image = image + augmentation.noise * (noise if slices is None else slices.of(noise))
    return image


def augment_label(label: Tensor, drawn: AugmentationDraw, slices: Slices | None = None) -> Tensor:
    """The label [H, W, D], or the slices that it holds, flipped as its image."""
    return label.flip(_flips_of(drawn, slices))


def _flips_of(drawn: AugmentationDraw, slices: Slices | None) -> list[int]:
    """Axes of the grid to flip; across slices the flip has chosen which are read."""
    return [axis for axis in drawn.flips if slices is None or axis != slices.axis]


def augment_locations(locations: Tensor, shape: tuple[int, int, int], drawn: AugmentationDraw) -> Tensor:
    """Voxel indices [n, 3] of the unflipped grid, where the flip takes them."""
    locations = locations.clone()
    for axis in drawn.flips:
        locations[:, axis] = shape[axis] - 1 - locations[:, axis]
    return locations
