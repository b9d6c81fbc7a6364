import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from ossnet.network import convolution
from ossnet.network.convolution import Conv3d

LAYOUTS = [torch.contiguous_format, torch.channels_last_3d]


def gradients(layer: nn.Module, x: Tensor, upstream: Tensor) -> list[Tensor]:
    """Return a layer's result and the gradients of its input and parameters."""
    x = x.detach().requires_grad_()
    result = layer(x)
    return [result, *torch.autograd.grad(result, [x, *layer.parameters()], upstream)]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("large", [1, 2**20])
@pytest.mark.parametrize(
    ("size", "grid"), [(1, (3, 4, 2)), (3, (4, 3, 5)), (3, (1, 4, 4)), (5, (1, 2, 3)), (5, (4, 3, 3))]
)
def test_results_and_gradients_are_those_of_torch_in_float64(
    size: int, grid: tuple[int, int, int], large: int, layout: torch.memory_format, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convolution, "LARGE", large)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, *grid, generator=generator).contiguous(memory_format=layout)
    upstream = torch.randn(2, 4, *grid, generator=generator).contiguous(memory_format=layout)
    layer = Conv3d(3, 4, size, padding=size // 2)
    reference = nn.Conv3d(3, 4, size, padding=size // 2).double()
    reference.load_state_dict(layer.state_dict())
    for ours, exact in zip(
        gradients(layer, x, upstream), gradients(reference, x.double(), upstream.double()), strict=True
    ):
        assert_close(ours.double(), exact, rtol=1e-5, atol=1e-5)
    assert layer(x).is_contiguous(memory_format=layout)


@pytest.mark.parametrize("options", [{"stride": 2, "padding": 1}, {"groups": 2, "padding": 1}, {"padding": 0}])
def test_other_convolutions_are_those_of_torch(options: dict[str, int]) -> None:
    x = torch.randn(1, 2, 5, 4, 6, generator=torch.Generator().manual_seed(0))
    layer = Conv3d(2, 4, 3, **options)  # type: ignore[arg-type]
    reference = nn.Conv3d(2, 4, 3, **options)  # type: ignore[arg-type]
    reference.load_state_dict(layer.state_dict())
    upstream = torch.ones_like(reference(x))
    for ours, theirs in zip(gradients(layer, x, upstream), gradients(reference, x, upstream), strict=True):
        assert torch.equal(ours, theirs)
