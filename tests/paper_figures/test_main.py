"""Figures by their names from the command line."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from paper_figures import cases
from paper_figures.__main__ import main
from paper_figures.registry import FIGURES


def test_a_case_is_drawn_once(tmp_path: Path, write_case: Any, capsys: pytest.CaptureFixture[str]) -> None:
    write_case(tmp_path / "records" / "table2-own-laptop.npz", "c")
    stem = tmp_path / "figures" / "segmentations-own-laptop"
    for state in ("drawn", "up to date"):
        assert main(["segmentations", "--results", str(tmp_path)], reference=None) == 0
        assert capsys.readouterr().out == f"{stem}.png: {state}\n"
    assert stem.with_suffix(".pdf").exists()
    assert stem.with_suffix(".json").exists()


def test_for_no_name_all_that_can_be_drawn_is(
    tmp_path: Path, write_records: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "_draw_made", Figure)
    write_records(tmp_path / "records", "table2", [("c", 0, {}, 0.7)])
    assert main(["--results", str(tmp_path)], reference=None) == 0
    lines = dict(zip(FIGURES, capsys.readouterr().out.splitlines(), strict=True))
    assert lines.pop("models").endswith("models-laptop.png: drawn")
    assert lines.pop("cases").endswith("cases.png: drawn")
    for name, line in lines.items():
        assert line.startswith(f"{name}: nothing to draw from ")


@pytest.mark.parametrize(
    ("name", "study"),
    [
        *(("sampling", "table1"), ("models", "table2"), ("segmentations", "table2"), ("figure1", "table2")),
        *((name, name) for name in ("figure4", "figure5", "figure6", "scaling")),
        ("memory_parts", "table3"),
    ],
)
def test_nothing_to_draw_is_told_in_a_line(
    name: str, study: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--results", str(tmp_path)], reference=None) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith(f"paper_figures: {name}: ")
    assert error.endswith(f"run `python -m benchmarks run {study}`\n")


def test_a_name_without_records_keeps_no_other_from_being_drawn(
    tmp_path: Path, write_records: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    write_records(tmp_path / "records", "table2", [("c", 0, {}, 0.7)])
    assert main(["sampling", "models", "figure4", "--results", str(tmp_path)], reference=None) == 1
    captured = capsys.readouterr()
    assert captured.out == f"{tmp_path / 'figures' / 'models-laptop.png'}: drawn\n"
    missing = [line.split(": ")[:2] for line in captured.err.splitlines()]
    assert missing == [["paper_figures", "sampling"], ["paper_figures", "figure4"]]


def test_records_are_drawn_without_torch(tmp_path: Path, write_records: Any, write_case: Any) -> None:
    write_records(tmp_path / "records", "table2", [("c", 0, {}, 0.7)])
    write_case(tmp_path / "records" / "table2-own-laptop.npz", "c")
    code = (
        "import sys; from paper_figures.__main__ import main; "
        f"status = main(['models', 'figure1', '--results', {str(tmp_path)!r}]); "
        "sys.exit(status or int(bool({'torch', 'monai'} & set(sys.modules))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count(": drawn\n") == 2
