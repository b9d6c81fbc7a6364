import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from ossnet.network.activation import PadeActivationUnit
from ossnet.network.decoder import DecoderBlock, OccupancyDecoder


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def decoder(local_size: int = 4, outputs: int = 1, blocks: int = 3) -> OccupancyDecoder:
    torch.manual_seed(0)
    network = OccupancyDecoder(local_size, 5, 8, blocks, outputs, "scalar", PadeActivationUnit)
    for module in network.modules():  # Away from the start, where latents condition nothing.
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.3)
    return network.eval()


def latents_that_matter(network: OccupancyDecoder, latents: Tensor) -> list[bool]:
    latents = latents.clone().requires_grad_()
    network(normal(2, 6, 3), normal(2, 6, 4), latents).sum().backward()
    assert latents.grad is not None
    return latents.grad.abs().sum((0, 2)).gt(0).tolist()


@pytest.mark.parametrize("outputs", [1, 4])
@pytest.mark.parametrize("latents", [1, 4])
@pytest.mark.parametrize("local_size", [0, 4])
def test_shapes(local_size: int, latents: int, outputs: int) -> None:
    local = normal(2, 6, local_size) if local_size else None
    logits = decoder(local_size, outputs)(normal(2, 6, 3), local, normal(2, latents, 5))
    assert logits.shape == (2, 6, outputs)


def test_one_latent_joins_the_input_and_conditions_every_block() -> None:
    network, seen = decoder(), []
    for block in network.blocks:
        block.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs))
    locations, local, latents = normal(2, 6, 3), normal(2, 6, 4), normal(2, 1, 5)
    network(locations, local, latents)
    assert torch.equal(seen[0][0], torch.cat([locations, local, latents.expand(-1, 6, -1)], -1))
    assert len(seen) == 3
    assert all(torch.equal(condition, latents[:, 0]) for _, condition in seen)


def test_of_several_latents_the_first_joins_and_each_other_conditions_its_block() -> None:
    network, seen = decoder(), []
    for block in network.blocks:
        block.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs))
    latents = normal(2, 4, 5)
    network(normal(2, 6, 3), normal(2, 6, 4), latents)
    assert torch.equal(seen[0][0][..., 7:], latents[:, :1].expand(-1, 6, -1))
    assert all(torch.equal(condition, latents[:, i + 1]) for i, (_, condition) in enumerate(seen))
    assert latents_that_matter(network, latents) == [True] * 4


def test_at_the_start_only_the_joined_latent_matters() -> None:
    network = OccupancyDecoder(4, 5, 8, 3, 1, "scalar", PadeActivationUnit)
    assert latents_that_matter(network, normal(2, 4, 5)) == [True, False, False, False]


@pytest.mark.parametrize("latents", [2, 3, 5])
def test_as_many_latents_as_blocks_need(latents: int) -> None:
    with pytest.raises(ValueError, match="zip"):
        decoder()(normal(2, 6, 3), normal(2, 6, 4), normal(2, latents, 5))


def test_a_block_by_hand() -> None:
    block = DecoderBlock(2, 2, 1, "scalar", nn.ReLU).eval()
    for linear in (block.linear1, block.linear2):
        nn.init.eye_(linear.weight)
        nn.init.zeros_(linear.bias)
    nn.init.constant_(block.norm2.beta.weight, 1.0)
    assert isinstance(block.skip, nn.Identity)
    # relu((1, -3)) = (1, 0), + beta 1 from the latent = (2, 1), + skip = (3, -2), relu = (3, 0).
    out = block(torch.tensor([[[1.0, -3.0]]]), torch.tensor([[1.0]]))
    assert_close(out, torch.tensor([[[3.0, 0.0]]]), atol=1e-4, rtol=0)


def test_widths_of_the_paper() -> None:
    with torch.device("meta"):
        network = OccupancyDecoder(343, 320, 512, 5, 1, "scalar", PadeActivationUnit)
    assert [block.linear1.in_features for block in network.blocks] == [666, 512, 512, 512, 512]
    assert [isinstance(block.skip, nn.Identity) for block in network.blocks] == [False, True, True, True, True]
    assert network.head.bias is None


def test_locations_are_answered_each_on_its_own() -> None:
    network = decoder()
    locations, local, latents = normal(2, 6, 3), normal(2, 6, 4), normal(2, 1, 5)
    some = [4, 0, 3]
    assert_close(network(locations[:, some], local[:, some], latents), network(locations, local, latents)[:, some])
