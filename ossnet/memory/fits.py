"""Whether a model fits into a GPU's memory, and with which settings it would: all by predicted peaks."""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations
from typing import Any

from ossnet.config import build
from ossnet.errors import UserError
from ossnet.memory.footprint import Footprint, predict
from ossnet.memory.workload import EXTRACTION, Phase, Workload, locations_for
from ossnet.model import ModelConfig
from ossnet.network.execution import Execution
from ossnet.registry import model_type

CUDA_CONTEXT_BYTES = 600_000_000
"""Assumed, not predicted: what a process holds on a GPU beside torch's tensors, the CUDA context with the kernels of
cuBLAS and cuDNN. By card, driver and version it is 0.3 to 0.6 GB, where that is most with what cuBLAS works in, 8 or 34
MB for each of two threads, which torch allocates."""

DEFAULT_LOCATIONS = 2**14
"""Of a pass, as in training and extraction by default."""

FEWEST_LOCATIONS = 2**8
"""Fewer are not advised: they are a small part of the memory by then."""

SLICES: Mapping[Phase, str] = {
    "training": "slices_per_case",
    "inference": "max_slices",
    "extraction": "max_slices",
}
"""The fields that a configuration has of the slices at once, if its model goes through volumes slice by slice."""

Predict = Callable[[Workload, float], Footprint]
"""The footprint of a workload on a GPU that has so many bytes for torch's allocator."""


@dataclass(frozen=True)
class Change:
    """One setting that lowers the memory, the further the later its value.

    Attributes:
        option: as the command line takes it, with `{}` for the value.
        values: from the mildest on.
        apply: gives the workload with that value.
    """

    option: str
    values: Sequence[Any]
    apply: Callable[[Workload, Any], Workload]


@dataclass(frozen=True)
class Remedy:
    """Options that are enough together, and what is needed with them."""

    options: tuple[str, ...]
    needed_bytes: int


@dataclass(frozen=True)
class Answer:
    """What a workload needs, and what would do where that is too much.

    Attributes:
        footprint: the workload's as it is.
        fits: whether its reserved memory fits, the CUDA context included.
        remedies: where it does not, the smallest sets of changes with which it does; none where no change is enough.
    """

    workload: Workload
    footprint: Footprint
    fits: bool
    remedies: tuple[Remedy, ...]


def model_config(
    model: str, shape: Sequence[int], modalities: int, settings: Mapping[str, Any] | None = None
) -> ModelConfig:
    """A model's configuration for volumes of `shape`.

    Args:
        settings: tables of settings as `ossnet.training.profile.Profile.spec` takes them, with the table `network`
            alone.

    Raises:
        UserError: unknown model or setting, or a value that its check refuses.
    """
    kind = model_type(model)
    tables = dict(settings or {})
    network = tables.pop("network", {})
    if tables or not isinstance(network, Mapping):
        raise UserError(f"--set {next(iter(tables), 'network')}: here settings start with network.")
    for key, value in kind.preset.items():
        if network.get(key, value) != value:
            raise UserError(f"--set network.{key}: {value} makes model {model} what it is; choose another model")
    values = {**network, **kind.preset, "shape": shape, "modalities": modalities}
    config: ModelConfig = build(kind.config_type, values, f"model {model}, network")
    return config


def workloads(
    model: str, config: ModelConfig, batch_size: int, locations: int | None, execution: Execution
) -> tuple[Workload, ...]:
    """Return a training step and, of one volume, an evaluation and an extraction.

    The evaluation of a model of all voxels is its extraction, which then is not asked apart.

    Args:
        locations: of each volume in training, of a pass at inference; None for `DEFAULT_LOCATIONS` if the model
            evaluates locations.
    """
    if locations is None:
        locations = locations_for(model, DEFAULT_LOCATIONS)
    training = Workload(model, config, "training", batch_size, locations, execution)
    inference = Workload(model, config, "inference", 1, locations, replace(execution, checkpointing=False))
    extractions = [] if locations is None else [replace(inference, phase="extraction")]
    return training, inference, *extractions


def needed_bytes(footprint: Footprint) -> int:
    """Of a GPU's memory: what torch's allocator reserves, and the CUDA context."""
    return footprint.reserved_bytes + CUDA_CONTEXT_BYTES


def predict_within(workload: Workload, capacity_bytes: float) -> Footprint:
    """See `ossnet.memory.footprint.predict`."""
    return predict(workload, capacity_bytes=capacity_bytes)


def answer(workload: Workload, memory_bytes: float, predict: Predict = predict_within) -> Answer:
    """Whether a workload fits into `memory_bytes` of a GPU, and what would make it fit.

    A remedy's values are the mildest that fit, each predicted itself. What is taken for granted is that a stronger
    value never takes more memory.
    """

    @cache
    def predicted(changed: Workload) -> Footprint:
        return predict(changed, memory_bytes - CUDA_CONTEXT_BYTES)

    def fits(changed: Workload) -> bool:
        return needed_bytes(predicted(changed)) <= memory_bytes

    footprint = predicted(workload)
    if fits(workload):
        return Answer(workload, footprint, True, ())
    known = changes(workload)
    for count in range(1, len(known) + 1) if fits(_strongest(workload, known)) else ():
        remedies = [
            Remedy(options, needed_bytes(predicted(changed)))
            for chosen in combinations(known, count)
            if fits(_strongest(workload, chosen))
            for options, changed in [_mildest(workload, chosen, fits)]
        ]
        if remedies:
            return Answer(workload, footprint, False, tuple(remedies))
    return Answer(workload, footprint, False, ())


def changes(workload: Workload) -> list[Change]:
    """What lowers a workload's memory, first what changes least of the numbers that come out.

    At inference and extraction the number of locations or slices a pass changes none. In training checkpointing changes
    none, bfloat16 rounds them, and a smaller batch learns from fewer volumes, slices or locations in a step.
    """
    if workload.phase != "training":
        found = [*_fewer_locations(workload, "--max-locations {}"), *_fewer_slices(workload)]
        return [*found, *_bfloat16(workload, "--precision {}")]
    found = []
    if not workload.execution.checkpointing:
        found.append(Change("--set recipe.checkpointing=true", [True], _with_checkpointing))
    found += _bfloat16(workload, "--set recipe.precision={}")
    if workload.batch_size > 1:
        fewer = range(workload.batch_size - 1, 0, -1)
        found.append(Change("--set recipe.batch_size={}", fewer, lambda w, value: replace(w, batch_size=value)))
    found += _fewer_slices(workload)
    return [*found, *_fewer_locations(workload, "--set recipe.sampling.count={}")]


def _with_checkpointing(workload: Workload, value: bool) -> Workload:
    return replace(workload, execution=replace(workload.execution, checkpointing=value))


def _bfloat16(workload: Workload, option: str) -> list[Change]:
    def apply(workload: Workload, value: Any) -> Workload:
        return replace(workload, execution=replace(workload.execution, precision=value))

    return [Change(option, ["bfloat16"], apply)] if workload.execution.precision == "float32" else []


def _fewer_locations(workload: Workload, option: str) -> list[Change]:
    halves = []
    fewer = (workload.locations or 0) // 2
    while fewer >= FEWEST_LOCATIONS:
        halves.append(fewer)
        fewer //= 2
    return [Change(option, halves, lambda w, value: replace(w, locations=value))] if halves else []


def _fewer_slices(workload: Workload) -> list[Change]:
    """Of a model that goes through volumes slice by slice."""
    name = SLICES[workload.phase]
    slices = getattr(workload.config, name, 1)

    def apply(workload: Workload, value: int) -> Workload:
        config: Any = workload.config
        return replace(workload, config=replace(config, **{name: value}))

    option = f"--set network.{name}={{}}" if workload.phase == "training" else "--max-slices {}"
    return [Change(option, range(slices - 1, 0, -1), apply)] if slices > 1 else []


def _applied(workload: Workload, chosen: Sequence[Change], values: Sequence[Any]) -> Workload:
    for change, value in zip(chosen, values, strict=True):
        workload = change.apply(workload, value)
    return workload


def _strongest(workload: Workload, chosen: Sequence[Change]) -> Workload:
    return _applied(workload, chosen, [change.values[-1] for change in chosen])


def _mildest(
    workload: Workload, chosen: Sequence[Change], fits: Callable[[Workload], bool]
) -> tuple[tuple[str, ...], Workload]:
    """Options with the mildest values with which it fits, and it with them; it does fit with the strongest.

    The later a change is named, the sooner it is made milder, as the more it changes of what comes out.
    """
    values = [change.values[-1] for change in chosen]
    for i in reversed(range(len(chosen))):

        def fits_with(value: Any, i: int = i) -> bool:
            return fits(_applied(workload, chosen, [*values[:i], value, *values[i + 1 :]]))

        values[i] = chosen[i].values[bisect_left(chosen[i].values, True, key=fits_with)]
    options = tuple(change.option.format(value) for change, value in zip(chosen, values, strict=True))
    return options, _applied(workload, chosen, values)


def describe(answer: Answer) -> str:
    """What a user is told of an answer: one line, and one more for each remedy."""
    workload, footprint = answer.workload, answer.footprint
    execution = workload.execution
    slices = getattr(workload.config, SLICES[workload.phase], None)
    of_slices = f"{slices} slices of each volume" if workload.phase == "training" else f"{slices} slices a pass"
    done = {
        f"batch {workload.batch_size}": workload.phase == "training",
        f"{workload.locations} locations": workload.locations is not None,
        of_slices: slices is not None,
        "checkpointing": execution.checkpointing,
        execution.precision: True,
    }
    needed = needed_bytes(footprint)
    what = f"extraction {EXTRACTION}" if workload.phase == "extraction" else workload.phase
    lines = [
        f"{what} ({', '.join(name for name, said in done.items() if said)}): "
        f"{_gb(footprint.allocated_bytes)} allocated, {_gb(footprint.reserved_bytes)} reserved, "
        f"{_gb(needed)} with the CUDA context: {'fits' if answer.fits else 'does not fit'}"
    ]
    lines += [f"  fits with {' '.join(remedy.options)}: {_gb(remedy.needed_bytes)}" for remedy in answer.remedies]
    if not answer.fits and not answer.remedies:
        lines.append("  nor does it with all that lowers it: " + " ".join(map(_strongest_option, changes(workload))))
    return "\n".join(lines)


def _strongest_option(change: Change) -> str:
    return change.option.format(change.values[-1])


def _gb(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
