import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from ossnet.errors import UserError
from ossnet.network.decoder import FeatureBatchNorm, ScalarBatchNorm
from ossnet.network.encoder import ResidualBlock
from ossnet.network.normalization import BatchNorm3d, BatchNormalization, SeparateParts, set_statistics

SHAPES = {"scalar": (3, 5, 4), "feature": (3, 5, 4), "channels": (3, 4, 2, 3, 2)}


def make_norm(name: str) -> BatchNormalization:
    norm = {"scalar": ScalarBatchNorm, "feature": lambda: FeatureBatchNorm(4), "channels": lambda: BatchNorm3d(4)}[
        name
    ]()
    for parameter in norm.parameters():
        nn.init.normal_(parameter)
    return norm.double().train()


def values(name: str) -> Tensor:
    return torch.randn(SHAPES[name], dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(("count", "sizes"), [(1, [3]), (2, [2, 1]), (3, [1, 1, 1]), (5, [1, 1, 1])])
def test_each_part_is_normalised_by_itself_and_the_first_one_counts(name: str, count: int, sizes: list[int]) -> None:
    x = values(name)
    divided, *alone = (make_norm(name) for _ in range(1 + len(sizes)))
    for norm in alone:
        norm.load_state_dict(divided.state_dict())
    set_statistics(divided, SeparateParts(count))
    expected = [norm(part) for norm, part in zip(alone, x.split(sizes), strict=True)]
    assert_close(divided(x), torch.cat(expected))
    for (key, found), same in zip(divided.state_dict().items(), alone[0].state_dict().values(), strict=True):
        assert torch.equal(found, same), key
    # At inference there are only running statistics.
    assert torch.equal(divided.eval()(x), alone[0].eval()(x))


def test_the_norm_of_channels_is_that_of_torch() -> None:
    x, norm, same = values("channels"), make_norm("channels"), nn.BatchNorm3d(4).double()
    same.load_state_dict(norm.state_dict())
    assert torch.equal(norm(x), same(x))
    assert torch.equal(norm.running_var, same.running_var)


def test_all_norms_of_a_model_are_set_and_foreign_ones_refused() -> None:
    model = nn.Sequential(ResidualBlock(2, 3, nn.ReLU), FeatureBatchNorm(3))
    set_statistics(model, SeparateParts(2))
    norms = [module for module in model.modules() if isinstance(module, BatchNormalization)]
    assert [norm.statistics for norm in norms] == [SeparateParts(2)] * 3
    set_statistics(model.append(nn.BatchNorm1d(3)), None)
    assert [norm.statistics for norm in norms] == [None] * 3
    with pytest.raises(UserError, match="batch norm 2"):
        set_statistics(model, SeparateParts(2))
