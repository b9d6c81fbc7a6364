import pytest
import torch
from torch import nn

from ossnet.network.lean.moments import Moments


def test_parts_of_any_size_make_the_statistics_of_the_whole() -> None:
    moments, norm = Moments((0,)), nn.BatchNorm1d(2)
    for part in ([[1.0, 0.0]], [[3.0, 2.0], [5.0, 4.0]]):
        moments.add(torch.tensor(part))
    normalization = moments.normalization(norm)
    assert normalization.count == 3
    assert normalization.mean.tolist() == [[3.0, 2.0]]
    # Of 1, 3 and 5 the variance is 8/3, and without bias 4.
    assert (normalization.scale**-2).tolist() == [pytest.approx([8 / 3 + norm.eps] * 2)]
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.running_mean.tolist() == pytest.approx([0.3, 0.2])
    assert norm.running_var.tolist() == pytest.approx([0.9 + 0.4] * 2)
    assert normalization(torch.tensor([[3.0, 2.0]])).tolist() == [[0.0, 0.0]]


def test_a_large_mean_cancels_nothing() -> None:
    values = torch.randn(1000, 1, generator=torch.Generator().manual_seed(0)) + 10_000
    moments = Moments((0, 1))
    for part in values.split(7):
        moments.add(part)
    normalization = moments.normalization(nn.BatchNorm1d(1))
    assert normalization.scale.item() == pytest.approx(values.double().var(correction=0).item() ** -0.5, rel=1e-3)


def test_its_gradient_is_that_of_torch() -> None:
    x = torch.randn(12, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    upstream = torch.randn(12, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    norm = nn.BatchNorm1d(3, affine=False).double()
    norm(x).backward(upstream)
    moments = Moments((0,))
    for part in x.detach().split(5):
        moments.add(part)
    normalization = moments.normalization(norm)
    x_hat = normalization(x.detach())
    totals = upstream.sum(0), (upstream * x_hat).sum(0)
    actual = normalization.input_gradient(x_hat, upstream.clone(), *totals)
    torch.testing.assert_close(actual, x.grad, rtol=1e-10, atol=1e-12)
