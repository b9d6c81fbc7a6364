import hashlib
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.runs.run_folder import Run, State, identity, is_locked, lock, work_left

SPEC = {"measurement": "segmentation", "seed": 3}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "own-c-seed3-0123", "c", 3, {"sampling": "border", "locations": 8192}, epochs=3, work=9.0)


def write_history(run: Run, epochs: int) -> None:
    (run.folder / "training").mkdir(parents=True)
    rows = [f"{epoch},0.5,1.0,," for epoch in range(epochs)]
    (run.folder / "training" / "history.csv").write_text("\n".join(["epoch,loss,seconds,dice,iou", *rows]) + "\n")


def test_a_fresh_run_is_missing(run: Run) -> None:
    assert run.name == "c border 8192 seed 3"
    for _ in range(2):
        assert run.state == State.MISSING
        assert run.failure is None
        assert run.trained_fraction() == 0
        assert run.last_epoch_at() is None
        assert run.seconds() is None
        run.prepare(SPEC, {"source": "own.csv"})
    assert json.loads((run.folder / "spec.json").read_text()) == SPEC
    assert json.loads((run.folder / "job.json").read_text()) == {"source": "own.csv"}


def test_a_failure_is_an_outcome_until_it_is_prepared_again_and_a_result_outweighs_it(run: Run) -> None:
    run.prepare(SPEC, {})
    run.fail("OOM")
    assert run.state == State.FAILED
    assert run.failure == "OOM"
    run.prepare(SPEC, {})
    assert run.state == State.MISSING
    assert not (run.folder / "failure.json").exists()
    run.fail("OOM")
    (run.folder / "result.json").write_text("{}")
    (run.folder / "provenance.json").write_text('{"seconds": 12.5}')
    assert run.state == State.DONE
    assert run.failure is None
    assert run.seconds() == 12.5
    run.training.mkdir(exist_ok=True)
    (run.training / "provenance.json").write_text('{"seconds": 30}')
    assert run.seconds() == 42.5


def test_a_training_that_is_not_done_fails_with_its_run(run: Run, tmp_path: Path) -> None:
    sharing = replace(run, trained_in=tmp_path / "trainings" / "own-c-seed3-4567")
    sharing.prepare(SPEC, {})
    # Nor does one that another process makes.
    with lock(sharing.training):
        sharing.fail("cancelled")
    assert not (sharing.training / "failure.json").exists()
    sharing.fail("OOM")
    assert json.loads((sharing.training / "failure.json").read_text()) == {"reason": "OOM"}
    (sharing.training / "failure.json").unlink()
    (sharing.training / "result.json").write_text("{}")
    assert sharing.is_trained
    sharing.fail("OOM")
    assert not (sharing.training / "failure.json").exists()


def test_work_left_counts_a_training_once(run: Run, tmp_path: Path) -> None:
    write_history(run, 1)
    sharing = [replace(run, folder=tmp_path / name, trained_in=run.training) for name in ("a", "b")]
    other = replace(run, folder=tmp_path / "other", model="d", work=5.0)
    assert work_left([*sharing, other]) == [("c", pytest.approx(6.0)), ("d", 5.0)]
    assert work_left([*sharing, other], anew=True) == [("c", 9.0), ("d", 5.0)]


@pytest.mark.parametrize(("epochs", "part"), [(0, 0), (1, 1 / 3), (3, 1)])
def test_how_far_it_is_stands_in_its_history(epochs: int, part: float, run: Run) -> None:
    write_history(run, epochs)
    assert run.trained_fraction() == pytest.approx(part)
    assert run.last_epoch_at() == pytest.approx(time.time(), abs=60)


def test_it_is_running_while_its_lock_is_held(run: Run) -> None:
    run.prepare(SPEC, {})
    with lock(run.folder) as acquired:
        assert acquired
        assert is_locked(run.folder)
        assert run.state == State.RUNNING
        with lock(run.folder, patience_s=0) as acquired_again:
            assert not acquired_again
    assert run.state == State.MISSING


def test_the_identity_is_of_the_values_whatever_their_order() -> None:
    assert identity({"b": 1, "a": [2, 3]}) == identity({"a": [2, 3], "b": 1})
    assert identity({"a": 1}) == hashlib.sha256(b'{"a": 1}').hexdigest()
    assert identity({"a": 1}) != identity({"a": 2})
