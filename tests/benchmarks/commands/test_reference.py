"""Copying records to the committed reference, whose tables are tested in tests/test_reference.py."""

from pathlib import Path

import pytest

from benchmarks.commands.reference import copy_to_reference
from ossnet.errors import UserError


def write(folder: Path, *names: str, text: str = "new") -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


SCORES = ("records/table2-glioma-laptop.jsonl", "records/table2-glioma-laptop.npz", "records/tuning-liver-laptop.jsonl")
OTHERS = ("trials/league-glioma-laptop.jsonl", "efficiency/table3-cpu.jsonl", "transfer/transfer-a-to-b-laptop.jsonl")
OWN = ("records/patches-glioma-laptop.jsonl", "records/patches-glioma-laptop.npz", "records/transfer-a-laptop.jsonl")
NO_RECORDS = ("transfer/transfer-a-to-b-laptop.md", "transfer/images/transfer-a-to-b-laptop-case.npz", "runs/x.jsonl")


def test_records_of_the_suite_replace_those_of_the_reference_and_others_stay(tmp_path: Path) -> None:
    results, reference = tmp_path / "results", tmp_path / "reference"
    write(results, *SCORES, *OTHERS, *OWN, *NO_RECORDS)
    of_another_machine = "efficiency/table3-nvidia-h200.jsonl"
    write(reference, "records/table1-glioma-laptop.jsonl", "tables/a.md", of_another_machine, OTHERS[1], text="old")
    assert copy_to_reference(results, reference) == ["patches", "transfer"]
    assert contents(reference) == {**dict.fromkeys([*SCORES, *OTHERS], "new"), "tables/a.md": "old"} | {
        of_another_machine: "old"
    }


def test_a_folder_without_records_leaves_the_reference_as_it_is(tmp_path: Path) -> None:
    write(tmp_path / "reference", *SCORES)
    with pytest.raises(UserError, match="records"):
        copy_to_reference(tmp_path / "results", tmp_path / "reference")
    assert len(contents(tmp_path / "reference")) == len(SCORES)
