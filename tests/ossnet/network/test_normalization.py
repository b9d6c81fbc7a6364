import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from ossnet.network.normalization import ConditionalBatchNorm, FeatureBatchNorm, NormalizationName, ScalarBatchNorm

X = torch.tensor([[[1.0, 2.0], [3.0, 6.0]]])  # [B, n, F] = [1, 2, 2]


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


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


def test_scalar_keeps_how_features_differ() -> None:
    shift = torch.tensor([0.0, 5.0])
    spread = ScalarBatchNorm()(X + shift).mean((0, 1)).diff()
    assert spread > FeatureBatchNorm(2)(X + shift).mean((0, 1)).diff().abs() + 1


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
