"""The record of an extraction's stages, by a formula and by a network."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks.report.figure_case import write_figure_case
from benchmarks.runs.plan import Plan
from benchmarks.runs.run_folder import Run
from benchmarks.scoring.octree_stages import NO_POINT, OctreeStages, Plane, best_plane, extract_stages
from ossnet.data.case import Dataset
from ossnet.field import Grid
from ossnet.inference.extraction import mise, paper_prior
from ossnet.training.run import RunSpec
from paper_figures.figure4 import load

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def ball_field(shape: tuple[int, int, int] = (13, 12, 10)) -> Any:
    """Return a ball of radius 4.2, with a prior that occupies the lower half of the first axis."""

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


def test_stages_hold_the_known_and_the_evaluated_points() -> None:
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
    np.testing.assert_array_equal(stages["settled"][-1], plane.take(extraction.segmentation.numpy()))
    # A point that was evaluated keeps its label.
    for stage in range(2):
        evaluated = stages["asked"][stage]
        np.testing.assert_array_equal(stages["settled"][stage][evaluated], stages["settled"][-1][evaluated])
        assert not (stages["asked"][stage + 1] & evaluated).any()


def test_a_network_leaves_what_the_figure_reads(
    dataset: Dataset, tiny_spec: Callable[..., RunSpec], tmp_path: Path
) -> None:
    spec = tiny_spec("c")
    folder = tmp_path / "runs" / "one"
    folder.mkdir(parents=True)
    outcome = OctreeStages(spec).score(spec.make_model().eval(), dataset, tmp_path / "cache", folder)
    assert outcome.result == {"protocol": "dense"}
    assert outcome.timing["extraction_s_median"] > 0
    (folder / "result.json").write_text("{}", encoding="utf-8")
    write_figure_case(Plan("figure4", "own", "laptop", (Run(folder, "c", 0),)), tmp_path)
    case = load(tmp_path / "figure4-own-laptop.npz")
    assert (case.name, case.modality, case.model) == ("e", "flair", "c")
    assert case.voxels == 12 * 14 * 10
    assert case.strides == (4, 2, 1)
    assert case.label.any()
    scores = pd.read_csv(folder / "per_case.csv").set_index("quantity")["value"]
    assert scores["evaluated_locations"] == sum(case.evaluated)
    assert scores["evaluated_stage1"] == case.evaluated[0]
