import torch
from torch import nn

from ossnet.network.lean.host import HostWeights


def test_on_a_cpu_the_copies_are_the_weights() -> None:
    model = nn.Linear(2, 1)
    weights = HostWeights(model)
    for weight, copy in zip(model.parameters(), weights.of(list(model.parameters())), strict=True):
        assert weight.data_ptr() == copy.data_ptr()


def test_gradients_leave_the_model_and_add_up() -> None:
    model = nn.Linear(2, 1)
    weights = HostWeights(model)
    for _ in range(2):
        model(torch.tensor([[1.0, 2.0]])).backward()
    copy, bias = weights.of(list(model.parameters()))
    assert copy.grad is not None
    assert copy.grad.tolist() == [[2.0, 4.0]]
    assert bias.grad is not None
    assert bias.grad.tolist() == [2.0]
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_gpu_has_weights_of_its_own() -> None:
    model = nn.Linear(2, 1, device="meta")
    copies = HostWeights(model).of(list(model.parameters()))
    for weight, copy in zip(model.parameters(), copies, strict=True):
        assert weight.untyped_storage()._cdata != copy.untyped_storage()._cdata
