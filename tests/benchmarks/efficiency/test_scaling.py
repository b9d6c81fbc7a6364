from itertools import pairwise

from benchmarks.efficiency.scaling import EXTRACTIONS, TIMED, measured, memory, predicted, runtime
from benchmarks.tables import MODEL_NAMES
from ossnet.extraction import EXTRACTORS
from ossnet.registry import model_type


def test_every_model_of_the_paper_and_one_orientation_of_the_slices() -> None:
    others = {"unet2d-height", "unet2d-width"}
    assert set(EXTRACTIONS) == set(MODEL_NAMES) - others
    assert set(EXTRACTIONS.values()) <= set(EXTRACTORS)


def test_only_models_that_evaluate_locations_are_given_some() -> None:
    for probe in memory(64) + runtime(64):
        assert (probe.locations is None) == (model_type(probe.model).family != "occupancy")


def test_each_resolution_asks_every_model_the_same() -> None:
    probes = predicted()
    assert len(set(probes)) == len(probes) == 5 * 2 * len(EXTRACTIONS)
    assert {probe.shape[0] for probe in probes} == {64, 128, 256, 512, 1024}
    for probe in probes:
        assert len(set(probe.shape)) == 1
        assert probe.quantity == "memory"


def test_what_can_be_predicted_is_measured_up_to_512_voxels_a_side() -> None:
    on_gpu = measured("cuda")
    slow = {p for p in predicted() if (p.model, p.shape[0], p.phase) == ("unet2d-depth", 512, "inference")}
    assert {p for p in on_gpu if p.quantity == "memory"} == {p for p in predicted() if p.shape[0] <= 512} - slow
    timed = [p for p in on_gpu if p.quantity == "runtime"]
    assert len(set(timed)) == len(timed) == 4 * 3 * len(TIMED) - 2 * len(slow)
    # The lowest first: what there is no time for is the largest.
    assert all(before.shape[0] <= after.shape[0] for before, after in pairwise(on_gpu))


def test_a_laptop_measures_steps_of_small_volumes() -> None:
    on_cpu = measured("cpu")
    assert set(on_cpu) < set(measured("cuda"))
    assert {probe.shape[0] for probe in on_cpu} == {64, 128}
    assert {probe.phase for probe in on_cpu} == {"training", "inference"}
    assert {probe.phase for probe in on_cpu if (probe.model, probe.shape[0]) == ("unet2d-depth", 128)} == {"training"}
