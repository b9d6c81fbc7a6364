"""The table of protocols, from records given by hand."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks.markup import read_markdown
from benchmarks.report.protocol_table import summarise_protocols, write_protocols
from benchmarks.report.score_records import Records, scores_by_protocol
from benchmarks.studies.table2 import TABLE2

PROTOCOLS = [
    {"protocol": "paper", "locations": 512, "border_share": 0.0},
    {"protocol": "released", "locations": 64, "border_share": 0.4},
]


def record(model: str, seed: int, dice: float, protocol: str = "dense") -> dict[str, Any]:
    """Make a record of two cases; the paper's protocol adds 0.01, the released one takes 0.2."""

    def scores(value: float) -> dict[str, dict[str, float]]:
        return {"dice": {"x": value - 0.05, "y": value + 0.05}}

    return {
        **{"study": "table2", "dataset": "liver", "profile": "laptop", "model": model, "seed": seed, "columns": {}},
        "result": {"protocol": protocol, "sampled_protocols": PROTOCOLS},
        "scores": scores(dice) | {"hausdorff95": {"x": 3.0, "y": 4.0}},
        "sampled_scores": {"paper": scores(dice + 0.01), "released": scores(dice - 0.2)},
    }


def records(*rows: dict[str, Any]) -> list[Records]:
    return [Records("table2", "liver", "laptop", rows)]


TWO_MODELS = records(*(record(model, seed, dice) for model, dice in (("onet", 0.6), ("c", 0.8)) for seed in (0, 1)))


def test_dense_and_sampled_scores_are_of_the_same_runs_cases_and_quantities() -> None:
    scores = scores_by_protocol(TWO_MODELS)
    assert set(scores["quantity"]) == {"dice"}
    assert set(scores["protocol"]) == {"several"}
    assert scores.groupby(["scored", "sampled"]).size().to_dict() == {
        ("dense", "all"): 8,
        ("paper", "512"): 8,
        ("released, 40 % border", "64"): 8,
    }


def test_the_protocols_stand_side_by_side(tmp_path: Path) -> None:
    write_protocols(TWO_MODELS, tmp_path / "table2", TABLE2.layout)
    (table,) = read_markdown((tmp_path / "table2-protocols.md").read_text())
    assert table.caption.endswith(", profile laptop; cases: 2; seeds: 2.")
    assert table.head == ["Model", "Dice, dense (all)", "Dice, paper (512)", "Dice, released, 40 % border (64)"]
    (of_c,) = [row for row in table.rows if row[0] == "OSS-Net C"]
    assert [cell.split()[0] for cell in of_c[1:]] == ["**0.800**", "**0.810**", "**0.600**"]
    values = pd.read_csv(tmp_path / "table2-protocols.csv").set_index(["model", "scored"])["value"]
    assert values["onet", "paper"] == pytest.approx(0.61)


def test_without_sampled_scores_there_is_no_table(tmp_path: Path) -> None:
    earlier = [{name: value for name, value in record("c", 0, 0.8).items() if name != "sampled_scores"}]
    write_protocols(records(*earlier), tmp_path / "table2", TABLE2.layout)
    assert list(tmp_path.iterdir()) == []
    # Beside a run that has some, one that has none is left out.
    numbers = summarise_protocols(records(*earlier, record("c", 1, 0.6)), TABLE2.layout)
    assert set(numbers["seeds"]) == {1}
    assert numbers[numbers["scored"] == "dense"]["value"].item() == pytest.approx(0.6)
