"""The compiled field answers as the plain one, whatever the network, the locations and the chunks."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from baselines.onet import ONet
from ossnet.model import SegmentationModel
from ossnet.network.activation import ACTIVATIONS
from ossnet.network.chunks import ChunkSize
from ossnet.network.configuration import OccupancyNetworkConfig
from ossnet.network.decoder import ConditionalBatchNorm
from ossnet.network.execution import Execution, set_execution
from ossnet.network.field import CompiledField, NetworkField
from ossnet.network.occupancy_network import OccupancyNetwork, OSSNetA, OSSNetB, OSSNetC, OSSNetD

SHAPE = (16, 14, 12)
KINDS = (ONet, OSSNetA, OSSNetB, OSSNetC, OSSNetD)


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def network(kind: type[OccupancyNetwork] = OSSNetD, **settings: Any) -> OccupancyNetwork:
    torch.manual_seed(0)
    sizes = {"encoder_channels": (4, 6), "patch_size": 5, "decoder_width": 16, "decoder_blocks": 3}
    model = kind(OccupancyNetworkConfig(**{"shape": SHAPE, "modalities": 2, **sizes, **kind.preset, **settings}))
    for module in model.modules():  # Away from the start, where latents condition nothing.
        if isinstance(module, ConditionalBatchNorm):
            for linear in (module.gamma, module.beta):
                nn.init.normal_(getattr(linear, "weight", linear.bias), std=0.3)
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    return model.eval()


def places(fractional: bool) -> Tensor:
    voxels = torch.cartesian_prod(*(torch.arange(-1, size + 1, 2) for size in SHAPE))
    return (voxels + 0.3).minimum(torch.tensor(SHAPE)) if fractional else voxels


def assert_same(model: OccupancyNetwork, locations: Tensor) -> None:
    plain, fast = model.plain_field(normal(2, *SHAPE)), model.field(normal(2, *SHAPE))
    assert isinstance(fast, CompiledField)
    logits = plain.logits(locations)
    assert logits.shape == ((len(locations),) if plain.classes == 2 else (len(locations), plain.classes))
    assert logits.std(0).min() > 0.001
    assert_close(fast.logits(locations), logits, atol=1e-5, rtol=1e-5)
    assert_close(fast(locations), plain(locations), atol=1e-5, rtol=0)
    assert (fast.prior is None) == (plain.prior is None)
    if plain.prior is not None:
        assert_close(fast.prior, plain.prior)


@pytest.mark.parametrize("fractional", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_every_variant(kind: type[OccupancyNetwork], fractional: bool) -> None:
    assert_same(network(kind), places(fractional))


@pytest.mark.parametrize("normalization", ["scalar", "feature"])
@pytest.mark.parametrize("locations", ["voxel", "scaled"])
@pytest.mark.parametrize("classes", [2, 3])
def test_every_switch(normalization: str, locations: str, classes: int) -> None:
    assert_same(network(normalization=normalization, locations=locations, classes=classes), places(fractional=False))


@pytest.mark.parametrize(
    "settings", [{"locations": "fourier"}, {"conditioning": False}, {"latent_input": False}], ids=str
)
@pytest.mark.parametrize("kind", [ONet, OSSNetA, OSSNetD])
def test_every_way_into_the_decoder(kind: type[OccupancyNetwork], settings: dict[str, Any]) -> None:
    assert_same(network(kind, **settings), places(fractional=True))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation(activation: str) -> None:
    assert_same(network(OSSNetC, activation=activation), places(fractional=False))


@pytest.mark.parametrize(
    "changes", [{"decoder_blocks": 1}, {"patch_size": 1}, {"context_pooling": "max"}, {"modalities": 1}]
)
def test_other_sizes(changes: dict[str, Any]) -> None:
    model = network(**changes)
    image, locations = normal(model.config.modalities, *SHAPE), places(fractional=True)
    expected = model.plain_field(image).logits(locations)
    assert_close(model.field(image).logits(locations), expected, atol=1e-5, rtol=1e-5)


def test_a_first_block_as_wide_as_its_input_has_no_layer_on_its_skip_connection() -> None:
    # 3 coordinates, 27 voxels of a patch, and latents of 2 * 1 * 1 values.
    model = network(patch_size=3, decoder_width=3 + 27 + 2)
    assert isinstance(model.decoder.blocks[0].skip, nn.Identity)
    assert_same(model, places(fractional=False))


@pytest.mark.parametrize("size", [1, 3, 100, 10_000])
def test_chunks_of_any_size(size: int) -> None:
    model = network()
    field, locations = model.field(normal(2, *SHAPE)), places(fractional=False)[:301]
    assert isinstance(field, CompiledField)
    expected = field(locations)
    field.decoder.chunk_size = ChunkSize([size])
    assert_close(field(locations), expected, atol=1e-6, rtol=0)
    assert_close(torch.cat([field(part) for part in locations.split(77)]), expected, atol=1e-6, rtol=0)
    assert field(locations[:0]).shape == field.logits(locations[:0]).shape == (0,)


def test_a_field_keeps_its_answers() -> None:
    model, locations = network(), places(fractional=False)
    field = model.field(normal(2, *SHAPE))
    first = field(locations)
    kept = first.clone()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    field(locations.flip(0))
    assert torch.equal(first, kept)


def test_a_network_in_training_or_bfloat16_is_evaluated_as_it_is() -> None:
    image = normal(2, *SHAPE)
    assert isinstance(network().train().field(image), NetworkField)
    model: SegmentationModel = network()
    set_execution(model, Execution(precision="bfloat16"))
    assert isinstance(model.field(image), NetworkField)
    set_execution(model, Execution(checkpointing=True))
    assert isinstance(model.field(image), CompiledField)


def test_nothing_of_the_network_is_changed() -> None:
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    field = model.field(normal(2, *SHAPE))
    assert not field(places(fractional=False)).requires_grad
    after = model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
