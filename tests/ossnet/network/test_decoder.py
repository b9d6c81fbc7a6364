import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from ossnet.network.activation import PadeActivationUnit
from ossnet.network.decoder import (
    ConditionalBatchNorm,
    DecoderBlock,
    FeatureBatchNorm,
    NormalizationName,
    OccupancyDecoder,
    ScalarBatchNorm,
)

X = torch.tensor([[[1.0, 2.0], [3.0, 6.0]]])  # [B, n, F] = [1, 2, 2]


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def test_scalar_statistics_by_hand() -> None:
    norm = ScalarBatchNorm()
    # Mean 3; squared distances 4, 1, 0 and 9, so variance 14/4 to normalise with and 14/3 to remember.
    assert_close(norm(X), (X - 3) / (3.5 + 1e-5) ** 0.5)
    assert_close(norm.running_mean, torch.tensor([0.1 * 3]))
    assert_close(norm.running_var, torch.tensor([0.9 + 0.1 * 14 / 3]))
    assert_close(norm.eval()(X), (X - 0.3) / (0.9 + 1.4 / 3 + 1e-5) ** 0.5)


def test_feature_statistics_by_hand() -> None:
    norm = FeatureBatchNorm(2)
    # Means 2 and 4, variances 1 and 4 to normalise with, 2 and 8 to remember.
    assert_close(norm(X), (X - torch.tensor([2.0, 4.0])) / (torch.tensor([1.0, 4.0]) + 1e-5).sqrt())
    assert_close(norm.running_mean, torch.tensor([0.2, 0.4]))
    assert_close(norm.running_var, torch.tensor([0.9 + 0.2, 0.9 + 0.8]))


@pytest.mark.parametrize(("norm", "kept"), [(ScalarBatchNorm(), (0, 1, 2)), (FeatureBatchNorm(5), (0, 1))])
def test_normalised_over_samples_and_locations(norm: torch.nn.Module, kept: tuple[int, ...]) -> None:
    out = norm(3 * normal(2, 40, 5) + 7)
    assert out.shape == (2, 40, 5)
    assert_close(out.mean(kept), torch.zeros_like(out.mean(kept)), atol=1e-5, rtol=0)
    assert_close(out.var(kept, correction=0), torch.ones_like(out.mean(kept)), atol=1e-4, rtol=0)
    assert list(norm.parameters()) == []


@pytest.mark.parametrize("normalization", ["scalar", "feature"])
def test_it_starts_as_plain_normalisation_whatever_the_latent(normalization: NormalizationName) -> None:
    conditional, x = ConditionalBatchNorm(3, 5, normalization), normal(2, 6, 5)
    plain = ScalarBatchNorm() if normalization == "scalar" else FeatureBatchNorm(5)
    assert_close(conditional(x, normal(2, 3)), plain(x))


def test_the_latent_scales_and_shifts_the_features_of_its_own_sample() -> None:
    conditional = ConditionalBatchNorm(2, 2, "scalar").eval()
    with torch.no_grad():
        conditional.gamma.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
        conditional.beta.weight.copy_(torch.tensor([[0.0, 1.0], [0.0, 0.0]]))
    x = X.expand(2, 2, 2)
    latents = torch.tensor([[0.0, 0.0], [2.0, 3.0]])
    # Sample 0: gamma (1, 1), beta (0, 0). Sample 1: gamma (1 + 2, 1 + 2 * 3), beta (3, 0). Statistics still 0 and 1.
    expected = torch.stack([X[0], X[0] * torch.tensor([3.0, 7.0]) + torch.tensor([3.0, 0.0])])
    assert_close(conditional(x, latents), expected, atol=0, rtol=1e-5)


def test_locations_may_come_in_any_order() -> None:
    conditional, x, latent = ConditionalBatchNorm(3, 5, "scalar"), normal(2, 6, 5), normal(2, 3)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(0))
    assert_close(conditional(x[:, order], latent), conditional(x, latent)[:, order])


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


@pytest.mark.parametrize("conditions", [[0, 0, 0], [1, 2, 3]], ids=["one latent", "several"])
def test_the_first_latent_joins_the_input_and_a_latent_conditions_each_block(conditions: list[int]) -> None:
    network, seen = decoder(), []
    for block in network.blocks:
        block.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs))
    locations, local, latents = normal(2, 6, 3), normal(2, 6, 4), normal(2, 1 + conditions[-1], 5)
    network(locations, local, latents)
    assert torch.equal(seen[0][0], torch.cat([locations, local, latents[:, :1].expand(-1, 6, -1)], -1))
    for index, (_, condition) in zip(conditions, seen, strict=True):
        assert torch.equal(condition, latents[:, index])


def test_at_the_start_only_the_joined_latent_matters() -> None:
    start = OccupancyDecoder(4, 5, 8, 3, 1, "scalar", PadeActivationUnit)
    assert latents_that_matter(start, normal(2, 4, 5)) == [True, False, False, False]
    assert latents_that_matter(decoder(), normal(2, 4, 5)) == [True] * 4


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


def test_locations_are_answered_each_on_its_own() -> None:
    network = decoder()
    locations, local, latents = normal(2, 6, 3), normal(2, 6, 4), normal(2, 1, 5)
    some = [4, 0, 3]
    assert_close(network(locations[:, some], local[:, some], latents), network(locations, local, latents)[:, some])
