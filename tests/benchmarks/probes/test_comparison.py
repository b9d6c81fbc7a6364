"""Ways of the same work, on tiny networks and volumes."""

from dataclasses import replace
from math import prod
from typing import Any

import pytest
import torch

from benchmarks.probes import comparison
from benchmarks.probes.comparison import compare_ways, untrained
from benchmarks.probes.records import ComparisonResult, check_type
from benchmarks.workload import Probe
from ossnet.model import ModelConfig
from ossnet.registry import model_type

SHAPE = (64, 64, 64)
DECODER = Probe("comparison", "c", "brats", SHAPE, "decoder", 100)
WAYS = ["released", "plain", "suite"]


@pytest.fixture(autouse=True)
def _one_round_of_tiny_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    def config(probe: Probe) -> ModelConfig:
        tiny = {"encoder_channels": (2, 4), "patch_size": 3, "decoder_width": 16, "decoder_blocks": 2}
        kind = model_type(probe.model)
        return kind.config_for(probe.shape, 1, **(tiny if kind.evaluates_locations else {}))

    monkeypatch.setattr(comparison, "ROUNDS", 1)
    monkeypatch.setattr(Probe, "config", property(config))


def compared(probe: Probe) -> dict[str, Any]:
    """Return the result of a comparison that has the type of a record's."""
    result = compare_ways(probe, "cpu")
    check_type(result, ComparisonResult, "result")
    assert {way: len(seconds) for way, seconds in result["seconds"].items()} == dict.fromkeys(WAYS, 1)
    return result


@pytest.mark.parametrize("model", ["onet", "d"])
def test_decoders_agree_in_every_way(model: str) -> None:
    errors = compared(replace(DECODER, model=model))["largest_error"]
    assert errors["plain"] == 0
    assert 0 < errors["suite"] < 1e-5
    assert errors["released"] < 1e-5


def test_the_latents_matter_to_the_network_that_is_compared() -> None:
    network = untrained(DECODER)
    locations, patches = torch.zeros(1, 2, 3), torch.zeros(1, 2, 3, 3, 3, 1)
    latents = torch.rand(2, 3, prod(network.config.lowest_grid))
    with torch.no_grad():
        one, other = (network.decode(locations, patches, latents[i : i + 1]) for i in range(2))
    assert (one - other).abs().max() > 1e-4


def test_extractions_find_the_closed_form_in_every_way() -> None:
    result = compared(replace(DECODER, phase="extraction", locations=2**12, extraction="mise"))
    # The octree misses a part of the target's satellite on so coarse a grid, in every way alike.
    assert len(set(result["differing_voxels"].values())) == 1
    assert len({tuple(stages) for stages in result["evaluated"].values()}) == 1


@pytest.mark.parametrize("probe", [replace(DECODER, phase="inference"), replace(DECODER, model="unet3d")])
def test_no_other_work_is_compared(probe: Probe) -> None:
    with pytest.raises(ValueError, match="no "):
        compare_ways(probe, "cpu")
