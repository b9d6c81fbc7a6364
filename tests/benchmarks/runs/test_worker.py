"""What a worker makes of a run's folder that is not simply ready for it."""

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
from benchmarks.runs.run_folder import Run, State, lock
from benchmarks.scoring.registry import read_scoring
from benchmarks.scoring.segmentation import Segmentation
from ossnet.data.splits import Split
from ossnet.data.table import table_dataset
from ossnet.errors import UserError
from ossnet.training.loop import EpochReport
from ossnet.training.run import RunSpec

Specs = Callable[..., RunSpec]


@pytest.fixture
def run(prepare_run: Callable[..., Run], tiny_spec: Specs, tmp_path: Path) -> Run:
    """A run that is ready for a worker."""
    return prepare_run(tmp_path, tiny_spec("a"), "mise")


def attempts(folder: Path) -> list[dict[str, Any]]:
    return json.loads((folder / "provenance.json").read_text())["attempts"]


@pytest.mark.parametrize(("split", "is_refused"), [(None, True), ("test", True), ("validation", False)])
def test_a_copy_of_a_training_case_is_refused_before_the_training(
    split: Split | None,
    is_refused: bool,
    prepare_run: Callable[..., Run],
    tiny_spec: Specs,
    make_data: Callable[[Path], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = make_data(tmp_path)
    # Renamed, not compressed, at another place in space, and with the modalities in another order.
    for name, copy in (("a-flair", "x-t1"), ("a-t1", "x-flair"), ("a-label", "x-label")):
        image = nibabel.load(tmp_path / f"{name}.nii.gz")
        nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj), np.eye(4)), tmp_path / f"{copy}.nii")
    table.write_text(table.read_text() + "x,x-flair.nii,x-t1.nii,x-label.nii,test\n")
    spec = replace(tiny_spec("c"), fingerprint=table_dataset(table).fingerprint)
    run = prepare_run(tmp_path, spec, "mise", table, split)
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


def test_what_another_worker_holds_or_saw_fail_is_left_alone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "train_and_measure", lambda _: pytest.fail("it was made"))
    with lock(run.folder):
        worker.make_run(str(run.folder))
    run.fail("OOM")
    worker.make_run(str(run.folder))
    assert run.failure == "OOM"


def test_a_training_that_another_process_makes_is_left_to_that(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "train_run", lambda *_: pytest.fail("it was trained twice at once"))
    with lock(run.training):
        worker.make_run(str(run.folder))
        assert run.state == State.MISSING


def test_without_the_gpu_that_was_asked_for_it_fails(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, job = (json.loads((run.folder / name).read_text()) for name in ("spec.json", "job.json"))
    run.prepare(spec, job | {"gpu": True})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    worker.make_run(str(run.folder))
    assert run.failure is not None
    assert "GPU" in run.failure


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
    run: Run,
    prepare_run: Callable[..., Run],
    tiny_spec: Specs,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(training, "train_run", fail)
    worker.make_run(str(run.folder))
    assert run.state == State.FAILED
    assert run.failure == reason
    # So has its training, and with it another run that needs it.
    monkeypatch.setattr(training, "train_run", lambda *_: pytest.fail("what has failed was tried again"))
    other = prepare_run(tmp_path, tiny_spec("a"), "dense")
    worker.make_run(str(other.folder))
    assert other.failure == reason
    assert len(attempts(other.training)) == 1


def test_every_attempt_is_kept(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    train = training.train_run

    def interrupted(*arguments: Any, **options: Any) -> None:
        *most, report = arguments

        def stop(epoch: EpochReport, remaining_s: float) -> None:
            report(epoch, remaining_s)
            raise KeyboardInterrupt

        train(*most, stop, **options)

    with monkeypatch.context() as patch:
        patch.setattr(training, "train_run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            worker.make_run(str(run.folder))
    assert run.state == State.MISSING
    assert run.trained_fraction() == pytest.approx(1 / 3)
    (first,) = attempts(run.training)
    history = run.training / "history.csv"
    assert first["seconds"] >= pd.read_csv(history)["seconds"].sum()
    worker.make_run(str(run.folder))
    # The run itself was begun once, when its model was trained.
    provenance, of_training = (
        json.loads((folder / "provenance.json").read_text()) for folder in (run.folder, run.training)
    )
    assert [len(one["attempts"]) for one in (provenance, of_training)] == [1, 2]
    for one in (provenance, of_training):
        assert one["seconds"] == sum(attempt["seconds"] for attempt in one["attempts"])
    # Of the epochs of both.
    epochs = pd.read_csv(history)["seconds"]
    assert len(epochs) == 3
    assert of_training["timing"]["training_s"] == pytest.approx(epochs.sum())
    assert run.seconds() == pytest.approx(provenance["seconds"] + of_training["seconds"])


def test_data_that_changed_after_the_plan_are_refused(
    prepare_run: Callable[..., Run], tiny_spec: Specs, tmp_path: Path
) -> None:
    run = prepare_run(tmp_path, replace(tiny_spec("c"), fingerprint="another"), "mise")
    worker.make_run(str(run.folder))
    assert run.failure is not None
    assert "have changed since this run was planned" in run.failure


def test_a_specification_of_another_version_is_refused(tmp_path: Path, tiny_spec: Specs) -> None:
    (tmp_path / "spec.json").write_text('{"measurement": "colour"}')
    with pytest.raises(UserError, match="unknown measurement 'colour'"):
        read_scoring(tmp_path)
    with pytest.raises(ValueError, match="extraction 'guess' is none of dense"):
        Segmentation(tiny_spec("c"), "guess")
