"""Lean training has the loss, the gradients and the statistics of the plain path."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from ossnet.network.lean import sweep, tiles
from ossnet.network.occupancy_network import OccupancyNetwork

Make = Callable[..., OccupancyNetwork]
Learn = Callable[..., Any]


def off(actual: Tensor, expected: Tensor) -> float:
    """The error of a whole vector, relative to its length."""
    return float((actual - expected).norm() / expected.norm())


VARIANTS: list[dict[str, Any]] = [
    {"normalization": "feature"},
    {"classes": 4},
    {"classes": 4, "nested": True},
    {"locations": "scaled"},
    {"decoder_blocks": 1},
    {"decoder_blocks": 2, "activation": "relu"},
    {"conditioning": False, "activation": "gelu"},
    {"latent_input": False, "activation": "silu"},
    {"locations": "fourier", "activation": "leaky_relu"},
]


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        *((name, {}) for name in ("onet", "a", "b", "c", "d")),
        # Variants of the decoder, with all that it can be given, and without patches and skips.
        *((name, changes) for name in ("d", "onet") for changes in VARIANTS),
    ],
    ids=str,
)
def test_it_is_exact(name: str, changes: dict[str, Any], make: Make, learn: Learn) -> None:
    plain, *leans = (learn(make(name, memory, **changes)) for memory in ("plain", "lean", "leanest"))
    for lean in leans:
        assert len(plain.gradient) == len(lean.gradient)
        assert all(off(actual, expected) < 1e-12 for expected, actual in zip(plain, lean, strict=True))


@pytest.mark.parametrize("normalization", ["scalar", "feature"])
def test_in_float32_it_rounds_as_the_plain_path_does(normalization: str, make: Make, learn: Learn) -> None:
    exact = learn(make("c", "plain", normalization=normalization))
    lean = learn(make("c", "leanest", torch.float32, normalization=normalization))
    plain = learn(make("c", "plain", torch.float32, normalization=normalization))
    assert off(lean.gradient, exact.gradient) < 1e-5
    assert off(lean.gradient, plain.gradient) < 1e-5
    assert off(lean.statistics, exact.statistics) < 1e-6


@pytest.mark.parametrize("chunk", [1, 7, 50, 1000])
def test_chunks_change_nothing(chunk: int, make: Make, learn: Learn, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = learn(make("d", "lean", decoder_blocks=2))
    monkeypatch.setattr(sweep, "CHUNK", chunk)
    monkeypatch.setattr(sweep, "LEAST_CHUNK", chunk)
    for memory in ("lean", "leanest"):
        actual = learn(make("d", memory, decoder_blocks=2))
        assert off(actual.gradient, expected.gradient) < 1e-12
        assert off(actual.statistics, expected.statistics) < 1e-13


# In the second, the second block is tiled, too, whose input needs a gradient; its grid is odd.
@pytest.mark.parametrize(("tiled", "size"), [(10**9, 1), (1, 1), (1, 10**9)])
@pytest.mark.parametrize("channels", [(4, 6), (2, 2)])
def test_tiles_change_nothing(
    tiled: int, size: int, channels: tuple[int, int], make: Make, learn: Learn, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = learn(make("c", "plain", encoder_channels=channels))
    monkeypatch.setattr(tiles, "TILED_ELEMENTS", tiled)
    monkeypatch.setattr(tiles, "TILE_ELEMENTS", size)
    actual = learn(make("c", "lean", encoder_channels=channels))
    assert off(actual.gradient, expected.gradient) < 1e-12
    assert off(actual.statistics, expected.statistics) < 1e-13


def test_statistics_are_updated_once(make: Make, learn: Learn) -> None:
    network = make("c", "leanest")
    learn(network)
    counts = [buffer for name, buffer in network.named_buffers() if name.endswith("num_batches_tracked")]
    assert {int(count) for count in counts} == {1}
    learn(network)
    assert {int(count) for count in counts} == {2}


def test_each_pade_unit_learns_as_plainly(make: Make, learn: Learn) -> None:
    gradients = []
    for memory in ("plain", "leanest"):
        network = make("c", memory)
        learn(network, weighted=False)
        gradients.append([p.grad for p in network.parameter_groups()["activation"]])
    for expected, actual in zip(*gradients, strict=True):
        assert expected is not None
        assert actual is not None
        torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-13)


def test_in_evaluation_it_is_the_plain_network(make: Make) -> None:
    image = torch.randn(2, 20, 16, 22, generator=torch.Generator().manual_seed(0))
    locations = torch.tensor([[0, 0, 0], [19, 15, 21], [3, 4, 5]])
    plain, lean = (make("d", memory, torch.float32).eval() for memory in ("plain", "lean"))
    assert torch.equal(plain.occupancy(image, locations), lean.occupancy(image, locations))
