"""The files that a run and its training leave, of a model of each kind."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.experiments import training
from benchmarks.runs import worker
from benchmarks.runs.run_folder import Run, State, identity
from benchmarks.scoring.segmentation import Segmentation
from ossnet.data.nifti import read_label
from ossnet.evaluation.metrics import dice
from ossnet.evaluation.quantities import SCORES
from ossnet.memory.footprint import count
from ossnet.training.run import RunSpec, load_run


@pytest.fixture(scope="module", params=["c", "unet3d"])
def run(
    request: pytest.FixtureRequest,
    tiny_spec: Callable[..., RunSpec],
    prepare_run: Callable[..., Run],
    tmp_path_factory: pytest.TempPathFactory,
) -> Run:
    """A run that was made in this process."""
    extraction = "mise" if request.param == "c" else "dense"
    made = prepare_run(tmp_path_factory.mktemp("results"), tiny_spec(request.param), extraction)
    worker.make_run(str(made.folder))
    return made


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text())


def test_all_records_are_there(run: Run) -> None:
    assert run.state == State.DONE
    assert {path.name for path in run.folder.iterdir()} == {
        *("spec.json", "job.json", "lock", "provenance.json", "per_case.csv", "sampled.csv", "case.npz"),
        "result.json",
    }
    assert {path.name for path in run.training.iterdir()} == {
        *("spec.json", "lock", "training.lock", "checkpoint.pt", "history.csv", "model.safetensors"),
        *("cases.json", "provenance.json", "result.json"),
    }
    assert run.trained_fraction() == 1
    assert run.is_trained
    for folder in (run.folder, run.training):
        assert identity(read(folder, "spec.json"))[:12] == folder.name.split("-")[-1]
    assert read(run.folder, "spec.json")["training"] == read(run.training, "spec.json")


def test_the_result_is_what_the_same_run_comes_to_again(run: Run) -> None:
    result, trained = read(run.folder, "result.json"), read(run.training, "result.json")
    model, _ = load_run(run.training)
    assert trained["parameters"] == sum(parameter.numel() for parameter in model.parameters())
    assert result["protocol"] == "dense"
    assert trained["validation_protocol"] == "paper"
    history = pd.read_csv(run.training / "history.csv")
    assert trained["best_validation_dice"] == pytest.approx(history["dice"][history["iou"].fillna(-1).idxmax()])
    if run.model == "unet3d":
        assert result["locations_mean"] == 12 * 14 * 10
        assert result["disagreement_with_dense_percent"] == {}
    else:
        assert 0 < result["locations_mean"] <= 12 * 14 * 10
        (percent,) = result["disagreement_with_dense_percent"].values()
        assert 0 <= percent <= 100
    assert trained["steps"] == 6
    # Two steps of two cases in each of three epochs.
    seen = {"locations_seen": 12 * 64} if run.model == "c" else {"voxels_seen": 12 * 16**3}
    assert {name: trained[name] for name in trained if name.endswith("_seen")} == seen
    # Nothing in it is a time, which no two runs would have in common.
    assert not [name for name in (*result, *trained) if name.endswith("_s") or "seconds" in name]


def test_where_it_came_from(run: Run) -> None:
    provenance, of_training = (read(folder, "provenance.json") for folder in (run.folder, run.training))
    for one in (provenance, of_training):
        (attempt,) = one["attempts"]
        assert attempt["command"] == "python -m benchmarks run"
        assert attempt["versions"]["torch"] == torch.__version__
        assert attempt["seconds"] == one["seconds"]
        # Of so small a model, the tensors are little beside the process.
        assert set(one["memory"]) == {"allocated_bytes", "resident_bytes"}
        assert 1e5 < one["memory"]["allocated_bytes"] < one["memory"]["resident_bytes"]
    assert 0 < provenance["timing"]["extraction_s_median"] < provenance["seconds"]
    history = pd.read_csv(run.training / "history.csv")
    assert of_training["timing"]["training_s"] == pytest.approx(history["seconds"].sum())
    model, spec = load_run(run.training)
    parameters = sum(parameter.nbytes for parameter in model.parameters())
    # Weights, gradients, two moments and Lookahead's copy, or more.
    assert of_training["memory"]["allocated_bytes"] > 4 * parameters
    assert of_training["memory"]["allocated_bytes"] == count(training.training_step(spec, 3), "cpu").allocated_bytes


def test_the_scores_of_every_test_case(run: Run) -> None:
    scores = pd.read_csv(run.folder / "per_case.csv", keep_default_na=False)
    assert list(scores) == ["case", "quantity", "value", "unit"]
    assert set(scores["case"]) == {"e"}
    assert scores["quantity"].tolist() == list(SCORES)
    sampled = pd.read_csv(run.folder / "sampled.csv")
    assert list(sampled) == ["protocol", "case", "quantity", "value"]
    assert sampled["protocol"].tolist() == ["paper"] * 2
    assert sampled["case"].tolist() == ["e"] * 2
    assert sampled["quantity"].tolist() == ["dice", "iou"]
    assert read(run.folder, "result.json")["sampled_protocols"] == [
        {"protocol": "paper", "locations": 512, "border_share": 0.0, "every": 5}
    ]


def test_the_case_to_draw(run: Run, data_csv: Path) -> None:
    case = np.load(run.folder / "case.npz")
    assert (str(case["case"]), str(case["modality"])) == ("e", "flair")
    label, affine = read_label(data_csv.parent / "e-label.nii.gz")
    np.testing.assert_array_equal(case["label"], label > 0)
    np.testing.assert_array_equal(case["affine"], affine)
    assert case["image"].shape == case["prediction"].shape == label.shape
    assert case["prediction"].dtype == bool
    assert float(case["dice"]) == pytest.approx(dice(case["prediction"], label))


def test_what_another_worker_finished_is_left_alone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Segmentation, "score", lambda *_: pytest.fail("a run that is done was made again"))
    worker.make_run(str(run.folder))


@pytest.mark.parametrize("run", ["c"], indirect=True)
def test_scorings_of_a_training_share_it(
    run: Run, prepare_run: Callable[..., Run], tiny_spec: Callable[..., RunSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = prepare_run(run.folder.parents[1], tiny_spec("c"), "dense")
    assert other.folder != run.folder
    assert other.training == run.training
    weights = (run.training / "model.safetensors").stat().st_mtime_ns
    monkeypatch.setattr(training, "train_run", lambda *_: pytest.fail("it was trained again"))
    worker.make_run(str(other.folder))
    assert other.state == State.DONE
    assert (other.training / "model.safetensors").stat().st_mtime_ns == weights
    assert read(other.folder, "result.json")["locations_mean"] == 12 * 14 * 10
    assert len(list(run.training.parent.iterdir())) == 1
