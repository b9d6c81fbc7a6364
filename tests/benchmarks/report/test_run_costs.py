"""Memory and time of runs from their records, given by hand."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.report.run_costs import COSTS, costs_of, device_of
from benchmarks.report.score_records import Records

CPU = {"cpu": {"model": "a fine CPU", "torch_threads": 1}, "gpu": None}
GPU = {"cpu": {"model": "a fine CPU", "torch_threads": 8}, "gpu": {"name": "GPU A"}}


def record(seed: int, **changes: Any) -> dict[str, Any]:
    return {
        **{"study": "table2", "dataset": "glioma", "profile": "laptop", "model": "c", "seed": seed, "columns": {}},
        "provenance": {
            "attempts": [CPU],
            "timing": {"extraction_s_median": 0.5},
            "memory": {"allocated_bytes": 2_000, "resident_bytes": 4_000},
        },
        "training": {
            "provenance": {
                "attempts": [GPU, CPU],
                "timing": {"training_s": 10.0 + seed},
                "memory": {"allocated_bytes": 8_000, "process_bytes": None, "resident_bytes": 9_000},
            },
            "result": {"steps": 12, "locations_seen": 640, "parameters": 7},
        },
        "result": {"protocol": "dense"},
        "scores": {"dice": {"x": 0.5}},
        **changes,
    }


def records(*rows: dict[str, Any]) -> list[Records]:
    return [Records("table2", "glioma", "laptop", rows)]


def test_every_cost_of_a_run() -> None:
    (row,) = costs_of(records(record(3, columns={"drawn": 32})), ["drawn"]).to_dict("records")
    known = {name: value for name, value in row.items() if not (name in COSTS and np.isnan(value))}
    assert known == {
        **{"dataset": "glioma", "profile": "laptop", "protocol": "dense", "model": "c", "seed": 3, "drawn": 32},
        "device": "a fine CPU, 1 thread",
        **{"training_allocated_bytes": 8_000, "training_resident_bytes": 9_000},
        **{"segmentation_allocated_bytes": 2_000, "segmentation_resident_bytes": 4_000},
        **{"training_s": 13, "segmentation_s": 0.5, "steps": 12, "locations_seen": 640, "parameters": 7},
    }


def test_of_earlier_versions_there_are_seconds_and_parameters_alone() -> None:
    timing = {"training_s": 20.0, "extraction_s_median": 0.25}
    earlier = record(0, provenance={"attempts": [CPU], "timing": timing}, result={"protocol": "dense", "parameters": 9})
    del earlier["training"]
    (row,) = costs_of(records(earlier)).to_dict("records")
    assert (row["training_s"], row["segmentation_s"], row["parameters"]) == (20, 0.25, 9)
    assert all(np.isnan(row[name]) for name in COSTS if name.endswith("_bytes") or name in ("steps", "voxels_seen"))


def test_neither_failures_nor_measurements_without_scores_have_costs() -> None:
    failed = record(0, failure="OOM")
    del failed["result"], failed["scores"]
    costs = costs_of(records(failed, record(1, scores={})), ["drawn"])
    assert costs.empty
    assert {"drawn", *COSTS} < set(costs)
    pd.testing.assert_frame_equal(costs_of([]), costs_of(records(failed)))


@pytest.mark.parametrize(
    ("attempts", "device"), [([CPU], "a fine CPU, 1 thread"), ([CPU, GPU], "GPU A"), ([], ""), ([{"seconds": 1}], "")]
)
def test_what_it_was_made_on(attempts: list[dict[str, Any]], device: str) -> None:
    assert device_of({"attempts": attempts}) == device
