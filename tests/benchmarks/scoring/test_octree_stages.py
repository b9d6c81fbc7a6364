"""The record of an extraction's stages, by a formula and by a trained model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.runs.plan import Plan
from benchmarks.runs.run_folder import Run
from benchmarks.scoring.scoring import Job
from benchmarks.studies.figure4 import NO_POINT, Plane, best_plane, extract_stages, main
from ossnet.config import plain
from ossnet.data.case import Dataset
from ossnet.field import Grid
from ossnet.inference.extraction import mise, paper_prior
from ossnet.training.run import RunSpec, train_run
from paper_figures.figure4 import load

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def ball_field(shape: tuple[int, int, int] = (13, 12, 10)) -> Any:
    """A ball of radius 4.2, and a prior that occupies the lower half of the first axis."""

    class Field:
        device = torch.device("cpu")
        classes = 2
        prior = torch.tensor([1.0, 0.0])[:, None, None].expand(2, 2, 2)

        def __call__(self, locations: torch.Tensor) -> torch.Tensor:
            return ((locations - torch.tensor([6.0, 6.0, 5.0])).norm(dim=-1) < 4.2).float()

    field: Any = Field()
    field.shape = shape
    return field


def test_the_plane_is_on_every_lattice_and_shows_most_of_the_label() -> None:
    label = np.zeros((9, 8, 10), np.uint8)
    label[2:6, 2:6, 3] = 1
    label[2:4, 2:4, 4] = label[2:4, 2:5, 9] = 2
    # Planes 0, 4, 8 and 9 have points at every stride; plane 3, which shows more, has none at first.
    assert best_plane(label, LPS) == Plane(axis=2, index=9)
    # An axis that runs from below to above need not be the last.
    assert best_plane(np.moveaxis(label, 2, 0), LPS[[1, 2, 0, 3]]) == Plane(axis=0, index=9)


def test_stages_hold_what_the_octree_knew_and_asked() -> None:
    field, plane = ball_field(), Plane(axis=2, index=4)
    stages = extract_stages(field, Grid.over(field), plane)
    extraction = paper_prior(field)
    assert stages["stride"].tolist() == [4, 2, 1]
    assert tuple(stages["evaluated"]) == extraction.evaluated
    assert stages["evaluated_by_mise"] == sum(mise(field).evaluated) != sum(extraction.evaluated)
    for name in ("begun", "settled", "asked"):
        assert stages[name].shape == (3, 13, 12, 1)
    # The first lattice: 0, 4, 8, 12 and 0, 4, 8, 11. The prior is above one half before the middle, 6 of 13.
    first = stages["begun"][0, :, :, 0]
    assert (first != NO_POINT).sum() == 16
    np.testing.assert_array_equal(first[[0, 4, 8, 12]][:, [0, 4, 8, 11]], [[1] * 4, [1] * 4, [0] * 4, [0] * 4])
    assert stages["asked"][0, [8, 12]][:, [0, 4, 8, 11]].all()
    # What it occupies is never evaluated, and stays.
    for stage in range(3):
        assert not stages["asked"][stage, [0, 4]][:, [0, 4, 8, 11]].any()
        assert stages["settled"][stage, [0, 4]][:, [0, 4, 8, 11]].all()
    np.testing.assert_array_equal(stages["settled"][-1], plane.of(extraction.segmentation.numpy()))
    # A point that was asked keeps its answer.
    for stage in range(2):
        asked = stages["asked"][stage]
        np.testing.assert_array_equal(stages["settled"][stage][asked], stages["settled"][-1][asked])
        assert not (stages["asked"][stage + 1] & asked).any()


@pytest.fixture
def trained(dataset: Dataset, data_csv: Path, tiny_spec: Callable[..., RunSpec], tmp_path: Path) -> Path:
    """A results folder with one trained OSS-Net C, as a sweep leaves it, and a run that is not done."""
    spec = tiny_spec("c")
    runs = [Run(tmp_path / "runs" / name, "c", seed) for seed, name in enumerate(("failed", "done"))]
    done = runs[1]
    train_run(spec, dataset, done.folder / "training", tmp_path / "cache", torch.device("cpu"), lambda *_: None)
    done.prepare({}, plain(Job(str(data_csv), {}, str(tmp_path / "cache"), 1, "test")))
    (done.folder / "result.json").write_text("{}", encoding="utf-8")
    Plan("table2", dataset.name, "laptop", tuple(runs)).write(tmp_path)
    return tmp_path


def test_a_trained_model_leaves_what_the_figure_reads(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--results", str(trained), "--data", "own"]) == 0
    path = trained / "records" / "figure4-own-laptop.npz"
    assert capsys.readouterr().out == f"{path}\n"
    case = load(path)
    assert (case.name, case.modality, case.model) == ("e", "flair", "c")
    assert case.voxels == 12 * 14 * 10
    assert case.strides == (4, 2, 1)
    assert case.label.any()
    first = path.read_bytes()
    assert main(["--results", str(trained), "--profile", "laptop"]) == 0
    assert path.read_bytes() == first


def test_what_is_missing_is_told_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--results", str(tmp_path), "--data", "own"]
    assert main(arguments) == 2
    assert "table2 was not begun on own" in capsys.readouterr().err
    Plan("table2", "own", "laptop", (Run(tmp_path / "runs" / "d", "d", 0),)).write(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("extraction_case: no OSS-Net C of table2 on own, profile laptop, is trained; run `")
    assert main([*arguments, "--profile", "folder/mine.toml"]) == 2
    assert "table2 was not begun on own with profile mine in" in capsys.readouterr().err


def test_data_and_profile_may_be_given_as_to_the_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for profile in ("mine", "another"):
        Plan("table2", "own", profile, (Run(tmp_path / profile, "c", 0),), source="the/own.csv").write(tmp_path)
    assert main(["--results", str(tmp_path), "--data", "the/own.csv", "--profile", "a/mine.toml"]) == 2
    assert "on own, profile mine, is trained" in capsys.readouterr().err
