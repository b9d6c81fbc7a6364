"""Costs next to the scores of a study that shows them."""

import math
from typing import Any

import pandas as pd
import pytest

from benchmarks.layout import Layout
from benchmarks.report.cost_quantities import cost_values, with_costs
from benchmarks.report.score_records import Records, scores_of
from benchmarks.report.summary import summarise

LAYOUT = Layout(
    "widths",
    "Widths",
    {"model": None, "width": "Width"},
    [("c", 32), ("c", 16)],
    quantities=("segmentation_time", "dice", "training_memory"),
)
PAPER = pd.DataFrame(columns=["table", "dataset", "model", "quantity", "value"])


def row(width: int, seed: int, seconds: float, memory: float | None) -> dict[str, Any]:
    return {
        **{"dataset": "own", "profile": "laptop", "model": "c", "seed": seed, "columns": {"width": width}},
        **{"result": {"protocol": "dense"}, "scores": {"dice": {"x": 0.5, "y": 0.7}}},
        "provenance": {"timing": {"extraction_s_median": seconds}},
        "training": {"provenance": {"memory": {} if memory is None else {"allocated_bytes": memory}}, "result": {}},
    }


RECORDS = [
    Records(
        "widths",
        "own",
        "laptop",
        (row(16, 0, 1.0, 1e9), row(16, 1, 2.0, 3e9), row(16, 2, 9.0, 5e9), row(32, 0, 4.0, None)),
    )
]


def test_a_cost_is_the_median_over_seeds_and_what_was_not_recorded_is_left_out() -> None:
    numbers = with_costs(summarise(scores_of(RECORDS), PAPER, LAYOUT), RECORDS, LAYOUT)
    found = numbers.set_index(["width", "quantity"])["value"].to_dict()
    assert found == pytest.approx(
        {
            **{(32, "dice"): 0.6, (32, "segmentation_time"): 4.0},
            **{(16, "dice"): 0.6, (16, "segmentation_time"): 2.0, (16, "training_memory"): 3.0},
        }
    )
    # A row's numbers stand together, in the order of the table.
    assert list(numbers["width"]) == [32] * 2 + [16] * 3
    (memory,) = numbers[numbers["quantity"] == "training_memory"].to_dict("records")
    assert (memory["seeds"], memory["n"], memory["unit"], math.isnan(memory["low"])) == (3, 2, "GB", True)


def test_values_are_those_of_single_runs() -> None:
    values = cost_values(RECORDS, LAYOUT)
    of_time = values[values["quantity"] == "segmentation_time"]
    assert list(of_time["value"]) == [1.0, 2.0, 9.0, 4.0]
    assert list(of_time["seed"]) == [0, 1, 2, 0]


def test_a_layout_without_costs_has_none() -> None:
    layout = Layout("widths", "Widths", LAYOUT.heads, LAYOUT.rows)
    numbers = summarise(scores_of(RECORDS), PAPER, layout)
    assert with_costs(numbers, RECORDS, layout) is numbers
    assert cost_values(RECORDS, layout).empty
