"""Runs of a tiny study, made by real processes."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.__main__ import main
from benchmarks.study import Outlook, Point, Stage, Study, no_points
from ossnet.errors import UserError
from ossnet.training.profile import load_profile

Run = Callable[..., int]
UseStudies = Callable[..., None]

RESULTS, TRAININGS = "runs/*/result.json", "trainings/*/model.safetensors"


def times_of(results: Path, files: str) -> dict[str, float]:
    """Return when each folder of a run or a training got such a file."""
    return {path.parent.name: path.stat().st_mtime for path in results.glob(files)}


@pytest.fixture(autouse=True)
def _only_the_tiny_study(tiny_study: Study, use_studies: UseStudies) -> None:
    use_studies(tiny_study)


@pytest.fixture
def use_scorings(tiny_study: Study, tiny_profile: Path, use_studies: UseStudies) -> Callable[..., None]:
    """Let the study score its first training in these ways."""
    first = tiny_study.grid(load_profile(str(tiny_profile)))[0]

    def use(*ways: dict[str, object]) -> None:
        points: list[Point] = [
            replace(first, columns=first.columns | {"drawn": i}, **way) for i, way in enumerate(ways)
        ]
        use_studies(replace(tiny_study, grid=lambda _: points))

    return use


def test_a_sweep_leaves_runs_records_and_tables(swept: Path) -> None:
    folders = sorted((swept / "runs").iterdir())
    assert len(folders) == 4
    for folder in folders:
        assert (folder / "result.json").exists()
        attempt = json.loads((folder / "provenance.json").read_text())["attempts"][0]
        assert attempt["command"].startswith("python -m benchmarks run table1 --profile ")
    lines = (swept / "records" / "table1-own-tiny.jsonl").read_text().splitlines()
    assert [json.loads(line)["columns"]["sampling"] for line in lines] == ["uniform"] * 2 + ["border"] * 2
    table = pd.read_csv(swept / "tables" / "table1.csv")
    assert set(table["sampling"]) == {"uniform", "border"}
    assert set(table["drawn"]) == {32}
    assert set(table["seeds"]) == {2}
    assert "Confidence (ours)" in (swept / "tables" / "table1.md").read_text()
    assert (swept / "tables" / "table1.tex").exists()
    assert (swept / "tables" / "table1-comparisons.md").exists()


def test_called_again_it_makes_nothing_again_and_prints_the_table(
    finished: Path, run_tiny: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    before, table = times_of(finished, RESULTS), (finished / "tables" / "table1.md").read_bytes()
    assert run_tiny(finished) == 0
    assert times_of(finished, RESULTS) == before
    assert (finished / "tables" / "table1.md").read_bytes() == table
    caption, cells = table.decode().split("\n\n")[:2]
    assert capsys.readouterr().out == f"\n{caption}\n\n{cells}\n\n{finished / 'tables' / 'table1.md'}\n"


def test_a_dry_run_makes_and_writes_nothing(
    finished: Path, run_tiny: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = times_of(finished, RESULTS)
    assert run_tiny(finished, "--dry-run", "--force") == 0
    listing = capsys.readouterr().out.splitlines()
    assert listing[0] == "table1 on own, profile tiny: 4 runs (4 done)"
    assert listing[1].startswith("  c uniform 8192 32 seed 0: done, about ")
    assert listing[-1].startswith("4 runs to make, about ")
    assert times_of(finished, RESULTS) == before
    assert run_tiny(tmp_path / "new", "--dry-run") == 0
    assert not (tmp_path / "new").exists()
    listing = capsys.readouterr().out
    assert "4 runs (4 missing)" in listing
    assert "assuming" in listing


def test_only_what_failed_is_tried_again_and_only_by_retry_failed(
    finished: Path, run_tiny: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    before = times_of(finished, RESULTS)
    first = sorted(before)[0]
    folder = finished / "runs" / first
    for name in ("result.json", "per_case.csv"):
        (folder / name).unlink()
    (folder / "failure.json").write_text('{"reason": "OOM"}')
    assert run_tiny(finished) == 1
    assert "1 of 4 runs have failed; use --retry-failed" in capsys.readouterr().err
    assert main(["status", "--results", str(finished)]) == 0
    assert "seed 0: failed: OOM" in capsys.readouterr().out
    assert "OOM" in (finished / "tables" / "table1.md").read_text()
    assert run_tiny(finished, "--retry-failed") == 0
    after = times_of(finished, RESULTS)
    assert {name for name in after if after[name] != before[name]} == {first}


def test_another_way_of_scoring_trains_nothing(
    finished: Path, run_tiny: Run, use_scorings: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    before = times_of(finished, TRAININGS)
    assert len(before) == 4
    use_scorings({"extraction": "dense"}, {"max_locations": 64})
    # The time of a training is listed once, and only for what is left.
    for options, time in (([], "trained"), (["--force"], "about ")):
        assert run_tiny(finished, "--dry-run", *options) == 0
        first, second = capsys.readouterr().out.splitlines()[1:3]
        assert first.startswith(f"  c uniform 8192 0 seed 0: missing, {time}")
        assert second == "  c uniform 8192 1 seed 0: missing, shares a training above"
    assert run_tiny(finished) == 0
    assert times_of(finished, TRAININGS) == before
    assert len(times_of(finished, RESULTS)) == 4 + 2


@pytest.mark.usefixtures("forkserver")
def test_a_training_that_failed_is_tried_again_by_retry_failed_and_all_anew_by_force(
    run_tiny: Run, use_scorings: Callable[..., None], tiny_profile: Path, tmp_path: Path
) -> None:
    use_scorings({"extraction": "mise"}, {"extraction": "dense"})
    # With a rate like this the loss is infinite in the first epoch.
    profile = tmp_path / "tiny.toml"
    rate = "[datasets.own.c.recipe.optimization]\nlearning_rate = 1e30\nactivation_learning_rate = 1e30\n"
    profile.write_text(tiny_profile.read_text() + rate)
    assert run_tiny(tmp_path, profile=profile) == 1
    failures = [json.loads(path.read_text())["reason"] for path in tmp_path.glob("*/*/failure.json")]
    assert len(failures) == 3
    assert len(set(failures)) == 1
    assert failures[0].startswith("the loss became ")
    (training,) = tmp_path.glob("trainings/*")
    for options, attempts in (([], 1), (["--retry-failed"], 2), (["--force"], 1)):
        assert run_tiny(tmp_path, *options, profile=profile) == 1
        assert len(json.loads((training / "provenance.json").read_text())["attempts"]) == attempts


def test_a_study_in_stages_counts_the_runs_that_follow_from_what_is_not_known(
    run_tiny: Run, tiny_study: Study, use_studies: UseStudies, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def staged(stage: Stage) -> list[Point]:
        if stage.job is not None:
            raise UserError("interrupted while trials are made")
        return []

    outlook = Outlook(5, 60, "trials")
    use_studies(replace(tiny_study, grid=no_points, staged=staged, outlook=lambda profile, models: outlook))
    assert run_tiny(tmp_path, "--dry-run") == 0
    listing = capsys.readouterr().out.splitlines()
    assert "at most 5 more runs" in listing[1]
    assert listing[-1].endswith("with at most 5 that are not planned yet about 5 min")
    assert not (tmp_path / "plans").exists()
    assert run_tiny(tmp_path) == 2
    assert main(["status", "--results", str(tmp_path)]) == 0
    assert "5 more runs" in capsys.readouterr().out
