"""U-Nets by other choices: what they compute, and what that does to their memory, by hand where it can be."""

from dataclasses import replace
from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from baselines.unet import Dimensions, ResidualBlock, ResidualUNet, UNetConfig
from benchmarks.probes.released_memory import released_footprint
from benchmarks.probes.unet_variants import CHOICES, UNetChoices, VariedUNet
from benchmarks.workload import Phase, Probe, UNetVariant

TRAINING = Probe("memory", "unet2d-depth", "brats", (256, 256, 160), "training", implementation="released")
INFERENCE = replace(TRAINING, phase="inference")

CONFIG = UNetConfig(
    shape=(8, 8, 8), modalities=2, encoder_channels=(4, 6, 8), decoder_channels=(6, 4), groups=2, classes=3
)


def allocated(probe: Probe, variant: UNetVariant) -> int:
    return released_footprint(replace(probe, implementation=variant)).allocated_bytes


def varied(dimensions: Dimensions = 3, **choices: bool) -> VariedUNet:
    torch.manual_seed(0)
    return VariedUNet(dimensions, CONFIG, UNetChoices(**choices))


def image(dimensions: Dimensions = 3) -> torch.Tensor:
    return torch.rand(1, 2, *[8] * dimensions, generator=torch.Generator().manual_seed(1))


def test_every_variant_has_choices_of_its_own() -> None:
    assert set(CHOICES) == {"released", *get_args(UNetVariant)}
    assert len(set(CHOICES.values())) == len(CHOICES)


def test_by_the_suites_choices_it_is_the_suites() -> None:
    torch.manual_seed(0)
    suites = ResidualUNet(3, CONFIG)
    torch.testing.assert_close(varied()(image()), suites(image()))


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("choices", CHOICES.values(), ids=CHOICES)
def test_logits_have_the_grid_of_the_image(choices: UNetChoices, dimensions: Dimensions) -> None:
    assert VariedUNet(dimensions, CONFIG, choices)(image(dimensions)).shape == (1, 3, *[8] * dimensions)


def test_after_the_sum_all_that_a_block_gives_is_rectified() -> None:
    given: list[torch.Tensor] = []
    unet = varied(activation_after_sum=True)
    assert not any(isinstance(module, ResidualBlock) for module in unet.modules())
    for block in [*unet.encoder, *unet.decoder]:
        block.register_forward_hook(lambda module, inputs, output: given.append(output))
    unet(image())
    assert len(given) == 5
    assert all((output >= 0).all() for output in given)


def test_no_rectifier_writes_over_its_input_where_none_is_to() -> None:
    rectifiers = [module for module in varied(relu_in_place=False).modules() if isinstance(module, nn.ReLU)]
    assert rectifiers
    assert not any(module.inplace for module in rectifiers)
    torch.testing.assert_close(varied(relu_in_place=False)(image()), varied()(image()))


def test_average_pooling_gives_means() -> None:
    x = image()
    torch.testing.assert_close(varied(average_pooling=True)._pool(x), F.avg_pool3d(x, 2))
    assert torch.equal(varied()._pool(x), F.max_pool3d(x, 2))


def test_transposed_convolutions_give_the_filters_of_the_skip_connection() -> None:
    up = [module for module in varied(transposed_convolution=True).modules() if isinstance(module, nn.ConvTranspose3d)]
    assert [(layer.in_channels, layer.out_channels) for layer in up] == [(8, 6), (6, 4)]
    joined = [block[0].main[0].num_channels for block in varied(transposed_convolution=True).decoder]
    assert joined == [12, 8]


@pytest.mark.parametrize(
    ("variant", "phase"),
    [
        ("activation after the sum", "training"),
        ("ReLU not in place", "training"),
        ("ReLU not in place", "inference"),
        ("transposed convolution", "training"),
    ],
)
def test_the_prediction_is_what_real_tensors_take(variant: UNetVariant, phase: Phase) -> None:
    probe = Probe("memory", "unet3d", "cube", (32, 32, 16), phase, implementation=variant)
    real = released_footprint(probe, "cpu")
    assert released_footprint(probe).allocated_bytes == pytest.approx(real.allocated_bytes, rel=0.01)


def test_slices_across_another_axis_have_its_grid() -> None:
    across = replace(INFERENCE, implementation="slices across another axis")
    assert released_footprint(INFERENCE).by_part["inputs"] == 4 * 256 * 256 * 4
    assert released_footprint(across).by_part["inputs"] == 4 * 256 * 160 * 4


def test_what_takes_less_and_what_more() -> None:
    suites = released_footprint(TRAINING).allocated_bytes
    # The indices of the pooled features, of 128, 256, 384 and 512 filters, are 8 bytes each. The allocator's blocks may
    # be somewhat larger than what was asked for.
    indices = 8 * sum(filters * (128 >> level) ** 2 for level, filters in enumerate((128, 256, 384, 512)))
    assert suites - allocated(TRAINING, "average pooling") == pytest.approx(indices, rel=0.1)
    assert allocated(TRAINING, "activation after the sum") < suites
    assert allocated(TRAINING, "transposed convolution") < suites
    # At inference a rectifier's input lives on beside its output until that is made.
    assert allocated(INFERENCE, "ReLU not in place") > released_footprint(INFERENCE).allocated_bytes


def test_variants_are_of_u_nets_alone() -> None:
    with pytest.raises(ValueError, match="no account of the released memory of"):
        allocated(Probe("memory", "c", "cube", (16, 16, 16), "inference", 8), "average pooling")
    with pytest.raises(ValueError, match="no account of the released memory of"):
        released_footprint(replace(TRAINING, implementation="suite"))
