"""Settings that lower the memory of a workload, in the order in which `ossnet fits` advises them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch

from ossnet.errors import UserError
from ossnet.memory.workload import Workload
from ossnet.model import SLICE_FIELDS, ModelConfig
from ossnet.network.execution import Execution, set_execution
from ossnet.registry import model_type

FEWEST_LOCATIONS = 2**8
"""Smallest number of locations that is advised; by then they are a small part of the memory."""

CHECKPOINTING = "--set recipe.checkpointing=true"
LEAN = "--set recipe.memory={}"
BFLOAT16 = "--set recipe.precision={}"
"""Options of a training that lower its memory."""


@dataclass(frozen=True)
class Change:
    """A setting that lowers the memory, the later its value the more.

    Attributes:
        option: option of the command line, with `{}` for the value.
        values: values of the setting, from the mildest on.
        apply: function that returns a workload with a value of the setting.
        excludes: options of changes that cannot be made together with this one.
    """

    option: str
    values: Sequence[Any]
    apply: Callable[[Workload, Any], Workload]
    excludes: tuple[str, ...] = ()


def changes(workload: Workload) -> list[Change]:
    """Return the changes that lower a workload's memory, beginning with those that change the results least.

    At inference and extraction the number of locations or slices per pass changes no result. In training checkpointing
    and lean training change none, bfloat16 rounds them, and a smaller batch learns from fewer volumes, slices or
    locations in a step.
    """
    if workload.phase != "training":
        found = [*_fewer_locations(workload, "--max-locations {}"), *_fewer_slices(workload)]
        return [*found, *_bfloat16(workload, "--precision {}")]
    found = [*_checkpointing(workload), *_lean(workload), *_bfloat16(workload, BFLOAT16)]
    if workload.batch_size > 1:
        fewer = range(workload.batch_size - 1, 0, -1)
        found.append(Change("--set recipe.batch_size={}", fewer, lambda w, value: replace(w, batch_size=value)))
    found += _fewer_slices(workload)
    return [*found, *_fewer_locations(workload, "--set recipe.sampling.count={}")]


@cache
def _has_execution(model: str, config: ModelConfig, execution: Execution) -> bool:
    """Return whether a model can be computed in a certain way."""
    with torch.device("meta"):
        made = model_type(model)(config)
    try:
        set_execution(made, execution)
    except UserError:
        return False
    return True


def _checkpointing(workload: Workload) -> list[Change]:
    def apply(workload: Workload, value: bool) -> Workload:
        return replace(workload, execution=replace(workload.execution, checkpointing=value))

    execution = workload.execution
    if execution.memory != "plain" or not _has_execution(workload.model, workload.config, Execution(True)):
        return []
    return [Change(CHECKPOINTING, [True], apply)]


def _lean(workload: Workload) -> list[Change]:
    execution = workload.execution
    stronger = {"plain": ["lean", "leanest"], "lean": ["leanest"]}.get(execution.memory, [])
    is_possible = _has_execution(workload.model, workload.config, Execution(lean=True))
    if not stronger or execution.precision != "float32" or not is_possible:
        return []
    return [Change(LEAN, stronger, lambda w, v: replace(w, execution=Execution.of(v)), (CHECKPOINTING, BFLOAT16))]


def _bfloat16(workload: Workload, option: str) -> list[Change]:
    def apply(workload: Workload, value: Any) -> Workload:
        return replace(workload, execution=replace(workload.execution, precision=value))

    execution = workload.execution
    if execution.precision != "float32" or execution.lean:
        return []
    if not _has_execution(workload.model, workload.config, Execution(precision="bfloat16")):
        return []
    return [Change(option, ["bfloat16"], apply)]


def _fewer_locations(workload: Workload, option: str) -> list[Change]:
    halves = []
    fewer = (workload.locations or 0) // 2
    while fewer >= FEWEST_LOCATIONS:
        halves.append(fewer)
        fewer //= 2
    return [Change(option, halves, lambda w, value: replace(w, locations=value))] if halves else []


def slices_at_once(workload: Workload) -> tuple[str, int] | None:
    """Return the field and the number of slices at once, for a model that goes through volumes slice by slice."""
    if model_type(workload.model).slice_axis is None:
        return None
    in_training, per_pass = SLICE_FIELDS
    name = in_training if workload.phase == "training" else per_pass
    return name, getattr(workload.config, name)


def _fewer_slices(workload: Workload) -> list[Change]:
    name, slices = slices_at_once(workload) or ("", 1)

    def apply(workload: Workload, value: int) -> Workload:
        config: Any = workload.config
        return replace(workload, config=replace(config, **{name: value}))

    option = f"--set network.{name}={{}}" if workload.phase == "training" else "--max-slices {}"
    return [Change(option, range(slices - 1, 0, -1), apply)] if slices > 1 else []
