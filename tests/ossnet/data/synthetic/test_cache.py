import io
import multiprocessing
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from pydantic.dataclasses import dataclass

from ossnet.checks import STRICT
from ossnet.data.case import Case
from ossnet.data.synthetic.cache import embedded_dataset
from ossnet.errors import UserError


@dataclass(frozen=True, config=STRICT)
class Counts:
    train: int = 3
    validation: int = 1
    test: int = 2
    seed: int = 0


def make_case(config, index, log=None):
    """A case of ones times its index; `log` gets a line a call."""
    if log is not None:
        with Path(log).open("a") as file:
            file.write(f"{index}\n")
    image = np.full((1, 2, 3, 4), index + 100 * config.seed, dtype=np.float32)
    return Case(f"toy-{index:04d}", image, image[0].astype(np.uint8), np.eye(4), ("ct",))


def make_but_the_last(config, index):
    """A case, unless it is the last. In a terminal, Ctrl-C reaches the processes of a pool too."""
    if multiprocessing.parent_process() is not None:
        signal.raise_signal(signal.SIGINT)
    if index == 2:
        raise UserError("no space")
    return make_case(config, index)


def dataset(cache, config=None, **options):
    options = {"make_case": make_case, "workers": 1, "version": 1} | options
    return embedded_dataset("toy", config or Counts(), modalities=("ct",), cache=cache, **options)


def files(cache):
    return sorted(path.name for path in cache.rglob("*") if path.is_file())


def test_cases_are_made_once_and_loaded_as_they_were_made(tmp_path):
    log, cache = tmp_path / "log", tmp_path / "cache"
    for _ in range(2):
        made = dataset(cache, make_case=partial(make_case, log=log))
    assert log.read_text().split() == ["0", "1", "2", "3", "4", "5"]
    folder = cache / f"toy-{made.fingerprint[:12]}"
    assert list(cache.iterdir()) == [folder]
    assert files(folder) == [f"toy-{index:04d}.npz" for index in range(6)]
    assert made.splits == {
        "train": ("toy-0000", "toy-0001", "toy-0002"),
        "validation": ("toy-0003",),
        "test": ("toy-0004", "toy-0005"),
    }
    case = made.load("toy-0004")
    assert case.name == "toy-0004"
    assert case.modalities == ("ct",)
    assert case.image.dtype == np.float32
    assert (case.image == 4).all()
    assert (case.label == 4).all()
    np.testing.assert_array_equal(case.affine, np.eye(4))
    with pytest.raises(KeyError):
        made.load("toy-0099")


def test_only_missing_cases_are_made_and_reported(tmp_path):
    folder = tmp_path / f"toy-{dataset(tmp_path).fingerprint[:12]}"
    (folder / "toy-0001.npz").unlink()
    (folder / "toy-0005.npz").unlink()
    calls = []
    dataset(tmp_path, report=lambda done, total: calls.append((done, total)))
    assert calls == [(4, 6), (5, 6), (6, 6)]


def with_flipped_bit(whole):
    return whole[:200] + bytes([whole[200] ^ 1]) + whole[201:]


def with_pickled_object(_):
    file = io.BytesIO()
    np.savez(file, image=np.array([{}], dtype=object), label=np.zeros(1), affine=np.eye(4))
    return file.getvalue()


@pytest.mark.parametrize(
    "damage",
    [
        *(lambda whole: whole[:0], lambda whole: whole[:10], lambda whole: whole[:-30]),
        *(with_flipped_bit, with_pickled_object),
    ],
)
def test_a_damaged_file_is_made_again(damage, tmp_path):
    made = dataset(tmp_path)
    path = tmp_path / f"toy-{made.fingerprint[:12]}" / "toy-0002.npz"
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert (made.load("toy-0002").image == 2).all()
    assert path.read_bytes() == whole


def test_fingerprint_tells_version_and_configuration(tmp_path):
    fingerprints = {
        dataset(tmp_path, config, version=version).fingerprint
        for config in (Counts(), replace(Counts(), seed=1), replace(Counts(), train=2))
        for version in (1, 2)
    }
    assert len(fingerprints) == 6
    assert all(len(fingerprint) == 64 for fingerprint in fingerprints)
    assert dataset(tmp_path).fingerprint in fingerprints


def test_without_workers_a_case_is_made_when_it_is_loaded(tmp_path):
    calls = []
    opened = dataset(tmp_path / "cache", workers=0, report=lambda done, total: calls.append((done, total)))
    assert calls == [(0, 6)]
    assert not (tmp_path / "cache").exists()
    assert (opened.load("toy-0004").image == 4).all()
    assert files(tmp_path / "cache") == ["toy-0004.npz"]
    made = dataset(tmp_path / "cache")
    assert (opened.fingerprint, opened.splits) == (made.fingerprint, made.splits)


def test_parallel_processes_make_the_same_files_pass_errors_on_and_leave_interruptions(tmp_path, monkeypatch):
    # The spawned processes import this file by name.
    monkeypatch.syspath_prepend(Path(__file__).parent)
    import test_cache

    config = test_cache.Counts(train=2, validation=0, test=1)
    with pytest.raises(UserError, match="no space"):
        dataset(tmp_path / "2", config, make_case=test_cache.make_but_the_last, workers=2)
    with pytest.raises(UserError, match="no space"):
        dataset(tmp_path / "1", config, make_case=test_cache.make_but_the_last, workers=1)
    assert files(tmp_path / "1") == ["toy-0000.npz", "toy-0001.npz"]
    for path in (tmp_path / "1").rglob("*.npz"):
        assert path.read_bytes() == (tmp_path / "2" / path.relative_to(tmp_path / "1")).read_bytes()


def test_two_makers_at_once_leave_whole_files(tmp_path):
    def meanwhile(config, index):
        if index == 0:
            dataset(tmp_path)
        return make_case(config, index)

    made = dataset(tmp_path, make_case=meanwhile)
    assert files(tmp_path) == [f"toy-{index:04d}.npz" for index in range(6)]
    assert (made.load("toy-0000").image == 0).all()
