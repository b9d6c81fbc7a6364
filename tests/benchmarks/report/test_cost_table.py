"""The table of costs, from costs given by hand."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks.markup import read_markdown
from benchmarks.report.cost_table import summarise_costs, write_costs
from benchmarks.report.score_records import Records, scores_of
from benchmarks.report.summary import summarise
from benchmarks.studies.table2 import TABLE2

LAYOUT = TABLE2.layout
NONE_PUBLISHED = pd.DataFrame(columns=["table", "dataset", "model", "quantity", "value"])


def record(model: str, seed: int, memory: dict[str, int], seen: str = "locations_seen") -> dict[str, Any]:
    gpu = {"name": "GPU A"} if "reserved_bytes" in memory else None
    attempts = [{"gpu": gpu, "cpu": {"model": "a fine CPU", "torch_threads": 1}}]
    return {
        **{"study": "table2", "dataset": "glioma", "profile": "laptop", "model": model, "seed": seed, "columns": {}},
        "provenance": {"attempts": attempts, "timing": {"extraction_s_median": 0.5 + seed}, "memory": memory},
        "training": {
            "provenance": {"attempts": attempts, "timing": {"training_s": 100.0 + seed}, "memory": memory},
            "result": {"steps": 12, seen: 640},
        },
        "result": {"protocol": "dense"},
        "scores": {"dice": {"x": 0.5 + seed / 10, "y": 0.6 + seed / 10}},
    }


def earlier(model: str, seed: int) -> dict[str, Any]:
    return {name: value for name, value in record(model, seed, {}).items() if name not in ("provenance", "training")}


def failed(model: str, seed: int) -> dict[str, Any]:
    return {
        name: value for name, value in record(model, seed, {}).items() if name not in ("result", "scores", "training")
    } | {"failure": "OOM"}


def write(folder: Path, *rows: dict[str, Any]) -> list[dict[str, str]]:
    """The rows of the table by their headings, with its notes as the last."""
    records = [Records("table2", "glioma", "laptop", rows)]
    numbers = summarise(scores_of(records), NONE_PUBLISHED, LAYOUT)
    write_costs(records, numbers, folder / "table2", LAYOUT)
    text = (folder / "table2-cost.md").read_text()
    (table,) = read_markdown(text)
    return [dict(zip(table.head, cells, strict=True)) for cells in table.rows] + [{"notes": text.splitlines()[-1]}]


def of_model(rows: list[dict[str, str]], name: str) -> dict[str, str]:
    (row,) = [row for row in rows if row.get("Model") == name]
    return row


ON_CPU = {"allocated_bytes": 2 * 10**9, "resident_bytes": 3 * 10**9}
ON_GPU = {**ON_CPU, "reserved_bytes": 4 * 10**9, "process_bytes": 5 * 10**9}


def test_the_median_of_the_seeds_beside_dice(tmp_path: Path) -> None:
    rows = write(
        tmp_path, *(record("c", seed, ON_CPU) for seed in range(3)), record("unet3d", 0, ON_CPU, "voxels_seen")
    )
    row = of_model(rows, "OSS-Net C")
    assert row.pop("Dice ↑").startswith("0.650 [")
    assert row == {
        "Model": "OSS-Net C",
        **{"Training memory: tensors (GB)": "2.000", "Training memory: process (GB)": "3.000"},
        **{"Segmentation memory: tensors (GB)": "2.000", "Segmentation memory: process (GB)": "3.000"},
        **{"Training (s)": "101", "Steps": "12", "Learned from": "6.40e+02 locations", "Segmentation (s)": "1.50"},
        **{"Seeds": "3", "Status": ""},
    }
    assert of_model(rows, "3D residual U-Net")["Learned from"] == "6.40e+02 voxels"
    assert of_model(rows, "O-Net")["Status"] == "not run"
    assert rows[-1]["notes"].endswith("Made on: a fine CPU, 1 thread.")
    csv = pd.read_csv(tmp_path / "table2-cost.csv").set_index("model")
    assert csv.loc["c", "training_resident_bytes"] == 3 * 10**9
    assert csv.loc["c", "dice"] == pytest.approx(0.65)


def test_a_gpu_reserves_memory_and_a_cpu_beside_it_does_not(tmp_path: Path) -> None:
    rows = write(tmp_path, record("c", 0, ON_GPU), record("d", 0, ON_CPU))
    on_gpu, on_cpu = of_model(rows, "OSS-Net C"), of_model(rows, "OSS-Net D")
    assert (on_gpu["Training memory: reserved (GB)"], on_gpu["Training memory: process (GB)"]) == ("4.000", "5.000")
    assert (on_cpu["Training memory: reserved (GB)"], on_cpu["Training memory: process (GB)"]) == ("–", "3.000")
    assert rows[-1]["notes"].endswith("Made on: GPU A; a fine CPU, 1 thread.")


def test_what_was_not_recorded_says_so(tmp_path: Path) -> None:
    row = of_model(write(tmp_path, earlier("c", 0), failed("d", 0)), "OSS-Net C")
    assert row["Dice ↑"] == "0.550"
    assert {row[name] for name in row if "(" in name or name in ("Steps", "Learned from")} == {"not recorded"}


def test_a_failure_is_told(tmp_path: Path) -> None:
    rows = write(tmp_path, record("c", 0, ON_CPU), failed("d", 0), failed("c", 1))
    assert of_model(rows, "OSS-Net D")["Status"] == "OOM"
    assert of_model(rows, "OSS-Net D")["Training (s)"] == "–"
    assert of_model(rows, "OSS-Net C")["Status"] == "seed 1: OOM"


def test_with_failures_alone_there_is_nothing_to_tell() -> None:
    records = [Records("table2", "glioma", "laptop", (failed("c", 0),))]
    assert summarise_costs(records, summarise(scores_of(records), NONE_PUBLISHED, LAYOUT), LAYOUT).empty
