from collections import Counter

import torch
from torch import Tensor

from benchmarks.probes.phantom import ClosedFormField, make_volume
from benchmarks.studies.figure5 import LOCATIONS, READINGS, SHAPES, measured, predicted
from ossnet.inference.extraction import EXTRACTORS


def test_no_time_is_predicted() -> None:
    assert predicted() == []


def test_both_inferences_in_both_readings_at_every_number_of_locations() -> None:
    octree = [probe for probe in measured("cuda") if probe.model == "c"]
    assert {probe.shape for probe in octree} == {(256, 256, 160)}
    pairs = {(probe.locations, probe.extraction) for probe in octree}
    assert len(pairs) == len(octree) == 4 * 10
    assert Counter(extraction for _, extraction in pairs) == dict.fromkeys(EXTRACTORS.keys() - {"dense"}, 10)
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


def test_what_the_improved_inference_saves_depends_on_the_reading() -> None:
    """At the paper's resolution, from a prior on the lowest grid of OSS-Net C: what the README says."""
    volume = make_volume(FreeField.shape, 1)
    field = ClosedFormField(FreeField(), volume.label, volume.prior((8, 8, 5)))

    def saved(original: str, improved: str) -> float:
        before, after = (sum(EXTRACTORS[name](field, None, 2**17).evaluated) for name in (original, improved))
        return 1 - after / before

    by_text, by_code = (saved(*pair) for pair in READINGS.values())
    assert f"{by_text:.0%}, {by_code:.0%}" == "-236%, 58%"
