import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from baselines.unet import Dimensions, ResidualBlock, ResidualUNet, UNetConfig
from ossnet.config import build
from ossnet.errors import UserError


def config(**changes: object) -> UNetConfig:
    values = {"shape": (8, 8, 8), "modalities": 2, "encoder_channels": (4, 8), "decoder_channels": (4,), "groups": 2}
    return build(UNetConfig, values | changes, "test")


def test_a_block_without_its_last_convolution_is_its_shortcut() -> None:
    block = ResidualBlock(3, 4, 4, groups=2)
    torch.nn.init.zeros_(block.main[-1].weight)
    x = torch.randn(2, 4, 3, 5, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(block(x), x)


def test_a_block_leaves_its_input_as_it_is() -> None:
    x = torch.randn(1, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    kept = x.clone()
    ResidualBlock(2, 4, 8, groups=2)(x)
    ResidualBlock(2, 4, 4, groups=2, first=True)(x)
    assert torch.equal(x, kept)


def test_only_the_first_block_sees_how_bright_its_input_is() -> None:
    x = torch.rand(1, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    later, first = ResidualBlock(2, 4, 4, groups=2), ResidualBlock(2, 4, 4, groups=2, first=True)
    torch.testing.assert_close(later.main(x + 3), later.main(x), rtol=0, atol=1e-4)
    assert not torch.allclose(first.main(x + 3), first.main(x), rtol=0, atol=1e-4)


@given(data=st.data(), levels=st.integers(1, 4), dimensions=st.sampled_from([2, 3]))
def test_logits_have_the_grid_of_the_image(data: st.DataObject, levels: int, dimensions: Dimensions) -> None:
    grid = data.draw(st.tuples(*[st.integers(2, 9)] * dimensions))
    sizes = config(encoder_channels=(4,) * levels, decoder_channels=(4,) * (levels - 1), classes=3)
    assert ResidualUNet(dimensions, sizes)(torch.zeros(1, 2, *grid)).shape == (1, 3, *grid)


def test_cases_of_a_batch_do_not_see_each_other() -> None:
    unet = ResidualUNet(3, config())
    images = torch.randn(2, 2, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    together, apart = unet(images), torch.cat([unet(image[None]) for image in images])
    torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-4)


def test_the_receptive_field_reaches_across_levels() -> None:
    unet = ResidualUNet(2, config(encoder_channels=(4, 4, 4), decoder_channels=(4, 4)))
    image = torch.randn(1, 2, 32, 32, generator=torch.Generator().manual_seed(0), requires_grad=True)
    unet(image)[0, 0, 16, 16].backward()
    assert image.grad is not None
    assert (image.grad[0, :, 16, 4:29] != 0).all()


def test_the_first_block_has_the_parameters_counted_by_hand() -> None:
    """4 to 8 channels: 4*8*27 + 8*8*27 + 4*8 weights, and two norms of 8 scales and 8 shifts each."""
    assert sum(p.numel() for p in ResidualBlock(3, 4, 8, groups=8, first=True).parameters()) == 864 + 1728 + 32 + 32


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"decoder_channels": (4, 4)}, "decoder_channels"),
        ({"encoder_channels": (), "decoder_channels": ()}, "encoder_channels"),
        ({"groups": 3}, "groups"),
        ({"encoder_channels": (4, 0)}, "encoder_channels"),
        ({"filters": (4, 8)}, "filters"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changes: dict[str, object], named: str) -> None:
    with pytest.raises(UserError, match=named):
        config(**changes)
