"""What becomes of the runs of a sweep, whatever their processes do, and those of other sweeps."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from benchmarks.runs import sweep
from benchmarks.runs.executor import Ending
from benchmarks.runs.pace import Pace
from benchmarks.runs.plan import PlannedRun
from benchmarks.runs.run_folder import Run, write_failure
from benchmarks.runs.sweep import MAX_LOSSES, Sweep

Capture = pytest.CaptureFixture[str]
Polls = dict[int, Callable[[], object]]


@dataclass
class FakeTask:
    """A process that has ended; what it did is in the run's folder."""

    how: Ending = Ending.LOST
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
    """Each start of a run is a deed."""

    deed: Callable[[Path], FakeTask]
    capacity: int = 2
    detached: bool = False
    started: list[list[str]] = field(default_factory=list)
    known: dict[str, FakeTask] = field(default_factory=dict)

    def submit(self, folders: Sequence[Path]) -> list[FakeTask]:
        self.started.append([folder.name for folder in folders])
        return [self.deed(folder) for folder in folders]

    def find_task(self, folder: Path) -> FakeTask | None:
        return self.known.pop(folder.name, None)


def succeed(folder: Path) -> FakeTask:
    finish(folder)
    return FakeTask()


@pytest.fixture(autouse=True)
def polls(monkeypatch: pytest.MonkeyPatch) -> Polls:
    """What happens at which poll, the first of which is number 0."""
    happens: Polls = {}
    numbers = count()
    monkeypatch.setattr(sweep.time, "sleep", lambda _: happens.get(next(numbers), lambda: None)())
    return happens


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> set[Path]:
    """The folders that processes are at work on."""
    held: set[Path] = set()
    monkeypatch.setattr(sweep, "is_locked", held.__contains__)
    return held


@pytest.fixture
def planned(tmp_path: Path) -> list[PlannedRun]:
    runs = [Run(tmp_path / f"run{n}", "c", n, epochs=2, work=1.0) for n in range(5)]
    return [PlannedRun(run, {"n": run.seed}, {"threads": 1}) for run in runs]


@pytest.fixture
def training(tmp_path: Path) -> Path:
    return tmp_path / "trainings" / "c"


def sharing(planned: Sequence[PlannedRun], training: Path) -> list[PlannedRun]:
    """The same runs, of one training."""
    return [each._replace(run=replace(each.run, trained_in=training)) for each in planned]


def finish(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").write_text("{}")


def run_sweep(planned: Sequence[PlannedRun], deed: Callable[[Path], FakeTask], **options: Any) -> list[list[str]]:
    """Make runs, and return the names of those that were started at a time."""
    executor = FakeExecutor(deed, **options)
    Sweep(planned, executor, Pace((), 0.1), "runs").run()
    return executor.started


def interrupt() -> None:
    raise KeyboardInterrupt


def test_as_many_at_a_time_as_the_executor_takes(planned: list[PlannedRun]) -> None:
    # What failed before is tried again like what is missing.
    planned[0].run.fail("OOM")
    assert run_sweep(planned, succeed) == [["run0", "run1"], ["run2", "run3"], ["run4"]]
    assert all(each.run.done for each in planned)
    assert json.loads((planned[3].run.folder / "spec.json").read_text()) == {"n": 3}


def test_each_result_is_reported_while_others_are_missing(planned: list[PlannedRun]) -> None:
    done: list[int] = []
    executor = FakeExecutor(succeed)
    Sweep(planned, executor, Pace(), "runs", lambda: done.append(sum(each.run.done for each in planned))).run()
    assert done == [2, 2, 4, 4, 5]


def test_a_failure_is_told_and_the_others_go_on(planned: list[PlannedRun], capfd: Capture) -> None:
    def fail_one(folder: Path) -> FakeTask:
        if folder.name != "run1":
            return succeed(folder)
        write_failure(folder, "OOM")
        return FakeTask()

    run_sweep(planned, fail_one)
    assert planned[1].run.failure == "OOM"
    assert [each.run.done for each in planned] == [True, False, True, True, True]
    error = capfd.readouterr().err
    assert "c seed 1: failed: OOM" in error
    assert "c seed 4: done after 0 s" in error


@pytest.mark.parametrize(
    ("ending", "times", "told"),
    [
        (Ending.LOST, MAX_LOSSES - 1, MAX_LOSSES - 1),
        # The scheduler may evict a run however often.
        (Ending.EVICTED, MAX_LOSSES + 2, MAX_LOSSES + 2),
        # Another sweep's process had the lock, which may be free again before this sweep looks at it.
        (Ending.RETURNED, MAX_LOSSES + 1, 0),
    ],
)
def test_a_run_without_an_outcome_is_started_again_and_comes_to_its_end(
    ending: Ending, times: int, told: int, planned: list[PlannedRun], capfd: Capture
) -> None:
    deeds = iter([*[lambda folder: FakeTask(ending)] * times, succeed])
    assert run_sweep(planned[:1], lambda folder: next(deeds)(folder)) == [["run0"]] * (times + 1)
    assert planned[0].run.done
    assert capfd.readouterr().err.count("c seed 0: killed by signal 9 (see log); started again") == told


@pytest.mark.parametrize(
    ("ending", "starts", "failure"),
    [
        (Ending.LOST, MAX_LOSSES, f"killed by signal 9, {MAX_LOSSES} times in a row"),
        (Ending.OUT_OF_MEMORY, 1, "OOM"),
        (Ending.CANCELLED, 1, "cancelled"),
    ],
)
def test_a_run_is_given_up_with_its_training(
    ending: Ending, starts: int, failure: str, planned: list[PlannedRun], training: Path
) -> None:
    (sharer,) = sharing(planned[:1], training)
    assert len(run_sweep([sharer], lambda folder: FakeTask(ending))) == starts
    assert sharer.run.failure == failure
    assert json.loads((training / "failure.json").read_text()) == {"reason": failure}


def test_a_run_that_gets_on_between_its_losses_is_not_given_up(planned: list[PlannedRun]) -> None:
    def train_an_epoch(folder: Path) -> FakeTask:
        history = folder / "training" / "history.csv"
        history.parent.mkdir(exist_ok=True)
        text = history.read_text() if history.exists() else "epoch\n"
        history.write_text(f"{text}0\n")
        return FakeTask() if text.count("0") < 9 else succeed(folder)

    long = PlannedRun(replace(planned[0].run, epochs=10), {}, {})
    assert len(run_sweep([long], train_an_epoch)) == 10
    assert long.run.done


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (lambda run: run.fail("OOM"), "c seed 4: failed in another sweep: OOM"),
        (lambda run: finish(run.folder), "c seed 4: done by another sweep"),
    ],
)
def test_an_outcome_of_another_sweep_stands(
    outcome: Callable[[Run], None], told: str, planned: list[PlannedRun], capfd: Capture
) -> None:
    def end_the_last(folder: Path) -> FakeTask:
        outcome(planned[4].run)
        return succeed(folder)

    assert run_sweep(planned, end_the_last) == [["run0", "run1"], ["run2", "run3"]]
    assert told in capfd.readouterr().err


@pytest.mark.parametrize("detached", [True, False])
def test_a_run_that_another_process_is_at_work_on_is_waited_for(
    detached: bool, planned: list[PlannedRun], polls: Polls, held: set[Path]
) -> None:
    """And made here where that process ends without a word."""
    elsewhere, lost = planned[0].run.folder, planned[1].run.folder
    held |= {elsewhere, lost}
    executor = FakeExecutor(succeed, detached=detached)

    def end_others() -> None:
        # They take up the places of this machine, but not those of a cluster.
        assert executor.started == ([["run2"]] if detached else [])
        finish(elsewhere)
        held.clear()

    polls[2] = end_others
    Sweep(planned[:3], executor, Pace(), "runs").run()
    assert sorted(name for batch in executor.started for name in batch) == ["run1", "run2"]
    assert all(each.run.done for each in planned[:3])


def test_a_process_of_ours_that_came_second_is_not_lost(
    planned: list[PlannedRun], polls: Polls, held: set[Path], capfd: Capture
) -> None:
    """It found the lock held, and ended; the run is waited for."""

    def come_second(folder: Path) -> FakeTask:
        held.add(folder)
        return FakeTask(Ending.RETURNED)

    polls[2] = lambda: (finish(planned[0].run.folder), held.clear())
    assert run_sweep(planned[:1], come_second) == [["run0"]]
    assert "started again" not in capfd.readouterr().err


def test_runs_of_one_training_wait_for_the_first_of_them(planned: list[PlannedRun], training: Path) -> None:
    def train(folder: Path) -> FakeTask:
        if folder.name == "run0":
            finish(training)
        return succeed(folder)

    started = run_sweep([*sharing(planned[:3], training), planned[3]], train)
    # Meanwhile the others' places are taken, and once the model is trained they need not wait for each other.
    assert started == [["run0", "run3"], ["run1", "run2"]]


def test_a_training_that_another_process_makes_is_waited_for(
    planned: list[PlannedRun], training: Path, polls: Polls, held: set[Path]
) -> None:
    held.add(training)
    polls[2] = held.clear
    assert run_sweep([*sharing(planned[:1], training), planned[1]], succeed) == [["run1"], ["run0"]]


def test_a_task_of_an_earlier_sweep_is_found_again(planned: list[PlannedRun]) -> None:
    # It ended without a result, so that the run was started here.
    assert run_sweep(planned[:1], succeed, known={"run0": FakeTask()}) == [["run0"]]
    assert planned[0].run.done


def test_progress_reads_a_history_once_a_poll_and_counts_a_training_once(
    planned: list[PlannedRun], training: Path, polls: Polls, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    shown: list[tuple[float, str, float | None]] = []

    def trained_fraction(run: Run) -> float:
        read.append(run.folder.name)
        return 0.5

    def look_back(_: object, done: float, note: str, remaining_s: float | None) -> None:
        assert sorted(read) == ["run0", "run1"]
        shown.append((done, note, remaining_s))

    monkeypatch.setattr(Run, "trained_fraction", trained_fraction)
    monkeypatch.setattr(sweep.ProgressLine, "update", look_back)
    polls |= {0: read.clear, 1: read.clear, 2: interrupt}
    with pytest.raises(KeyboardInterrupt):
        run_sweep([*planned[:2], *sharing(planned[2:], training)], lambda folder: FakeTask(ended=False))
    # Two halves of a training and a whole one, each of ten seconds, two at a time.
    assert shown == [(1.0, "c seed 0 50 %, c seed 1 50 %", pytest.approx(10))] * 2


@pytest.mark.parametrize("detached", [True, False])
def test_interrupted_it_ends_its_processes_unless_they_are_a_clusters(
    detached: bool, planned: list[PlannedRun], polls: Polls
) -> None:
    tasks = [FakeTask(ended=False), FakeTask(ended=False)]
    waiting = iter(tasks)
    polls[0] = interrupt
    with pytest.raises(KeyboardInterrupt):
        run_sweep(planned, lambda folder: next(waiting), detached=detached)
    assert [task.cancelled for task in tasks] == [not detached] * 2
    assert [each.run.failure for each in planned] == [None] * 5
