"""Memory of the implementation behind the paper's Table 3, predicted without a GPU.

It holds other tensors than this package. As it replaces layers of the known networks, it asks for their classes, which
nothing else outside the models' own modules does.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from baselines.unet2d import UNet2d
from baselines.unet3d import UNet3d
from benchmarks.probes import released_layers
from benchmarks.probes.unet_variants import CHOICES, UNetChoices, VariedUNet
from benchmarks.workload import Probe
from ossnet.losses import class_loss, probabilities
from ossnet.memory.accounting import StorageAccount
from ossnet.memory.allocator import CachingAllocator
from ossnet.memory.footprint import Footprint, footprint_of, gpu_workspace
from ossnet.memory.workload import Step, check_locations
from ossnet.model import SegmentationModel
from ossnet.network.occupancy_network import OccupancyNetwork
from ossnet.registry import model_type

Evaluation = Callable[[], tuple[Tensor, Tensor | None]]
"""Function that returns logits [1, outputs, ...] and, with an auxiliary loss, those of the encoder's segmentation."""


def released_footprint(probe: Probe, device: torch.device | str = "meta") -> Footprint:
    """Return the footprint of a training step or of one evaluation, as Table 3 seems to have measured it.

    Assumed are a batch of one volume or slice; RAdam without Lookahead's copy of the weights, as if measured before
    that was made, since with it every training would lie further from the paper's number; a workspace of convolutions
    (`ossnet.memory.footprint.convolution_workspace`); and the layers of `benchmarks.probes.released_layers`. The full
    volume is not on the device, where this package keeps it in training, with a padded copy if the model has patches:
    encoder input, patches and locations come ready, in float32.

    Args:
        probe: probe of memory of the released implementation or one of its variants.
        device: `meta` for a prediction; any other device runs the same step on real tensors, to check the prediction.

    Raises:
        UserError: the model is unknown, or locations are missing, or given for a model that does not evaluate them.
        ValueError: the probe is of a whole extraction, of a batch of several, or of an implementation that the model
            does not have here.
    """
    if probe.phase == "extraction" or probe.batch_size != 1:
        raise ValueError(f"no step of one sample: {probe}")
    device = torch.device(device)
    kind = model_type(probe.model)
    check_locations(probe.model, kind, probe.locations)
    account = StorageAccount(CachingAllocator(), gpu_workspace, device)
    with device:
        model = kind(probe.config).train(probe.phase == "training")
        released_layers.use_released_layers(model)
        if isinstance(model, OccupancyNetwork) and probe.locations is not None and probe.implementation == "released":
            step = _occupancy_step(model, probe.locations, account)
        elif isinstance(model, UNet2d | UNet3d) and probe.implementation in CHOICES:
            step = _voxel_step(model, CHOICES[probe.implementation])
        else:
            raise ValueError(f"no account of the released memory of {probe}")
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


def _voxel_step(model: UNet2d | UNet3d, choices: UNetChoices) -> Step:
    """Return the step of a volume or of one slice by this package's U-Nets or by others: the paper's are not released.

    The paper has the same numbers in 3-D for 224^3 voxels as for 256x256x160, which is 7 % less, as if measured once.
    """
    model.unet = VariedUNet(model.unet.dimensions, model.config, choices)
    grid = list(model.config.shape)
    if isinstance(model, UNet2d):
        grid.pop((model.slice_axis + 1) % 3 if choices.another_axis else model.slice_axis)
    image, target = torch.zeros(1, model.config.modalities, *grid), torch.zeros(1, *grid)
    return _step(model, [image], lambda: (model(image), None), target, None)


def _step(
    model: SegmentationModel, inputs: list[Tensor], evaluate: Evaluation, target: Tensor, coarse: Tensor | None
) -> Step:
    """Return a step of training, with the targets on the device as well, or of inference."""
    if not model.training:
        return Step(model, inputs, partial(_infer, evaluate))
    optimizer = torch.optim.RAdam(model.parameters())

    def learn() -> Tensor:
        logits, segmentation = evaluate()
        loss = class_loss(logits, target)
        return loss if segmentation is None or coarse is None else loss + class_loss(segmentation, coarse)

    targets = [target] if coarse is None else [target, coarse]
    return Step(model, [*inputs, *targets], learn, optimizer)


@torch.no_grad()
def _infer(evaluate: Evaluation) -> None:
    logits, _ = evaluate()
    probabilities(logits, dim=1)
