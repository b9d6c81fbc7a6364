"""Local observations: preparing a volume for patches, gathering patches, and encoding them."""

import math

import pytest
import torch

from benchmarks.micro.measure import Measure
from benchmarks.micro.passes import PASSES
from benchmarks.micro.volumes import SHAPE
from ossnet.network.activation import PadeActivationUnit
from ossnet.network.patches import PatchEncoder, PatchVolume

MODALITIES = 4
SIZE = 7
"""Edge of a patch in voxels (Section 4.1)."""

LOCATIONS = 2**10

CONTEXTS = {"small": False, "larger context": True}


def image(device: torch.device, generator: torch.Generator) -> torch.Tensor:
    """Return a random image [C, H, W, D]."""
    return torch.randn(MODALITIES, *SHAPE, generator=generator, device=device)


@pytest.mark.parametrize("context", CONTEXTS)
def bench_patch_volume(measure: Measure, device: torch.device, generator: torch.Generator, context: str) -> None:
    """Time the preparation of a volume."""
    volume = image(device, generator)
    measure(
        "patch volume",
        volume.shape,
        "voxels",
        math.prod(SHAPE),
        lambda: PatchVolume(volume, SIZE, CONTEXTS[context]),
    )


@pytest.mark.parametrize("between", [False, True], ids=["at voxels", "in between"])
@pytest.mark.parametrize("context", CONTEXTS)
def bench_patch_gather(
    measure: Measure, device: torch.device, generator: torch.Generator, context: str, between: bool
) -> None:
    """Time gathering the patches around locations."""
    patches = PatchVolume(image(device, generator), SIZE, CONTEXTS[context])
    last = torch.tensor(SHAPE, device=device) - 1
    locations = torch.rand(LOCATIONS, 3, generator=generator, device=device) * last
    if not between:
        locations = locations.long()
    shape = (LOCATIONS, SIZE, SIZE, SIZE, MODALITIES * (1 + CONTEXTS[context]))
    measure("patch gather", shape, "locations", LOCATIONS, lambda: patches(locations))


@pytest.mark.parametrize("direction", PASSES)
@pytest.mark.parametrize("context", CONTEXTS)
def bench_patch_encoder(
    measure: Measure, device: torch.device, generator: torch.Generator, context: str, direction: str
) -> None:
    """Time a pass of the patch encoder."""
    channels = MODALITIES * (1 + CONTEXTS[context])
    encoder = PatchEncoder(channels, SIZE, PadeActivationUnit).to(device)
    patches = torch.randn(LOCATIONS, SIZE, SIZE, SIZE, channels, generator=generator, device=device)
    # Patches are read from the image, which takes no gradient.
    work = PASSES[direction](encoder, lambda: encoder(patches), [])
    measure(f"patch encoder, {direction}", patches.shape, "locations", LOCATIONS, work)
