"""Accuracy against memory, with time as the size of a marker."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes

from paper_figures.tradeoff import LARGEST_MARKER_PT2, SMALLEST_MARKER_PT2, draw, read_tradeoffs

# By model and seed: bytes and seconds of training, then of a segmentation.
COSTS = {
    ("c", 0): (2e9, 10.0, 1e8, 0.5),
    ("c", 1): (4e9, 30.0, 3e8, 1.5),
    ("unet3d", 0): (16e9, 80.0, 4e9, 2.0),
    ("unet3d", 1): (16e9, 80.0, 4e9, 2.0),
}


@pytest.fixture
def folder(tmp_path: Path, write_records: Any) -> Path:
    path = write_records(
        tmp_path, "table2", [(model, seed, {}, {"c": 0.7, "unet3d": 0.8}[model]) for model, seed in COSTS]
    )
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        trained_bytes, trained_s, segmented_bytes, segmented_s = COSTS[row["model"], row["seed"]]
        row["training"] = {
            "provenance": {"memory": {"allocated_bytes": trained_bytes}, "timing": {"training_s": trained_s}}
        }
        row["provenance"] = {
            "memory": {"allocated_bytes": segmented_bytes},
            "timing": {"extraction_s_median": segmented_s},
        }
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def legend_labels(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def test_costs_are_medians_over_seeds_beside_dice(folder: Path) -> None:
    ((tradeoff,),) = read_tradeoffs(folder).values()
    assert tradeoff.models.index.tolist() == ["unet3d", "c"]
    c = tradeoff.models.loc["c"]
    assert (c["training_allocated_bytes"], c["training_s"]) == (3e9, 20.0)
    assert (c["segmentation_allocated_bytes"], c["segmentation_s"]) == (2e8, 1.0)
    assert c["value"] == pytest.approx(0.7)
    assert c["low"] < 0.7 < c["high"]


def test_a_marker_stands_at_memory_and_dice_with_an_area_in_proportion_to_time(folder: Path) -> None:
    ((tradeoff,),) = read_tradeoffs(folder).values()
    training, segmentation = draw([tradeoff]).axes
    # The longest is drawn first, so that the others lie above it.
    unet3d, c = training.collections
    np.testing.assert_allclose(unet3d.get_offsets(), [(16, 0.8)])
    np.testing.assert_allclose(c.get_offsets(), [(3, 0.7)])
    np.testing.assert_allclose(unet3d.get_sizes(), LARGEST_MARKER_PT2)
    np.testing.assert_allclose(c.get_sizes(), LARGEST_MARKER_PT2 * 20 / 80)
    np.testing.assert_allclose(segmentation.collections[1].get_offsets(), [(0.2, 0.7)])
    np.testing.assert_allclose(segmentation.collections[1].get_sizes(), LARGEST_MARKER_PT2 / 2)
    assert legend_labels(training) == ["50 s", "10 s"]


def test_a_time_below_the_smallest_marker_is_told_where_there_is_one(folder: Path) -> None:
    ((tradeoff,),) = read_tradeoffs(folder).values()
    models = tradeoff.models.assign(training_s=[90.0, 5.0])
    training, segmentation = draw([replace(tradeoff, models=models)]).axes
    np.testing.assert_allclose(training.collections[1].get_sizes(), SMALLEST_MARKER_PT2)
    assert legend_labels(training) == ["50 s", "10 s", "6 s or less"]
    assert legend_labels(segmentation) == ["2 s", "0.4 s"]


def test_a_model_without_costs_is_named(folder: Path) -> None:
    path = folder / "table2-glioma-laptop.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        if row["model"] == "c":
            row["training"]["provenance"] = row["provenance"] = {}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    ((tradeoff,),) = read_tradeoffs(folder).values()
    assert (tradeoff.models.index.tolist(), tradeoff.without_costs) == (["unet3d"], ["c"])


def test_records_without_costs_make_no_figure(tmp_path: Path, write_records: Any) -> None:
    write_records(tmp_path, "table2", [("c", seed, {}, 0.7) for seed in (0, 1)])
    assert read_tradeoffs(tmp_path) == {}
