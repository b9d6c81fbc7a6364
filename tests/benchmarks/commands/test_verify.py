"""Verification of a printed number: by hand, and with real trainings of a tiny study."""

import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import main
from benchmarks.commands.verify import agreement, compare, differences
from benchmarks.studies import registry as studies
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


@pytest.fixture(scope="module")
def two_seeds(tiny_study: Study) -> Study:
    """One row of Table 1 from two seeds."""
    return replace(tiny_study, grid=lambda profile: tiny_study.grid(profile)[:2])


@pytest.fixture(autouse=True)
def _only_the_tiny_study(two_seeds: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studies, "STUDIES", {"table1": two_seeds})


@pytest.fixture(scope="module")
def finished(tiny_profile: Path, data_csv: Path, two_seeds: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder in which the study was run, to be left as it is."""
    results = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(studies, "STUDIES", {"table1": two_seeds})
        options = ["--profile", str(tiny_profile), "--data", str(data_csv), "--results", str(results)]
        assert main(["run", "table1", *options]) == 0
    return results


def contents(results: Path) -> dict[Path, bytes]:
    """Read every file that a sweep made for itself."""
    folders = ("runs", "trainings", "records", "plans", "tables")
    return {path: path.read_bytes() for name in folders for path in (results / name).rglob("*") if path.is_file()}


def test_a_seed_is_trained_again_and_compared(
    finished: Path, tiny_profile: Path, data_csv: Path, tmp_path: Path, capsys: Capture
) -> None:
    results = tmp_path / "results"
    shutil.copytree(finished, results)
    options = ["--profile", str(tiny_profile), "--data", str(data_csv), "--results", str(results)]
    before = contents(results)

    assert main(["verify", *ROW, "--seed", "1", *options]) == 0
    output = capsys.readouterr().out
    assert "equal, all 1 cases to the last bit" in output
    assert "table1.csv and .md: equal" in output
    (training,) = (results / "verify" / "trainings").iterdir()
    assert training.name.startswith("own-c-seed1-")
    assert contents(results) == before

    records = results / "records" / "table1-own-tiny.jsonl"
    rows = [json.loads(line) for line in records.read_text().splitlines()]
    dice = rows[1]["scores"]["dice"]["e"]
    rows[1]["scores"]["dice"]["e"] = dice - 0.0625
    records.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert main(["verify", *ROW, "--seed", "1", *options]) == 1
    output = capsys.readouterr().out
    assert "not equal: the largest difference of a case is 0.0625 (e: " in output
    assert f"{dice:.6f} now" in output
    assert "by the records" in output

    assert main(["verify", *ROW, "--seed", "1", "--no-train", *options]) == 1
    assert main(["collect", "table1", "--results", str(results)]) == 0
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


def test_a_study_that_trains_nothing_is_refused(capsys: Capture) -> None:
    assert main(["verify", "table3", "c", "dice"]) == 2
    assert "table3 trains no model; choose from table1" in capsys.readouterr().err
