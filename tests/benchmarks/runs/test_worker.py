import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.experiments import pipeline, training
from benchmarks.runs import worker
from benchmarks.runs.run_folder import Run, State, identity, lock
from benchmarks.scoring.registry import read_scoring
from benchmarks.scoring.scoring import Job, folder_of, training_folder
from benchmarks.scoring.segmentation import Segmentation
from benchmarks.study import Split
from ossnet.config import plain
from ossnet.data.nifti import read_label
from ossnet.data.table import table_dataset
from ossnet.errors import UserError
from ossnet.evaluation.metrics import dice
from ossnet.evaluation.quantities import SCORES
from ossnet.memory.footprint import count
from ossnet.training.loop import EpochReport
from ossnet.training.run import RunSpec, load_run


def prepared(results: Path, spec: RunSpec, source: Path | str, extraction: str, split: Split | None = None) -> Run:
    """A run that is ready for a worker."""
    scoring = Segmentation(spec, extraction, split=split)
    trained_in = training_folder(results, spec)
    epochs = spec.recipe.epochs
    run = Run(folder_of(results, scoring), spec.model, spec.seed, epochs=epochs, trained_in=trained_in)
    job = Job(str(source), {}, str(results / "cache"), torch.get_num_threads(), "python -m benchmarks run")
    run.prepare(plain(scoring), plain(job))
    return run


@pytest.fixture(autouse=True)
def _as_important_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline.os, "nice", lambda _: 0)


@pytest.fixture(scope="module", params=["c", "unet3d"])
def run(
    request: pytest.FixtureRequest,
    tiny_spec: Callable[..., RunSpec],
    data_csv: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Run:
    """A run that was made in this process."""
    extraction = "mise" if request.param == "c" else "dense"
    made = prepared(tmp_path_factory.mktemp("results"), tiny_spec(request.param), data_csv, extraction)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline.os, "nice", lambda _: 0)
        worker.make_run(str(made.folder))
    return made


def read(run: Run, name: str) -> Any:
    return json.loads((run.folder / name).read_text())


def read_training(run: Run, name: str) -> Any:
    return json.loads((run.training / name).read_text())


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
    for values, folder in (
        (read(run, "spec.json"), run.folder),
        (read_training(run, "spec.json"), run.training),
    ):
        assert identity(values)[:12] == folder.name.split("-")[-1]
    assert read(run, "spec.json")["training"] == read_training(run, "spec.json")


def test_the_result_is_what_the_same_run_comes_to_again(run: Run) -> None:
    result, trained = read(run, "result.json"), read_training(run, "result.json")
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
    provenance, of_training = read(run, "provenance.json"), read_training(run, "provenance.json")
    for one in (provenance, of_training):
        (attempt,) = one["attempts"]
        assert attempt["command"] == "python -m benchmarks run"
        assert attempt["versions"]["torch"] == torch.__version__
        assert attempt["seconds"] == one["seconds"]
    assert 0 < provenance["timing"]["extraction_s_median"] < provenance["seconds"]
    history = pd.read_csv(run.training / "history.csv")
    assert of_training["timing"]["training_s"] == pytest.approx(history["seconds"].sum())
    # Of so small a model, the tensors are little beside the process.
    for one in (provenance, of_training):
        assert set(one["memory"]) == {"allocated_bytes", "resident_bytes"}
        assert 1e5 < one["memory"]["allocated_bytes"] < one["memory"]["resident_bytes"]
    model, spec = load_run(run.training)
    parameters = sum(parameter.nbytes for parameter in model.parameters())
    # Weights, gradients, two moments and Lookahead's copy, or more.
    assert of_training["memory"]["allocated_bytes"] > 4 * parameters
    assert of_training["memory"]["allocated_bytes"] == count(training.training_step(spec, 3), "cpu").allocated_bytes


@pytest.mark.parametrize(("split", "is_refused"), [(None, True), ("test", True), ("validation", False)])
def test_a_copy_of_a_training_case_is_refused_before_the_training(
    split: Split | None,
    is_refused: bool,
    tiny_spec: Callable[..., RunSpec],
    make_data: Callable[[Path], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = make_data(tmp_path)
    image = nibabel.load(tmp_path / "a-flair.nii.gz")
    # Renamed, not compressed, at another place in space, and with the modalities in another order.
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj), np.eye(4)), tmp_path / "x-t1.nii")
    other = nibabel.load(tmp_path / "a-t1.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.asarray(other.dataobj), np.eye(4)), tmp_path / "x-flair.nii")
    label = nibabel.load(tmp_path / "a-label.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.asarray(label.dataobj), np.eye(4)), tmp_path / "x-label.nii")
    table.write_text(table.read_text() + "x,x-flair.nii,x-t1.nii,x-label.nii,test\n")
    spec = replace(tiny_spec("c"), fingerprint=table_dataset(table).fingerprint)
    run = prepared(tmp_path, spec, table, "mise", split)
    trained: list[Path] = []

    def train(*arguments: object, **_: object) -> None:
        trained.append(run.training)
        raise UserError("trained")

    monkeypatch.setattr(pipeline, "train_and_record", train)
    worker.make_run(str(run.folder))
    assert run.failure is not None
    assert "\n" not in run.failure
    assert ("case x of split test has the voxels of the training case a;" in run.failure) == is_refused
    assert (trained == []) == is_refused


def test_the_scores_of_every_test_case(run: Run) -> None:
    scores = pd.read_csv(run.folder / "per_case.csv", keep_default_na=False)
    assert list(scores) == ["case", "quantity", "value", "unit"]
    assert set(scores["case"]) == {"e"}
    assert scores["quantity"].tolist() == list(SCORES)


def test_the_sampled_scores_of_every_test_case(run: Run) -> None:
    scores = pd.read_csv(run.folder / "sampled.csv")
    assert list(scores) == ["protocol", "case", "quantity", "value"]
    assert scores["protocol"].tolist() == ["paper"] * 2
    assert scores["case"].tolist() == ["e"] * 2
    assert scores["quantity"].tolist() == ["dice", "iou"]
    assert read(run, "result.json")["sampled_protocols"] == [
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


def test_what_another_worker_holds_or_saw_fail_is_left_alone(
    tiny_spec: Callable[..., RunSpec], data_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = prepared(tmp_path, tiny_spec("a"), data_csv, "mise")
    monkeypatch.setattr(pipeline, "train_and_measure", lambda _: pytest.fail("it was made"))
    with lock(run.folder):
        worker.make_run(str(run.folder))
    run.fail("OOM")
    worker.make_run(str(run.folder))
    assert run.failure == "OOM"


def test_without_the_gpu_that_was_asked_for_it_fails(
    tiny_spec: Callable[..., RunSpec], data_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = prepared(tmp_path, tiny_spec("a"), data_csv, "mise")
    run.prepare(read(run, "spec.json"), read(run, "job.json") | {"gpu": True})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    worker.make_run(str(run.folder))
    assert run.failure is not None
    assert "GPU" in run.failure


def test_what_another_worker_finished_is_left_alone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Segmentation, "score", lambda *_: pytest.fail("a run that is done was made again"))
    worker.make_run(str(run.folder))


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

    monkeypatch.setattr(training, "train_run", fail)
    run = prepared(tmp_path, tiny_spec("a"), data_csv, "mise")
    worker.make_run(str(run.folder))
    assert run.state == State.FAILED
    assert run.failure == reason
    # So has its training, and with it another run that needs it.
    monkeypatch.setattr(training, "train_run", lambda *_: pytest.fail("what has failed was tried again"))
    other = prepared(tmp_path, tiny_spec("a"), data_csv, "dense")
    worker.make_run(str(other.folder))
    assert other.failure == reason
    assert len(read_training(other, "provenance.json")["attempts"]) == 1


def test_every_attempt_is_kept(
    tiny_spec: Callable[..., RunSpec], data_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = prepared(tmp_path, tiny_spec("unet3d"), data_csv, "dense")
    train = training.train_run

    def interrupted(*arguments: Any) -> None:
        *most, report = arguments

        def stop(epoch: EpochReport, remaining_s: float) -> None:
            report(epoch, remaining_s)
            raise KeyboardInterrupt

        train(*most, stop)

    with monkeypatch.context() as patch:
        patch.setattr(training, "train_run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            worker.make_run(str(run.folder))
    assert run.state == State.MISSING
    assert run.trained_fraction() == pytest.approx(1 / 3)
    (first,) = read_training(run, "provenance.json")["attempts"]
    epochs = pd.read_csv(run.training / "history.csv")["seconds"]
    assert first["seconds"] >= epochs.sum()
    worker.make_run(str(run.folder))
    # The run itself was begun once, when its model was trained.
    provenance, of_training = read(run, "provenance.json"), read_training(run, "provenance.json")
    assert [len(one["attempts"]) for one in (provenance, of_training)] == [1, 2]
    for one in (provenance, of_training):
        assert one["seconds"] == sum(attempt["seconds"] for attempt in one["attempts"])
    # Of the epochs of both.
    epochs = pd.read_csv(run.training / "history.csv")["seconds"]
    assert len(epochs) == 3
    assert of_training["timing"]["training_s"] == pytest.approx(epochs.sum())
    assert run.seconds() == pytest.approx(provenance["seconds"] + of_training["seconds"])


def test_scorings_of_a_training_share_it(
    tiny_spec: Callable[..., RunSpec], data_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (prepared(tmp_path, tiny_spec("a"), data_csv, extraction) for extraction in ("mise", "dense"))
    assert first.folder != second.folder
    assert first.training == second.training
    worker.make_run(str(first.folder))
    weights = (first.training / "model.safetensors").stat().st_mtime_ns
    monkeypatch.setattr(training, "train_run", lambda *_: pytest.fail("it was trained again"))
    worker.make_run(str(second.folder))
    assert second.state == State.DONE
    assert (second.training / "model.safetensors").stat().st_mtime_ns == weights
    assert read(second, "result.json")["locations_mean"] == 12 * 14 * 10
    assert len(list((tmp_path / "trainings").iterdir())) == 1


def test_a_training_that_another_process_makes_is_left_to_that(
    tiny_spec: Callable[..., RunSpec], data_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = prepared(tmp_path, tiny_spec("a"), data_csv, "mise")
    monkeypatch.setattr(training, "train_run", lambda *_: pytest.fail("it was trained twice at once"))
    with lock(run.training):
        worker.make_run(str(run.folder))
        assert run.state == State.MISSING


def test_data_that_changed_after_the_plan_are_refused(
    tiny_spec: Callable[..., RunSpec], data_csv: Path, tmp_path: Path
) -> None:
    run = prepared(tmp_path, replace(tiny_spec("c"), fingerprint="another"), data_csv, "mise")
    worker.make_run(str(run.folder))
    assert run.failure is not None
    assert "have changed since this run was planned" in run.failure


def test_a_specification_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text('{"measurement": "colour"}')
    with pytest.raises(UserError, match="unknown measurement 'colour'"):
        read_scoring(tmp_path)


def test_an_unknown_extraction_is_refused(tiny_spec: Callable[..., RunSpec]) -> None:
    with pytest.raises(ValueError, match="extraction 'guess' is none of dense"):
        Segmentation(tiny_spec("c"), "guess")
