"""What is predicted and measured; the golden tests hold the tables."""

from collections import Counter

from benchmarks.names import MODEL_NAMES
from benchmarks.studies.scaling import (
    EXTRACTIONS,
    VOXELISED,
    measured,
    memory,
    predicted,
    predicted_of_successors,
    runtime,
)
from benchmarks.workload import Probe
from ossnet.inference.extraction import EXTRACTORS

MODELS_AT_128 = ("unet3d", "unet2d-depth", "onet", "c")


def slowest(probe: Probe) -> bool:
    return (probe.model, probe.shape[0]) == ("unet2d-depth", 512)


def of_the_paper() -> list[Probe]:
    return [probe for probe in predicted() if probe not in predicted_of_successors()]


def test_every_model_of_the_paper_and_one_orientation_of_the_slices() -> None:
    others = {"unet2d-height", "unet2d-width"}
    assert set(EXTRACTIONS) == set(MODEL_NAMES) - others
    assert set(EXTRACTIONS.values()) <= set(EXTRACTORS)


def test_each_resolution_has_the_same_probes() -> None:
    probes = of_the_paper()
    in_function_space = set(EXTRACTIONS) - set(VOXELISED)
    assert len(set(probes)) == len(probes) == 5 * (2 * len(EXTRACTIONS) + len(in_function_space))
    assert {probe.model for probe in probes if probe.phase == "extraction"} == in_function_space
    assert {probe.shape[0] for probe in probes} == {64, 128, 256, 512, 1024}
    for probe in probes:
        assert len(set(probe.shape)) == 1
        assert probe.quantity == "memory"


def test_a_whole_segmentation_by_a_unet_is_its_evaluation_and_timed_once() -> None:
    assert Counter(probe.phase for probe in runtime(64)) == {"training": 7, "inference": 5, "extraction": 7}
    evaluated = {probe.model for probe in runtime(64) if probe.phase == "inference"}
    assert evaluated == set(EXTRACTIONS) - set(VOXELISED)


def test_a_gpu_measures_what_can_be_predicted_and_times_every_model_up_to_512_voxels_a_side() -> None:
    on_gpu = measured("cuda")
    assert {p for p in on_gpu if p.quantity == "memory"} == {p for p in of_the_paper() if p.shape[0] <= 512}
    assert {p for p in on_gpu if p.quantity == "runtime"} == {p for edge in (64, 128, 256, 512) for p in runtime(edge)}
    assert len(on_gpu) == 4 * (2 * 7 + 5 + 19)


def test_the_lowest_resolution_comes_first_and_the_slowest_last() -> None:
    *others, training, inference, training_time, segmentation = measured("cuda")
    assert not any(map(slowest, others))
    edges = [probe.shape[0] for probe in others]
    assert edges == sorted(edges)
    assert all(map(slowest, (training, inference, training_time, segmentation)))
    assert [probe.phase for probe in (training, inference, training_time, segmentation)] == [
        *("training", "inference", "training", "extraction")
    ]


def test_a_laptop_measures_all_of_small_volumes_and_four_models_of_larger_ones() -> None:
    on_cpu = measured("cpu")
    assert set(on_cpu) < set(measured("cuda"))
    assert {probe.shape[0] for probe in on_cpu} == {64, 128}
    assert {probe for probe in on_cpu if probe.shape[0] == 64} == {*memory(64), *runtime(64)}
    larger = [(probe.quantity, probe.phase, probe.model) for probe in on_cpu if probe.shape[0] == 128]
    assert sorted(larger) == sorted(
        [
            *((quantity, "training", model) for quantity in ("memory", "runtime") for model in MODELS_AT_128),
            *(("memory", "inference", model) for model in ("unet3d", "onet", "c")),
            *(("runtime", "inference", model) for model in ("onet", "c")),
            ("runtime", "extraction", "unet3d"),
        ]
    )
