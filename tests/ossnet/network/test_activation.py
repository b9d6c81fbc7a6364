from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from ossnet.network import activation, pade
from ossnet.network.activation import ACTIVATIONS, PadeActivationUnit, SafePade, activate_in_place
from ossnet.network.pade import CompiledPade

Function = Callable[..., Tensor]
"""Function of x, a and b."""

A = (0.3, -0.5, 1.1, 0.7, -0.2, 0.4)
B = (0.5, -0.7, 0.3, 0.2)


def formula(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    numerator = sum(a[i] * x**i for i in range(6))
    denominator = 1 + sum(b[j].abs() * x.abs() ** (j + 1) for j in range(4))
    return numerator / denominator


by_both = pytest.mark.parametrize("pau", [SafePade.apply, CompiledPade.apply], ids=["reference", "compiled"])


def with_gradients(function: Function, x: Tensor) -> tuple[Tensor, ...]:
    """The function's value at x, and the gradients of a weighted sum of it by x, a and b."""
    leaves = [
        leaf.detach().clone().requires_grad_() for leaf in (x, torch.tensor(A, dtype=x.dtype), torch.tensor(B).to(x))
    ]
    value = function(*leaves)
    weights = torch.linspace(-1, 2, x.numel(), dtype=x.dtype).view(x.shape)
    return value, *torch.autograd.grad((weights * value).sum(), leaves)


def normal(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(0))


@by_both
def test_by_hand(pau: Function) -> None:
    # At 1: (1 + 2 + 3 + 4 + 5 + 6) / (1 + 1 + 2 + 3 + 4); at -1: (1 - 2 + 3 - 4 + 5 - 6) over the same.
    value = pau(torch.tensor([1.0, -1.0, 0.0]), torch.arange(1.0, 7.0), torch.tensor([1.0, -2.0, 3.0, -4.0]))
    assert_close(value, torch.tensor([21 / 11, -3 / 11, 1.0]))


@by_both
@given(values=st.lists(st.floats(-30, 30), min_size=1, max_size=20))
def test_value_and_gradients_are_those_of_the_formula(pau: Function, values: list[float]) -> None:
    x = torch.tensor(values, dtype=torch.float64)
    for ours, plain in zip(with_gradients(pau, x), with_gradients(formula, x), strict=True):
        assert_close(ours, plain)


def test_of_bfloat16_nothing_but_the_results_are_rounded() -> None:
    x = normal(1000, dtype=torch.bfloat16)
    a, b = torch.tensor(A), torch.tensor(B)
    slope = torch.linspace(-1, 2, 1000).bfloat16()
    results = []
    for given_x in (x, x.float()):
        leaves = [leaf.clone().requires_grad_() for leaf in (given_x, a, b)]
        value = SafePade.apply(*leaves)
        results.append((value, *torch.autograd.grad(value, leaves, slope.to(value.dtype))))
    (value, grad_x, *grads), (exact, exact_x, *exact_grads) = results
    assert (value.dtype, grad_x.dtype) == (torch.bfloat16, torch.bfloat16)
    assert torch.equal(value, exact.bfloat16())
    # The derivatives are computed from the rounded value.
    assert_close(grad_x.float(), exact_x, rtol=0.02, atol=0.02)
    for grad, exact_grad in zip(grads, exact_grads, strict=True):
        assert grad.dtype == torch.float32
        assert_close(grad, exact_grad, rtol=0.02, atol=0.5)


@by_both
@pytest.mark.parametrize("count", [1, 6, 7, 8, 14, 20])
def test_blocks_leave_no_trace(pau: Function, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x = normal(count)
    whole = with_gradients(pau, x)
    monkeypatch.setattr(activation, "CPU_BLOCK", 7)
    monkeypatch.setattr(pade, "PART", 7)
    for blockwise, expected in zip(with_gradients(pau, x), whole, strict=True):
        assert_close(blockwise, expected)


@by_both
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last_3d])
def test_any_layout(pau: Function, memory_format: torch.memory_format) -> None:
    x = normal(2, 3, 4, 5, 2).contiguous(memory_format=memory_format)
    for view in (x, x.transpose(1, 3), x[:, ::2], x[..., :1].expand_as(x)):
        for ours, plain in zip(with_gradients(pau, view), with_gradients(formula, view), strict=True):
            assert_close(ours, plain)


def test_compiled_in_several_threads_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    x = normal(70, 1003, dtype=torch.float32)
    monkeypatch.setattr(pade, "PART", 5000)
    results = []
    for threads in (1, 2, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        in_place = x.clone()
        activate_in_place(PadeActivationUnit(), in_place, x[:, :1])
        results.append((in_place, *with_gradients(CompiledPade.apply, x)))
    for several in results[1:]:
        assert all(map(torch.equal, several, results[0]))


def test_compiled_is_the_reference_in_float32_of_many_values() -> None:
    x = 3 * normal(300, 1001, dtype=torch.float32)
    for ours, reference in zip(with_gradients(CompiledPade.apply, x), with_gradients(SafePade.apply, x), strict=True):
        assert_close(ours, reference, rtol=0, atol=1e-5 * float(reference.detach().abs().max()))


@by_both
def test_what_is_not_finite_is_passed_on(pau: Function) -> None:
    x = torch.ones(5000)
    x[4500], x[17] = torch.nan, torch.inf
    for value in with_gradients(pau, x)[:2]:
        assert (~value.isfinite()).nonzero().flatten().tolist() == [17, 4500]
    for gradient in with_gradients(pau, x)[2:]:
        assert gradient.isnan().all()


@by_both
def test_at_zero_the_denominator_has_no_slope(pau: Function) -> None:
    value, gradient, *_ = with_gradients(pau, torch.zeros(1))
    assert_close(value, torch.tensor(A[:1]))
    assert_close(gradient, -torch.tensor(A[1:2]))  # The weight of a single value is -1.


def test_an_exported_unit_computes() -> None:
    with torch.no_grad():
        unit, x = PadeActivationUnit(), normal(3, dtype=torch.float32)
        exported = torch.export.export(unit, (torch.ones(3),)).module()
        assert_close(exported(x), unit(x))


def test_nothing_gives_nothing() -> None:
    x = torch.empty(0, 3, requires_grad=True)
    unit = PadeActivationUnit()
    unit(x).sum().backward()
    assert x.grad is not None
    assert x.grad.shape == (0, 3)
    assert unit.numerator.grad is not None
    assert not unit.numerator.grad.any()


def test_it_starts_close_to_leaky_relu() -> None:
    x = torch.linspace(-2, 2, 401)
    assert (PadeActivationUnit()(x) - F.leaky_relu(x)).abs().max() < 0.04
    # The degrees make it linear far out, with slopes a_5 / b_4 up to the sign that |x| loses.
    far = PadeActivationUnit()(torch.tensor([1e4, 2e4]))
    assert_close((far[1] - far[0]) / 1e4, torch.tensor(0.152424124 / 0.301830109), atol=1e-3, rtol=0)


def test_each_unit_learns_its_own_pair_of_polynomials() -> None:
    first, second = PadeActivationUnit(), PadeActivationUnit()
    assert [p.shape for p in first.parameters()] == [(6,), (4,)]
    with torch.no_grad():
        first.numerator.zero_()
    assert second.numerator.any()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_keeps_shape_and_type(name: str) -> None:
    x = normal(2, 3, 4, dtype=torch.float32)
    value = ACTIVATIONS[name]()(x)
    assert (value.shape, value.dtype) == (x.shape, x.dtype)
    assert not torch.equal(value, x)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_in_place_is_the_same(name: str) -> None:
    activation = ACTIVATIONS[name]()
    generator = torch.Generator().manual_seed(0)
    x, bias = torch.randn(70, 3001, generator=generator), torch.randn(70, 1, generator=generator)  # Several blocks.
    with torch.no_grad():
        expected = activation(x + bias)
        activate_in_place(activation, x, bias)
        activate_in_place(activation, x[:0], bias[:0])
    assert_close(x, expected, atol=1e-7, rtol=1e-6)  # Vectorised tails may round otherwise.
