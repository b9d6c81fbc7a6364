"""A process of its own for one run: whatever becomes of it is in its folder when the process ends."""

from pathlib import Path

from benchmarks.runs.run_folder import lock


def work(folder: str) -> None:
    """Make the run of a folder that `Run.prepare` has prepared, or go on with it.

    It is left alone where it has a result or a failure, or where another process is at work on it, such as one that has
    outlived its sweep.
    """
    path = Path(folder)
    with lock(path) as mine:
        if mine and not any((path / name).exists() for name in ("result.json", "failure.json")):
            # Torch comes with it: the lock is held before, so that two sweeps seldom start the same run.
            from benchmarks.runs.experiment import make

            make(path)
