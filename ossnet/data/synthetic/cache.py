"""Embedded data sets: cases that the project makes itself from a seed, once, and then reads from a cache."""

import multiprocessing
import signal
import zipfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from ossnet.config import digest, plain
from ossnet.data.case import Case, Dataset
from ossnet.files import replacing


class EmbeddedConfig(Protocol):
    """The part of a generator's configuration that says how many cases there are."""

    @property
    def train(self) -> int: ...

    @property
    def validation(self) -> int: ...

    @property
    def test(self) -> int: ...


Config = TypeVar("Config", bound=EmbeddedConfig)


def embedded_dataset(
    name: str,
    config: Config,
    make_case: Callable[[Config, int], Case],
    modalities: tuple[str, ...],
    cache: str | Path,
    workers: int = 2,
    report: Callable[[int, int], None] | None = None,
    *,
    version: int,
) -> Dataset:
    """A data set of generated cases; the missing ones are made now, in parallel, or with no workers when loaded.

    Cases are named `name-0000`, `name-0001`, ...: first those of training, then of validation, then of test. Each is a
    file under `cache/name-<first 12 digits of the fingerprint>/`, written whole or not at all, so several processes may
    fill the same cache. A missing or damaged file is made when it is loaded.

    Args:
        config: a configuration dataclass (see `ossnet.config`) that fixes every case.
        make_case: a module-level function, deterministic in (config, index).
        workers: processes that make cases now, each with one thread. They are spawned, so a script that calls this
            needs the usual `if __name__ == "__main__"`. With 0 nothing is made or written, whatever is missing.
        report: called as (cases present, cases in all), at the start and whenever a case is ready.
        version: the generator's; raise it when the same configuration gives other cases.

    Raises:
        UserError: the cache cannot be written.
    """
    fingerprint = _fingerprint(name, version, config)
    folder = Path(cache) / f"{name}-{fingerprint[:12]}"
    sizes = {"train": config.train, "validation": config.validation, "test": config.test}
    names = [f"{name}-{index:04d}" for index in range(sum(sizes.values()))]
    paths = {case_name: folder / f"{case_name}.npz" for case_name in names}
    missing = [index for index, case_name in enumerate(names) if not paths[case_name].exists()]

    def make(index: int) -> Path:
        return _make(make_case, config, index, paths[names[index]])

    def load(case_name: str) -> Case:
        path = paths[case_name]
        case = _read(case_name, path, modalities)
        if case is None:
            make(names.index(case_name))
            case = _read(case_name, path, modalities)
        assert case is not None, path
        return case

    if report is not None:
        report(len(names) - len(missing), len(names))
    if workers > 1 and len(missing) > 1:
        # A forked child may hang in the thread pools of its parent; a spawned one has its own.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(workers, len(missing)), context, _ignore_interruption) as pool:
            futures = [pool.submit(_make, make_case, config, index, paths[names[index]]) for index in missing]
            try:
                for done, future in enumerate(as_completed(futures), start=len(names) - len(missing) + 1):
                    future.result()
                    if report is not None:
                        report(done, len(names))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    elif workers > 0:
        for done, index in enumerate(missing, start=len(names) - len(missing) + 1):
            make(index)
            if report is not None:
                report(done, len(names))

    splits, start = {}, 0
    for split, size in sizes.items():
        splits[split] = tuple(names[start : start + size])
        start += size
    return Dataset(name, modalities, splits, load, fingerprint)


def _fingerprint(name: str, version: int, config: Any) -> str:
    """SHA-256 (hexadecimal) of all that fixes the cases."""
    return digest({"name": name, "version": version, "config": plain(config)})


def _ignore_interruption() -> None:
    """Leave Ctrl-C, which reaches every process of a terminal, to the one that this pool belongs to."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _make(make_case: Callable[[Config, int], Case], config: Config, index: int, path: Path) -> Path:
    """Make a case, on one thread whatever the libraries would take, and write it to `path`."""
    with threadpool_limits(1):
        case = make_case(config, index)
    assert case.label is not None, case.name
    with replacing(path) as temporary:
        np.savez(temporary, image=case.image, label=case.label, affine=case.affine)
    return path


def _read(name: str, path: Path, modalities: tuple[str, ...]) -> Case | None:
    """The case that `path` holds; None where the file is absent or damaged (the archive has checksums)."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return Case(name, arrays["image"], arrays["label"], arrays["affine"], modalities)
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return None
