import pytest
import torch
from torch import nn
from torch.testing import assert_close

from ossnet.network.group_norm import GroupNorm


@pytest.mark.parametrize("grid", [(6, 5), (16, 32), (3, 4, 5), (8, 8, 8)])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_results_and_gradients_are_those_of_torch_in_float64(grid: tuple[int, ...], groups: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x = 3 + 2 * torch.randn(2, 4, *grid, generator=generator)
    upstream = torch.randn(2, 4, *grid, generator=generator)
    layer = GroupNorm(groups, 4)
    nn.init.uniform_(layer.weight, 0.5, 2, generator=generator)
    nn.init.uniform_(layer.bias, generator=generator)
    reference = nn.GroupNorm(groups, 4).double()
    reference.load_state_dict(layer.state_dict())
    results = []
    for norm in (layer, reference):
        values = x.to(norm.weight.dtype).requires_grad_()
        result = norm(values)
        of = torch.autograd.grad(result, [values, *norm.parameters()], upstream.to(result.dtype))
        results.append([tensor.double() for tensor in (result, *of)])
    for ours, exact in zip(*results, strict=True):
        assert_close(ours, exact, rtol=1e-4, atol=1e-4)


def test_a_constant_input_has_the_gradient_zero() -> None:
    """The upstream gradient is constant, too: it only shifts all values, which the norm takes away."""
    x = torch.full((1, 2, 4, 4), 3.0, requires_grad=True)
    GroupNorm(1, 2)(x).sum().backward()
    assert x.grad is not None
    assert_close(x.grad, torch.zeros_like(x.grad), rtol=0, atol=1e-3)
