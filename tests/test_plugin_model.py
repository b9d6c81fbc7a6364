"""Models of another package, of no known family, take part in the studies by what they declare."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.experiments import grid as planning
from benchmarks.experiments.estimate import training_work
from benchmarks.experiments.grid import plan_study
from benchmarks.probes.extraction_stages import time_extraction
from benchmarks.probes.measure import predict_probe, workload_of
from benchmarks.scoring.scoring import Job
from benchmarks.scoring.segmentation import Segmentation
from benchmarks.studies import scaling
from benchmarks.studies.custom.definition import read_study
from benchmarks.studies.table1 import TABLE1
from benchmarks.studies.table2 import TABLE2, grid
from benchmarks.study import Study
from benchmarks.workload import Probe
from ossnet.data.case import Dataset
from ossnet.memory.fits import CUDA_CONTEXT_BYTES, answer, describe, model_config, workloads
from ossnet.memory.footprint import Footprint, predict
from ossnet.memory.workload import Workload
from ossnet.model import ModelConfig
from ossnet.network.execution import DEFAULT
from ossnet.registry import model_type
from ossnet.training.profile import load_profile

SHAPE = (16, 16, 16)
VOXELS = 16**3
BLOCK = 512
"""Bytes that torch's allocator takes for a tensor of one to 512 bytes."""

CONFIG = ModelConfig(SHAPE, 1)

pytestmark = pytest.mark.usefixtures("plugged_in")


def test_a_profile_trains_it_by_its_own_table(dataset: Dataset, tmp_path: Path) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text('base = "laptop"\n[convolution.recipe]\nepochs = 7\n', encoding="utf-8")
    spec = load_profile(str(profile)).spec("convolution", dataset, seed=3)
    assert (spec.model, spec.network, spec.recipe.epochs, spec.seed) == ("convolution", {}, 7, 3)
    # Two modalities of 27 weights each, and a bias.
    assert sum(parameter.numel() for parameter in spec.make_model().parameters()) == 2 * 27 + 1
    # A multiplication and an addition for each weight and voxel, forward and backward to the weights.
    one_epoch = replace(spec, recipe=replace(spec.recipe, epochs=1, steps_per_epoch=1, batch_size=1))
    height, width, depth = spec.preprocessing.shape
    assert training_work(one_epoch, 3) == pytest.approx(2 * 2 * 54 * height * width * depth)


def test_a_study_of_a_file_compares_it_with_models_of_the_suite(dataset: Dataset, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('name = "mine"\nmodels = ["convolution", "c"]\nbaseline = "c"\nseeds = [0]\n', encoding="utf-8")
    study = read_study(file)
    profile = load_profile("laptop")
    mine, c = (Segmentation.of(point, profile, dataset) for point in study.grid(profile))
    assert (mine.training.model, mine.extraction) == ("convolution", "dense")
    # The run of Table 2.
    assert c == Segmentation.of(grid(profile, ["c"])[0], profile, dataset)
    assert study.layout.baseline == ("c",)


def test_table_2_has_a_row_of_it() -> None:
    profile = load_profile("laptop")
    assert [(point.model, point.seed) for point in grid(profile, ["convolution"])] == [
        ("convolution", seed) for seed in profile.seeds
    ]
    rows = TABLE2.layout.arrange([("unet3d",), ("convolution",)])
    assert rows == [*TABLE2.layout.rows, ("convolution",)]
    assert TABLE2.layout.label(("convolution",)) == ["convolution"]


def test_any_study_runs_it_by_name(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "training_work", lambda spec, cases: 1.0)
    profile, job = load_profile("laptop"), Job("own.csv", {}, str(tmp_path / "cache"), 1, "")

    def planned(study: Study, *models: str) -> list[tuple[str, int]]:
        plan, _ = plan_study(study, profile, dataset, job, tmp_path, 1e9, models)
        return [(run.model, run.seed) for run in plan.runs]

    pairs = [(model, seed) for model in ("half-space", "c") for seed in profile.seeds]
    assert planned(TABLE2, "half-space", "c") == pairs
    # As the strategies of the model that the study has.
    assert sorted(planned(TABLE1, "half-space")) == sorted(("half-space", seed) for _, seed in planned(TABLE1))


@pytest.mark.parametrize(("model", "like"), [("convolution", "unet3d"), ("half-space", "onet")])
def test_scaling_asks_the_same_of_it_as_of_its_own_models(model: str, like: str) -> None:
    probes = [replace(probe, model=model) for probe in scaling.memory(64) if probe.model == like]
    assert {probe.config for probe in probes} == {ModelConfig((64, 64, 64), 1)}
    for probe in probes:
        assert workload_of(probe) == Workload(model, probe.config, probe.phase, 1, probe.locations)
        assert predict_probe(probe)["by_part"]["parameters"] == 2 * BLOCK


def test_the_paper_data_sets_have_their_modalities() -> None:
    assert Probe("memory", "convolution", "brats", SHAPE, "training").config == ModelConfig(SHAPE, 4)


def test_an_evaluation_of_all_voxels_by_hand() -> None:
    footprint = predict(Workload("convolution", CONFIG, "inference"))
    # Weights of 27 * 4 bytes and a bias; image and logits of 4 bytes per voxel; copies of both for the convolution, the
    # image's padded to four channels.
    volume = VOXELS * 4
    assert footprint.by_part == {
        "workspace": 4 * volume + volume,
        "inputs": volume,
        "convolution": volume,
        "parameters": 2 * BLOCK,
    }
    assert footprint.allocated_bytes == 7 * volume + 2 * BLOCK


def test_a_training_step_by_hand() -> None:
    parts = predict(Workload("convolution", CONFIG, "training", batch_size=2)).by_part
    assert parts["parameters"] == 2 * BLOCK
    # Two moments and Lookahead's slow weights.
    assert parts["optimizer_state"] == 3 * 2 * BLOCK
    # Images of 4 bytes and labels of 1 byte per voxel.
    assert parts["inputs"] == 2 * VOXELS * 5


def test_fits_takes_a_model_of_all_voxels_and_advises_what_it_has() -> None:
    config = model_config("convolution", SHAPE, 1)
    assert config == CONFIG
    training, inference = workloads("convolution", config, 2, None, DEFAULT)
    enough = CUDA_CONTEXT_BYTES + 2**30
    assert answer(training, enough).fits
    assert answer(inference, enough).fits
    # It has neither checkpointing nor bfloat16, slices nor locations.
    reserved = predict(Workload("convolution", config, "training", 1)).reserved_bytes

    def one_volume_fits(workload: Workload, capacity_bytes: float) -> Footprint:
        return replace(predict(workload), reserved_bytes=reserved * workload.batch_size)

    (remedy,) = answer(training, CUDA_CONTEXT_BYTES + reserved, one_volume_fits).remedies
    assert remedy.options == ("--set recipe.batch_size=1",)
    assert describe(answer(inference, CUDA_CONTEXT_BYTES)).endswith("\n  no setting lowers it")


def test_fits_takes_a_model_that_evaluates_locations() -> None:
    found = workloads("half-space", CONFIG, 1, 256, DEFAULT)
    assert [(workload.phase, workload.locations) for workload in found] == [
        ("training", 256),
        ("inference", 256),
        ("extraction", 256),
    ]
    for workload in found:
        assert predict(workload).by_part["parameters"] == 2 * BLOCK


def test_its_segmentation_is_timed_by_stage() -> None:
    timing = time_extraction(model_type("half-space")(CONFIG), "mise", 64, "cpu", repeats=1)
    assert timing.stages is not None
    assert timing.stages["gather"] == 0
    assert timing.stages["decoder"] > 0
    # Three multiplications and additions for each location.
    assert timing.flops == 2 * 3 * sum(timing.evaluated)


def test_its_segmentation_of_all_voxels_is_timed() -> None:
    timing = time_extraction(model_type("convolution")(CONFIG), "dense", None, "cpu", repeats=1)
    assert timing.stages is None
    assert timing.evaluated == (VOXELS,)
    assert timing.flops == 2 * 27 * VOXELS
