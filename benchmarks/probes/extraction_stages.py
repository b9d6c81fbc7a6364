"""Time of whole segmentations by stage: encoder, gather, decoder and bookkeeping."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from statistics import median_low

import torch
from torch import Tensor

from benchmarks.machine.timing import Clock, Timing, clock_of, count_flops, time_repeated
from benchmarks.probes.phantom import ClosedFormField, ClosedFormVolume, make_volume
from ossnet.field import OccupancyField
from ossnet.inference.extraction import EXTRACTORS, Extraction
from ossnet.memory.parts import watched
from ossnet.model import PATCHES, SegmentationModel

TIMED_STAGES = ("encoder", "gather", "decoder")
"""Stages that are timed; `bookkeeping` is what is left of the whole."""

WATCHED_REPEATS = {"cpu": 3, "cuda": 1}
"""Number of runs that are timed by stage, by type of device."""


@dataclass(frozen=True)
class ExtractionTiming:
    """Time of whole segmentations, and of their stages.

    Attributes:
        timing: time of the whole, run as a user runs it.
        stages: seconds of `encoder`, `gather`, `decoder` and `bookkeeping` in a run of its own that waits for each
            stage to end, which on a GPU takes longer than queueing them; of several such runs the one of median length.
            They add up to that run's whole. None for a model of all voxels, whose network takes nearly all of the time.
        evaluated: number of locations by stage of the octree, from coarse to fine; number of all voxels for a model of
            all voxels.
        flops: number of operations of the whole, see `count_flops`.
    """

    timing: Timing
    stages: dict[str, float] | None
    evaluated: tuple[int, ...]
    flops: int


class _Watch:
    """Time of one extraction by stage, and how much it evaluated."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.seconds = dict.fromkeys(TIMED_STAGES, 0.0)
        self.passes = 0
        self.evaluated: tuple[int, ...] = ()
        self._stage: str | None = None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what is done within this context; a stage within another one is not part of that."""
        outer, self._stage = self._stage, name
        begin = self.clock()
        yield
        seconds = self.clock() - begin
        self._stage = outer
        self.seconds[name] += seconds
        if outer is not None:
            self.seconds[outer] -= seconds

    def part(self, name: str) -> AbstractContextManager[None]:
        """Return the context of a model's part: the stage `gather` where patches are read for the decoder."""
        return self.stage("gather") if name == PATCHES and self._stage == "decoder" else nullcontext()


class _WatchedField:
    """Field of a model whose evaluation is the stage `decoder`, apart from what is gathered for it."""

    prior = None

    def __init__(self, field: OccupancyField, watch: _Watch) -> None:
        self.field, self.watch = field, watch
        self.shape, self.device, self.classes = field.shape, field.device, field.classes

    def __call__(self, locations: Tensor) -> Tensor:
        """Return the field's probabilities at locations [n, 3]."""
        self.watch.passes += 1
        with self.watch.stage("decoder"):
            return self.field(locations)

    def logits(self, locations: Tensor) -> Tensor:
        """Return the field's logits at locations [n, 3]."""
        self.watch.passes += 1
        with self.watch.stage("decoder"):
            return self.field.logits(locations)


class _LocationsRun:
    """Segmentation of a closed-form volume by a model that evaluates locations."""

    def __init__(self, model: SegmentationModel, volume: ClosedFormVolume, extraction: str, max_locations: int) -> None:
        self.model, self.volume, self.max_locations = model, volume, max_locations
        self.image = volume.image_for(model)
        self.extract = EXTRACTORS[extraction]
        self.prior = volume.prior_for(model.field(self.image))

    def plain(self) -> Extraction:
        return self._extract(self.model.field(self.image))

    def by_stage(self, watch: _Watch) -> Extraction:
        with watched(self.model, watch.part):
            with watch.stage("encoder"):
                field = self.model.field(self.image)
            return self._extract(_WatchedField(field, watch))

    def _extract(self, field: OccupancyField) -> Extraction:
        return self.extract(ClosedFormField(field, self.volume.label, self.prior), None, self.max_locations)

    def flops(self, watch: _Watch) -> int:
        """Return the exact number of operations: a pass takes some per location, and some for any number of them."""
        field = self.model.field(self.image)
        locations = torch.zeros(2, 3, dtype=torch.long, device=field.device)
        one, two = (count_flops(partial(field, locations[:count])) for count in (1, 2))
        encoder = count_flops(partial(self.model.field, self.image))
        return encoder + watch.passes * (2 * one - two) + sum(watch.evaluated) * (two - one)


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

    The stage `encoder` is what is done once per image: encoding, and preparing the volume that patches are read from.
    `gather` reads the patches around locations, the part `PATCHES` of the model. `decoder` is the rest of the field's
    evaluation: patch encoder and occupancy decoder. `bookkeeping` is what is left, foremost the octree.

    Args:
        model: model, which is moved to the device and set to evaluation; it need not be trained, see `ClosedFormField`.
        extraction: name in `ossnet.inference.extraction.EXTRACTORS`; None or `dense` for a model of all voxels.
        max_locations: number of locations per pass; it has no meaning for a model of all voxels.
        device: device that the model runs on.
        repeats: number of runs of the whole; `WATCHED_REPEATS` further runs, but no more than `repeats`, are timed by
            stage.
        seed: seed of the volume's noise.
        warm_up: number of runs that do not count, see `time_repeated`.
        limit_s: limit in seconds, see `time_repeated`; the runs by stage take what the others leave of it.
        clock: clock of the timing; None for the device's.

    Raises:
        UserError: the extraction starts from a segmentation that the model's encoder does not predict.
        ValueError: the model does not go together with the extraction or with `max_locations`.
    """
    device = torch.device(device)
    model.to(device).eval()
    clock = clock or clock_of(device)
    volume = make_volume(model.config.shape, model.config.modalities, device, seed)
    if not model.evaluates_locations and extraction in (None, "dense"):
        timing = time_repeated(partial(model.segment, volume.image), device, repeats, warm_up, limit_s, clock)
        return ExtractionTiming(timing, None, (volume.label.numel(),), _flops_of_all_voxels(model))
    if not model.evaluates_locations or extraction is None or max_locations is None:
        kind = type(model).__name__
        raise ValueError(f"a {kind} does not extract by {extraction} with {max_locations} locations per pass")
    run = _LocationsRun(model, volume, extraction, max_locations)
    begin = clock()
    timing = time_repeated(run.plain, device, repeats, warm_up, limit_s, clock)

    watches: list[_Watch] = []

    def run_by_stage() -> None:
        watches.append(_Watch(clock))
        watches[-1].evaluated = run.by_stage(watches[-1]).evaluated

    left_s = None if limit_s is None else max(0.0, limit_s - (clock() - begin))
    wholes = time_repeated(run_by_stage, device, min(repeats, WATCHED_REPEATS[device.type]), 0, left_s, clock).seconds
    watch = watches[wholes.index(median_low(wholes))]
    stages = watch.seconds | {"bookkeeping": median_low(wholes) - sum(watch.seconds.values())}
    return ExtractionTiming(timing, stages, watch.evaluated, run.flops(watch))


def _flops_of_all_voxels(model: SegmentationModel) -> int:
    """Return the operations of a segmentation, counted without values: a device may take half a minute.

    Slices all take the same, so that one of them is enough.
    """
    shape, slices = list(model.config.shape), 1
    if model.slice_axis is not None and model.any_grid:
        slices, shape[model.slice_axis] = shape[model.slice_axis], 1
    with torch.device("meta"):
        copy = type(model)(model.config)
        image = torch.empty(model.config.modalities, *shape)
    return slices * count_flops(partial(copy.segment, image))
