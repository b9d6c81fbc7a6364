"""Verification of a printed number: by hand, and with real trainings of a tiny study."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import main
from benchmarks.commands.verify import agreement, compare, differences
from benchmarks.study import Study

Capture = pytest.CaptureFixture[str]
ROW = ["table1", "c", "uniform", "8192", "dice"]


def record(scores: Mapping[str, float | None], commit: str = "abc", threads: int = 1, gpu: str = "") -> dict[str, Any]:
    attempt = {
        **{"commit": commit, "dirty": False, "gpu": {"name": gpu} if gpu else None, "versions": {}},
        "cpu": {"model": "a CPU", "torch_threads": threads},
    }
    return {"provenance": {"attempts": [attempt]}, "scores": {"dice": scores}}


THEN = record({"x": 0.5, "y": 0.75, "z": None})


def test_the_same_scores_are_equal_whatever_made_them() -> None:
    comparison = compare(THEN, record({"x": 0.5, "y": 0.75, "z": None}, "def", threads=2), "dice", 0.01)
    assert comparison.equal
    assert comparison.changes == {"commit": ("abc", "def"), "threads": ("1", "2")}
    assert "3 cases" in agreement(comparison)
    assert differences(comparison.changes) == "commit (abc then, def now), threads (1 then, 2 now)"


def test_by_how_much_scores_differ() -> None:
    comparison = compare(THEN, record({"x": 0.5, "y": 0.875, "z": 0.25}), "dice", 0.25)
    assert not comparison.equal
    assert comparison.mean_difference == pytest.approx((0.5 + 0.875 + 0.25) / 3 - 0.625)
    text = agreement(comparison)
    assert "0.125 (y: 0.750000 then, 0.875000 now)" in text
    assert "valid only then or only now: z" in text
    assert "0.33 times" in text
    assert not comparison.changes
    assert differences({}) == "nothing that is recorded"


@pytest.mark.parametrize(
    ("changes", "spread", "within"),
    [
        ({}, 1.0, False),
        ({"commit": "def"}, 1.0, False),
        ({"threads": 2}, 0.0626, True),
        ({"threads": 2}, 0.0624, False),
        ({"threads": 2}, math.nan, False),
        ({"gpu": "a GPU"}, 0.0626, True),
    ],
)
def test_only_another_machine_may_differ_and_by_two_spreads_at_most(
    changes: dict[str, Any], spread: float, within: bool
) -> None:
    now = record({"x": 0.75, "y": 0.75, "z": None}, **changes)
    comparison = compare(THEN, now, "dice", spread)
    assert comparison.mean_difference == 0.125
    assert comparison.within_bound is within


@pytest.fixture(autouse=True)
def _only_the_tiny_study(tiny_study: Study, use_studies: Callable[..., None]) -> None:
    use_studies(tiny_study)


def test_a_changed_setting_may_differ_by_two_spreads_at_most() -> None:
    now = record({"x": 0.75, "y": 0.75, "z": None})
    assert not compare(THEN, now, "dice", 1.0).within_bound
    assert compare(THEN, now, "dice", 0.0626, changed=True).within_bound
    assert not compare(THEN, now, "dice", 0.0624, changed=True).within_bound


def contents(results: Path) -> dict[Path, bytes]:
    """Read every file that a sweep made for itself."""
    folders = ("runs", "trainings", "records", "plans", "tables")
    return {path: path.read_bytes() for name in folders for path in (results / name).rglob("*") if path.is_file()}


def test_a_seed_is_trained_again_and_compared(
    finished: Path, tiny_profile: Path, data_csv: Path, capsys: Capture
) -> None:
    options = ["--profile", str(tiny_profile), "--data", str(data_csv), "--results", str(finished)]
    before = contents(finished)

    assert main(["verify", *ROW, "--seed", "1", *options]) == 0
    output = capsys.readouterr().out
    assert "equal, all 1 cases to the last bit" in output
    assert "table1.csv and .md: equal" in output
    (training,) = (finished / "verify" / "trainings").iterdir()
    assert training.name.startswith("own-c-seed1-")
    assert contents(finished) == before

    # Another seed's training in little memory, which rounds otherwise and has a folder of its own.
    status = main(["verify", *ROW, "--seed", "0", "--set", "recipe.memory=lean", *options])
    output = capsys.readouterr().out
    assert status == ("this is more than" in output)
    assert "Means of seeds: " in output
    (lean,) = (finished / "verify" / "trainings").glob("own-c-seed0-*")
    assert json.loads((lean / "spec.json").read_text())["recipe"]["memory"] == "lean"
    assert main(["verify", *ROW, "--set", "seed=3", *options]) == 2
    assert "settings start with network., recipe., preprocessing." in capsys.readouterr().err

    records = finished / "records" / "table1-own-tiny.jsonl"
    rows = [json.loads(line) for line in records.read_text().splitlines()]
    dice = rows[1]["scores"]["dice"]["e"]
    rows[1]["scores"]["dice"]["e"] = dice - 0.0625
    records.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert main(["verify", *ROW, "--seed", "1", *options]) == 1
    output = capsys.readouterr().out
    assert "not equal: the largest difference of a case is 0.0625 (e: " in output
    assert f"{dice:.6f} now" in output
    assert "by the records" in output

    assert main(["verify", *ROW, "--no-train", *options]) == 1
    assert main(["collect", "table1", "--results", str(finished)]) == 0
    assert main(["verify", *ROW, "--no-train", *options]) == 0
    capsys.readouterr()

    assert main(["verify", *ROW, "--seed", "2", *options]) == 2
    assert "--seed 2: the cell has no such seed; choose from 0, 1" in capsys.readouterr().err


def test_other_data_than_the_records_are_refused(
    finished: Path, tiny_profile: Path, data_csv: Path, tmp_path: Path, capsys: Capture
) -> None:
    header, _, *rows = data_csv.read_text().splitlines()
    cells = [row.split(",") for row in rows]
    fewer = [",".join([name, *(str(data_csv.parent / file) for file in files), split]) for name, *files, split in cells]
    other = tmp_path / "own.csv"
    other.write_text("\n".join([header, *fewer]) + "\n")
    options = ["--profile", str(tiny_profile), "--data", str(other), "--results", str(finished)]
    assert main(["verify", *ROW, *options]) == 2
    error = capsys.readouterr().err
    assert all(part in error for part in (str(other), "--data", "--no-train"))
    assert not (finished / "verify").exists()
