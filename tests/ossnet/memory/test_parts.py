"""Contexts around the parts of a model whose calls can be listed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from ossnet.field import VoxelField
from ossnet.memory.parts import watched
from ossnet.model import Batch, ModelConfig, Parts, SegmentationModel


class Reader(SegmentationModel):
    """A child module, and a method that returns another function of the same part."""

    config_type: ClassVar[type[ModelConfig]] = ModelConfig

    def __init__(self) -> None:
        super().__init__()
        self.twice = nn.Linear(1, 1)
        self.twice.forward = partial(torch.mul, other=2)

    def parts(self) -> Parts:
        return {**super().parts(), "reading": [self.volume]}

    def volume(self, offset: float) -> Callable[[Tensor], Tensor]:
        return lambda x: self.twice(x) + offset

    def loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        raise NotImplementedError

    def field(self, image: Tensor) -> VoxelField:
        raise NotImplementedError


class Watch:
    """Names of the contexts that are entered and left, in order."""

    def __init__(self) -> None:
        self.events: list[str] = []

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        self.events.append(f"begin {name}")
        yield
        self.events.append(f"end {name}")


READ = ["begin reading", "end reading", "begin reading", "begin twice", "end twice", "end reading"]


def test_modules_methods_and_what_they_return_are_computed_in_their_context() -> None:
    model, watch = Reader(), Watch()
    with watched(model, watch):
        assert model.volume(1)(torch.tensor(3)) == 7
    assert watch.events == READ


def test_after_it_the_model_is_as_before() -> None:
    model, watch = Reader(), Watch()
    forward = model.twice.forward
    with pytest.raises(ZeroDivisionError), watched(model, watch):
        raise ZeroDivisionError
    assert model.twice.forward is forward
    assert "volume" not in vars(model)
    assert model.volume(1)(torch.tensor(3)) == 7
    assert watch.events == []
