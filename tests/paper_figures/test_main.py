"""Figures by their names from the command line."""

from pathlib import Path

import numpy as np
import pytest

from paper_figures import __main__ as main


def write_case(path: Path) -> None:
    mask = np.zeros((8, 9, 7), bool)
    mask[2:6, 3:7, 2:5] = True
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        case=np.array("case"),
        modality=np.array("flair"),
        image=mask + np.random.default_rng(0).random(mask.shape),
        label=mask,
        models=np.array(["c"]),
        predictions=mask[None],
        dice=np.array([1.0]),
        affine=np.diag([-2.0, -2.0, 2.0, 1.0]),
    )


def test_every_record_is_drawn_once(tmp_path: Path) -> None:
    write_case(tmp_path / "tables" / "table2-own-laptop.npz")
    assert main.draw_segmentations(tmp_path) == [tmp_path / "figures" / "table2-own-laptop.png"]
    assert (tmp_path / "figures" / "table2-own-laptop.pdf").exists()
    assert main.draw_segmentations(tmp_path) == []


def test_nothing_to_draw_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["paper_figures", "segmentations", "--results", str(tmp_path)])
    assert main.main() == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "make tables" in error
