import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks import worker
from benchmarks.jobs import Job
from ossnet.data.nifti import read_label
from ossnet.metrics import dice
from ossnet.run import RunSpec, load_run


@pytest.fixture(scope="module", params=["c", "unet3d"])
def job(
    request: pytest.FixtureRequest,
    tiny_spec: Callable[..., RunSpec],
    data_csv: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Job:
    """A job that was made in this process."""
    folder = tmp_path_factory.mktemp("jobs")
    job = Job.under(folder / "runs", tiny_spec(request.param), str(data_csv), "laptop")
    job.prepare()
    worker.run(job, folder / "cache")
    return job


def test_all_records_are_there(job: Job) -> None:
    assert job.done
    assert {path.name for path in job.folder.iterdir()} == {
        *("spec.json", "job.json", "checkpoint.pt", "model.safetensors", "history.csv"),
        *("per_case.csv", "case.npz", "result.json"),
    }
    assert job.trained() == 1


def test_the_result(job: Job) -> None:
    result: dict[str, Any] = json.loads((job.folder / "result.json").read_text())
    model, _ = load_run(job.folder)
    assert result["parameters"] == sum(parameter.numel() for parameter in model.parameters())
    assert result["extraction"] == model.extraction
    assert result["validation_protocol"] == "paper"
    history = pd.read_csv(job.folder / "history.csv")
    assert result["best_validation_dice"] == pytest.approx(history["dice"][history["iou"].fillna(-1).idxmax()])
    assert result["training_s"] == pytest.approx(history["seconds"].sum())
    assert 0 < result["extraction_s_median"] < result["worker_s"]
    if model.extraction == "dense":
        assert result["locations_mean"] == 12 * 14 * 10
        assert result["disagreement_with_dense_percent"] is None
    else:
        assert 0 < result["locations_mean"] <= 12 * 14 * 10
        assert 0 <= result["disagreement_with_dense_percent"] <= 100


def test_the_scores_of_every_test_case(job: Job) -> None:
    scores = pd.read_csv(job.folder / "per_case.csv")
    assert set(scores) == {"case", "quantity", "value", "unit", "dataset", "profile", "model", "seed", "protocol"}
    assert scores["case"].tolist() == ["e"] * 4
    assert scores[["dataset", "profile", "model", "seed", "protocol"]].iloc[0].tolist() == [
        *("own", "laptop", job.spec.model, 0, "dense"),
    ]


def test_the_case_to_draw(job: Job, data_csv: Path) -> None:
    case = np.load(job.folder / "case.npz")
    assert (str(case["case"]), str(case["modality"])) == ("e", "flair")
    label, affine = read_label(data_csv.parent / "e-label.nii.gz")
    np.testing.assert_array_equal(case["label"], label > 0)
    np.testing.assert_array_equal(case["affine"], affine)
    assert case["image"].shape == case["prediction"].shape == label.shape
    assert case["prediction"].dtype == bool
    assert float(case["dice"]) == pytest.approx(dice(case["prediction"], label))


def call(job: Job, cache: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """The worker's command, in this process."""
    threads = str(torch.get_num_threads())
    monkeypatch.setattr("sys.argv", ["worker", str(job.folder), "--cache", str(cache), "--threads", threads])
    monkeypatch.setattr("os.nice", lambda _: 0)
    return worker.main()


def test_a_mistake_and_a_lack_of_memory_are_failures_with_a_reason(
    tiny_spec: Callable[..., RunSpec], data_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_memory(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    missing = Job.under(tmp_path / "runs", tiny_spec("a"), "none.csv", "laptop")
    large = Job.under(tmp_path / "runs", tiny_spec("b"), str(data_csv), "laptop")
    monkeypatch.setattr(worker, "train_run", out_of_memory)
    for job, reason in ((missing, "cannot read none.csv"), (large, "OOM")):
        job.prepare()
        assert call(job, tmp_path / "cache", monkeypatch) == 1
        assert job.failure is not None
        assert job.failure.startswith(reason)


def test_what_another_worker_finished_is_left_alone(job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "run", lambda *_: pytest.fail("a run that is done was made again"))
    assert call(job, tmp_path, monkeypatch) == 0
    (job.folder / "lock").unlink()
