from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.commands.collect import collect_studies
from benchmarks.probes.answers import Answers
from benchmarks.probes.limits import GIBIBYTE, LARGE_PREPARATION, LIMITS, PREPARATION, TRAINING
from benchmarks.probes.records import ProbeRecord, write_records
from benchmarks.studies.fullsize import FULLSIZE, fullsize_tables, measured

PROVENANCE = {"cpu": {"model": "a fine CPU", "torch_threads": 2}}
COSTS: dict[str, Any] = {
    "wall_s": 16.25,
    "cpu_s": 3.5,
    "process_bytes": 3 * GIBIBYTE,
    "resident_before_bytes": GIBIBYTE // 4,
}
STEPS: dict[str, Any] = {"steps": 3, "steps_s": 600.0, "waiting_share": 0.015}

SLOW = ProbeRecord("fullsize", PREPARATION, "cpu", COSTS, None, PROVENANCE)
LARGE = ProbeRecord("fullsize", LARGE_PREPARATION, "cpu", COSTS, None, PROVENANCE)
TRAINED = ProbeRecord("fullsize", TRAINING, "cpu", COSTS | STEPS, None, PROVENANCE)


def texts(*records: ProbeRecord) -> list[list[str]]:
    """Return the cells of the measured values, with their details."""
    (grid,) = fullsize_tables(Answers({"cpu": {record.probe: record for record in records}}))
    return [[f"{cell.text} {cell.detail}".strip() for cell in row[5:]] for row in grid.rows]


def test_a_cpu_measures_every_command_with_a_limit() -> None:
    assert measured("cpu") == list(LIMITS)
    assert measured("cuda") == []


def test_limits_stand_next_to_what_was_measured_and_one_that_is_not_kept_is_told() -> None:
    assert texts(SLOW, LARGE, TRAINED) == [
        ["16.2 (limit 15)", "3.5", "–", "–", "3.00", "0.25", "no"],
        ["16.2", "3.5", "–", "–", "3.00 (limit 3)", "0.25", "yes"],
        ["16.2", "3.5", "200.0", "1.5 (limit 5)", "3.00 (limit 12)", "0.25", "yes"],
    ]
    late = ProbeRecord("fullsize", TRAINING, "cpu", COSTS | STEPS | {"waiting_share": 0.06}, None, PROVENANCE)
    failed = ProbeRecord("fullsize", LARGE_PREPARATION, "cpu", None, "OOM", PROVENANCE)
    assert [row[-1] for row in texts(late, failed)] == ["not measured", "OOM", "no"]


def test_records_become_a_csv_with_the_limits(tmp_path: Path) -> None:
    write_records([SLOW, TRAINED], tmp_path)
    (path,) = collect_studies([FULLSIZE], tmp_path, None)
    frame = pd.read_csv(path.with_suffix(".csv")).set_index("phase")
    preparation, training = frame.loc["preparation"], frame.loc["training"]
    assert (preparation["wall_s"], preparation["limit_wall_s"], preparation["cpu_s"]) == (16.25, 15, 3.5)
    assert (training["process_gb"], training["limit_process_gb"]) == (3.221225472, 12.884901888)
    assert (training["waiting_share"], training["limit_waiting_share"], training["steps_s"]) == (0.015, 0.05, 600)
    assert path.with_suffix(".tex").exists()
