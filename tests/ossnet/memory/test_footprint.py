"""Predicted footprints against sums by hand, against real tensors, and against the profiler's account of a real run."""

import json
import math
from dataclasses import replace
from functools import cache
from itertools import pairwise, product
from pathlib import Path
from typing import get_args

import pytest
import torch
from torch import nn

from baselines.onet import ONet
from baselines.unet2d import UNet2dConfig
from baselines.unet3d import UNet3dConfig
from ossnet.memory.accounting import StorageAccount
from ossnet.memory.allocator import CachingAllocator
from ossnet.memory.footprint import (
    Footprint,
    Target,
    convolution_workspace,
    copied_indices,
    count,
    footprint_of,
    gpu_workspace,
    predict,
    unfolded_input,
)
from ossnet.memory.workload import Phase, Workload
from ossnet.network.activation import GPU_BLOCK
from ossnet.network.configuration import OccupancyNetworkConfig
from ossnet.network.occupancy_network import OSSNetD

SHAPE = (32, 32, 16)
SMALL = OccupancyNetworkConfig(
    shape=SHAPE,
    modalities=2,
    encoder_channels=(4, 8),
    decoder_width=64,
    decoder_blocks=2,
    patch_size=3,
    **OSSNetD.preset,
)
LARGE = replace(SMALL, shape=(64, 64, 64))
# The learned activation is many operations, each of which takes time to predict.
SIMPLE = {"activation": "gelu", "decoder_blocks": 1}
SMALL_AND_SIMPLE, LARGE_AND_SIMPLE = replace(SMALL, **SIMPLE), replace(LARGE, **SIMPLE)
UNETS = {"encoder_channels": (8, 16), "decoder_channels": (8,)}


def unet3d(phase: Phase) -> Workload:
    # On smaller grids oneDNN's own copies, which are not counted, come to 1 % on some CPUs.
    config = UNet3dConfig(shape=(80, 80, 32), modalities=2, **UNETS)
    return Workload("unet3d", config, phase, batch_size=2)


def unet2d(phase: Phase, side: int = 64, slices: int = 4) -> Workload:
    config = UNet2dConfig(shape=(side, side, 8), modalities=2, slices_per_case=slices, max_slices=slices, **UNETS)
    return Workload("unet2d-depth", config, phase)


WORKLOADS = {
    # A pass of no more locations than the smallest chunk, since on a CPU the size of chunks is chosen by trial.
    "d": lambda phase: Workload("d", SMALL, phase, batch_size=2, locations=256),
    "unet3d": unet3d,
    "unet2d-depth": unet2d,
}
STEPS = list(product(WORKLOADS, get_args(Phase)))


@cache
def predicted(model: str, phase: Phase, target: Target = "gpu") -> Footprint:
    before = torch.get_rng_state()
    footprint = predict(WORKLOADS[model](phase), target)
    assert torch.equal(torch.get_rng_state(), before), "a prediction draws nothing"
    return footprint


@pytest.mark.parametrize(("model", "phase"), STEPS)
def test_the_parts_make_the_whole(model: str, phase: Phase) -> None:
    footprint = predicted(model, phase)
    assert sum(footprint.by_part.values()) == footprint.allocated_bytes <= footprint.reserved_bytes
    expected = {"parameters"} | ({"gradients", "optimizer_state"} if phase == "training" else set())
    # An image that occupancy networks segment stays in host memory.
    if (model, phase) != ("d", "extraction"):
        expected.add("inputs")
    assert expected <= set(footprint.by_part)


@pytest.mark.parametrize(("model", "phase"), STEPS)
def test_the_prediction_is_what_real_tensors_take(model: str, phase: Phase) -> None:
    footprint, counted = predicted(model, phase, "cpu"), count(WORKLOADS[model](phase), "cpu")
    # The points around the ellipsoid are a few more or fewer than is assumed.
    tolerance, of_parts = (5e-3, 0.03) if phase == "extraction" else (1e-3, 0.01)
    assert footprint.allocated_bytes == pytest.approx(counted.allocated_bytes, rel=tolerance)
    assert footprint.by_part == pytest.approx(counted.by_part, rel=of_parts, abs=2**10)


def test_the_prediction_of_an_extraction_in_many_passes_is_what_real_tensors_take() -> None:
    sizes = {"encoder_channels": (4, 8), "decoder_width": 8, "decoder_blocks": 1}
    config = OccupancyNetworkConfig(shape=(64, 48, 33), modalities=1, **sizes, **ONet.preset)
    workload = Workload("onet", config, "extraction", locations=256)
    counted = count(workload, "cpu").allocated_bytes
    assert predict(workload, "cpu").allocated_bytes == pytest.approx(counted, rel=0.005)


def profiled_peak(workload: Workload, trace: Path) -> int:
    """Of two steps on the CPU, by the profiler: what was there before, and the most that was allocated on top."""
    step = workload.prepare("cpu")
    held = (*step.model.parameters(), *step.model.buffers(), *step.inputs, *step.slow_weights)
    before = sum(tensor.nbytes for tensor in held)
    with torch.profiler.profile(profile_memory=True, activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        step()
        step()
    profile.export_chrome_trace(str(trace))
    live = peak = 0
    for event in json.loads(trace.read_text(encoding="utf-8"))["traceEvents"]:
        if event["name"] == "[memory]":
            live += event["args"]["Bytes"]
            peak = max(peak, live)
    return before + peak


@pytest.mark.filterwarnings("ignore:.*[Pp]rofiler.*")
# Extraction is inference for models of all voxels.
@pytest.mark.parametrize(("model", "phase"), [step for step in STEPS if step[1] != "extraction" or step[0] == "d"])
def test_the_prediction_for_a_cpu_is_what_a_real_run_takes(model: str, phase: Phase, tmp_path: Path) -> None:
    measured = profiled_peak(WORKLOADS[model](phase), tmp_path / "trace.json")
    assert predicted(model, phase, "cpu").allocated_bytes == pytest.approx(measured, rel=0.01)


def test_inference_in_the_decoder_by_hand() -> None:
    config = OccupancyNetworkConfig(
        shape=(16, 16, 16), modalities=1, encoder_channels=(1,), decoder_width=128, decoder_blocks=2, **ONet.preset
    )
    n = 2**14
    peak = predict(Workload("onet", config, "inference", locations=n))
    # While an activation works: a block's output and its hidden features, and two intermediates; and the inputs.
    wide = n * 128 * 4
    assert peak.by_part["decoder"] == pytest.approx(2 * wide + 2 * GPU_BLOCK * 4 + n * 3 * 4, rel=2e-2)
    # Locations of 3 int64; the volume is in host memory.
    assert peak.by_part["inputs"] == n * 3 * 8


def test_patches_by_hand() -> None:
    sizes = {
        "shape": (16, 16, 16),
        "modalities": 1,
        "encoder_channels": (1,),
        "decoder_width": 128,
        "decoder_blocks": 2,
    }
    onet, a = (
        predict(Workload(name, OccupancyNetworkConfig(patch_size=3, **sizes, **preset), "inference", locations=2**14))
        for name, preset in (("onet", ONet.preset), ("a", {}))
    )
    # Patches, hidden features and local features, in float32; the volume that they are read from is in host memory.
    added = 2**14 * (27 + 27 + 27) * 4
    assert a.by_part["decoder"] - onet.by_part["decoder"] == pytest.approx(added, rel=0.05)
    assert "patches" not in a.by_part


def test_inference_takes_no_more_memory_from_a_certain_number_of_locations_on() -> None:
    few, many = (predict(Workload("d", LARGE, "inference", locations=n)).by_part["decoder"] for n in (2**15, 2**20))
    # What is left of them are their logits.
    assert many - few < 2**20 * 4


@pytest.mark.parametrize("phase", ["inference", "extraction"])
def test_a_volume_that_is_segmented_does_not_lie_on_a_gpu(phase: Phase) -> None:
    whole = 2 * math.prod(LARGE.shape) * 4
    workload = Workload("d", LARGE_AND_SIMPLE, phase, locations=16)
    on_gpu, on_cpu = (predict(workload, target) for target in ("gpu", "cpu"))
    # Locations in a block of the allocator are all that does.
    assert on_gpu.by_part.get("inputs", 0) == (512 if phase == "inference" else 0)
    assert on_cpu.by_part["inputs"] >= whole


def test_patches_that_gradients_need_are_kept_in_training() -> None:
    peak = predict(Workload("d", SMALL_AND_SIMPLE, "training", batch_size=2, locations=4096))
    # Two volumes of them, of two modalities and their larger context.
    assert peak.by_part["patches"] == 2 * 4096 * 3**3 * 4 * 4


def test_one_volume_at_a_time_is_made_ready_for_patches() -> None:
    one, two = (
        predict(Workload("d", LARGE_AND_SIMPLE, "training", batch_size=size, locations=16)).by_part["patches"]
        for size in (1, 2)
    )
    assert two < 1.01 * one


def test_labels_in_floating_point_do_not_lie_beside_activations() -> None:
    peak = predict(Workload("d", LARGE_AND_SIMPLE, "training", batch_size=2, locations=512))
    # The two volumes' labels would be as large as the volumes of one modality.
    assert peak.by_part["other"] < 2 * math.prod(LARGE.shape) * 4


def test_the_volume_for_patches_does_not_lie_beside_the_encoders_activations() -> None:
    wide = replace(LARGE, encoder_channels=(64, 64))
    parts = predict(Workload("d", wide, "inference", locations=16)).by_part
    assert parts["encoder"] > 64 * math.prod(wide.encoder_shape) * 4
    assert "patches" not in parts


def test_predictions_by_hand() -> None:
    assert predicted("unet2d-depth", "inference").by_part["predictions"] == 64 * 64 * 8 * 4


def test_optimiser_state_by_hand() -> None:
    parts = predicted("unet3d", "training").by_part
    # Two moments and Lookahead's slow weights.
    assert parts["optimizer_state"] == pytest.approx(3 * parts["parameters"], rel=0.01)


def test_memory_grows_with_locations() -> None:
    peaks = [
        predict(Workload("d", SMALL_AND_SIMPLE, "inference", locations=n)).allocated_bytes
        for n in (1, 100, 2**10, 2**13, 2**16)
    ]
    assert all(fewer <= more for fewer, more in pairwise(peaks))


def test_slices_add_up_and_each_needs_as_much_as_it_is_large() -> None:
    one, three, large = (
        predict(unet2d("training", side, slices)).by_part["unet"] for side, slices in ((64, 1), (64, 3), (128, 1))
    )
    assert three == pytest.approx(3 * one, rel=0.01)
    assert large == pytest.approx(4 * one, rel=0.01)


@pytest.mark.parametrize("slices", [1, 3, 8])
def test_slices_that_are_not_evaluated_are_accounted_for(slices: int) -> None:
    workload = unet2d("inference", 32, slices)
    evaluated = footprint_of(workload.prepare("cpu"), StorageAccount(CachingAllocator(), gpu_workspace))
    # On a CPU the same in other layouts, for which the first level is copied.
    assert predict(workload).allocated_bytes == pytest.approx(evaluated.allocated_bytes, rel=0.01)


def test_a_resized_volume_adds_its_copy_to_a_volume_of_that_size() -> None:
    small, large = (8, 8, 8), (16, 16, 16)
    configs = (
        UNet3dConfig(shape=large, training_shape=small, modalities=2, **UNETS),
        UNet3dConfig(shape=small, modalities=2, **UNETS),
    )
    resized, own = (predict(Workload("unet3d", config, "training")).by_part for config in configs)
    # Of each voxel two modalities and the label.
    assert resized["inputs"] - own["inputs"] == (2 * 4 + 1) * (16**3 - 8**3)
    assert resized["unet"] == own["unet"]


def test_a_prediction_repeats() -> None:
    for model in ("d", "unet2d-depth"):
        assert predict(WORKLOADS[model]("inference")) == predicted(model, "inference")


@pytest.mark.parametrize(
    ("in_channels", "kernel", "expected"),
    [
        # Input of 1 channel padded to 4, and 8 output channels, of 6^3 voxels.
        (1, 3, (4 + 8) * 6**3 * 4),
        (6, 3, (8 + 8) * 6**3 * 4),
        (4, 3, 0),
        (1, 1, 0),
    ],
)
def test_workspace_of_a_convolution(in_channels: int, kernel: int, expected: int) -> None:
    x, weight = torch.zeros(1, in_channels, 6, 6, 6), torch.zeros(8, in_channels, *[kernel] * 3)
    out = nn.functional.conv3d(x, weight, padding=kernel // 2)
    assert convolution_workspace([x, weight], out) == expected
    assert gpu_workspace(torch.ops.aten.convolution.default, [x, weight], out) == expected


def test_other_operators_need_no_workspace() -> None:
    x = torch.zeros(1, 1, 4, 4, 4)
    assert gpu_workspace(torch.ops.aten.mul.Tensor, [x, x], x * x) == 0


def test_indices_along_several_axes_are_copied_to_the_size_of_the_grid() -> None:
    along = [torch.arange(size) for size in (3, 4, 5)]
    grid = torch.meshgrid(*along, indexing="ij")
    # Three of int64; the points of a list have the same strides.
    assert copied_indices(grid) == 3 * 3 * 4 * 5 * 8
    assert copied_indices([along[0][:, None], None, along[2]]) == 2 * 3 * 5 * 8
    assert copied_indices(torch.zeros(7, 3, dtype=torch.long).unbind(1)) == copied_indices([None, along[1]]) == 0
    volume = torch.zeros(3, 4, 5)
    assert gpu_workspace(torch.ops.aten.index.Tensor, [volume, list(grid)], volume) == copied_indices(grid)


@pytest.mark.parametrize(
    ("size", "layout", "expected"),
    [
        # Each of 5^3 voxels with 3^3 neighbours in 2 channels, and a copy where channels are last.
        (3, torch.contiguous_format, 2 * 27 * 5**3 * 4),
        (3, torch.channels_last_3d, 2 * 27 * 5**3 * 4 + 2 * 5**3 * 4),
        (1, torch.contiguous_format, 0),
    ],
)
def test_a_small_convolution_on_a_cpu_unfolds_its_input(size: int, layout: torch.memory_format, expected: int) -> None:
    x = torch.zeros(1, 2, 5, 5, 5).to(memory_format=layout)
    weight, ones, zeros = torch.zeros(3, 2, *[size] * 3), [1, 1, 1], [0, 0, 0]
    arguments = [x, weight, None, ones, [size // 2] * 3, ones, False, zeros, 1]
    out = torch.ops.aten.convolution(*arguments)
    assert unfolded_input(torch.ops.aten.convolution.default, arguments, out) == expected
