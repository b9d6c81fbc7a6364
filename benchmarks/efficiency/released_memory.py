"""The paper's Table 3 without a GPU: memory of the implementation behind it, which holds other things than this one."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from baselines.blocks import VoxelisedModel
from baselines.unet2d import UNet2d
from benchmarks.efficiency import released_layers
from benchmarks.efficiency.probe import Probe
from ossnet.allocator import CachingAllocator
from ossnet.footprint import Footprint, convolution_workspace, footprint_of
from ossnet.losses import class_loss, probabilities
from ossnet.model import SegmentationModel
from ossnet.network import OccupancyNetwork
from ossnet.registry import model_type
from ossnet.storages import StorageAccount
from ossnet.workload import Step, check_locations

Evaluation = Callable[[], tuple[Tensor, Tensor | None]]
"""Logits [1, outputs, ...] and, with an auxiliary loss, those of the encoder's segmentation."""


def released_footprint(probe: Probe, device: torch.device | str = "meta") -> Footprint:
    """Peak memory of a training step or of one evaluation of the network, as Table 3 seems to have measured it.

    Assumed are a batch of one volume or slice, RAdam without Lookahead's copy of the weights, as if measured before
    that was made, a workspace of convolutions (`ossnet.footprint.convolution_workspace`), and the layers of
    `benchmarks.efficiency.released_layers`. The full volume is not on the device, where this package keeps it, with a
    padded copy if the model has patches: encoder input, patches and locations come ready, in float32.

    Args:
        device: `meta` predicts. Any other runs the same step on real tensors, to check the prediction.

    Raises:
        UserError: unknown model, or locations are missing or given to a model that has none.
        ValueError: a whole extraction, or a batch of several.
    """
    if probe.phase == "extraction" or probe.batch_size != 1:
        raise ValueError(f"no step of one sample: {probe}")
    device = torch.device(device)
    kind = model_type(probe.model)
    check_locations(probe.model, kind, probe.locations)
    account = StorageAccount(CachingAllocator(), convolution_workspace, device)
    with device:
        model = kind(probe.config).train(probe.phase == "training")
        released_layers.use_released_layers(model)
        if isinstance(model, OccupancyNetwork) and probe.locations is not None:
            step = _occupancy_step(model, probe.locations, account)
        elif isinstance(model, VoxelisedModel):
            step = _voxel_step(model)
        else:
            raise TypeError(f"no account of the memory of a {type(model).__name__}")
    return footprint_of(step, account)


def _occupancy_step(network: OccupancyNetwork, count: int, account: StorageAccount) -> Step:
    config = network.config
    size, channels = config.patch_size, config.modalities * (1 + config.larger_context)
    image = torch.zeros(1, config.modalities, *config.encoder_shape)
    locations, target = torch.zeros(1, count, 3), torch.zeros(1, count)
    patches = torch.zeros(1, count, size, size, size, channels) if config.patches else None
    coarse = torch.zeros(1, *config.lowest_grid) if config.auxiliary_weight > 0 else None
    decode = account.part("decoder")(partial(released_layers.decode, network))

    def evaluate() -> tuple[Tensor, Tensor | None]:
        encoding = network.encoder(image)
        return decode(locations, patches, encoding.latents).movedim(-1, 1), encoding.segmentation

    inputs = [tensor for tensor in (image, locations, patches) if tensor is not None]
    return _step(network, inputs, evaluate, target, coarse)


def _voxel_step(model: VoxelisedModel) -> Step:
    """Of the volume, or of one slice, by this package's U-Nets: the paper's are not released.

    On BraTS they come to 14.54 and 3.89 GB in 3-D, training and inference, where Table 3 has 14.41 and 3.57; for a
    slice to 1.38 and 0.36 GB, where it has 1.16 and 0.46 (across the depth; the paper does not say across which axis);
    for one of LiTS to 4.37 and 1.07 GB, where it has 4.29 and 1.20. It has the same numbers in 3-D for 224^3 as for
    256x256x160, which is 7 % less, as if measured once. What was tried, GB in the order above, LiTS last:

    - average pooling, which keeps no indices: 14.39, 3.89; 1.35, 0.36; 4.26, 1.07. Closest in training;
    - activations after the sum, of which each keeps its input, and average pooling: 11.87, 3.73; 1.34, 0.34; 4.22,
      1.00. All of inference is then explained, by letting the image go once it is read (3.56), by slices across height
      or width of BraTS (0.26) and by 0.2 GB of workspace in 2-D that no slice size changes (0.46 and 1.20); but 2.5 GB
      of training in 3-D are not;
    - such activations in place (ReLU), with max-pooling: 10.56, 3.73; 1.19, 0.34; 3.63, 1.00.

    None explains all six, so that nothing is assumed beyond the networks as they are.
    """
    grid = list(model.config.shape)
    if isinstance(model, UNet2d):
        grid.pop(model.axis)
    image, target = torch.zeros(1, model.config.modalities, *grid), torch.zeros(1, *grid)
    return _step(model, [image], lambda: (model(image), None), target, None)


def _step(
    model: SegmentationModel, inputs: list[Tensor], evaluate: Evaluation, target: Tensor, coarse: Tensor | None
) -> Step:
    """Of training, with the targets on the device as well, or of inference."""
    if not model.training:
        return Step(model, inputs, partial(_infer, evaluate))
    optimizer = torch.optim.RAdam(model.parameters())

    def learn() -> Tensor:
        optimizer.zero_grad()
        logits, segmentation = evaluate()
        loss = class_loss(logits, target)
        return loss if segmentation is None or coarse is None else loss + class_loss(segmentation, coarse)

    targets = [target] if coarse is None else [target, coarse]
    return Step(model, [*inputs, *targets], learn, optimizer)


@torch.no_grad()
def _infer(evaluate: Evaluation) -> None:
    logits, _ = evaluate()
    probabilities(logits, dim=1)
