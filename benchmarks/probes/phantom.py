"""A volume without a data set, and a field with which an untrained network costs as much as a trained one.

The number of locations that an octree evaluates depends on the predictions, and an untrained network predicts noise.
Here the network is evaluated at every location, and its predictions are replaced by a tumour-like shape in closed form.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ossnet.field import OccupancyField, SubstituteField
from ossnet.model import SegmentationModel

Shape = tuple[int, int, int]

CENTRES = ((0.42, 0.40, 0.55), (0.53, 0.48, 0.48), (0.30, 0.60, 0.70))
RADII = ((0.14, 0.125, 0.155), (0.095, 0.10, 0.095), (0.05, 0.05, 0.055))
"""Centres and radii of the target's ellipsoids, as parts of the volume's edges: two that overlap, and a satellite.

Together they take 1.5 % of the volume. On a grid of 256x256x160 `ossnet.inference.extraction.mise` evaluates 275,000
locations; for the whole tumours of four cases of BraTS 2015, which take 0.8 to 2.1 %, it evaluates 237,000 to 307,000.
"""

LOBES = 7.0
"""Angular frequency of the lobes on the ellipsoids' surfaces."""

LOBE_HEIGHT = 0.25
"""Largest part of a radius that a lobe adds or takes away."""

CONFIDENCE = 10.0
SLOPE = 1.0
"""Log-odds far from the target's surface, and their change per voxel across it.

OSS-Net C, trained with the profile `laptop`, has slopes of 0.6 to 1.0.
"""

SMALLEST = 1e-6
"""Smallest size of log-odds of which float32 probabilities show the sign."""

CONTRAST = 2.0
NOISE = 0.3
"""Brightness of the target and standard deviation of the noise, where the background's waves have amplitude 1."""


def inside(points: Tensor, shape: Shape) -> Tensor:
    """Return whether voxel coordinates [n, 3], integer or between, lie in the target of a volume of `shape`: bool [n].

    Place and extent scale with the shape: the target of a finer grid is the same, as voxels are cells of the volume.
    """
    return (_depths(points, shape) > 0).any(-1)


def logits(points: Tensor, shape: Shape) -> Tensor:
    """Return smooth log-odds [n] float32 of the target at voxel coordinates [n, 3]: positive where it is, see `inside`.

    They change by about `SLOPE` per voxel across the surface and level off at `CONFIDENCE` on both sides, as those of
    trained networks do.
    """
    radii_voxels = (torch.tensor(RADII) * torch.tensor(shape)).mean(-1).to(points.device)
    depth_voxels = (_depths(points, shape) * radii_voxels).amax(-1)
    return CONFIDENCE * torch.tanh(SLOPE * depth_voxels / CONFIDENCE)


def _depths(points: Tensor, shape: Shape) -> Tensor:
    """Return how deep voxel coordinates [n, 3] lie in each ellipsoid, [n, ellipsoids] in radii; negative outside."""
    centres, radii = (torch.tensor(parts, device=points.device) for parts in (CENTRES, RADII))
    relative = (points + 0.5) / torch.tensor(shape, device=points.device)
    offset = (relative[:, None] - centres) / radii  # [n, ellipsoids, 3], in radii
    distance = offset.norm(dim=-1)
    direction = offset / distance.clamp(min=1e-6)[..., None]
    lobes = torch.sin(LOBES * direction + 1).prod(-1)
    return 1 + LOBE_HEIGHT * lobes - distance


@dataclass(frozen=True, eq=False)
class ClosedFormVolume:
    """An image and the target in it.

    Attributes:
        image: image [C, H, W, D] float32, each channel of mean 0 and standard deviation 1.
        label: target [H, W, D] bool, `inside` at the voxels.
    """

    image: Tensor
    label: Tensor

    def prior(self, grid: Shape) -> Tensor:
        """Return the label max-pooled to a coarse grid (h, w, d), float32, the target of an auxiliary segmentation.

        See `ossnet.network.occupancy_network.OccupancyNetwork.loss`.
        """
        return F.adaptive_max_pool3d(self.label[None].float(), grid)[0]

    def prior_for(self, field: OccupancyField) -> Tensor | None:
        """Return the prior on the grid of a field's own; None for a field without one."""
        if field.prior is None:
            return None
        height, width, depth = field.prior.shape
        return self.prior((height, width, depth))

    def image_for(self, model: SegmentationModel) -> Tensor:
        """Return the image where the command line has it when the model segments it."""
        return self.image.cpu() if model.host_images else self.image


def make_volume(shape: Shape, modalities: int, device: torch.device | str = "cpu", seed: int = 0) -> ClosedFormVolume:
    """Make a volume of smooth waves, a target brighter than they are, and noise.

    The noise is drawn from the seed and is the same on every device.
    """
    label = _label(shape, device)
    generator = torch.Generator().manual_seed(seed)
    image = torch.empty(modalities, *shape, device=device)
    for frequency, channel in enumerate(image, start=1):
        along = [2 * math.pi * frequency * torch.arange(size, device=device) / size for size in shape]
        height, width, depth = torch.meshgrid(*map(torch.sin, along), indexing="ij")
        channel.copy_(torch.randn(shape, generator=generator)).mul_(NOISE)
        channel.add_(height * width * depth).add_(label, alpha=CONTRAST)
        channel.sub_(channel.mean()).div_(channel.std())
    return ClosedFormVolume(image, label)


def _label(shape: Shape, device: torch.device | str) -> Tensor:
    """Return `inside` at all voxels, computed by planes of the box around the target; the rest is outside."""
    reach = 1 + LOBE_HEIGHT
    box = [
        torch.arange(
            math.floor(size * min(c[axis] - reach * r[axis] for c, r in zip(CENTRES, RADII, strict=True))),
            math.ceil(size * max(c[axis] + reach * r[axis] for c, r in zip(CENTRES, RADII, strict=True))),
            device=device,
        )
        for axis, size in enumerate(shape)
    ]
    label = torch.zeros(shape, dtype=torch.bool, device=device)
    for plane in box[0].split(1):
        points = torch.cartesian_prod(plane, *box[1:])
        label[tuple(points.T)] = inside(points, shape)
    return label


@dataclass(frozen=True, eq=False)
class ClosedFormField(SubstituteField):
    """Field of two classes of a network that is evaluated at every location, with the target's occupancies.

    Integer locations are voxels of the volume and are looked up in its label, which takes next to no time in comparison
    with the network; between voxels the closed form is computed.

    Attributes:
        label: target [H, W, D] bool, see `ClosedFormVolume`.
        prior: coarse segmentation [h, w, d] that an extraction starts from; None for a network without one.
    """

    label: Tensor
    prior: Tensor | None = None

    def __call__(self, locations: Tensor) -> Tensor:
        """Return the target's occupancies [n] at locations [n, 3], float32."""
        # Without a compiler nothing is left out because its result is not used.
        self.field(locations)
        if locations.is_floating_point():
            return inside(locations, self.shape).float()
        i, j, k = locations.unbind(-1)
        return self.label[i, j, k].float()

    def logits(self, locations: Tensor) -> Tensor:
        """Return the target's log-odds [n] at locations [n, 3], float32; their signs are those of the occupancies."""
        occupied = self(locations) > 0.5
        size = logits(locations, self.shape).abs().clamp(min=SMALLEST)
        return torch.where(occupied, size, -size)
