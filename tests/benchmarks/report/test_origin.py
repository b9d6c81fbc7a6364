"""From a cell of a table back to its records, on scores given by hand."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.commands.collect import write_study
from benchmarks.probes.answers import Answers
from benchmarks.report.origin import Origin, describe, disagreements, find_origin, made_with, printed_cell
from benchmarks.report.score_records import Records, read_records
from benchmarks.studies.table1 import TABLE1
from benchmarks.studies.table2 import TABLE2
from benchmarks.study import Findings
from ossnet.errors import UserError

# The seeds' means over valid cases are 0.6 and 0.5.
DICE: dict[int, dict[str, float | None]] = {0: {"x": 0.5, "y": 0.7}, 1: {"x": None, "y": 0.5}}

SPEC = {"network": {}, "preprocessing": {"shape": [8, 8, 8]}, "recipe": {"sampling": {"strategy": "uniform"}}}


def attempt(**changes: Any) -> dict[str, Any]:
    cpu = {"model": "a CPU", "torch_threads": 1}
    same = {"commit": "abc", "dirty": False, "cpu": cpu, "gpu": None, "versions": {"torch": "2.0"}, "seconds": 1.0}
    return same | changes


def record(seed: int, dice: dict[str, float | None], **columns: Any) -> dict[str, Any]:
    model = columns.pop("model", "c")
    return {
        **{"study": "table2", "dataset": "own", "profile": "laptop", "model": model, "seed": seed, "columns": columns},
        **{"identity": f"{model}{seed}", "spec": {"training": SPEC}, "provenance": {"attempts": [attempt()]}},
        **{"result": {"protocol": "dense"}, "scores": {"dice": dice}},
    }


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results folder with Table 2 of two models, beside an empty reference."""
    rows = [record(seed, dice) for seed, dice in DICE.items()] + [record(0, {"x": 0.9, "y": 0.9}, model="a")]
    write(tmp_path, rows)
    return tmp_path


def write(results: Path, rows: list[dict[str, Any]]) -> None:
    records = Records("table2", "own", "laptop", tuple(rows))
    records.write(results / "records")
    (results / "tables").mkdir(exist_ok=True)
    write_study(TABLE2, Findings([records], Answers({}), results), results / "tables" / "table2")


def find(results: Path, row: str = "c", quantity: str = "dice") -> Origin:
    return find_origin(TABLE2, [row], quantity, "own", "laptop", results, results / "reference")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_cell_is_worked_out_again_from_the_scores_of_its_cases(results: Path) -> None:
    origin = find(results)
    assert origin.numbers["value"] == pytest.approx(0.55)
    assert sorted(origin.runs) == [0, 1]
    assert origin.scores.loc["y"].tolist() == [0.7, 0.5]
    assert disagreements(origin) == []
    assert (printed_cell(origin, origin.markdown) or "").startswith("0.550 ")
    text = "\n".join(describe(origin))
    for part in ("OSS-Net C", "c0", "c1", "commit abc", "torch 2.0", "a CPU", "not valid", "0.550000"):
        assert part in text


def test_a_cell_may_be_called_as_tables_call_it(results: Path) -> None:
    for row, quantity in (("C", "Dice"), ("OSS-Net C", "dice"), ("oss-net c", "DICE")):
        assert find(results, row, quantity).row == ("c",)


def test_a_score_that_was_changed_by_hand_no_longer_comes_to_the_table(results: Path) -> None:
    edit(results / "records" / "table2-own-laptop.jsonl", '"x": 0.5', '"x": 0.7')
    found = disagreements(find(results))
    assert any("csv: value is 0.55, and 0.6 " in text for text in found)
    assert any("table2.md has 0.550" in text for text in found)


def test_a_number_that_was_changed_in_a_table_is_found(results: Path) -> None:
    edit(results / "tables" / "table2.md", "0.550", "0.560")
    (only,) = disagreements(find(results))
    assert "table2.md has 0.560" in only
    edit(results / "tables" / "table2.md", "0.560", "0.550")
    edit(results / "tables" / "table2.csv", "0.55", "0.56")
    (only,) = disagreements(find(results))
    assert "table2.csv: value is 0.56" in only
    assert disagreements(find(results, "a")) == []


def test_a_row_that_is_gone_from_a_table_is_missed(results: Path) -> None:
    for name in ("table2.md", "table2.csv"):
        path = results / "tables" / name
        lines = path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if "OSS-Net C" not in line and ",c," not in line]
        assert len(kept) < len(lines)
        path.write_text("\n".join(kept) + "\n", encoding="utf-8")
    assert len(disagreements(find(results))) == 2


def test_without_scores_of_its_own_a_folder_gives_way_to_the_reference(results: Path, tmp_path: Path) -> None:
    write(tmp_path / "reference", [record(0, {"x": 0.25, "y": 0.25}, model="b"), record(0, {"x": 0.1, "y": 0.1})])
    assert find(results, "b").folder == tmp_path / "reference"
    assert find(results, "b").numbers["value"] == pytest.approx(0.25)
    assert find(results, "c").folder == results


def test_only_the_values_that_identify_a_row_are_needed(results: Path, tmp_path: Path) -> None:
    columns = [{"sampling": "border", "locations": 8192 * factor, "drawn": 32 * factor} for factor in (1, 2)]
    rows = [record(0, {"x": 0.5, "y": 0.5 + 0.1 * index}, **of) for index, of in enumerate(columns)]
    Records("table1", "own", "laptop", tuple(row | {"study": "table1"} for row in rows)).write(results / "records")
    records = read_records(results / "records", ["table1"])
    write_study(TABLE1, Findings(records, Answers({}), results), results / "tables" / "table1")
    for asked in (["c", "border", "16384"], ["c", "Border", "2¹⁴", "64"]):
        origin = find_origin(TABLE1, asked, "dice", "own", "laptop", results, results / "reference")
        assert origin.row == ("c", "border", 16384, 64)
        assert origin.numbers["value"] == pytest.approx(0.55)
        assert disagreements(origin) == []
    with pytest.raises(UserError, match="several rows: c border 8192 32, c border 16384 64"):
        find_origin(TABLE1, ["c", "border"], "dice", "own", "laptop", results, results / "reference")


def test_mistakes_name_what_there_is(results: Path) -> None:
    with pytest.raises(UserError, match=r"rows are: unet3d, .*, c, d"):
        find(results, "e")
    with pytest.raises(UserError, match=r"table2 has dice$"):
        find(results, quantity="iou")
    with pytest.raises(UserError, match=r"no scores of d .*python -m benchmarks run table2"):
        find(results, "d")
    (results / "tables" / "table2.md").unlink()
    with pytest.raises(UserError, match=r"no table .*table2\.md; make it with `python -m benchmarks collect table2`"):
        disagreements(find(results))


def test_all_attempts_at_a_record_are_given() -> None:
    trained = {"attempts": [attempt(), attempt(commit="def", dirty=True)]}
    gpu = attempt(gpu={"name": "a GPU"})
    facts = made_with(record(0, {}) | {"training": {"provenance": trained}, "provenance": {"attempts": [gpu]}})
    assert facts == {
        **{"commit": "abc and def with changes", "CPU": "a CPU", "family": "unknown", "instructions": "unknown"},
        **{"threads": "1", "GPU": "none and a GPU", "torch": "2.0"},
    }
