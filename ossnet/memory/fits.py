"""Check by predicted peaks whether a model fits into a GPU's memory, and find settings with which it would."""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations
from typing import Any

from ossnet.config import build
from ossnet.errors import UserError
from ossnet.memory.changes import Change, changes, slices_at_once
from ossnet.memory.footprint import Footprint, predict
from ossnet.memory.workload import EXTRACTION, Workload, locations_for
from ossnet.model import ModelConfig
from ossnet.network.execution import Execution
from ossnet.registry import model_type

CUDA_CONTEXT_BYTES = 600_000_000
"""Memory that a process is assumed, not predicted, to hold on a GPU in addition to torch's tensors: the CUDA context
with the kernels of cuBLAS and cuDNN. By card, driver and version it is 0.3 to 0.6 GB; the latter includes the
workspaces of cuBLAS, which torch allocates, 8 or 34 MB for each of two threads."""

DEFAULT_LOCATIONS = 2**14
"""Default number of locations per pass, and per volume in training."""

Predict = Callable[[Workload, float], Footprint]
"""Function of a workload and of the bytes that a GPU has for torch's allocator: the workload's footprint there."""


@dataclass(frozen=True)
class Remedy:
    """Options that together are enough, and the bytes that are needed with them."""

    options: tuple[str, ...]
    needed_bytes: int


@dataclass(frozen=True)
class Answer:
    """Memory that a workload needs, and remedies if that is too much.

    Attributes:
        workload: workload that was asked about.
        footprint: footprint of that workload.
        fits: whether its reserved memory fits, the CUDA context included.
        remedies: smallest sets of changes with which it fits, if it does not; empty if no change is enough.
    """

    workload: Workload
    footprint: Footprint
    fits: bool
    remedies: tuple[Remedy, ...]


def model_config(
    model: str, shape: Sequence[int], modalities: int, settings: Mapping[str, Any] | None = None
) -> ModelConfig:
    """Return a model's configuration for volumes of `shape`.

    Args:
        model: name of the model in the registry.
        shape: grid (H, W, D) of the volumes in voxels.
        modalities: number of image channels.
        settings: tables of settings as in `ossnet.training.profile.Profile.spec`; only the table `network` is allowed.

    Raises:
        UserError: the model or a setting is unknown, or a value fails its check.
    """
    kind = model_type(model)
    tables = dict(settings or {})
    network = tables.pop("network", {})
    if tables or not isinstance(network, Mapping):
        raise UserError(f"--set {next(iter(tables), 'network')}: here settings start with network.")
    for key, value in kind.preset.items():
        if network.get(key, value) != value:
            raise UserError(f"--set network.{key}: {value} defines model {model}; choose another model")
    values = {**network, **kind.preset, "shape": shape, "modalities": modalities}
    config: ModelConfig = build(kind.config_type, values, f"model {model}, network")
    return config


def workloads(
    model: str, config: ModelConfig, batch_size: int, locations: int | None, execution: Execution
) -> tuple[Workload, ...]:
    """Return a training step and, for one volume, an evaluation and an extraction.

    For a model of all voxels the evaluation is its extraction, which is then left out.

    Args:
        model: name of the model in the registry.
        config: configuration of the model.
        batch_size: number of volumes of the training step.
        locations: number of locations of each volume in training and per pass at inference; None for
            `DEFAULT_LOCATIONS` if the model evaluates locations.
        execution: execution of the model; its precision alone matters at inference.
    """
    if locations is None:
        locations = locations_for(model, DEFAULT_LOCATIONS)
    training = Workload(model, config, "training", batch_size, locations, execution)
    inference = Workload(model, config, "inference", 1, locations, Execution(precision=execution.precision))
    extractions = [] if locations is None else [replace(inference, phase="extraction")]
    return training, inference, *extractions


def needed_bytes(footprint: Footprint) -> int:
    """Return the bytes of a GPU that are needed: the memory that torch's allocator reserves, and the CUDA context."""
    return footprint.reserved_bytes + CUDA_CONTEXT_BYTES


def predict_within(workload: Workload, capacity_bytes: float) -> Footprint:
    """Predict a footprint on a GPU; see `ossnet.memory.footprint.predict`."""
    return predict(workload, capacity_bytes=capacity_bytes)


def answer(workload: Workload, memory_bytes: float, predict: Predict = predict_within) -> Answer:
    """Check whether a workload fits into `memory_bytes` of a GPU, and find what would make it fit.

    The values of a remedy are the mildest that fit, each predicted itself. It is assumed that a stronger value never
    takes more memory.
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
    can_fit = any(fits(_strongest(workload, chosen)) for chosen in _largest_sets(known))
    for count in range(1, len(known) + 1) if can_fit else ():
        remedies = [
            Remedy(options, needed_bytes(predicted(changed)))
            for chosen in combinations(known, count)
            if _are_compatible(chosen) and fits(_strongest(workload, chosen))
            for options, changed in [_mildest(workload, chosen, fits)]
        ]
        if remedies:
            return Answer(workload, footprint, False, tuple(remedies))
    return Answer(workload, footprint, False, ())


def _are_compatible(chosen: Sequence[Change]) -> bool:
    options = {change.option for change in chosen}
    return not any(options.intersection(change.excludes) for change in chosen)


def _largest_sets(known: Sequence[Change]) -> list[list[Change]]:
    """Return the largest sets of changes that can be made together: without lean training, or without what it excludes.

    The first is all changes where none excludes another.
    """
    excluded = {option for change in known for option in change.excludes}
    without = [change for change in known if not change.excludes]
    return [without, [change for change in known if change.option not in excluded]] if excluded else [without]


def _applied(workload: Workload, chosen: Sequence[Change], values: Sequence[Any]) -> Workload:
    for change, value in zip(chosen, values, strict=True):
        workload = change.apply(workload, value)
    return workload


def _strongest(workload: Workload, chosen: Sequence[Change]) -> Workload:
    return _applied(workload, chosen, [change.values[-1] for change in chosen])


def _mildest(
    workload: Workload, chosen: Sequence[Change], fits: Callable[[Workload], bool]
) -> tuple[tuple[str, ...], Workload]:
    """Return options with the mildest values with which a workload fits, and the workload with these values.

    The workload must fit with the strongest values. The later a change stands, the sooner it is made milder, as it
    changes more of the results.
    """
    values = [change.values[-1] for change in chosen]
    for i in reversed(range(len(chosen))):

        def fits_with(value: Any, i: int = i) -> bool:
            return fits(_applied(workload, chosen, [*values[:i], value, *values[i + 1 :]]))

        values[i] = chosen[i].values[bisect_left(chosen[i].values, True, key=fits_with)]
    options = tuple(change.option.format(value) for change, value in zip(chosen, values, strict=True))
    return options, _applied(workload, chosen, values)


def describe(answer: Answer) -> str:
    """Return the text of an answer: one line, and one more for each remedy."""
    workload, footprint = answer.workload, answer.footprint
    execution = workload.execution
    _, slices = slices_at_once(workload) or ("", None)
    of_slices = f"{slices} slices of each volume" if workload.phase == "training" else f"{slices} slices per pass"
    done = {
        f"batch {workload.batch_size}": workload.phase == "training",
        f"{workload.locations} locations": workload.locations is not None,
        of_slices: slices is not None,
        execution.memory: execution.memory != "plain",
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
        sets = [
            " ".join(change.option.format(change.values[-1]) for change in chosen)
            for chosen in _largest_sets(changes(workload))
        ]
        lines.append(
            f"  nor does it with all that lowers it: {', or '.join(sets)}" if sets[0] else "  no setting lowers it"
        )
    return "\n".join(lines)


def _gb(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
