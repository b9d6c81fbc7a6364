from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.probes.answers import Answers
from benchmarks.probes.phantom import ClosedFormField, make_volume
from benchmarks.probes.records import ProbeRecord
from benchmarks.studies.figure5 import FIGURE5, LOCATIONS, READINGS, SHAPES, figure5_tables, measured
from ossnet.inference.extraction import EXTRACTORS


def test_no_time_is_predicted_and_claims_are_judged_by_what_a_gpu_measures() -> None:
    assert list(FIGURE5.predicted()) == []
    assert FIGURE5.evidence() == measured("cuda")


def test_both_inferences_in_both_readings_at_every_number_of_locations() -> None:
    octree = [probe for probe in measured("cuda") if probe.model == "c"]
    assert {probe.shape for probe in octree} == {(256, 256, 160)}
    pairs = {(probe.locations, probe.extraction) for probe in octree}
    assert len(pairs) == len(octree) == 4 * 10
    assert Counter(extraction for _, extraction in pairs) == dict.fromkeys(
        EXTRACTORS.keys() - {"dense", "adaptive"}, 10
    )
    assert {locations for locations, _ in pairs} == {2**power for power in range(8, 18)}


def test_the_slicing_unet_takes_one_slice_and_several() -> None:
    slicing = [probe for probe in measured("cuda") if probe.model != "c"]
    assert [(probe.model, probe.batch_size, probe.locations) for probe in slicing] == [
        ("unet2d-depth", 1, None),
        ("unet2d-depth", 32, None),
    ]


def test_a_laptop_takes_half_the_resolution_and_few_of_the_numbers() -> None:
    on_cpu = measured("cpu")
    assert {probe.model for probe in on_cpu} == {"c"}
    assert Counter(probe.shape for probe in on_cpu) == {(128, 128, 80): 4 * 3, (256, 256, 160): 4}
    assert {probe.locations for probe in on_cpu if probe.shape == SHAPES["cuda"]} == {2**14}
    assert set(LOCATIONS["cpu"]) < set(LOCATIONS["cuda"])


class FreeField:
    """Takes no time, in the place of the network's."""

    shape, device, classes, prior = SHAPES["cuda"], torch.device("cpu"), 2, None

    def __call__(self, locations: Tensor) -> Tensor:
        return locations


def test_what_the_released_code_saves_at_the_papers_resolution() -> None:
    """From a prior on the lowest grid of OSS-Net C: what the README says."""
    volume = make_volume(FreeField.shape, 1)
    field = ClosedFormField(FreeField(), volume.label, volume.prior((8, 8, 5)))
    before, after = (sum(EXTRACTORS[name](field, None, 2**17).evaluated) for name in READINGS["the released code"])
    assert f"{1 - after / before:.0%}" == "58%"


def test_a_gpu_has_both_inferences_in_both_readings_their_stages_and_slices(record: Callable[..., ProbeRecord]) -> None:
    times = {"mise": 4.0, "paper-prior": 2.0, "released": 3.0, "released-prior": 1.0, "dense": 5.0}
    records = {p: record("figure5", p, "GPU A", seconds=times[str(p.extraction)]) for p in measured("cuda")}
    inferences, stages, slices = figure5_tables(Answers({"GPU A": records}))
    assert [cell.text for cell in inferences.rows[0]] == ["2⁸", "4", "2", "2.000", "3", "1", "3.000"]
    assert [cell.text for cell in stages.rows[0]] == [
        *("mise", "2⁸", "0.1", "0.2", "0.3", "0.4"),
        *("1,500", "750", "25.0%"),
    ]
    assert [[cell.text for cell in row] for row in slices.rows] == [["1", "5"], ["32", "5"]]
