"""What is advised, by memories that are known beforehand; and the real prediction for one model."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ossnet.errors import UserError
from ossnet.memory.changes import LEAN, changes
from ossnet.memory.fits import (
    CUDA_CONTEXT_BYTES,
    DEFAULT_LOCATIONS,
    Answer,
    answer,
    describe,
    model_config,
    needed_bytes,
    workloads,
)
from ossnet.memory.footprint import Footprint, count, predict
from ossnet.memory.workload import Workload
from ossnet.network.execution import DEFAULT, Execution

SHAPE = (32, 32, 32)
NETWORK = {"network": {"encoder_channels": [4, 8], "decoder_width": 32, "decoder_blocks": 1, "patch_size": 3}}
SLICES = {"network": {"encoder_channels": [8, 8], "decoder_channels": [8], "slices_per_case": 4, "max_slices": 4}}


def of(model: str, batch_size: int = 1, locations: int | None = None, execution: Execution = DEFAULT) -> list[Workload]:
    settings = {"a": NETWORK, "unet2d-depth": SLICES}
    config = model_config(model, SHAPE, 1, settings.get(model))
    return list(workloads(model, config, batch_size, locations, execution))


def footprint(size: float) -> Footprint:
    return Footprint(int(size), int(size), {})


def toy(workload: Workload) -> Footprint:
    """A byte a location of a case, half with checkpointing, half in bfloat16."""
    size = workload.batch_size * (workload.locations or 1000)
    halves = workload.execution.checkpointing + (workload.execution.precision == "bfloat16")
    return footprint(size / 2**halves)


def ask(workload: Workload, memory_bytes: float, known: Callable[[Workload], Footprint] = toy) -> Answer:
    return answer(workload, memory_bytes + CUDA_CONTEXT_BYTES, lambda changed, _: known(changed))


def advice(found: Answer) -> list[tuple[str, ...]]:
    return [remedy.options for remedy in found.remedies]


CHECKPOINTING = "--set recipe.checkpointing=true"
BFLOAT16 = "--set recipe.precision=bfloat16"


def test_what_fits_needs_no_remedy() -> None:
    training, inference, _ = of("a", 2, 1000)
    assert ask(training, 2000) == Answer(training, footprint(2000), True, ())
    assert ask(inference, 1000) == Answer(inference, footprint(1000), True, ())


def test_each_change_that_is_enough_is_named_with_its_mildest_value() -> None:
    training, inference, _ = of("a", 8, 1024)
    assert advice(ask(training, 7 * 1024)) == [
        (CHECKPOINTING,),
        (BFLOAT16,),
        ("--set recipe.batch_size=7",),
        ("--set recipe.sampling.count=512",),
    ]
    assert advice(ask(training, 3 * 1024 + 1)) == [("--set recipe.batch_size=3",), ("--set recipe.sampling.count=256",)]
    assert advice(ask(inference, 600)) == [("--max-locations 512",), ("--precision bfloat16",)]
    assert advice(ask(inference, 300)) == [("--max-locations 256",)]


def test_two_changes_where_one_is_not_enough() -> None:
    (training, *_) = of("a", 8, 1024)
    # A batch of one takes 1024, and half of that is enough, by whatever halves it.
    assert advice(ask(training, 520)) == [
        (CHECKPOINTING, "--set recipe.batch_size=1"),
        (BFLOAT16, "--set recipe.batch_size=1"),
        ("--set recipe.batch_size=1", "--set recipe.sampling.count=512"),
    ]
    assert ask(training, 520).remedies[0].needed_bytes == 512 + CUDA_CONTEXT_BYTES


def test_nothing_is_advised_that_is_not_enough() -> None:
    (training, inference, _) = of("a", 8, 1024)
    assert advice(ask(training, 63)) == []
    assert advice(ask(inference, 127)) == []
    # All four changes, each at its strongest.
    assert advice(ask(training, 64)) == [
        (CHECKPOINTING, BFLOAT16, "--set recipe.batch_size=1", "--set recipe.sampling.count=256")
    ]


def halving(workload: Workload) -> Footprint:
    """A byte a location of a case, a fourth in lean training, an eighth in the leanest."""
    shares = {"plain": 1, "checkpointing": 2, "lean": 4, "leanest": 8}
    return footprint(workload.batch_size * (workload.locations or 1000) / shares[workload.execution.memory])


def test_lean_training_is_advised_as_far_as_it_is_needed() -> None:
    (training, *_) = of("a", 1, 256)
    assert advice(ask(training, 64, halving)) == [("--set recipe.memory=lean",)]
    assert advice(ask(training, 63, halving)) == [("--set recipe.memory=leanest",)]
    assert advice(ask(training, 31, halving)) == []
    (training, *_) = of("a", 1, 256, Execution(lean=True))
    assert advice(ask(training, 32, halving)) == [("--set recipe.memory=leanest",)]
    (training, *_) = of("a", 2, 256)
    assert advice(ask(training, 32, halving)) == [("--set recipe.memory=leanest", "--set recipe.batch_size=1")]


def test_lean_training_is_advised_neither_with_bfloat16_nor_of_a_unet() -> None:
    (training, *_) = of("a", 1, 256, Execution(precision="bfloat16"))
    assert advice(ask(training, 64, halving)) == []
    assert LEAN not in {change.option for change in changes(of("unet3d")[0])}


def test_what_is_done_already_is_not_advised() -> None:
    training, inference, _ = of("a", 1, 256, Execution(checkpointing=True, precision="bfloat16"))
    assert training.execution == Execution(checkpointing=True, precision="bfloat16")
    # Nothing is kept for a backward pass at inference.
    assert inference.execution == Execution(precision="bfloat16")
    assert advice(ask(training, 1)) == advice(ask(inference, 1)) == []


def test_a_slicing_model_takes_fewer_slices() -> None:
    training, inference = of("unet2d-depth", 2)

    def slices(workload: Workload) -> Footprint:
        config: Any = workload.config
        return footprint(config.max_slices if workload.phase == "inference" else 2 * config.slices_per_case)

    assert advice(ask(training, 7, slices)) == [("--set network.slices_per_case=3",)]
    assert advice(ask(inference, 1, slices)) == [("--max-slices 1",)]


@given(st.integers(1, 12), st.integers(256, 5000), st.booleans(), st.sampled_from(["float32", "bfloat16"]), st.data())
def test_every_remedy_is_predicted_to_fit_and_no_more_than_needed(
    batch_size: int, locations: int, checkpointing: bool, precision: Any, data: st.DataObject
) -> None:
    (training, *_) = of("a", batch_size, locations, Execution(checkpointing, precision))
    memory = data.draw(st.integers(1, 2 * toy(training).reserved_bytes + 1))
    seen: dict[int, list[Workload]] = {}

    def known(workload: Workload) -> Footprint:
        seen.setdefault(needed_bytes(toy(workload)), []).append(workload)
        return toy(workload)

    found = ask(training, memory, known)
    assert found.fits == (toy(training).reserved_bytes <= memory)
    assert len({len(remedy.options) for remedy in found.remedies}) <= 1
    for remedy in found.remedies:
        assert remedy.needed_bytes <= memory + CUDA_CONTEXT_BYTES
        assert remedy.needed_bytes in seen
    # Each question is predicted once.
    assert all(len(workloads) == len(set(workloads)) for workloads in seen.values())


def test_the_allocator_has_what_the_context_leaves() -> None:
    training, *_ = of("a")
    asked: list[float] = []

    def known(workload: Workload, capacity_bytes: float) -> Footprint:
        asked.append(capacity_bytes)
        return toy(workload)

    answer(training, CUDA_CONTEXT_BYTES + 10**9, known)
    assert set(asked) == {10**9}


def test_locations_and_an_extraction_are_asked_of_models_that_evaluate_locations() -> None:
    asked = {name: [(workload.phase, workload.locations) for workload in of(name, 4)] for name in ("a", "unet3d")}
    assert asked == {
        "a": [(phase, DEFAULT_LOCATIONS) for phase in ("training", "inference", "extraction")],
        "unet3d": [("training", None), ("inference", None)],
    }
    extraction = of("a", 4, 1024, Execution(checkpointing=True, precision="bfloat16"))[-1]
    assert (extraction.batch_size, extraction.execution) == (1, Execution(precision="bfloat16"))
    (*_, extraction) = of("a", 8, 1024)
    assert advice(ask(extraction, 600)) == [("--max-locations 512",), ("--precision bfloat16",)]


def test_what_is_told_of_an_answer() -> None:
    training, inference, _ = of("a", 8, 1024)

    def told(workload: Workload, memory_bytes: float) -> str:
        return describe(answer(workload, memory_bytes, lambda w, _: footprint(10**6 * toy(w).reserved_bytes)))

    memory_bytes = CUDA_CONTEXT_BYTES + 3 * 10**9
    first, *remedies = told(training, memory_bytes).splitlines()
    assert re.findall(r"[\d.]+ GB", first) == ["8.19 GB", "8.19 GB", "8.79 GB"]
    assert [line.split(" with ")[1] for line in remedies] == [
        "--set recipe.batch_size=2: 2.65 GB",
        "--set recipe.sampling.count=256: 2.65 GB",
    ]
    assert told(inference, memory_bytes).endswith(": fits")
    assert told(inference, 0).endswith(": --max-locations 256 --precision bfloat16")


@pytest.mark.parametrize(
    ("model", "shape", "settings", "message"),
    [
        ("e", SHAPE, {}, "unknown model 'e'"),
        ("a", (8, 8, 8), {}, "use fewer encoder_channels"),
        ("a", SHAPE, {"recipe": {"epochs": 3}}, "--set recipe: here settings start with network."),
        ("a", SHAPE, {"network": 3}, "--set network: here settings start with network."),
        ("a", SHAPE, {"network": {"widht": 3}}, "model a, network: widht: unknown field"),
        ("c", SHAPE, {"network": {"output_skips": False}}, "--set network.output_skips: True defines model c"),
    ],
)
def test_a_mistake_is_named(model: str, shape: tuple[int, ...], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        model_config(model, shape, 1, settings)


def test_real_predictions_fall_with_each_change() -> None:
    # The learned activation is many operations, whose predictions take long.
    training, inference = (replace(w, config=replace(w.config, activation="gelu")) for w in of("a", 2, 4096)[:2])
    whole = predict(training)
    changes: list[dict[str, Any]] = [
        *({"batch_size": 1}, {"locations": 1024}),
        *({"execution": way} for way in (Execution(checkpointing=True), Execution(precision="bfloat16"))),
    ]
    for changed in (inference, *(replace(training, **change) for change in changes)):
        assert predict(changed).allocated_bytes < whole.allocated_bytes
    assert answer(training, needed_bytes(whole)).fits


@pytest.mark.parametrize(
    "execution", [Execution(precision="bfloat16"), Execution(checkpointing=True, precision="bfloat16")], ids=str
)
@pytest.mark.parametrize("model", ["a", "unet2d-depth"])
def test_what_is_predicted_of_an_execution_is_counted_of_real_tensors(model: str, execution: Execution) -> None:
    training, *others = of(model, 2, 512 if model == "a" else None, execution)
    # Nothing is checkpointed but in training.
    for workload in [training] if execution.checkpointing else [training, *others]:
        predicted, counted = predict(workload, "cpu"), count(workload, "cpu")
        # The points around the ellipsoid are a few more or fewer than is assumed.
        tolerance = 0.005 if workload.phase == "extraction" else 0.001
        assert predicted.allocated_bytes == pytest.approx(counted.allocated_bytes, rel=tolerance)
