"""Request to run studies, as the command line makes it."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.study import Study


@dataclass(frozen=True)
class Request:
    """The options of `python -m benchmarks run`.

    Attributes:
        studies: studies to run.
        results: the results folder.
        command: the command line, for the provenance of records.
        profile: name or TOML file of the profile that points are trained with.
        source: data set of the points, as `ossnet.data.sources.open_dataset` takes it.
        executor: where runs are made, `local` or `slurm`.
        workers: number of runs at a time on this machine; None for one per GPU, or two without a GPU.
        threads: number of CPU threads per run; None for one, or for those of a cluster's job.
        retry_failed: whether to try again what has failed before, lack of memory included.
        force: whether to delete existing results and make them again.
        measure: whether to measure probes on this machine; otherwise they are only predicted.
        shared: whether to measure while other processes use the GPU's memory.
        models: models of the points of every study; empty for the studies' own.
    """

    studies: Sequence[Study]
    results: Path
    command: str
    profile: str = "laptop"
    source: str = "glioma"
    executor: str = "local"
    workers: int | None = None
    threads: int | None = None
    retry_failed: bool = False
    force: bool = False
    measure: bool = True
    shared: bool = False
    models: Sequence[str] = ()


def end_as_interrupted() -> None:
    """Treat SIGTERM and SIGHUP as an interrupt from now on, so that the workers of this machine end, too."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) != signal.SIG_IGN:
            signal.signal(ending, signal.default_int_handler)
