"""Stages against models whose parts set the clock."""

from collections.abc import Iterator
from itertools import repeat
from typing import Any

import pytest
import torch
from torch import Tensor

from baselines.onet import ONet
from baselines.unet2d import UNet2dConfig, UNet2dDepth
from baselines.unet3d import UNet3d, UNet3dConfig
from benchmarks.machine.timing import count_flops
from benchmarks.probes import extraction_stages as stages
from benchmarks.probes.extraction_stages import time_extraction
from benchmarks.probes.phantom import make_volume
from ossnet.errors import UserError
from ossnet.inference.extraction import EXTRACTORS
from ossnet.model import ModelConfig, SegmentationModel
from ossnet.network.chunks import ChunkSize
from ossnet.network.compiled import CompiledDecoder, ReadPatches
from ossnet.network.configuration import OccupancyNetworkConfig
from ossnet.network.encoder import Encoding
from ossnet.network.occupancy_network import OSSNetA, OSSNetC, OSSNetD
from ossnet.network.patches import PatchVolume

SHAPE = (24, 20, 16)
VOXELS = 24 * 20 * 16
SIZES: dict[str, Any] = {
    "shape": SHAPE,
    "modalities": 2,
    "encoder_channels": (4, 4),
    "patch_size": 3,
    "decoder_width": 8,
    "decoder_blocks": 2,
}
UNET: dict[str, Any] = {"shape": SHAPE, "modalities": 2, "encoder_channels": (8, 8), "decoder_channels": (8,)}
UNETS: list[tuple[type[SegmentationModel], ModelConfig, int]] = [
    (UNet3d, UNet3dConfig(**UNET), 1),
    (UNet2dDepth, UNet2dConfig(**UNET, max_slices=6), 3),
]


class Clock:
    """Moved by the parts of a model, each by its own time."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class SlowPatches(PatchVolume):
    clock: Clock

    def __call__(self, locations: Tensor) -> Tensor:
        self.clock.now += 2
        return super().__call__(locations)


class SlowDecoder(CompiledDecoder):
    clock: Clock

    def __call__(self, locations: Tensor, read_patches: ReadPatches | None) -> Tensor:
        self.clock.now += 3
        self.chunk_size = ChunkSize([VOXELS])
        return super().__call__(locations, read_patches)


class SlowNetwork(OSSNetC):
    """Takes 5 s to encode, 1 s to prepare patches, 2 s to read those of a pass and 3 s to decode it."""

    clock: Clock
    encoding_s: Iterator[float] = repeat(5)

    def encode_in_tiles(self, image: Tensor) -> Encoding:
        self.clock.now += next(self.encoding_s)
        return super().encode_in_tiles(image)

    def patch_volume(self, image: Tensor) -> PatchVolume:
        self.clock.now += 1
        patches = SlowPatches(image, self.config.patch_size)
        patches.clock = self.clock
        return patches

    def compile_decoder(self, latents: Tensor) -> CompiledDecoder:
        compiled = super().compile_decoder(latents)
        compiled.__class__ = SlowDecoder
        compiled.clock = self.clock
        return compiled


def network(kind: type[SegmentationModel]) -> SegmentationModel:
    torch.manual_seed(0)
    return kind(OccupancyNetworkConfig(**SIZES, **kind.preset))


def test_each_stage_has_its_time() -> None:
    model = network(SlowNetwork)
    model.clock = clock = Clock()
    measured = time_extraction(model, "dense", 1000, "cpu", repeats=2, clock=clock)
    passes = 8  # of 7,680 voxels
    assert measured.stages == {"encoder": 6, "gather": 2 * passes, "decoder": 3 * passes, "bookkeeping": 0}
    assert measured.timing.seconds == (6 + 5 * passes,) * 2
    assert measured.evaluated == (VOXELS,)


def test_stages_are_those_of_the_run_of_median_length() -> None:
    model = network(SlowNetwork)
    model.clock = clock = Clock()
    # For the prior, three repeats, three more with stops, and two to count operations.
    model.encoding_s = iter([0, 1, 2, 3, 9, 5, 7, 0, 0])
    measured = time_extraction(model, "dense", VOXELS, "cpu", repeats=3, warm_up=0, clock=clock)
    assert measured.timing.seconds == (1 + 6, 2 + 6, 3 + 6)
    assert measured.stages == {"encoder": 7 + 1, "gather": 2, "decoder": 3, "bookkeeping": 0}


def test_bookkeeping_is_what_is_left() -> None:
    # A clock that moves by a second whenever it is looked at.
    class Ticking(Clock):
        def __call__(self) -> float:
            self.now += 1
            return self.now

    # Passes of as many locations as the smallest chunk.
    measured = time_extraction(network(OSSNetC), "dense", 256, "cpu", repeats=1, clock=Ticking())
    # The whole: two looks for the encoder, four per pass, and its own. A pass takes three seconds, and gathering one.
    assert measured.stages == {"encoder": 1, "gather": 30, "decoder": 60, "bookkeeping": 2 + 4 * 30 + 1 - 91}
    assert sum(measured.stages.values()) == 2 + 4 * 30 + 1


@pytest.mark.parametrize("extraction", EXTRACTORS)
def test_every_extraction_has_all_stages(extraction: str) -> None:
    model = network(OSSNetC)
    measured = time_extraction(model, extraction, 700, "cpu", repeats=3)
    assert all(seconds > 0 for seconds in measured.stages.values())
    assert len(measured.timing.seconds) == 3
    assert 0 < sum(measured.evaluated) <= VOXELS


@pytest.mark.parametrize("extraction", ["dense", "mise"])
@pytest.mark.parametrize("kind", [OSSNetA, OSSNetD, ONet])
def test_operations_are_those_of_the_whole(kind: type[SegmentationModel], extraction: str) -> None:
    model = network(kind)
    measured = time_extraction(model, extraction, 700, "cpu", repeats=1, warm_up=0)
    per_location, once = operations(model)
    assert measured.flops == once + per_location * sum(measured.evaluated)
    # A network without patches gathers nothing.
    assert (measured.stages["gather"] > 0) is (kind is not ONet)
    assert measured.stages["decoder"] > 0


def operations(model: SegmentationModel) -> tuple[int, int]:
    """Of a location, and of what is done once per image: encoding it and compiling the decoder."""
    image = make_volume(SHAPE, 2).image
    field = model.field(image)
    many, few = (count_flops(lambda n=n: field(torch.ones(n, 3, dtype=torch.long))) for n in (300, 100))
    assert many == 3 * few
    return few // 100, count_flops(lambda: model.field(image))


def test_the_same_seed_evaluates_the_same_locations() -> None:
    def evaluated(seed: int) -> tuple[int, ...]:
        return time_extraction(network(OSSNetC), "paper-prior", 500, "cpu", 1, seed, warm_up=0).evaluated

    assert evaluated(0) == evaluated(0) == evaluated(1)


@pytest.mark.parametrize(
    ("limit_s", "repeats", "watched"),
    [
        (40, 1, 1),  # one takes 46 s, and leaves nothing for the stages
        (46, 3, 1),
        (4 * 46, 4, 1),
        (6 * 46, 5, 3),  # one repeat's time is left, but three are the fewest
        (8 * 46, 5, 3),
    ],
)
def test_the_limit_ends_the_repeats_of_both_kinds(limit_s: float, repeats: int, watched: int) -> None:
    model = network(SlowNetwork)
    model.clock = clock = Clock()
    measured = time_extraction(model, "dense", 1000, "cpu", repeats=5, warm_up=0, limit_s=limit_s, clock=clock)
    assert measured.timing.seconds == (46,) * repeats
    # One encoding for the prior, then the operations: twice an encoding, and passes of one and of two locations.
    assert clock.now == 6 + (repeats + watched) * 46 + 2 * 6 + 2 * 5


def test_a_segmentation_of_five_times_the_limit_is_run_once_and_once_for_its_stages() -> None:
    model = network(SlowNetwork)
    model.clock = clock = Clock()
    measured = time_extraction(model, "dense", 1000, "cpu", repeats=5, limit_s=9, clock=clock)
    assert measured.timing.seconds == (46,)
    assert sum((measured.stages or {}).values()) == 46
    assert clock.now == 6 + 2 * 46 + 2 * 6 + 2 * 5


def test_on_a_gpu_one_run_tells_the_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(stages.WATCHED_REPEATS, "cpu", stages.WATCHED_REPEATS["cuda"])
    model = network(SlowNetwork)
    model.clock = clock = Clock()
    time_extraction(model, "dense", 1000, "cpu", repeats=5, warm_up=0, clock=clock)
    assert clock.now == 6 + (5 + 1) * 46 + 2 * 6 + 2 * 5


@pytest.mark.parametrize(("kind", "config", "passes"), UNETS)
@pytest.mark.parametrize("extraction", [None, "dense"])
def test_models_of_all_voxels(
    kind: type[SegmentationModel], config: ModelConfig, passes: int, extraction: str | None
) -> None:
    model = kind(config)
    clock = Clock()

    def work(*_: Any) -> None:
        clock.now += 4

    model.unet.register_forward_hook(work)
    measured = time_extraction(model, extraction, None, "cpu", repeats=2, clock=clock)
    assert measured.timing.seconds == (4 * passes,) * 2
    assert measured.evaluated == (VOXELS,)
    assert measured.stages is None
    # A warm-up and two repeats: operations are counted without another.
    assert clock.now == 3 * 4 * passes
    assert measured.flops == count_flops(lambda: model.segment(make_volume(SHAPE, 2).image))


@pytest.mark.parametrize(
    ("model", "extraction", "locations"),
    [(OSSNetC, None, 100), (OSSNetC, "mise", None), (UNet3d, "mise", 100)],
)
def test_what_does_not_go_together_is_refused(
    model: type[SegmentationModel], extraction: str | None, locations: int | None
) -> None:
    made = UNet3d(UNet3dConfig(**UNET)) if model is UNet3d else network(model)
    with pytest.raises(ValueError, match="does not extract"):
        time_extraction(made, extraction, locations, "cpu", repeats=1)
    with pytest.raises(UserError, match="predicts no segmentation"):
        time_extraction(network(OSSNetA), "paper-prior", 100, "cpu", repeats=1)
