"""Numbers of a transfer that can be worked out by hand."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks.markup import read_markdown
from benchmarks.report.score_records import Records
from benchmarks.report.transfer_table import collect_transfers, transfer_numbers, transfer_table, write_transfer


def row(trained_on: str, cases: str, seed: int, dice: Mapping[str, float], model: str = "c") -> dict[str, Any]:
    training = {"modalities": ["flair", "t1ce"], "preprocessing": {"shape": [64, 64, 48]}}
    return {
        **{"study": "transfer", "dataset": "glioma-to-real", "profile": "laptop", "model": model, "seed": seed},
        **{"columns": {"trained_on": trained_on, "cases": cases}, "spec": {"training": training}},
        **{"result": {"protocol": "dense"}, "scores": {"dice": dict(dice)}},
    }


RECORDS = Records(
    "transfer",
    "glioma-to-real",
    "laptop",
    (
        row("glioma", "glioma", 0, {"x": 0.9, "g": 0.7}),
        row("glioma", "real", 0, {"x": 0.2, "y": 0.4}),
        row("glioma", "glioma", 1, {"x": 0.9, "g": 0.9}),
        row("glioma", "real", 1, {"x": 0.4, "y": 0.8}),
        row("real", "real", 0, {"y": 0.5}),
        row("real", "real", 1, {"y": 0.5}),
    ),
)


def test_means_are_over_the_cases_that_every_row_has() -> None:
    numbers = transfer_numbers(RECORDS).set_index(["trained_on", "cases", "case"])
    assert numbers.loc[("glioma", "real", "x"), "value"] == pytest.approx(0.3)
    assert numbers.loc[("glioma", "real", "y"), "value"] == pytest.approx(0.6)
    # A case of the same name in the other data set is another.
    assert numbers.loc[("glioma", "glioma", ""), "value"] == pytest.approx(0.85)
    mean = numbers.loc[("glioma", "real", "")]
    assert mean["value"] == pytest.approx(0.6)
    assert mean["std_seeds"] == pytest.approx(0.4 / 2**0.5)
    assert mean["seeds"] == 2
    assert ("real", "real", "x") not in numbers.index


def test_the_table_has_a_row_for_each_training_and_a_column_for_each_case(tmp_path: Path) -> None:
    write_transfer(RECORDS, tmp_path / "stem")
    (table,) = read_markdown((tmp_path / "stem.md").read_text(encoding="utf-8"))
    assert table.head[2:] == ["glioma, 2 test cases", "x", "y", "Mean of 1 cases", "Seeds"]
    assert [cells[:2] for cells in table.rows] == [["glioma", "OSS-Net C"], ["real", "OSS-Net C"]]
    assert table.rows[0][2:] == ["0.850 ± 0.071", "0.300 ± 0.141", "0.600 ± 0.283", "0.600 ± 0.283", "2"]
    assert table.rows[1][2:] == ["–", "–", "0.500 ± 0.000", "0.500 ± 0.000", "2"]
    assert set(pd.read_csv(tmp_path / "stem.csv")["trained_on"]) == {"glioma", "real"}
    assert (tmp_path / "stem.tex").read_text(encoding="utf-8").startswith(r"\begin{table}")


def test_many_cases_have_no_columns_and_a_failed_run_no_numbers() -> None:
    many = {f"case-{index}": 0.5 for index in range(20)}
    failed = {key: value for key, value in row("glioma", "real", 1, {}).items() if key not in ("result", "scores")}
    records = Records(
        "transfer", "glioma-to-real", "laptop", (row("glioma", "real", 0, many), failed | {"failure": "OOM"})
    )
    table = transfer_table(records)
    assert table.head[3:] == ["Mean", "Seeds"]
    assert [cell.text for cell in table.rows[0][2:]] == ["–", "0.500", "1"]
    assert "1 runs have failed" in table.notes


def test_tables_come_out_of_records_again(tmp_path: Path) -> None:
    assert collect_transfers(tmp_path) == []
    RECORDS.write(tmp_path / "transfer")
    (path,) = collect_transfers(tmp_path)
    assert path == tmp_path / "transfer" / "transfer-glioma-to-real-laptop.md"
    assert path.exists()
