"""Embedded data sets, whose cases are made from a seed once and then read from a cache."""

import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from ossnet.config import digest, plain
from ossnet.data.case import Case, Dataset
from ossnet.data.parallel import for_each
from ossnet.files import replacing


class EmbeddedConfig(Protocol):
    """Numbers of cases, in the configuration of every generator."""

    @property
    def train(self) -> int:
        """Number of cases in the split `train`."""

    @property
    def validation(self) -> int:
        """Number of cases in the split `validation`."""

    @property
    def test(self) -> int:
        """Number of cases in the split `test`."""


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
    """Return a data set of synthetic cases, and make the missing ones in parallel.

    Cases are named `NAME-0000`, `NAME-0001` and so on: first those for training, then for validation, then for test.
    Each is a file in `cache/NAME-<first 12 digits of the fingerprint>`, written whole or not at all, so that several
    processes can fill the same cache. A missing or damaged file is made when it is loaded.

    Args:
        name: name of the data set.
        config: configuration dataclass (see `ossnet.checks`) that determines every case.
        make_case: function of a module that returns the case of a configuration and an index.
        modalities: names of the channels.
        cache: folder that keeps the cases.
        workers: number of processes that make cases now, each with one thread. They are spawned, so that a script that
            calls this needs the usual `if __name__ == "__main__"`. With 0 no case is made before it is loaded.
        report: called with the number of cases present and the number of all cases, at the start and whenever a case
            is ready.
        version: version of the generator, to be increased when the same configuration gives other cases.

    Raises:
        UserError: the cache cannot be written.
    """
    fingerprint = _fingerprint(name, version, config)
    folder = Path(cache) / f"{name}-{fingerprint[:12]}"
    sizes = {"train": config.train, "validation": config.validation, "test": config.test}
    names = [f"{name}-{index:04d}" for index in range(sum(sizes.values()))]
    paths = {case_name: folder / f"{case_name}.npz" for case_name in names}
    missing = [case_name for case_name in names if not paths[case_name].exists()]

    done = len(names) - len(missing)

    def count(_: Path) -> None:
        nonlocal done
        done += 1
        if report is not None:
            report(done, len(names))

    if report is not None:
        report(done, len(names))
    if workers > 0:
        for_each(partial(_make, make_case, config, paths), missing, workers, count)

    splits, start = {}, 0
    for split, size in sizes.items():
        splits[split] = tuple(names[start : start + size])
        start += size
    load = partial(_load, make_case, config, modalities, paths)
    return Dataset(name, modalities, splits, load, fingerprint, held_out=splits["test"])


def _fingerprint(name: str, version: int, config: Any) -> str:
    """Return a SHA-256 (hexadecimal) of everything that determines the cases."""
    return digest({"name": name, "version": version, "config": plain(config)})


def _load(
    make_case: Callable[[Config, int], Case],
    config: Config,
    modalities: tuple[str, ...],
    paths: Mapping[str, Path],
    name: str,
) -> Case:
    """Load a case, and make it first if its file is missing or damaged. Unlike a closure, it can be pickled."""
    case = _read(name, paths[name], modalities)
    if case is None:
        _make(make_case, config, paths, name)
        case = _read(name, paths[name], modalities)
    assert case is not None, paths[name]
    return case


def _make(make_case: Callable[[Config, int], Case], config: Config, paths: Mapping[str, Path], name: str) -> Path:
    """Make the case of a name, limiting libraries to one thread, and write it to its path."""
    with threadpool_limits(1):
        case = make_case(config, list(paths).index(name))
    assert case.label is not None, case.name
    with replacing(paths[name]) as temporary:
        np.savez(temporary, image=case.image, label=case.label, affine=case.affine)
    return paths[name]


def _read(name: str, path: Path, modalities: tuple[str, ...]) -> Case | None:
    """Read a case, or return None if the file is missing or damaged, which the archive's checksums reveal."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return Case(name, arrays["image"], arrays["label"], arrays["affine"], modalities)
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return None
