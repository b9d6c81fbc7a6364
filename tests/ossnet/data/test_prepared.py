from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ossnet.data.case import Case, Dataset
from ossnet.data.prepared import PreparedCases
from ossnet.data.preprocessing import Preprocessing, prepare
from ossnet.errors import UserError
from ossnet.sampling import Sampling, border_voxels

PREPROCESSING = Preprocessing(shape=(16, 16, 16), fit="pad")
BORDER = Sampling(strategy="border", border_width=3)


def counting(dataset: Dataset) -> tuple[Dataset, list[str]]:
    """The data set, and the names of the cases that were loaded from it so far."""
    loaded: list[str] = []

    def load(name: str) -> Case:
        loaded.append(name)
        return dataset.load(name)

    return replace(dataset, load=load), loaded


def changed(dataset: Dataset, change: Callable[[Case], Case]) -> Dataset:
    return replace(dataset, load=lambda name: change(dataset.load(name)))


def test_a_case_is_what_prepare_makes_of_it(dataset: Dataset, tmp_path: Path) -> None:
    cases = PreparedCases(dataset, "train", PREPROCESSING, tmp_path)
    assert len(cases) == 3
    assert [case.name for case in cases] == ["a", "b", "c"]
    case, expected = cases[1], prepare(dataset.load("b"), PREPROCESSING)
    np.testing.assert_array_equal(case.image, expected.image)
    np.testing.assert_array_equal(case.label, expected.label)
    np.testing.assert_array_equal(case.affine, expected.affine)
    assert case.image.dtype == torch.float32
    assert case.label.dtype == torch.uint8
    assert case.spacing_mm == (2, 1, 1.5)
    assert case.border is None


def test_each_case_is_prepared_once(dataset: Dataset, tmp_path: Path) -> None:
    counted, loaded = counting(dataset)
    cases = PreparedCases(counted, "train", PREPROCESSING, tmp_path)
    assert loaded == []
    assert torch.equal(cases[0].image, cases[0].image)
    assert loaded == ["a"]
    reports: list[tuple[int, int]] = []
    cases.prepare(lambda *part: reports.append(part))
    assert reports == [(1, 3), (2, 3), (3, 3)]
    list(PreparedCases(counted, "train", PREPROCESSING, tmp_path))
    assert loaded == ["a", "b", "c"]


def test_what_would_change_a_case_prepares_it_again(dataset: Dataset, tmp_path: Path) -> None:
    counted, loaded = counting(dataset)
    for source, preprocessing in (
        (counted, PREPROCESSING),
        (counted, replace(PREPROCESSING, normalise="foreground")),
        (replace(counted, fingerprint="other"), PREPROCESSING),
    ):
        assert PreparedCases(source, "test", preprocessing, tmp_path)[0].name == "e"
    assert loaded == ["e"] * 3


def test_an_interrupted_preparation_is_made_again(dataset: Dataset, tmp_path: Path) -> None:
    cases = PreparedCases(dataset, "test", PREPROCESSING, tmp_path)
    whole = cases[0]
    (cases.folder / "e.json").unlink()
    (cases.folder / "e.image.npy").write_bytes(b"half")
    assert torch.equal(cases[0].image, whole.image)


@pytest.mark.parametrize("protocol", ["paper", "released"])
def test_border_voxels_are_kept_by_their_settings(dataset: Dataset, tmp_path: Path, protocol: str) -> None:
    for width in (3, 5):
        sampling = replace(BORDER, border_width=width, protocol=protocol)
        for _ in range(2):
            case = PreparedCases(dataset, "test", PREPROCESSING, tmp_path, sampling)[0]
            assert case.border is not None
            np.testing.assert_array_equal(case.border, border_voxels(case.label.numpy(), sampling))


def test_names_with_dots_are_names_of_their_own(dataset: Dataset, tmp_path: Path) -> None:
    names = ("patient.1", "patient.2", "patient")
    dotted = replace(
        dataset,
        splits={"train": names},
        load=lambda name: replace(dataset.load("abc"[names.index(name)]), name=name),
    )
    for case, original in zip(PreparedCases(dotted, "train", PREPROCESSING, tmp_path), "abc", strict=True):
        np.testing.assert_array_equal(case.label, prepare(dataset.load(original), PREPROCESSING).label)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda case: replace(case, label=None), "case e has no label; give it one or leave it out"),
        (lambda case: replace(case, label=np.zeros_like(case.label)), "case e: its label is empty"),
        (lambda case: replace(case, label=np.ones_like(case.label)), "case e: its label fills the volume"),
    ],
)
def test_a_case_that_cannot_be_learnt_from_is_named(
    change: Callable[[Case], Case], message: str, dataset: Dataset, tmp_path: Path
) -> None:
    preprocessing = Preprocessing(shape=(12, 14, 10))
    cases = PreparedCases(changed(dataset, change), "test", preprocessing, tmp_path, BORDER)
    for _ in range(2):
        with pytest.raises(UserError, match=message):
            cases[0]


def test_a_case_that_does_not_fit_is_named(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"case e: its grid .* does not fit into shape"):
        PreparedCases(dataset, "test", Preprocessing(shape=(8, 8, 8), fit="pad"), tmp_path).prepare()
    assert not list(tmp_path.rglob("*"))


def test_a_cache_that_cannot_be_written_is_named(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write .*file/own-prepared"):
        PreparedCases(dataset, "test", PREPROCESSING, tmp_path / "file").prepare()
