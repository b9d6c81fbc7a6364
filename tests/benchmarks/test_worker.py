import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks import making, segmentation, worker
from benchmarks.measurement import Job, folder_of
from benchmarks.measurements import read_measurement
from benchmarks.runs import Run, State, identity, lock
from benchmarks.segmentation import Segmentation
from ossnet.config import plain
from ossnet.data.nifti import read_label
from ossnet.errors import UserError
from ossnet.metrics import dice
from ossnet.quantities import QUANTITIES
from ossnet.run import RunSpec, load_run


def prepared(runs: Path, spec: RunSpec, source: Path | str, extraction: str) -> Run:
    """A run that is ready for a worker."""
    measurement = Segmentation(spec, extraction)
    run = Run(folder_of(runs, measurement), spec.model, spec.seed, epochs=spec.recipe.epochs)
    job = Job(str(source), {}, str(runs.parent / "cache"), torch.get_num_threads(), "python -m benchmarks run")
    run.prepare(plain(measurement), plain(job))
    return run


@pytest.fixture(autouse=True)
def _as_important_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making.os, "nice", lambda _: 0)


@pytest.fixture(scope="module", params=["c", "unet3d"])
def run(
    request: pytest.FixtureRequest,
    tiny_spec: Callable[..., RunSpec],
    data_csv: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Run:
    """A run that was made in this process."""
    extraction = "mise" if request.param == "c" else "dense"
    made = prepared(tmp_path_factory.mktemp("results") / "runs", tiny_spec(request.param), data_csv, extraction)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(making.os, "nice", lambda _: 0)
        worker.work(str(made.folder))
    return made


def read(run: Run, name: str) -> Any:
    return json.loads((run.folder / name).read_text())


def test_all_records_are_there(run: Run) -> None:
    assert run.state == State.DONE
    assert {path.name for path in run.folder.iterdir()} == {
        *("spec.json", "job.json", "lock", "provenance.json", "training", "per_case.csv", "case.npz", "result.json"),
    }
    assert run.trained() == 1
    assert identity(read(run, "spec.json"))[:12] == run.folder.name.split("-")[-1]


def test_the_result_is_what_the_same_run_comes_to_again(run: Run) -> None:
    result = read(run, "result.json")
    model, _ = load_run(run.folder / "training")
    assert result["parameters"] == sum(parameter.numel() for parameter in model.parameters())
    assert result["protocol"] == "dense"
    assert result["validation_protocol"] == "paper"
    history = pd.read_csv(run.folder / "training" / "history.csv")
    assert result["best_validation_dice"] == pytest.approx(history["dice"][history["iou"].fillna(-1).idxmax()])
    if run.model == "unet3d":
        assert result["locations_mean"] == 12 * 14 * 10
        assert result["disagreement_with_dense_percent"] == {}
        assert result["disagreement_with_prior_percent"] == {}
    else:
        assert 0 < result["locations_mean"] <= 12 * 14 * 10
        for other in ("dense", "prior"):
            (percent,) = result[f"disagreement_with_{other}_percent"].values()
            assert 0 <= percent <= 100
    # Nothing in it is a time, which no two runs would have in common.
    assert not [name for name in result if name.endswith("_s") or "seconds" in name]


def test_where_it_came_from(run: Run) -> None:
    provenance = read(run, "provenance.json")
    (attempt,) = provenance["attempts"]
    assert attempt["command"] == "python -m benchmarks run"
    assert attempt["versions"]["torch"] == torch.__version__
    assert attempt["seconds"] == provenance["seconds"] == run.seconds()
    assert 0 < provenance["timing"]["extraction_s_median"] < provenance["seconds"]
    history = pd.read_csv(run.folder / "training" / "history.csv")
    assert provenance["timing"]["training_s"] == pytest.approx(history["seconds"].sum())


def test_the_scores_of_every_test_case(run: Run) -> None:
    scores = pd.read_csv(run.folder / "per_case.csv", keep_default_na=False)
    assert list(scores) == ["case", "quantity", "value", "unit"]
    assert scores["case"].tolist() == ["e"] * len(QUANTITIES)
    assert scores["quantity"].tolist() == list(QUANTITIES)


def test_the_case_to_draw(run: Run, data_csv: Path) -> None:
    case = np.load(run.folder / "case.npz")
    assert (str(case["case"]), str(case["modality"])) == ("e", "flair")
    label, affine = read_label(data_csv.parent / "e-label.nii.gz")
    np.testing.assert_array_equal(case["label"], label > 0)
    np.testing.assert_array_equal(case["affine"], affine)
    assert case["image"].shape == case["prediction"].shape == label.shape
    assert case["prediction"].dtype == bool
    assert float(case["dice"]) == pytest.approx(dice(case["prediction"], label))


def test_what_another_worker_holds_or_saw_fail_is_left_alone(
    tiny_spec: Callable[..., RunSpec], data_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = prepared(tmp_path / "runs", tiny_spec("a"), data_csv, "mise")
    monkeypatch.setattr(making, "make", lambda _: pytest.fail("it was made"))
    with lock(run.folder):
        worker.work(str(run.folder))
    run.fail("OOM")
    worker.work(str(run.folder))
    assert run.failure == "OOM"


def test_without_the_gpu_that_was_asked_for_it_fails(
    tiny_spec: Callable[..., RunSpec], data_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = prepared(tmp_path / "runs", tiny_spec("a"), data_csv, "mise")
    run.prepare(read(run, "spec.json"), read(run, "job.json") | {"gpu": True})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    worker.work(str(run.folder))
    assert run.failure is not None
    assert run.failure.startswith("a GPU was asked for and torch sees none")


def test_what_another_worker_finished_is_left_alone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Segmentation, "measure", lambda *_: pytest.fail("a run that is done was made again"))
    worker.work(str(run.folder))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (UserError("cannot read\nown.csv"), "cannot read own.csv"),
        (torch.OutOfMemoryError("CUDA out of memory"), "OOM"),
        (MemoryError(), "OOM"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
    ],
)
def test_an_error_is_a_failure_with_its_reason_and_never_a_result(
    error: Exception,
    reason: str,
    tiny_spec: Callable[..., RunSpec],
    data_csv: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(segmentation, "train_run", fail)
    run = prepared(tmp_path / "runs", tiny_spec("a"), data_csv, "mise")
    worker.work(str(run.folder))
    assert run.state == State.FAILED
    assert run.failure == reason
    assert len(read(run, "provenance.json")["attempts"]) == 1


def test_every_attempt_is_kept(
    tiny_spec: Callable[..., RunSpec], data_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = prepared(tmp_path / "runs", tiny_spec("unet3d", changes={"recipe": {"epochs": 1}}), data_csv, "dense")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(segmentation, "train_run", interrupt)
        with pytest.raises(KeyboardInterrupt):
            worker.work(str(run.folder))
    assert run.state == State.MISSING
    worker.work(str(run.folder))
    provenance = read(run, "provenance.json")
    assert len(provenance["attempts"]) == 2
    assert provenance["seconds"] == sum(attempt["seconds"] for attempt in provenance["attempts"])


def test_data_that_changed_after_the_plan_are_refused(
    tiny_spec: Callable[..., RunSpec], data_csv: Path, tmp_path: Path
) -> None:
    run = prepared(tmp_path / "runs", replace(tiny_spec("c"), fingerprint="another"), data_csv, "mise")
    worker.work(str(run.folder))
    assert run.failure is not None
    assert "have changed since this run was planned" in run.failure


def test_a_specification_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text('{"measurement": "colour"}')
    with pytest.raises(UserError, match="unknown measurement 'colour'"):
        read_measurement(tmp_path)


def test_an_unknown_extraction_is_refused(tiny_spec: Callable[..., RunSpec]) -> None:
    with pytest.raises(ValueError, match="extraction 'guess' is none of dense"):
        Segmentation(tiny_spec("c"), "guess")
