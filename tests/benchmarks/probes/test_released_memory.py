"""Predicted peaks of the released implementation: by hand, against the same step on real tensors, against Table 3."""

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch

from benchmarks.names import REFERENCE
from benchmarks.probes.published import published_gigabytes
from benchmarks.probes.records import read_records
from benchmarks.probes.released_memory import released_footprint
from benchmarks.workload import PAPER_VOLUMES, Phase, Probe
from ossnet.errors import UserError
from ossnet.memory.footprint import Footprint

SMALL = {
    model: Probe("memory", model, "cube", (32, 32, 32), "training", locations, implementation="released")
    for model, locations in (("d", 64), ("unet3d", None), ("unet2d-depth", None))
}


@cache
def predicted_of(model: str, phase: Phase) -> Footprint:
    before = torch.get_rng_state()
    footprint = released_footprint(replace(SMALL[model], phase=phase))
    assert torch.equal(torch.get_rng_state(), before), "a prediction draws nothing"
    return footprint


@pytest.mark.parametrize("model", SMALL)
@pytest.mark.parametrize("phase", ["training", "inference"])
def test_the_prediction_is_what_real_tensors_take(model: str, phase: Phase) -> None:
    predicted, real = predicted_of(model, phase), released_footprint(replace(SMALL[model], phase=phase), "cpu")
    assert sum(predicted.by_part.values()) == predicted.allocated_bytes <= predicted.reserved_bytes
    assert predicted.allocated_bytes == pytest.approx(real.allocated_bytes, rel=0.01)


def test_inference_in_the_decoder_by_hand() -> None:
    n = 2**14
    peak = released_footprint(Probe("memory", "onet", "cube", (32, 32, 32), "inference", n, implementation="released"))
    # While a block's last norm shifts: the block's input, the linear map's output, that normalised, scaled and shifted,
    # and scale and shift themselves, repeated for each location.
    wide = n * 512 * 4
    assert peak.by_part["decoder"] == pytest.approx(7 * wide, rel=0.01)
    # Locations and the half-resolution volume.
    assert peak.by_part["inputs"] == n * 3 * 4 + 16**3 * 4


def test_the_optimiser_is_radam_alone() -> None:
    parts = predicted_of("unet3d", "training").by_part
    assert parts["optimizer_state"] == pytest.approx(2 * parts["parameters"], rel=0.02)


@pytest.mark.parametrize(("model", "locations"), [("d", None), ("unet3d", 16)])
def test_locations_go_with_models_that_evaluate_them(model: str, locations: int | None) -> None:
    with pytest.raises(UserError, match=f"model {model} evaluates"):
        released_footprint(replace(SMALL[model], locations=locations))


@pytest.mark.parametrize("change", [{"phase": "extraction"}, {"batch_size": 2}])
def test_only_steps_of_one_sample_are_accounted_for(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no step of one sample"):
        released_footprint(replace(SMALL["unet3d"], **change))


Predicted = dict[Probe, tuple[float | None, dict[str, Any]]]


@pytest.fixture(scope="module")
def predicted() -> Predicted:
    """The paper's number in GB and the reference's prediction for each probe of Table 3."""
    results = {record.probe: record.result for record in read_records(REFERENCE, ["table3"])}
    released = {probe: replace(probe, implementation="released") for probe in published_gigabytes()}
    return {released[probe]: (gb, results[released[probe]]) for probe, gb in published_gigabytes().items()}


@pytest.mark.parametrize(
    ("model", "dataset", "phase", "locations"),
    [
        ("onet", "brats", "inference", 2**17),
        ("a", "lits", "training", 2**14),
        ("b", "brats", "training", 2**14),
        ("c", "brats", "training", 2**14),
        ("d", "lits", "inference", 2**14),
        ("unet3d", "brats", "training", None),
        ("unet2d-depth", "brats", "inference", None),
        ("unet2d-width", "lits", "training", None),
    ],
)
def test_the_reference_holds_what_is_predicted(
    model: str, dataset: str, phase: Phase, locations: int | None, predicted: Predicted
) -> None:
    """Every prediction takes a second: one of each model."""
    shape, _ = PAPER_VOLUMES[dataset]
    probe = Probe("memory", model, dataset, shape, phase, locations, implementation="released")
    _, result = predicted[probe]
    assert released_footprint(probe).allocated_bytes == pytest.approx(result["allocated_bytes"], rel=0.001)


def test_function_space_models_of_table_3(predicted: Predicted) -> None:
    numbers = [(probe, *numbers) for probe, numbers in predicted.items() if probe.locations is not None]
    assert len(numbers) == 30
    for probe, gigabytes, result in numbers:
        few_of_lits = (probe.dataset, probe.phase, probe.locations) == ("lits", "inference", 2**14)
        # The paper prints two decimals: its number may be off by 0.005 GB.
        tolerance = (0.05 if few_of_lits else 0.02) * gigabytes + 0.005
        assert result["allocated_bytes"] / 1e9 == pytest.approx(gigabytes, abs=tolerance)


def test_lookaheads_copy_would_take_every_training_further_from_table_3(predicted: Predicted) -> None:
    trainings = [
        (gigabytes, result["allocated_bytes"] / 1e9, result["by_part"]["parameters"] / 1e9)
        for probe, (gigabytes, result) in predicted.items()
        if probe.phase == "training" and gigabytes is not None
    ]
    assert len(trainings) == 14
    for published, without_copy, copy in trainings:
        assert abs(without_copy + copy - published) > abs(without_copy - published)


def test_unets_of_table_3(predicted: Predicted) -> None:
    unets = {
        (probe.model, probe.dataset, probe.phase, probe.shape): (gigabytes, result["allocated_bytes"] / 1e9)
        for probe, (gigabytes, result) in predicted.items()
        if probe.locations is None
    }
    # Of native resolution the paper only says that it takes more than 110 GB.
    bound, native = unets.pop(("unet3d", "lits", "training", (512, 512, 512)))
    assert bound is None
    assert native > 110
    ratios = {unet: ours / published for unet, (published, ours) in unets.items()}
    assert ratios["unet3d", "brats", "training", (256, 256, 160)] == pytest.approx(1, abs=0.02)
    assert ratios["unet2d-width", "lits", "training", (512, 512, 512)] == pytest.approx(1, abs=0.02)
    # The others differ by what the paper leaves open; see `benchmarks.probes.unet_variants`.
    assert all(0.78 <= ratio <= 1.2 for ratio in ratios.values())
