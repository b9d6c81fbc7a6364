from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.probes.answers import Answers
from benchmarks.probes.phantom import ClosedFormField, make_volume
from benchmarks.probes.records import ProbeRecord
from benchmarks.studies.figure5 import FIGURE5, LOCATIONS, ONE_VOLUME, READINGS, SHAPES, figure5_grids, measured
from ossnet.inference.extraction import EXTRACTORS


def test_no_time_is_predicted_and_claims_are_judged_by_what_a_gpu_measures() -> None:
    assert list(FIGURE5.predicted()) == []
    assert FIGURE5.evidence() == measured("cuda")


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


def test_figure_5_compares_both_inferences_in_both_readings(record: Callable[..., ProbeRecord]) -> None:
    times = {"mise": 4.0, "paper-prior": 2.0, "released": 3.0, "released-prior": 1.0}
    records = {p: record("figure5", p, "cpu", seconds=times[str(p.extraction)]) for p in measured("cpu")}
    grids = figure5_grids(Answers({"cpu": records}))
    # A GPU's two are there, unmeasured and therefore without stages, before the CPU's two for each resolution.
    assert len(grids) == 2 + 2 * 2
    assert "32" in {row[0].text for row in grids[1].rows}
    assert {row[1].text for row in grids[0].rows} == {"not measured"}
    inferences, stages, full, _ = grids[2:]
    assert "256x256x160" in full.caption
    assert len(full.rows) == 1
    assert "CPU" in inferences.caption
    assert "128x128x80" in inferences.caption
    assert [cell.text for cell in inferences.rows[0]] == ["2⁸", "4", "2", "2.000", "3", "1", "3.000"]
    assert [cell.text for cell in stages.rows[0]] == [
        *("mise", "2⁸", "0.1", "0.2", "0.3", "0.4"),
        *("1,500", "750", "25.0%"),
    ]
    for sentence in ("interval of the median", "TF32", ONE_VOLUME):
        assert sentence in grids[-1].notes
