import torch

from baselines.onet import ONet
from ossnet.network.configuration import OccupancyNetworkConfig


def tiny() -> ONet:
    torch.manual_seed(0)
    sizes = {"shape": (16, 16, 16), "modalities": 1, "encoder_channels": (4,), "decoder_width": 8, "decoder_blocks": 2}
    return ONet(OccupancyNetworkConfig(**sizes, **ONet.preset)).eval()


def test_it_reads_no_patches() -> None:
    network = tiny()
    assert network.patch_encoder is None
    assert network.read_patches(torch.zeros(1, 1, 16, 16, 16), torch.zeros(1, 5, 3, dtype=torch.long)) is None
    assert network.decoder.blocks[0].linear1.in_features == 3 + 4**3


def test_it_has_one_latent_and_no_prior() -> None:
    field = tiny().field(torch.zeros(1, 16, 16, 16))
    assert field.encoding.latents.shape == (1, 1, 4**3)
    assert field.prior is None


def test_what_it_does_not_see_at_half_resolution_changes_nothing() -> None:
    image = torch.randn(1, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    checkerboard = (torch.arange(16) % 2 * 2.0 - 1).expand(16, 16, 16)
    locations = torch.tensor([[3, 4, 5], [8, 8, 8], [0, 15, 7]])
    network = tiny()
    before, after = (network.occupancy(x, locations) for x in (image, image + checkerboard))
    torch.testing.assert_close(before, after, rtol=0, atol=1e-5)
