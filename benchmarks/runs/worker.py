"""The entry point of a worker process, which makes one run."""

from pathlib import Path

from benchmarks.runs.run_folder import lock


def make_run(folder: str) -> None:
    """Make the run of a folder that `Run.prepare` has prepared, or go on with it.

    When the process ends, the folder says what has become of the run. It is left alone where it has a result or a
    failure, or where another process is at work on it, such as one that has outlived its sweep.
    """
    path = Path(folder)
    with lock(path) as acquired:
        if acquired and not any((path / name).exists() for name in ("result.json", "failure.json")):
            # This imports torch, which takes seconds: the lock is held before, so that two sweeps seldom start one run.
            from benchmarks.experiments.pipeline import train_and_measure

            train_and_measure(path)
