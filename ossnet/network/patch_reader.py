"""Patches read from an image itself, without a padded or pooled copy of it, for inference."""

from functools import reduce
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from ossnet.network.patches import Pooling
from ossnet.network.valueless import has_no_values, representative

POOLED_AT_ONCE = 256
"""Number of patches that are pooled at a time: each is read at eight times the size of its result."""


class PatchReader:
    """The patches of `PatchVolume` in another order of their values, read from the image itself; zero outside it.

    `PatchVolume` copies the image, and pools the copy for the larger context, so that reading is simple; on LiTS both
    take 1.2 GB. Here a patch is read from the image as it is, wherever it is: an image in host memory stays there, and
    only patches go to the device. Patches that reach beyond the image, few in a volume, are read again one voxel at a
    time. The larger patches are pooled when they are read.

    Args:
        image: normalised image [C, H, W, D] at full resolution.
        size: odd edge s of a patch in voxels.
        larger_context: whether to add the patch of twice the edge, pooled by 2, as in `PatchVolume`.
        pooling: pooling of the larger patch.
    """

    def __init__(self, image: Tensor, size: int, larger_context: bool = False, pooling: Pooling = "average") -> None:
        self.image, self.size, self.larger_context, self.pooling = image, size, larger_context, pooling

    def __call__(self, locations: Tensor) -> Tensor:
        """Return patches [n, s, C, s, s], or 2 C channels with the larger context, on the image's device.

        The channels stand behind a patch's first axis, so that its planes lie one behind the other (see
        `ossnet.network.folding`). Locations [n, 3] in voxels are as `validate_locations` returns them, on that device.
        """
        if not locations.is_floating_point():
            return self._at_voxels(locations)
        corner = locations.floor()
        fraction = (locations - corner).to(self.image.dtype)

        def weighted(offset: tuple[int, ...]) -> Tensor:
            weights = [part if ahead else 1 - part for ahead, part in zip(offset, fraction.unbind(-1), strict=True)]
            patches = self._at_voxels(corner.long() + torch.tensor(offset, device=corner.device))
            return patches.mul_(weights[0].mul(weights[1]).mul_(weights[2])[:, None, None, None, None])

        return reduce(Tensor.add_, map(weighted, product((0, 1), repeat=3)))

    def _at_voxels(self, voxels: Tensor) -> Tensor:
        if not self.larger_context:
            return self._boxes(voxels - self.size // 2, self.size)
        modalities = len(self.image)
        patches = self.image.new_empty(len(voxels), self.size, 2 * modalities, self.size, self.size)
        pairs = zip(voxels.split(POOLED_AT_ONCE), patches.split(POOLED_AT_ONCE), strict=True)
        for part, result in representative(list(pairs), voxels):
            result[:, :, :modalities] = self._boxes(part - self.size // 2, self.size)
            result[:, :, modalities:] = self._pool(self._boxes(part - self.size, 2 * self.size))
        return patches

    def _pool(self, boxes: Tensor) -> Tensor:
        """Pool boxes [n, 2 s, C, 2 s, 2 s] by 2 along their three axes: [n, s, C, s, s]."""
        pool, reduce_pairs = (F.avg_pool2d, Tensor.mean) if self.pooling == "average" else (F.max_pool2d, Tensor.amax)
        planes = pool(boxes.flatten(0, 1), 2)
        return reduce_pairs(planes.view(-1, 2, *planes.shape[1:]), 1).view(-1, self.size, *planes.shape[1:])

    def _boxes(self, starts: Tensor, edge: int) -> Tensor:
        """Return the boxes [n, edge, C, edge, edge] that begin at voxels [n, 3]."""
        last = [size - edge for size in self.image.shape[1:]]
        if min(last) < 0:
            return self._boxes_across_the_border(starts, edge)
        within = starts.clamp(min=0).minimum(torch.tensor(last, device=starts.device))
        channel, height, width, depth = self.image.stride()
        windows = self.image.as_strided(
            (*(start + 1 for start in last), edge, len(self.image), edge, edge),
            (height, width, depth, height, channel, width, depth),
            self.image.storage_offset(),
        )
        boxes = windows[within.unbind(-1)]
        # Which patches reach beyond the image is unknown without values; the others are where the peak of memory is.
        if not has_no_values(starts):
            beyond = (starts != within).any(-1).nonzero()[:, 0]
            if len(beyond):
                boxes[beyond] = self._boxes_across_the_border(starts[beyond], edge)
        return boxes

    def _boxes_across_the_border(self, starts: Tensor, edge: int) -> Tensor:
        steps = torch.arange(edge, device=starts.device)
        indices, masks = [], []
        for axis, size in enumerate(self.image.shape[1:]):
            index = starts[:, axis, None] + steps  # [n, edge]
            shape = [len(starts), *(edge if other == axis else 1 for other in range(3))]
            indices.append(index.clamp(0, size - 1).view(shape))
            masks.append(((index >= 0) & (index < size)).view(shape))
        boxes = self.image.permute(1, 2, 3, 0)[tuple(indices)]  # [n, edge, edge, edge, C]
        return boxes.mul_((masks[0] & masks[1] & masks[2])[..., None]).permute(0, 1, 4, 2, 3).contiguous()
