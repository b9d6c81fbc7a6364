from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from baselines.iosnet import DISPLACEMENT, IOSNet, IOSNetConfig, sample
from ossnet.model import Batch, Draw
from ossnet.network.occupancy_network import OccupancyNetworkConfig, OSSNetA


def small(**changes: object) -> IOSNet:
    torch.manual_seed(0)
    sizes = {"shape": (8, 10, 12), "modalities": 2, "encoder_channels": (4, 6), "decoder_width": 8}
    return IOSNet(IOSNetConfig(**(sizes | changes)))


def parameters(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_parameters_at_the_published_sizes() -> None:
    sizes = {"shape": (64, 64, 64), "modalities": 4}
    network = OSSNetA(OccupancyNetworkConfig(**sizes))
    model = IOSNet(IOSNetConfig(**sizes))
    features = 4 + 16 + 32 + 64 + 128
    decoder = features * 1024 + 1024 + 2 * (1024**2 + 1024) + 1024 + 1
    assert parameters(model.decoder) == decoder
    assert parameters(model.encoder) == parameters(network.encoder.blocks)

    published = IOSNet(
        IOSNetConfig(**sizes, encoder="resnet", encoder_channels=(64, 128, 256, 512), half_resolution=False)
    )
    widths = (64, 64, 128, 256, 512)
    # Convolutions of size 3 and, where width or grid change, of size 1; two numbers per channel of each norm.
    stem = 4 * 27 * 64 + 2 * 64
    stages = [
        27 * (before * after + 3 * after**2) + before * after + 2 * 5 * after for before, after in pairwise(widths)
    ]
    assert parameters(published.encoder) == stem + sum(stages)
    assert published.decoder.layers[0][0].in_features == 4 + sum(widths)


def test_samples_of_cells_by_hand() -> None:
    """Along an axis of four cells their centres are at -0.75, -0.25, 0.25 and 0.75; beyond there are zeros."""
    volume = torch.arange(1.0, 5.0).reshape(1, 1, 4, 1, 1)
    coordinates = torch.zeros(1, 5, 3)
    coordinates[0, :, 0] = torch.tensor([-0.75, -0.5, 0.25, 1.0, 1.25])
    # The edge is half-way to a zero.
    assert_close(sample(volume, coordinates)[0, :, 0], torch.tensor([1, 1.5, 3, 2, 0]))


def test_the_decoder_gets_the_voxel_itself_and_the_features_of_each_stage() -> None:
    model = small().eval()
    image = torch.randn(2, 8, 10, 12)
    volumes = model.encode(image[None])
    assert [list(volume.shape[1:]) for volume in volumes] == [[2, 8, 10, 12], [4, 2, 2, 3], [6, 1, 1, 1]]
    voxels = torch.tensor([[0, 0, 0], [3, 9, 5], [7, 9, 11]])
    inputs = model.gather(volumes, voxels[None])[0]
    assert inputs.shape == (3, 2 + 4 + 6)
    assert_close(inputs[:, :2], image[:, voxels[:, 0], voxels[:, 1], voxels[:, 2]].T)
    # Voxel 3 of 8 lies a quarter of a cell below the border between the two cells of the first stage, and so on.
    assert_close(inputs[:, 2:6], sample(volumes[1], ((2 * voxels + 1) / torch.tensor([8, 10, 12]) - 1)[None])[0])


def test_optional_inputs_by_hand() -> None:
    volumes = [torch.arange(8.0).reshape(1, 1, 2, 2, 2), torch.arange(1.0, 7.0).reshape(1, 6, 1, 1, 1)]
    model = small(location=True, global_average=True, neighbours=True, shape=(100, 100, 100))
    location = torch.tensor([[[49.5, 49.5, 24.5]]])
    inputs = model.gather(volumes, location)[0, 0]
    # In the middle of the volume but for the last axis, along which voxel 24.5 is at -0.5, the centre of a cell: the
    # neighbours along it see the cell next to it on one side, and on the other zeros beyond the volume.
    first = 3.0
    away = [first] * 4 + [first + DISPLACEMENT, first * (1 - DISPLACEMENT)]
    assert inputs[0].item() == pytest.approx((first + sum(away)) / 7, rel=1e-5)
    assert_close(inputs[7:10], torch.tensor([0, 0, -0.5]))
    assert_close(inputs[10:], torch.arange(1.0, 7.0))


@pytest.mark.parametrize("encoder", ["ossnet", "resnet"])
@pytest.mark.parametrize("half", [True, False])
def test_it_learns_from_drawn_locations_alone(encoder: str, half: bool) -> None:
    """A label far from every drawn location does not matter, and weights are those of the draw."""
    model = small(encoder=encoder, half_resolution=half, shape=(8, 8, 8))
    images, labels = torch.randn(2, 2, 8, 8, 8), torch.zeros(2, 8, 8, 8, dtype=torch.uint8)
    locations, seen = torch.tensor([[[1, 2, 3], [4, 5, 6]]] * 2), []

    def loss(weights: Tensor | None = None) -> float:
        batch = Batch(images, labels, lambda _: Draw(locations, weights), lambda p, o: seen.append((p, o)))
        return model.loss(batch, torch.Generator()).item()

    before = loss()
    labels[:, 7, 7, 7] = 1
    assert loss() == pytest.approx(before)
    labels[0, 1, 2, 3] = 1
    assert loss() != pytest.approx(before)
    assert loss(torch.full((2, 2), 3.0)) == pytest.approx(3 * loss())
    assert torch.equal(seen[0][0], locations)
    assert seen[0][1].shape == (2, 2)


def test_it_learns_a_sphere() -> None:
    torch.manual_seed(0)
    model = IOSNet(IOSNetConfig(shape=(16, 16, 16), modalities=1, encoder_channels=(8, 16), decoder_width=32))
    axis = torch.arange(16) - 7.5
    label = (axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2 < 36).to(torch.uint8)
    images = label + 0.5 * torch.randn(2, 1, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    batch = Batch(images, label.expand(2, -1, -1, -1), draw)
    optimiser, generator = torch.optim.Adam(model.parameters(), lr=1e-2), torch.Generator().manual_seed(0)
    for _ in range(60):
        optimiser.zero_grad()
        model.loss(batch, generator).backward()
        optimiser.step()
    assert (model.eval().segment(images[0]) == label).float().mean() > 0.95


def draw(generator: torch.Generator) -> Draw:
    return Draw(torch.randint(16, (2, 256, 3), generator=generator))


def test_a_grid_that_is_halved_to_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="use fewer"):
        small(encoder_channels=(4, 4, 4))


def test_padé_units_have_the_learning_rate_of_activations() -> None:
    groups = small().parameter_groups()
    assert len(groups["activation"]) == 2 * 2 * 2  # two blocks of two units of two vectors
    assert not small(activation="relu").parameter_groups()["activation"]
