import errno
import math
import mmap
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from ossnet.data.case import Case, Dataset
from ossnet.data.nifti import read_volume, write_volume
from ossnet.data.prepared import PreparedCases
from ossnet.data.preprocessing import Preprocessing, prepare
from ossnet.data.slices import Slices, Slicing
from ossnet.data.table import table_dataset
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
    assert case.known_maximum == expected.image.max() == replace(case, known_maximum=None).maximum


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


def test_a_case_is_prepared_again_where_its_preparation_would_differ(dataset: Dataset, tmp_path: Path) -> None:
    counted, loaded = counting(dataset)
    for source, preprocessing in (
        (counted, PREPROCESSING),
        (counted, replace(PREPROCESSING, normalise="foreground")),
        (replace(counted, contents={"e": "other files"}), PREPROCESSING),
        # Without a word on its files, a case is one of its data set alone.
        (replace(counted, contents={}), PREPROCESSING),
        (replace(counted, contents={}, fingerprint="other"), PREPROCESSING),
    ):
        assert PreparedCases(source, "test", preprocessing, tmp_path)[0].name == "e"
    assert loaded == ["e"] * 5


def table_of(data_csv: Path, folder: Path, rows: dict[str, str]) -> Dataset:
    """A data set of cases by a new name, each of the files of an old one that lie beside its table."""
    for path in data_csv.parent.glob("*.nii.gz"):
        shutil.copy(path, folder)
    lines = [f"{new},{old}-flair.nii.gz,{old}-t1.nii.gz,{old}-label.nii.gz" for new, old in rows.items()]
    (folder / "mine.csv").write_text("\n".join(["name,flair,t1,label", *lines]) + "\n")
    return table_dataset(folder / "mine.csv")


def test_a_renamed_copy_of_a_data_set_finds_its_cases(dataset: Dataset, data_csv: Path, tmp_path: Path) -> None:
    first = PreparedCases(dataset, "train", PREPROCESSING, tmp_path / "cache")[0]
    counted, loaded = counting(table_of(data_csv, tmp_path, {"patient": "a"}))
    again = PreparedCases(counted, "train", PREPROCESSING, tmp_path / "cache")[0]
    assert again.name == "patient"
    assert torch.equal(again.image, first.image)
    assert loaded == []


def test_names_that_are_almost_alike_are_kept_apart(dataset: Dataset, tmp_path: Path) -> None:
    cases = PreparedCases(replace(dataset, contents={}), "train", PREPROCESSING, tmp_path)
    assert len({str(cases.folder(name)).casefold() for name in ("P1", "p1", "p1.1")}) == 3


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii"])
def test_a_changed_file_is_prepared_anew(suffix: str, data_csv: Path, tmp_path: Path) -> None:
    table_of(data_csv, tmp_path, {"a": "a"})
    path = tmp_path / f"a-flair{suffix}"
    label = read_volume(tmp_path / "a-flair.nii.gz")
    write_volume(path, *label)
    table = tmp_path / "mine.csv"
    table.write_text(table.read_text().replace("a-flair.nii.gz", path.name))
    images = []
    for factor in (1, 0.5):
        write_volume(path, factor * label[0] ** (1 / factor), label[1])
        images.append(PreparedCases(table_dataset(table), "train", PREPROCESSING, tmp_path / "cache")[0].image)
    assert not torch.equal(*images)


def test_an_interrupted_preparation_is_made_again(dataset: Dataset, tmp_path: Path) -> None:
    cases = PreparedCases(dataset, "test", PREPROCESSING, tmp_path)
    whole = cases[0].image.clone()
    (cases.folder("e") / "case.json").unlink()
    (cases.folder("e") / "image-0.npy").write_bytes(b"half")
    assert torch.equal(cases[0].image, whole)


@pytest.mark.parametrize("file", ["image-0.npy", "label-0.npy", "case.json"])
def test_a_damaged_file_is_named(file: str, dataset: Dataset, tmp_path: Path) -> None:
    cases = PreparedCases(dataset, "test", PREPROCESSING, tmp_path)
    cases.prepare()
    path = cases.folder("e") / file
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match=f"{path} .*; delete the folder {path.parent}"):
        cases[0]


def test_files_without_permission_are_not_called_damaged(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cases = PreparedCases(dataset, "test", PREPROCESSING, tmp_path)
    cases.prepare()
    monkeypatch.setattr(np, "load", Mock(side_effect=PermissionError(errno.EACCES, "Permission denied")))
    with pytest.raises(UserError, match=r"image-0\.npy: Permission denied; .* readable"):
        cases[0]


def test_what_is_written_to_a_case_stays_in_memory(dataset: Dataset, tmp_path: Path) -> None:
    cases = PreparedCases(dataset, "test", PREPROCESSING, tmp_path)
    case, expected = cases[0], cases[0].image.clone()
    case.image.zero_()
    assert torch.equal(cases[0].image, expected)


@pytest.mark.parametrize("axis", range(3))
def test_slices_of_a_large_volume_lie_in_one_piece(
    axis: int, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slices = Slicing(axis, 3).draw(PREPROCESSING.shape, torch.Generator().manual_seed(0))
    small = PreparedCases(dataset, "test", PREPROCESSING, tmp_path, None, Slicing(axis, 3))[0]
    assert sorted(path.name for path in tmp_path.rglob("*.npy")) == ["image-0.npy", "label-0.npy"]
    monkeypatch.setattr("ossnet.data.prepared.LARGE_BYTES", 1)
    large = PreparedCases(dataset, "test", PREPROCESSING, tmp_path, None, Slicing(axis, 3))[0]
    for volume, other in ((small.image, large.image), (small.label, large.label)):
        assert torch.equal(volume, other)
        assert other.movedim(axis - 3, 0)[0].is_contiguous()
    large.expect(slices)
    assert torch.equal(slices.read(large.image), slices.of(small.image))


@pytest.mark.parametrize("axis", range(3))
def test_nothing_but_slices_is_fetched_from_disk(axis: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[tuple[int, int]] = []

    class File(mmap.mmap):
        def madvise(self, option: int, start: int = 0, length: int | None = None) -> None:
            if option == mmap.MADV_WILLNEED:
                fetched.append((start, length))
            super().madvise(option, start, len(self) if length is None else length)

    monkeypatch.setattr("ossnet.data.prepared.LARGE_BYTES", 1)
    monkeypatch.setattr(mmap, "mmap", File)
    shape = (32, 64, 128)
    case = Case("a", np.zeros((1, *shape), np.float32), np.ones(shape, np.uint8), np.eye(4), ("ct",))
    dataset = Dataset("own", ("ct",), {"train": ("a",)}, lambda _: case, "")
    preprocessing = Preprocessing(shape=shape, orientation="stored")
    prepared = PreparedCases(dataset, "train", preprocessing, tmp_path, None, Slicing(axis, 2))[0]
    prepared.expect(Slices(axis, shape, torch.tensor([5, 2])))
    pixels = math.prod(shape) // shape[axis]
    wanted = [(128 + index * size, size) for size in (4 * pixels, pixels) for index in (5, 2)]
    for (start, length), (first, size) in zip(fetched, wanted, strict=True):
        assert start % mmap.PAGESIZE == 0
        assert first - mmap.PAGESIZE < start <= first
        assert start + length == first + size


@pytest.mark.parametrize("protocol", ["paper", "released"])
def test_border_voxels_are_kept_by_their_settings(dataset: Dataset, tmp_path: Path, protocol: str) -> None:
    for width in (3, 5):
        sampling = replace(BORDER, border_width=width, protocol=protocol)
        for _ in range(2):
            case = PreparedCases(dataset, "test", PREPROCESSING, tmp_path, sampling)[0]
            np.testing.assert_array_equal(case.border, border_voxels(case.label.numpy(), sampling))


def test_a_case_without_label_is_named(dataset: Dataset, tmp_path: Path) -> None:
    unlabelled = changed(dataset, lambda case: replace(case, label=None))
    cases = PreparedCases(unlabelled, "test", PREPROCESSING, tmp_path)
    for _ in range(2):
        with pytest.raises(UserError, match="case e has no label"):
            cases[0]


@pytest.mark.parametrize("value", [0, 1])
def test_a_label_without_a_border_is_prepared(value: int, dataset: Dataset, tmp_path: Path) -> None:
    flat = changed(dataset, lambda case: replace(case, label=np.full_like(case.label, value)))
    case = PreparedCases(flat, "test", Preprocessing(shape=(12, 14, 10)), tmp_path, BORDER)[0]
    assert (case.label == value).all()
    assert case.border.shape == (0,)


def test_one_case_with_foreground_is_enough(dataset: Dataset, tmp_path: Path) -> None:
    def healthy_but(*names: str) -> Dataset:
        return changed(dataset, lambda case: replace(case, label=case.label * np.uint8(case.name in names)))

    PreparedCases(healthy_but("b"), "train", PREPROCESSING, tmp_path / "one").prepare()
    with pytest.raises(UserError, match="split train of data set own has foreground"):
        PreparedCases(healthy_but(), "train", PREPROCESSING, tmp_path / "none").prepare()


def test_a_case_that_does_not_fit_is_named(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"case e: its grid .* does not fit into shape"):
        PreparedCases(dataset, "test", Preprocessing(shape=(8, 8, 8), fit="pad"), tmp_path).prepare()
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"]
