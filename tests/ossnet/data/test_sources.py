from collections.abc import Callable
from pathlib import Path

import pytest

from ossnet.data.brats import MODALITIES, brats_dataset
from ossnet.data.case import Dataset
from ossnet.data.folds import Fold
from ossnet.data.lits import lits_dataset
from ossnet.data.sources import EMBEDDED, FOLDERS, RESERVED_NAMES, open_dataset
from ossnet.errors import UserError


def test_a_table_is_opened_by_its_path(data_csv: Path, tmp_path: Path) -> None:
    dataset = open_dataset(str(data_csv), {}, tmp_path)
    assert dataset.name == "own"
    assert dataset.modalities == ("flair", "t1")
    assert {split: len(names) for split, names in dataset.splits.items()} == {"train": 3, "validation": 1, "test": 1}


def test_embedded_data_are_made_at_the_size_that_is_asked_for(tmp_path: Path) -> None:
    made: list[tuple[int, int]] = []
    generator = {"shape": [24, 24, 16], "train": 1, "validation": 0, "test": 1}
    dataset = open_dataset("liver", generator, tmp_path, workers=1, report=lambda *part: made.append(part))
    assert dataset.name == "liver"
    assert made[-1] == (2, 2)
    (name,) = dataset.splits["test"]
    case = dataset.load(name)
    assert case.shape == (24, 24, 16)
    assert case.modalities == dataset.modalities


@pytest.mark.parametrize("source", EMBEDDED)
def test_embedded_data_are_opened_without_making_them(source: str, tmp_path: Path) -> None:
    dataset = open_dataset(source, {"train": 2000}, tmp_path, workers=0)
    assert len(dataset.splits["train"]) == 2000
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("split", [Fold(0, 999), Path("nothing.csv")], ids=["fold", "table"])
def test_no_embedded_case_is_made_for_a_split_that_is_refused(split: Fold | Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--folds 999|nothing\.csv"):
        open_dataset("liver", {"shape": [24, 24, 16]}, tmp_path, workers=1, split=split)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("source", ["brain", "brats:", "lits", "nothing:here", "cases.xlsx", ""])
def test_an_unknown_source_is_refused_with_what_there_is(source: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown data") as caught:
        open_dataset(source, {}, tmp_path)
    known = [f"'{source}'", *EMBEDDED, *(f"{reader}:FOLDER" for reader in FOLDERS), ".csv"]
    assert [word for word in known if word not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("reader", "expect"),
    [
        ("brats", lambda folder: brats_dataset(folder, "random", seed=0)),
        ("brats-released", brats_dataset),
        ("lits", lambda folder: lits_dataset(folder, seed=0)),
    ],
)
def test_a_folder_is_opened_by_its_reader(reader: str, expect: Callable[[Path], Dataset], tmp_path: Path) -> None:
    for number in range(1, 21):
        case = tmp_path / f"BraTS20_Training_{number:03d}"
        case.mkdir()
        for part in (*MODALITIES, "seg"):
            (case / f"{case.name}_{part}.nii").touch()
        for part in ("volume", "segmentation"):
            (tmp_path / f"{part}-{number}.nii").touch()
    dataset, expected = open_dataset(f"{reader}:{tmp_path}", {}, tmp_path), expect(tmp_path)
    assert dataset.name == expected.name == FOLDERS[reader].name
    assert dataset.splits == expected.splits
    assert dataset.fingerprint == expected.fingerprint


def test_names_of_published_results_are_reserved() -> None:
    assert {"glioma", "liver", "brats2020", "brats2021", "brats2023", "lits"} == RESERVED_NAMES


@pytest.mark.parametrize(
    "file", ["glioma.csv", "GLIOMA.CSV", "liver.tsv", "brats2020.csv", "lits.csv", "msd-Task03_Liver.csv"]
)
def test_a_table_with_the_name_of_another_data_set_is_refused(file: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"{file}: .*; rename"):
        open_dataset(str(tmp_path / file), {}, tmp_path)


def test_an_unknown_field_of_a_generator_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="generator of glioma: tumor"):
        open_dataset("glioma", {"tumor": 3}, tmp_path)


@pytest.mark.parametrize("name", ["own.CSV", "own.Csv", "own.tsv"])
def test_a_table_is_known_by_its_ending_in_any_case(name: str, data_csv: Path, tmp_path: Path) -> None:
    text = data_csv.read_text(encoding="utf-8").replace(",e-", f",{data_csv.parent}/e-")
    rows = [line for line in text.splitlines() if line.startswith(("name", "e"))]
    (tmp_path / name).write_text("\n".join(rows), encoding="utf-8")
    assert open_dataset(str(tmp_path / name), {}, tmp_path).splits["test"] == ("e",)
