"""Table 3 without a GPU: peak memory predicted from the storages of the real models' code, on the meta device."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import pandas as pd
import torch
from torch import Tensor

from baselines.blocks import VoxelisedModel
from baselines.unet2d import UNet2d
from baselines.unet3d import UNet3d
from benchmarks import released_layers
from benchmarks.storages import StorageAccount, no_workspace
from ossnet.errors import UserError
from ossnet.losses import class_loss, probabilities
from ossnet.model import ModelConfig, SegmentationModel
from ossnet.network import OccupancyNetwork
from ossnet.optimization import Optimization, make_optimizer
from ossnet.registry import model_type
from ossnet.released import DATASETS

Phase = Literal["training", "inference"]

Implementation = Literal["suite", "released"]
"""`suite` is the code of this package as it runs on a GPU: the Padé unit in one block, patch convolutions as matrix
products. `released` is the same networks as the code behind Table 3 computes them; see `benchmarks.released_layers`."""


@dataclass(frozen=True)
class PredictedPeak:
    """The most memory that is alive at once.

    Attributes:
        bytes: on the device, as PyTorch's GPU allocator counts what is allocated: without the CUDA context and unused
            cached blocks.
        by_part: what they are made of, largest first. `parameters` (with the batch norms' statistics), `gradients` of
            parameters, `optimizer_state`, `inputs`; the activations of `encoder`, `patch_encoder`, `decoder` or `unet`;
            `backward` for gradients of activations; `workspace` of an operator; `other`.
    """

    bytes: int
    by_part: Mapping[str, int]


@dataclass(frozen=True)
class _Inputs:
    """What is ready on the device before a step.

    `image` is the encoder's half-resolution volume, or the U-Net's volume or slice, with its batch axis.
    """

    image: Tensor
    target: Tensor
    locations: Tensor | None = None
    patches: Tensor | None = None
    segmentation: Tensor | None = None

    def tensors(self) -> list[Tensor]:
        return [tensor for tensor in vars(self).values() if tensor is not None]


def predict(
    model: str,
    config: ModelConfig,
    phase: Phase,
    locations: int | None = None,
    implementation: Implementation = "suite",
    device: torch.device | str = "meta",
) -> PredictedPeak:
    """Peak memory of a training step or of one evaluation of the network, for a batch of one sample, in float32.

    The sample is a volume with `locations` of it, for a function-space model; a volume; or, for the slicing U-Net, a
    slice. Training is a step after the first, with forward and backward pass and optimiser; the optimiser works on one
    parameter at a time (on a GPU on all, for a moment when no activations are alive). Inference is one pass with the
    encoder included. The full volume is not on the device, as in the released code; this package keeps it there, with
    a padded copy if the model has patches: 4 bytes a voxel and modality more for each.

    Args:
        model: a name of the registry, made for `config`.
        locations: only for models that learn from locations.
        device: `meta` predicts. Any other runs the same step on real tensors, to check the prediction.

    Raises:
        UserError: unknown model, or locations are missing or given to a model that has none.
    """
    with torch.device(device):
        network = model_type(model)(config).train(phase == "training")
        inputs = _make_inputs(network, model, locations)
    released = implementation == "released"
    if released:
        released_layers.use_released_layers(network)
    account = StorageAccount(released_layers.convolution_workspace if released else no_workspace)
    for name, module in network.named_children():
        module.forward = account.part(name)(module.forward)
    account.hold([*network.parameters(), *network.buffers()], "parameters")
    account.hold(inputs.tensors(), "inputs")
    evaluate = partial(_evaluate, network, inputs, account, released)
    with account:
        if phase == "training":
            _train(network, inputs, account, released, evaluate)
        else:
            with torch.no_grad():
                probabilities(evaluate()[0], dim=1)
    return PredictedPeak(account.peak_bytes, account.peak_by_part())


def table3_prediction(published: pd.DataFrame, implementation: Implementation = "released") -> pd.DataFrame:
    """Table 3 as predicted, beside the paper's numbers.

    The function-space models come within 2.5 % of these, also through three assumptions: a batch of one, RAdam without
    Lookahead's copy (see `_train`), and a workspace of convolutions (`released_layers.convolution_workspace`). The
    paper leaves the U-Nets partly open (see `baselines.blocks`), so that theirs are rough: up to 14 % off in 3-D and
    22 % in 2-D. It has the same 3-D numbers for 256x256x160 as for 224^3, which is 7 % more voxels.

    Args:
        published: rows of `benchmarks.tables.read_published` for `table3`, all or some.

    Returns:
        Columns model, dataset, resolution, phase, locations (NaN for U-Nets), predicted_bytes, published_gb (10^9
        bytes; NaN where the paper only gives a bound) and ratio of the two; a row for each of `published`.
    """
    rows = published.reset_index(drop=True)
    predicted = [
        predict(
            row["model"],
            _paper_config(row["model"], row["dataset"], row["resolution"]),
            row["quantity"].removesuffix("_memory"),
            None if pd.isna(row["locations"]) else int(row["locations"]),
            implementation,
        ).bytes
        for _, row in rows.iterrows()
    ]
    return pd.DataFrame(
        {
            "model": rows["model"],
            "dataset": rows["dataset"],
            "resolution": rows["resolution"],
            "phase": rows["quantity"].str.removesuffix("_memory"),
            "locations": rows["locations"],
            "predicted_bytes": predicted,
            "published_gb": rows["value"],
            "ratio": [bytes_ / 1e9 / gb for bytes_, gb in zip(predicted, rows["value"], strict=True)],
        }
    )


def _paper_config(model: str, dataset: str, resolution: str) -> ModelConfig:
    kind = model_type(model)
    sizes: dict[str, Any] = DATASETS[dataset] | {"shape": tuple(map(int, resolution.split("x")))}
    if not issubclass(kind, OccupancyNetwork):
        sizes.pop("encoder_channels", None)
    return kind.config_type(**sizes, **kind.preset)


def _make_inputs(network: SegmentationModel, model: str, locations: int | None) -> _Inputs:
    config = network.config
    if not isinstance(network, OccupancyNetwork):
        if locations is not None:
            raise UserError(f"model {model} evaluates no locations; leave locations out")
        grid = list(config.shape)
        if isinstance(network, UNet2d):
            grid.pop(network.axis)
        target_grid = network.config.training_shape if isinstance(network, UNet3d) else None
        return _Inputs(torch.zeros(1, config.modalities, *grid), torch.zeros(1, *(target_grid or grid)))
    if locations is None:
        raise UserError(f"model {model} evaluates locations; say how many")
    size, channels = network.config.patch_size, config.modalities * (1 + network.config.larger_context)
    return _Inputs(
        image=torch.zeros(1, config.modalities, *network.config.encoder_shape),
        target=torch.zeros(1, locations),
        locations=torch.zeros(1, locations, 3),
        patches=torch.zeros(1, locations, size, size, size, channels) if network.config.patches else None,
        segmentation=torch.zeros(1, *network.config.lowest_grid) if network.config.auxiliary_weight > 0 else None,
    )


def _evaluate(
    network: SegmentationModel, inputs: _Inputs, account: StorageAccount, released: bool
) -> tuple[Tensor, Tensor | None]:
    """Logits [1, outputs, ...] and, with an auxiliary loss, those of the encoder's segmentation."""
    if isinstance(network, VoxelisedModel):
        return network(inputs.image), None
    if not isinstance(network, OccupancyNetwork) or inputs.locations is None:
        raise TypeError(f"no account of the memory of a {type(network).__name__}")
    encoding = network.encoder(inputs.image)
    decode = partial(released_layers.decode, network) if released else network.decode
    with account.part("decoder"):
        logits = decode(inputs.locations, inputs.patches, encoding.latents)
    return logits.movedim(-1, 1), encoding.segmentation


def _train(
    network: SegmentationModel,
    inputs: _Inputs,
    account: StorageAccount,
    released: bool,
    evaluate: Callable[[], tuple[Tensor, Tensor | None]],
) -> None:
    """Two steps: the optimiser's moments are there from the second one on.

    The published numbers fit RAdam's two moments without the slow weights of Lookahead, as if measured before these
    were made. `released` leaves them out.
    """
    optimizer = torch.optim.RAdam(network.parameters()) if released else make_optimizer(network, Optimization())
    for _ in range(2):
        optimizer.zero_grad()
        loss = _loss(inputs, *evaluate())
        with account.part("backward"):
            loss.backward()
        account.hold((p.grad for p in network.parameters() if p.grad is not None), "gradients")
        optimizer.step()
        account.hold(_state_tensors(optimizer), "optimizer_state")


def _loss(inputs: _Inputs, logits: Tensor, segmentation: Tensor | None) -> Tensor:
    loss = class_loss(logits, inputs.target)
    if segmentation is None or inputs.segmentation is None:
        return loss
    return loss + class_loss(segmentation, inputs.segmentation)


def _state_tensors(optimizer: Any) -> Iterator[Tensor]:
    """Of an optimiser and of the one that Lookahead wraps; RAdam keeps its step counts on the CPU."""
    for layer in (optimizer, getattr(optimizer, "optimizer", None)):
        for state in layer.state.values() if layer is not None else ():
            yield from (tensor for tensor in state.values() if isinstance(tensor, Tensor) and tensor.ndim > 0)
