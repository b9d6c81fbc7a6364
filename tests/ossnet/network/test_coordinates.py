import math

import pytest
import torch
from torch.testing import assert_close

from ossnet.config import plain
from ossnet.network.configuration import OccupancyNetworkConfig
from ossnet.network.coordinates import fourier_features, location_size, scale_locations, scaling
from ossnet.network.occupancy_network import OccupancyNetwork

SMALL = {"shape": (16, 16, 11), "modalities": 1, "encoder_channels": (4,), "patch_size": 1, "decoder_width": 8}


def network(seed: int = 0, **settings: str) -> OccupancyNetwork:
    torch.manual_seed(seed)
    return OccupancyNetwork(OccupancyNetworkConfig(**SMALL, **settings)).eval()


def test_fourier_features_by_hand() -> None:
    frequencies = torch.tensor([[0.25, 0.0], [0.0, 1.0], [0.5, 0.0]])
    # Phases 2 pi (1/4 - 1/2) = -pi/2, and 2 pi 1/6 = pi/3.
    expected = [1.0, 1 / 6, -1.0, 0.0, 0.5, -1.0, math.sqrt(3) / 2]
    found = fourier_features(torch.tensor([[[1.0, 1 / 6, -1.0]]]), frequencies)
    assert_close(found, torch.tensor([[expected]]), atol=1e-6, rtol=0)


def test_factors_and_summands_are_those_of_the_scaled_locations() -> None:
    shape = (16, 1, 11)
    locations = torch.tensor([[0.0, 0.0, 0.0], [15.0, 0.0, 10.0], [7.5, 0.0, 2.5]], dtype=torch.float64)
    expected = torch.tensor([[-1.0, -1.0, -1.0], [1.0, -1.0, 1.0], [0.0, -1.0, -0.5]], dtype=torch.float64)
    scale, shift = scaling(shape, locations)
    assert_close(scale_locations(locations, shape), expected)
    assert_close(locations * scale + shift, expected)


def test_the_decoder_takes_scaled_locations_and_their_features() -> None:
    seen = []
    model = network(locations="fourier")
    model.decoder.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    model.plain_field(torch.zeros(1, 16, 16, 11))(torch.tensor([[0, 15, 5]]))
    assert seen[0].shape == (1, 1, location_size("fourier")) == (1, 1, 35)
    assert_close(seen[0][0, 0, :3], torch.tensor([-1.0, 1.0, 0.0]))
    assert model.frequencies is not None
    assert_close(seen[0][0, 0, 3:19], (2 * math.pi * (model.frequencies[1] - model.frequencies[0])).cos())


def test_frequencies_follow_the_seed_and_are_saved_with_the_weights() -> None:
    drawn = torch.stack([network(seed, locations="fourier").state_dict()["frequencies"] for seed in range(40)])
    assert drawn.std().item() == pytest.approx(4, abs=0.3)
    assert len({float(each.sum()) for each in drawn}) == 40
    other = network(1, locations="fourier")
    other.load_state_dict(network(0, locations="fourier").state_dict())
    assert torch.equal(other.frequencies, drawn[0])
    assert "frequencies" not in network().state_dict()


def test_earlier_configurations_keep_their_plain_values() -> None:
    before = plain(OccupancyNetworkConfig(**SMALL))
    assert not {"conditioning", "latent_input"} & before.keys()
    assert before["locations"] == "voxel"
    assert plain(OccupancyNetworkConfig(**SMALL, conditioning=False))["conditioning"] is False
