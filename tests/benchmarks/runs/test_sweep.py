import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from benchmarks.runs import sweep
from benchmarks.runs.executor import Ending
from benchmarks.runs.pace import Pace
from benchmarks.runs.plan import PlannedRun
from benchmarks.runs.run_folder import Run
from benchmarks.runs.sweep import MAX_LOSSES, Sweep

Capture = pytest.CaptureFixture[str]


@dataclass
class FakeTask:
    """A process that has ended; what it did is in the run's folder."""

    how: Ending = Ending.LOST
    name: str = "pid 1"
    log: Path = Path("log")
    cancelled: bool = False
    ended: bool = True

    def finished(self) -> bool:
        return self.ended

    def reason(self) -> str:
        return "killed by signal 9"

    def ending(self) -> Ending:
        return self.how

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class FakeExecutor:
    """Each start of a run does what the next of `deeds` says."""

    deeds: Callable[[Path], FakeTask]
    capacity: int = 2
    detached: bool = False
    started: list[list[str]] = field(default_factory=list)
    known: dict[str, FakeTask] = field(default_factory=dict)

    def submit(self, folders: Sequence[Path]) -> list[FakeTask]:
        self.started.append([folder.name for folder in folders])
        return [self.deeds(folder) for folder in folders]

    def find_task(self, folder: Path) -> FakeTask | None:
        return self.known.pop(folder.name, None)


def succeed(folder: Path) -> FakeTask:
    (folder / "result.json").write_text("{}")
    return FakeTask()


def fail(folder: Path) -> FakeTask:
    (folder / "failure.json").write_text('{"reason": "OOM"}')
    return FakeTask()


def vanish(folder: Path) -> FakeTask:
    return FakeTask()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "POLL_S", 0.0)


@pytest.fixture
def planned(tmp_path: Path) -> list[PlannedRun]:
    return [
        PlannedRun(Run(tmp_path / f"run{n}", "c", n, epochs=2, work=1.0), {"n": n}, {"threads": 1}) for n in range(5)
    ]


def run_sweep(planned: Sequence[PlannedRun], executor: FakeExecutor) -> None:
    Sweep(planned, executor, Pace(), "runs").run()


def test_as_many_at_a_time_as_the_executor_takes(planned: list[PlannedRun]) -> None:
    executor = FakeExecutor(succeed)
    run_sweep(planned, executor)
    assert executor.started == [["run0", "run1"], ["run2", "run3"], ["run4"]]
    assert all(each.run.done for each in planned)
    assert json.loads((planned[3].run.folder / "spec.json").read_text()) == {"n": 3}


def test_nothing_to_do_starts_nothing(capfd: Capture) -> None:
    run_sweep([], FakeExecutor(succeed))
    assert capfd.readouterr().err == ""


def test_a_failure_is_told_and_the_others_go_on(planned: list[PlannedRun], capfd: Capture) -> None:
    run_sweep(planned, FakeExecutor(lambda folder: fail(folder) if folder.name == "run1" else succeed(folder)))
    assert planned[1].run.failure == "OOM"
    assert [each.run.done for each in planned] == [True, False, True, True, True]
    error = capfd.readouterr().err
    assert "c seed 1: failed: OOM" in error
    assert "c seed 4: done after 0 s" in error


def test_a_lost_run_is_started_again_and_comes_to_its_end(planned: list[PlannedRun], capfd: Capture) -> None:
    deeds = iter([vanish, vanish, succeed])
    executor = FakeExecutor(lambda folder: next(deeds)(folder))
    run_sweep(planned[:1], executor)
    assert executor.started == [["run0"]] * 3
    assert planned[0].run.done
    assert capfd.readouterr().err.count("c seed 0: killed by signal 9 (see log); started again") == 2


def test_a_run_that_is_lost_again_and_again_is_given_up(planned: list[PlannedRun]) -> None:
    executor = FakeExecutor(vanish)
    run_sweep(planned[:1], executor)
    assert len(executor.started) == MAX_LOSSES
    assert planned[0].run.failure == f"killed by signal 9, {MAX_LOSSES} times in a row"


def test_a_run_that_gets_on_between_its_losses_is_not_given_up(planned: list[PlannedRun]) -> None:
    def train_an_epoch(folder: Path) -> FakeTask:
        history = folder / "training" / "history.csv"
        history.parent.mkdir(exist_ok=True)
        text = history.read_text() if history.exists() else "epoch\n"
        history.write_text(f"{text}0\n")
        return FakeTask() if text.count("0") < 9 else succeed(folder)

    run = planned[0].run
    long = PlannedRun(Run(run.folder, "c", 0, epochs=10), {}, {})
    executor = FakeExecutor(train_an_epoch)
    run_sweep([long], executor)
    assert len(executor.started) == 10
    assert run.done


def test_ended_for_its_memory_is_out_of_memory(planned: list[PlannedRun]) -> None:
    executor = FakeExecutor(lambda folder: FakeTask(Ending.OUT_OF_MEMORY))
    run_sweep(planned[:1], executor)
    assert planned[0].run.failure == "OOM"
    assert len(executor.started) == 1


def test_what_the_user_cancelled_is_not_started_again(planned: list[PlannedRun]) -> None:
    executor = FakeExecutor(lambda folder: FakeTask(Ending.CANCELLED))
    run_sweep(planned[:1], executor)
    assert planned[0].run.failure == "cancelled"
    assert len(executor.started) == 1


def test_what_the_scheduler_evicted_is_started_again_however_often(planned: list[PlannedRun]) -> None:
    deeds = iter([*[lambda folder: FakeTask(Ending.EVICTED)] * (MAX_LOSSES + 2), succeed])
    executor = FakeExecutor(lambda folder: next(deeds)(folder))
    run_sweep(planned[:1], executor)
    assert len(executor.started) == MAX_LOSSES + 3
    assert planned[0].run.done


def test_a_failure_of_another_sweep_stands(planned: list[PlannedRun], capfd: Capture) -> None:
    def fail_the_last(folder: Path) -> FakeTask:
        planned[4].run.fail("OOM")
        return succeed(folder)

    executor = FakeExecutor(fail_the_last)
    run_sweep(planned, executor)
    assert [name for batch in executor.started for name in batch] == ["run0", "run1", "run2", "run3"]
    assert planned[4].run.failure == "OOM"
    assert "c seed 4: failed in another sweep: OOM" in capfd.readouterr().err


def test_a_failure_from_before_is_tried_again(planned: list[PlannedRun]) -> None:
    planned[0].run.fail("OOM")
    run_sweep(planned[:1], FakeExecutor(succeed))
    assert planned[0].run.done


def test_what_another_sweep_finished_meanwhile_is_left_alone(planned: list[PlannedRun], capfd: Capture) -> None:
    def finish_the_last(folder: Path) -> FakeTask:
        planned[4].run.folder.mkdir(exist_ok=True)
        (planned[4].run.folder / "result.json").write_text("{}")
        return succeed(folder)

    executor = FakeExecutor(finish_the_last)
    run_sweep(planned, executor)
    assert [name for batch in executor.started for name in batch] == ["run0", "run1", "run2", "run3"]
    assert "c seed 4: done by another sweep" in capfd.readouterr().err


@pytest.mark.parametrize("detached", [True, False])
def test_a_run_that_another_process_is_at_work_on_is_waited_for(
    detached: bool, planned: list[PlannedRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And made here where that process ends without a word."""
    elsewhere, lost = planned[0].run.folder, planned[1].run.folder
    held = {elsewhere, lost}
    executor = FakeExecutor(succeed, detached=detached)
    polls: list[None] = []

    def sleep(_: float) -> None:
        polls.append(None)
        if len(polls) == 3:
            # They take up the places of this machine, but not those of a cluster.
            assert executor.started == [["run2"]] if detached else executor.started == []
            elsewhere.mkdir()
            (elsewhere / "result.json").write_text("{}")
            held.clear()

    monkeypatch.setattr(sweep, "is_locked", lambda folder: folder in held)
    monkeypatch.setattr(sweep.time, "sleep", sleep)
    run_sweep(planned[:3], executor)
    assert sorted(name for batch in executor.started for name in batch) == ["run1", "run2"]
    assert all(each.run.done for each in planned[:3])


def test_a_process_of_ours_that_came_second_is_not_lost(
    planned: list[PlannedRun], monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    """It found the lock held, and ended; the run is waited for."""
    held: set[Path] = set()

    def come_second(folder: Path) -> FakeTask:
        held.add(folder)
        return FakeTask(Ending.RETURNED)

    def sleep(_: float) -> None:
        if len(polls) == 2:
            (planned[0].run.folder / "result.json").write_text("{}")
            held.clear()
        polls.append(None)

    polls: list[None] = []
    monkeypatch.setattr(sweep, "is_locked", lambda folder: folder in held)
    monkeypatch.setattr(sweep.time, "sleep", sleep)
    executor = FakeExecutor(come_second)
    run_sweep(planned[:1], executor)
    assert executor.started == [["run0"]]
    assert "started again" not in capfd.readouterr().err


def sharing(planned: Sequence[PlannedRun], training: Path) -> list[PlannedRun]:
    """The same runs, of one training."""
    return [each._replace(run=replace(each.run, trained_in=training)) for each in planned]


def test_runs_of_one_training_wait_for_the_first_of_them(planned: list[PlannedRun], tmp_path: Path) -> None:
    training = tmp_path / "trainings" / "c"
    runs = [*sharing(planned[:3], training), planned[3]]

    def train(folder: Path) -> FakeTask:
        if folder.name == "run0":
            training.mkdir(parents=True)
            (training / "result.json").write_text("{}")
        return succeed(folder)

    executor = FakeExecutor(train)
    run_sweep(runs, executor)
    # Meanwhile the others' places are taken, and once the model is trained they need not wait for each other.
    assert executor.started == [["run0", "run3"], ["run1", "run2"]]


def test_a_training_that_another_process_makes_is_waited_for(
    planned: list[PlannedRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = tmp_path / "trainings" / "c"
    held = {training}
    executor = FakeExecutor(succeed)
    polls: list[None] = []

    def sleep(_: float) -> None:
        polls.append(None)
        if len(polls) == 3:
            assert executor.started == [["run1"]]
            held.clear()

    monkeypatch.setattr(sweep, "is_locked", lambda folder: folder in held)
    monkeypatch.setattr(sweep.time, "sleep", sleep)
    run_sweep([*sharing(planned[:1], training), planned[1]], executor)
    assert executor.started == [["run1"], ["run0"]]


def test_a_process_of_ours_that_left_the_training_to_another_is_not_lost(
    planned: list[PlannedRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    training = tmp_path / "trainings" / "c"
    held: set[Path] = set()

    def come_second(folder: Path) -> FakeTask:
        if not executor.started[1:]:
            held.add(training)
            return FakeTask(Ending.RETURNED)
        return succeed(folder)

    def sleep(_: float) -> None:
        polls.append(None)
        if len(polls) == 3:
            held.clear()

    polls: list[None] = []
    monkeypatch.setattr(sweep, "is_locked", lambda folder: folder in held)
    monkeypatch.setattr(sweep.time, "sleep", sleep)
    executor = FakeExecutor(come_second)
    run_sweep(sharing(planned[:1], training), executor)
    assert executor.started == [["run0"], ["run0"]]
    assert "started again" not in capfd.readouterr().err


def test_however_often_ours_leave_a_training_to_others_that_end_at_once_none_is_lost(
    planned: list[PlannedRun], capfd: Capture
) -> None:
    """The lock may be free again before this sweep looks at it."""
    deeds = iter([*[lambda _: FakeTask(Ending.RETURNED)] * (MAX_LOSSES + 1), succeed])
    run_sweep(planned[:1], FakeExecutor(lambda folder: next(deeds)(folder)))
    assert planned[0].run.done
    assert "started again" not in capfd.readouterr().err


def test_a_training_whose_process_is_lost_fails_with_its_run(planned: list[PlannedRun], tmp_path: Path) -> None:
    training = tmp_path / "trainings" / "c"
    (sharer,) = sharing(planned[:1], training)
    run_sweep([sharer], FakeExecutor(lambda folder: FakeTask(Ending.OUT_OF_MEMORY)))
    assert json.loads((training / "failure.json").read_text()) == {"reason": "OOM"}
    # Once it is done, only the run can fail.
    (training / "failure.json").unlink()
    (training / "result.json").write_text("{}")
    run_sweep([sharer], FakeExecutor(lambda folder: FakeTask(Ending.OUT_OF_MEMORY)))
    assert sharer.run.failure == "OOM"
    assert not (training / "failure.json").exists()


def test_time_to_go_counts_a_training_once(planned: list[PlannedRun], tmp_path: Path) -> None:
    training = tmp_path / "trainings" / "c"
    waiting = Sweep([*sharing(planned[:3], training), planned[3]], FakeExecutor(succeed, capacity=1), Pace((), 0.1), "")
    assert waiting._remaining_s() == pytest.approx(20)
    training.mkdir(parents=True)
    (training / "result.json").write_text("{}")
    assert waiting._remaining_s() == pytest.approx(10)


def test_a_task_of_an_earlier_sweep_is_found_again(planned: list[PlannedRun]) -> None:
    executor = FakeExecutor(succeed, known={"run0": FakeTask()})
    run_sweep(planned[:1], executor)
    # It ended without a result, so that the run was started here.
    assert executor.started == [["run0"]]
    assert planned[0].run.done


def test_a_history_is_read_once_a_poll(planned: list[PlannedRun], monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    polls = iter(range(5))

    def trained_fraction(run: Run) -> float:
        read.append(run.folder.name)
        return 0.5

    def sleep(_: float) -> None:
        read.clear()
        if next(polls) == 3:
            raise KeyboardInterrupt

    def look_back(_: object, done: float, note: str, remaining_s: float | None) -> None:
        assert sorted(read) == ["run0", "run1"]
        assert (done, note) == (1.0, "c seed 0 50 %, c seed 1 50 %")

    monkeypatch.setattr(Run, "trained_fraction", trained_fraction)
    monkeypatch.setattr(sweep.time, "sleep", sleep)
    monkeypatch.setattr(sweep.ProgressLine, "update", look_back)
    with pytest.raises(KeyboardInterrupt):
        run_sweep(planned, FakeExecutor(lambda folder: FakeTask(ended=False)))


@pytest.mark.parametrize("detached", [True, False])
def test_interrupted_it_ends_its_processes_unless_they_are_a_clusters(
    detached: bool, planned: list[PlannedRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = [FakeTask(ended=False), FakeTask(ended=False)]
    waiting = iter(tasks)

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep.time, "sleep", interrupt)
    executor = FakeExecutor(lambda folder: next(waiting), detached=detached)
    with pytest.raises(KeyboardInterrupt):
        run_sweep(planned, executor)
    assert [task.cancelled for task in tasks] == [not detached] * 2
    assert [each.run.failure for each in planned] == [None] * 5
