import os
import pickle
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from ossnet.data.nifti import write_label, write_volume
from ossnet.data.splits import read_splits
from ossnet.data.table import table_dataset
from ossnet.errors import UserError


def make_files(folder: Path) -> Path:
    for name in "ab":
        for value, modality in enumerate(("t1", "flair")):
            write_volume(folder / name / f"{modality}.nii.gz", np.full((2, 3, 4), value), np.eye(4))
        write_label(folder / name / "seg.nii.gz", np.eye(6)[:2, :3, None] * np.ones(4), np.eye(4))
    return folder


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of such files, to be left as they are; tables in it may be replaced."""
    return make_files(tmp_path_factory.mktemp("files"))


def write_table(folder: Path, *lines: str) -> Path:
    table = folder / "mine.csv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table


def two_cases(folder: Path) -> Path:
    return write_table(
        make_files(folder),
        "name,t1,flair,label,split",
        "a,a/t1.nii.gz,a/flair.nii.gz,a/seg.nii.gz,",
        f"b, {folder}/b/t1.nii.gz ,b/flair.nii.gz,,test",
    )


def test_a_row_is_a_case(tmp_path: Path) -> None:
    dataset = table_dataset(two_cases(tmp_path))
    assert dataset.name == "mine"
    assert dataset.modalities == ("t1", "flair")
    assert dataset.splits == {"train": ("a",), "validation": (), "test": ("b",)}
    case = dataset.load("a")
    assert case.image[:, 0, 0, 0].tolist() == [0, 1]
    assert case.label.sum() == 8
    assert dataset.load("b").label is None


def test_a_data_set_can_go_to_another_process(tmp_path: Path) -> None:
    dataset = pickle.loads(pickle.dumps(table_dataset(two_cases(tmp_path))))
    assert dataset.load("a").name == "a"


def test_the_fingerprint_follows_contents_and_splits_not_places(tmp_path: Path) -> None:
    first = table_dataset(two_cases(tmp_path / "first"))
    table = two_cases(tmp_path / "second")
    assert table_dataset(table).fingerprint == first.fingerprint
    table.write_text(table.read_text().replace(",test", ",validation").replace("z,,", "z,b/seg.nii.gz,"))
    moved = table_dataset(table).fingerprint
    write_label(tmp_path / "second" / "b" / "seg.nii.gz", np.zeros((2, 3, 4)), np.eye(4))
    assert len({first.fingerprint, moved, table_dataset(table).fingerprint}) == 3


@pytest.mark.parametrize(
    ("lines", "pattern"),
    [
        ([], "no column 'name'"),
        (["name,t1", "a,a/t1.nii.gz"], "no column 'label'"),
        (["name,label", "a,a/seg.nii.gz"], "no modalities.* column"),
        (["name,t1,t1,label"], "column 't1'"),
        (["name,t1,,label"], "column ''"),
        (["name,t1,Split,label,split"], "column 'split'"),
        (["name,t1,label"], "no cases"),
        (["name,t1,label", "a,a/t1.nii.gz"], "line 2: 2 values for 3 columns"),
        (["name,t1,label", ",a/t1.nii.gz,a/seg.nii.gz"], "line 2, column name"),
        (["name,t1,label", "x/y,a/t1.nii.gz,a/seg.nii.gz"], "line 2, column name"),
        (["name,t1,label", *["a,a/t1.nii.gz,a/seg.nii.gz"] * 2], "line 3, column name: 'a'"),
        (["name,t1,label,split", "a,a/t1.nii.gz,a/seg.nii.gz,tain"], "line 2, column split: 'tain' .*validation"),
        (["name,t1,label", "", "a,a/t2.nii.gz,a/seg.nii.gz"], r"line 3, column t1: .*a/t2\.nii\.gz"),
        (["name,t1,label", "a,a/t1.nii.gz,a/sag.nii.gz"], r"line 2, column label: .*a/sag\.nii\.gz"),
        (
            ["name,t1,label,patient,split", "a,a/t1.nii.gz,a/seg.nii.gz,P1,", "b,b/t1.nii.gz,b/seg.nii.gz,P1,test"],
            "column split: patient 'P1' .*train and test",
        ),
        (["name,t1,label", "a,,a/seg.nii.gz"], "line 2, column t1: .*missing"),
        (["name,t1,label", "a,a/t1.nii.gz,"], "line 2, column label: .*train"),
        (['name,t1,label"', '"a'], "CSV"),
        (["name,t1,label", 'a,"a/t1.nii.gz" ,a/seg.nii.gz'], r"CSV .*\(line 2: "),
        (["name,t1,label", "a,a/t1\0.nii.gz,a/seg.nii.gz"], r"CSV .*\(line 2 .*NUL"),
        (["name,t1,label", "", '"a\nb",a/t1.nii.gz,a/seg.nii.gz'], "line 4, column name: "),
        (["name t1 label", "a a/t1.nii.gz a/seg.nii.gz"], "no column 'name'.* commas, semicolons or tabs"),
        (["name;t1;label", "a,a/t1.nii.gz,a/seg.nii.gz"], "line 2: 1 values for 3 columns"),
        (["name,t1,label", f"a,{'long' * 99},a/seg.nii.gz"], "line 2, column t1: .*longlong"),
    ],
)
def test_a_mistake_is_named_by_line_and_column(files: Path, lines: list[str], pattern: str) -> None:
    table = write_table(files, *lines)
    with pytest.raises(UserError, match=rf"mine\.csv.*{pattern}") as caught:
        table_dataset(table)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("contents", "pattern"),
    [
        (None, "give a CSV file"),
        (b"\xff\xfe\x00name", "CSV"),
        ("name,t1,label\nmüller,a.nii,b.nii\n".encode("latin-1"), "line 2: .*'CSV UTF-8'"),
    ],
)
def test_a_table_that_cannot_be_read_is_named(contents: bytes | None, pattern: str, tmp_path: Path) -> None:
    if contents is not None:
        (tmp_path / "own.csv").write_bytes(contents)
    with pytest.raises(UserError, match=rf"own\.csv.*{pattern}"):
        table_dataset(tmp_path / "own.csv")


def test_a_label_in_another_place_than_its_image_is_refused(tmp_path: Path) -> None:
    dataset = table_dataset(two_cases(tmp_path))
    write_label(tmp_path / "a" / "seg.nii.gz", np.zeros((2, 3, 4)), np.diag([-1.0, 1, 1, 1]))
    with pytest.raises(UserError, match=r"seg\.nii\.gz .*t1\.nii\.gz .*affines"):
        dataset.load("a")


def test_an_unknown_case_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"case 'c'.* a, b"):
        table_dataset(two_cases(tmp_path)).load("c")


def test_a_file_of_several_volumes_is_named(tmp_path: Path) -> None:
    make_files(tmp_path)
    write_volume(tmp_path / "a" / "t1.nii.gz", np.zeros((2, 2, 3, 4)), np.eye(4))
    for columns, files in (("t1", "a/t1.nii.gz"), ("flair,t1", "a/flair.nii.gz,a/t1.nii.gz")):
        dataset = table_dataset(write_table(tmp_path, f"name,{columns},label", f"a,{files},a/seg.nii.gz"))
        with pytest.raises(UserError, match=r"a/t1\.nii\.gz .*2 volumes"):
            dataset.load("a")


def test_real_cases_in_a_table(tmp_path: Path, real_cases: Path) -> None:
    folder = real_cases / "tcga_glioma" / "TCGA-DU-7294"
    table = write_table(tmp_path, "name,t1c,label", f"DU,{folder}/t1c.nii.gz,{folder}/label_by_algorithms.nii.gz")
    case = table_dataset(table).load("DU")
    assert case.shape == (240, 240, 155)
    assert case.spacing_mm == (1, 1, 1)


@pytest.mark.parametrize("separator", [",", ";", "\t", ", ", "; "])
def test_what_other_programs_write_is_read(separator: str, files: Path) -> None:
    rows = [("name", "t1", "label"), ("a", "a/t1.nii.gz", "a/seg.nii.gz"), ("b", "b/t1.nii.gz", "b/seg.nii.gz")]
    for quote, end, encoding in product(["", '"'], ["\n", "\r\n", "\r"], ["utf-8", "utf-8-sig", "utf-16"]):
        text = end.join(["", *(separator.join(f"{quote}{value}{quote}" for value in row) for row in rows), ""])
        (files / "mine.csv").write_bytes(text.encode(encoding))
        dataset = table_dataset(files / "mine.csv")
        assert dataset.modalities == ("t1",)
        assert dataset.splits["train"] == ("a", "b")


def test_columns_with_a_meaning_may_be_written_in_upper_case(files: Path) -> None:
    row = "a,a/t1.nii.gz,a/seg.nii.gz,validation,P1"
    dataset = table_dataset(write_table(files, "Name,T1,LABEL,Split,Patient", row))
    assert dataset.modalities == ("T1",)
    assert dataset.splits["validation"] == ("a",)
    assert dataset.patients == {"a": "P1"}
    assert dataset.load("a").label.any()
    assert read_splits(write_table(files, "Name;SPLIT", "a;test"))["test"] == ("a",)


def test_a_comma_in_a_value_is_none_between_values(tmp_path: Path) -> None:
    (make_files(tmp_path) / "a" / "t1.nii.gz").rename(tmp_path / "a" / "t1, native.nii.gz")
    table = write_table(tmp_path, "name;t1;label", "a;a/t1, native.nii.gz;a/seg.nii.gz")
    assert table_dataset(table).load("a").image.shape == (1, 2, 3, 4)


def test_a_table_whose_name_is_no_text_is_refused(tmp_path: Path) -> None:
    table = two_cases(tmp_path).rename(tmp_path / os.fsdecode(b"m\xe4.csv"))
    with pytest.raises(UserError, match=r"file name.*rename"):
        table_dataset(table)
