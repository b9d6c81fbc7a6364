"""A study from a TOML file, taken through every command. It shares the trainings of another study."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.__main__ import main
from benchmarks.markup import read_markdown
from benchmarks.report.score_records import Records
from benchmarks.study import Study
from paper_figures.__main__ import main as draw

STUDY = """\
name = "strategies"
title = "Strategies"
models = ["c"]
baseline = "uniform"
quantities = ["dice", "training_memory", "iou"]
settings.recipe.sampling.count = 32

[[rows]]
label = "uniform"
recipe.sampling.strategy = "uniform"

[[rows]]
label = "border"
recipe.sampling.strategy = "border"

[[rows]]
label = "border, small passes"
recipe.sampling.strategy = "border"
max_locations = 512
"""

Run = Callable[..., int]


@pytest.fixture
def file(tmp_path: Path, tiny_study: Study, use_studies: Callable[..., None]) -> Path:
    """The file of a study, whose first two rows are those of the tiny study."""
    use_studies(tiny_study)
    path = tmp_path / "my study.toml"
    path.write_text(STUDY, encoding="utf-8")
    return path


def folders(results: Path, kind: str) -> set[str]:
    return {path.name for path in (results / kind).iterdir()}


@pytest.mark.usefixtures("forkserver")
def test_every_command_takes_a_study_from_a_file(
    file: Path, finished: Path, run_tiny: Run, capsys: pytest.CaptureFixture[str], data_csv: Path, tiny_profile: Path
) -> None:
    trainings, runs = folders(finished, "trainings"), folders(finished, "runs")
    assert run_tiny(finished, "--dry-run", study=str(file)) == 0
    listing = capsys.readouterr().out
    assert "6 runs (4 done, 2 missing)" in listing
    assert "  c border border, small passes seed 0: missing, trained" in listing
    assert not (finished / "studies").exists()
    assert run_tiny(finished, study=str(file)) == 0
    assert folders(finished, "trainings") == trainings
    assert len(folders(finished, "runs") - runs) == 2
    file.unlink()

    # From here on the study is known by its name.
    tables = finished / "tables"
    before = (tables / "strategies.md").read_bytes()
    # On other data, an earlier version of the study had another column.
    rows = [json.loads(line) for line in (finished / "records" / "strategies-own-tiny.jsonl").read_text().splitlines()]
    earlier = [row | {"dataset": "other", "columns": row["columns"] | {"recipe.epochs": 3}} for row in rows]
    Records("strategies", "other", "tiny", tuple(earlier)).write(finished / "records")
    capsys.readouterr()
    assert run_tiny(finished, study="strategies") == 0
    assert "strategies on other, profile tiny" in "".join(capsys.readouterr())
    assert len(folders(finished, "runs") - runs) == 2
    assert main(["status", "--results", str(finished)]) == 0
    assert "strategies on own, profile tiny: 6 runs, 6 done" in capsys.readouterr().out
    (tables / "strategies.md").unlink()
    assert main(["collect", "--results", str(finished)]) == 0
    assert "strategies on other, profile tiny" in capsys.readouterr().out
    assert (tables / "strategies.md").read_bytes() == before
    cell = ["verify", "strategies", "c", "border", "border, small passes", "dice", "--no-train"]
    where = ["--profile", str(tiny_profile), "--data", str(data_csv), "--results", str(finished)]
    assert main([*cell, *where]) == 0

    (table,) = read_markdown(before.decode())
    assert [head.split(",")[0] for head in table.head] == [
        *("Variant", "Dice ↑", "Dice", "Training memory (GB) ↓", "IoU ↑", "IoU", "Cases", "Seeds"),
    ]
    assert [row[0] for row in table.rows] == ["uniform", "border", "border, small passes"]
    # Passes of another size give the same segmentation.
    assert table.rows[1][1:] == table.rows[2][1:]
    frame = pd.read_csv(tables / "strategies-comparisons.csv")
    assert set(frame["other_row"]) == {"uniform"}
    assert len(frame) == 2 * 2
    (differences,) = read_markdown((tables / "strategies-comparisons.md").read_text(encoding="utf-8"))
    assert differences.rows[0][:3] == ["uniform", "–", "–"]
    assert (tables / "strategies.tex").exists()

    stem = finished / "figures" / "strategies-tiny"
    for state in ("drawn", "up to date"):
        capsys.readouterr()
        assert draw(["strategies", "--results", str(finished)], reference=None) == 0
        assert capsys.readouterr().out == f"{stem}.png: {state}\n"
    texts = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
    assert [axes["title"].split()[0] for axes in texts["axes"]] == ["Dice", "Training", "IoU"]


@pytest.mark.parametrize("setting", ["recipe.epoch = 3", "network.patch_size = 4", 'preprocessing.fit = "squeeze"'])
def test_a_setting_that_a_model_refuses_is_named_and_nothing_is_left(
    setting: str, file: Path, tmp_path: Path, run_tiny: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(STUDY + setting + "\n", encoding="utf-8")
    results = tmp_path / "results"
    assert run_tiny(results, study=str(file)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"benchmarks: {file}, row 'border, small passes': ")
    assert setting.split(" = ")[0].rpartition(".")[2] in line
    assert not (results / "studies").exists()
    assert not (results / "runs").exists()
