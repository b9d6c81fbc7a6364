"""What an extraction's time goes into: encoder, gather, decoder and bookkeeping."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from statistics import median_low
from typing import Any, TypeVar, cast

import torch

from baselines.blocks import VoxelisedModel
from baselines.unet2d import UNet2d
from benchmarks.machine.timing import Clock, Timing, clock_of, count_flops, time_repeated
from benchmarks.probes.phantom import ClosedFormField, ClosedFormVolume, make_volume
from ossnet.inference.extraction import EXTRACTORS, Extraction
from ossnet.model import SegmentationModel
from ossnet.network.occupancy_network import NetworkField, OccupancyNetwork
from ossnet.network.patches import PatchVolume

T = TypeVar("T")

WATCHED_REPEATS = {"cpu": 3, "cuda": 1}
"""Runs that tell the stages."""


@dataclass(frozen=True)
class ExtractionTiming:
    """The time of whole segmentations and what it goes into.

    Attributes:
        timing: of the whole, run as a user runs it.
        stages: seconds of `encoder`, `gather`, `decoder` and `bookkeeping` in a run of its own that waits for each to
            end, which on a GPU takes longer than one that queues them; of several such runs the one of median length.
            They add up to that run's whole. None for a model of all voxels, whose network is all but its whole.
        evaluated: locations by stage of the octree, from coarse to fine; all voxels for a model of all voxels.
        flops: operations of the whole, as `count_flops` counts.
    """

    timing: Timing
    stages: dict[str, float] | None
    evaluated: tuple[int, ...]
    flops: int


class _Watch:
    """What one extraction took: seconds and calls of each stage, none of which is within another, and locations."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.seconds = dict.fromkeys(("encoder", "gather", "decoder"), 0.0)
        self.calls: Counter[str] = Counter()
        self.evaluated: tuple[int, ...] = ()
        self._since = 0.0

    def begin(self) -> None:
        self._since = self.clock()

    def end(self, stage: str) -> None:
        self.seconds[stage] += self.clock() - self._since
        self.calls[stage] += 1

    def timed(self, stage: str, function: Callable[..., T]) -> Callable[..., T]:
        def run(*arguments: Any) -> T:
            self.begin()
            result = function(*arguments)
            self.end(stage)
            return result

        return run


@dataclass(frozen=True)
class _WatchedNetwork:
    """What a `NetworkField` asks of its network, the decoder timed with the patch encoder before it."""

    config: Any
    decode: Callable[..., Any]


class _NetworkRun:
    """Segmentation of a closed-form volume by an occupancy network."""

    def __init__(self, model: OccupancyNetwork, volume: ClosedFormVolume, extraction: str, max_locations: int) -> None:
        self.model, self.volume, self.max_locations = model, volume, max_locations
        self.extract = EXTRACTORS[extraction]
        coarse = model.field(volume.image).prior
        self.prior = None if coarse is None else volume.prior((coarse.shape[0], coarse.shape[1], coarse.shape[2]))

    def plain(self) -> Extraction:
        return self._extract(self.model.field(self.volume.image))

    def watched(self, watch: _Watch) -> Extraction:
        field = watch.timed("encoder", self.model.field)(self.volume.image)
        network = _WatchedNetwork(field.network.config, watch.timed("decoder", field.network.decode))
        patches = None if field.patches is None else watch.timed("gather", field.patches)
        return self._extract(
            replace(field, network=cast(OccupancyNetwork, network), patches=cast(PatchVolume | None, patches))
        )

    def _extract(self, field: NetworkField) -> Extraction:
        return self.extract(ClosedFormField(field, self.volume.label, self.prior), None, self.max_locations)

    def flops(self, watch: _Watch) -> int:
        """Exact: a pass takes so many operations a location, and some that do not depend on their number."""
        field = self.model.field(self.volume.image)
        locations = torch.zeros(2, 3, dtype=torch.long, device=field.device)
        one, two = (count_flops(partial(field, locations[:count])) for count in (1, 2))
        encoder = count_flops(partial(self.model.field, self.volume.image))
        return encoder + watch.calls["decoder"] * (2 * one - two) + sum(watch.evaluated) * (two - one)


def time_extraction(
    model: SegmentationModel,
    extraction: str | None,
    max_locations: int | None,
    device: torch.device | str,
    repeats: int,
    seed: int = 0,
    warm_up: int = 1,
    limit_s: float | None = None,
    clock: Clock | None = None,
) -> ExtractionTiming:
    """Time whole segmentations of a closed-form volume, encoder included.

    Stages: `encoder` is what is done once an image (encoding, and preparing the volume that patches are read from);
    `gather` reads the patches around locations; `decoder` is patch encoder and occupancy decoder; `bookkeeping` is the
    rest, foremost the octree.

    Args:
        model: moved to the device and set to evaluation; need not be trained, see `ClosedFormField`.
        extraction: a name of `ossnet.inference.extraction.EXTRACTORS`; None, or `dense`, for a model of all voxels.
        max_locations: a pass; without meaning for a model of all voxels.
        repeats: of the whole; `WATCHED_REPEATS` further runs, and no more than `repeats`, tell the stages.
        seed: of the volume's noise.
        warm_up, limit_s, clock: see `time_repeated`; what the whole's repeats leave of the limit is for the stages.

    Raises:
        UserError: the extraction starts from a segmentation that the model's encoder does not predict.
        ValueError: the model and the extraction or `max_locations` do not go together.
    """
    device = torch.device(device)
    model.to(device).eval()
    clock = clock or clock_of(device)
    volume = make_volume(model.config.shape, model.config.modalities, device, seed)
    if isinstance(model, VoxelisedModel) and extraction in (None, "dense"):
        timing = time_repeated(partial(model.segment, volume.image), device, repeats, warm_up, limit_s, clock)
        return ExtractionTiming(timing, None, (volume.label.numel(),), _flops_of_all_voxels(model))
    if not isinstance(model, OccupancyNetwork) or extraction is None or max_locations is None:
        kind = type(model).__name__
        raise ValueError(f"a {kind} does not extract by {extraction} with {max_locations} locations a pass")
    run = _NetworkRun(model, volume, extraction, max_locations)
    begin = clock()
    timing = time_repeated(run.plain, device, repeats, warm_up, limit_s, clock)

    watches: list[_Watch] = []

    def watched() -> None:
        watches.append(_Watch(clock))
        watches[-1].evaluated = run.watched(watches[-1]).evaluated

    left_s = None if limit_s is None else max(0.0, limit_s - (clock() - begin))
    wholes = time_repeated(watched, device, min(repeats, WATCHED_REPEATS[device.type]), 0, left_s, clock).seconds
    watch = watches[wholes.index(median_low(wholes))]
    stages = watch.seconds | {"bookkeeping": median_low(wholes) - sum(watch.seconds.values())}
    return ExtractionTiming(timing, stages, watch.evaluated, run.flops(watch))


def _flops_of_all_voxels(model: VoxelisedModel) -> int:
    """Counted without values, and of slices, which all take the same, on one: a device may take half a minute."""
    shape, slices = list(model.config.shape), 1
    if isinstance(model, UNet2d):
        slices, shape[model.axis] = shape[model.axis], 1
    with torch.device("meta"):
        copy = type(model)(model.config)
        image = torch.empty(model.config.modalities, *shape)
    return slices * count_flops(partial(copy.segment, image))
