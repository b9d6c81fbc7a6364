from collections import Counter
from collections.abc import Callable

import pytest

from benchmarks.markup import Grid
from benchmarks.names import MODEL_NAMES
from benchmarks.probes.answers import Answers
from benchmarks.probes.records import ProbeRecord
from benchmarks.report.probe_cells import CPU_NOTES
from benchmarks.studies.scaling import EXTRACTIONS, VOXELISED, measured, memory, predicted, runtime, scaling_grids
from benchmarks.study import Probe
from ossnet.inference.extraction import EXTRACTORS
from ossnet.registry import model_type

MODELS_AT_128 = ("unet3d", "unet2d-depth", "onet", "c")


def slowest(probe: Probe) -> bool:
    return (probe.model, probe.shape[0]) == ("unet2d-depth", 512)


def test_every_model_of_the_paper_and_one_orientation_of_the_slices() -> None:
    others = {"unet2d-height", "unet2d-width"}
    assert set(EXTRACTIONS) == set(MODEL_NAMES) - others
    assert set(EXTRACTIONS.values()) <= set(EXTRACTORS)


def test_only_models_that_evaluate_locations_are_given_some() -> None:
    for probe in memory(64) + runtime(64):
        assert (probe.locations is not None) == model_type(probe.model).evaluates_locations


def test_each_resolution_has_the_same_probes() -> None:
    probes = predicted()
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
    assert {p for p in on_gpu if p.quantity == "memory"} == {p for p in predicted() if p.shape[0] <= 512}
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


@pytest.fixture
def scaling_answers(record: Callable[..., ProbeRecord]) -> Answers:
    of_gpu = {p: record("scaling", p, "predicted", p.shape[0] / 64) for p in predicted()}
    on_cpu = {
        p: record("scaling", p, "cpu", **({"seconds": 1.5} if p.quantity == "runtime" else {"gigabytes": 3.0}))
        for p in measured("cpu")
    }
    return Answers({"predicted": of_gpu, "cpu": on_cpu})


def cells_of(grid: Grid) -> dict[tuple[str, str], list[str]]:
    return {(row[0].text, row[1].text): [cell.text for cell in row[2:]] for row in grid.rows}


def test_scaling_has_a_column_for_each_resolution_and_a_row_for_each_phase_and_model(scaling_answers: Answers) -> None:
    grids = scaling_grids(scaling_answers)
    assert len(grids) == 1 + 2 + 2
    assert grids[0].head == ["Phase", "Model", "64³", "128³", "256³", "512³", "1024³"]
    assert [len(grid.rows) for grid in grids] == [3 * 7] * 5
    assert cells_of(grids[0])["training", "3D residual U-Net"] == ["1.00", "2.00", "4.00", "8.00", "16.00"]
    of_gpu = [cell for grid in grids[1:3] for row in cells_of(grid).values() for cell in row]
    assert set(of_gpu) == {"not measured", "see extraction", "see inference"}


def test_cells_that_a_machine_does_not_measure_are_marked(scaling_answers: Answers) -> None:
    *_, memory, time = map(cells_of, scaling_grids(scaling_answers))
    assert memory["training", "OSS-Net C"] == ["3.00", "3.00"]
    assert memory["training", "OSS-Net A"] == ["3.00", "–"]
    assert memory["inference", "2D residual U-Net, depth slices"] == ["3.00", "–"]
    assert memory["extraction", "2D residual U-Net, depth slices"] == ["see inference", "–"]
    assert memory["extraction", "3D residual U-Net"] == ["see inference", "see inference"]
    assert memory["extraction", "OSS-Net C"] == ["3.00", "–"]
    assert time["inference", "3D residual U-Net"] == ["see extraction", "see extraction"]
    assert time["inference", "2D residual U-Net, depth slices"] == ["see extraction", "–"]
    assert time["inference", "OSS-Net C"] == ["1.5", "1.5"]
    assert time["extraction", "3D residual U-Net"] == ["1.5", "1.5"]
    assert time["extraction", "OSS-Net C"] == ["1.5", "–"]


def test_notes_of_scaling_state_its_phases_its_encoders_and_its_absences(scaling_answers: Answers) -> None:
    notes = scaling_grids(scaling_answers)[-1].notes
    for part in (
        *("one slice per pass", "Extraction: ", "an ellipsoid", "–: not measured on a CPU", "At 128³"),
        *("a single run has none", "64-128 at 64³", "4-8-16-32-64-128 at 1024³"),
        *CPU_NOTES,
    ):
        assert part in notes
    without_cpu = scaling_grids(Answers({"predicted": scaling_answers.by_machine["predicted"]}))
    assert "CPU" not in without_cpu[-1].notes
    assert not any("–" in row for grid in without_cpu for row in cells_of(grid).values())
