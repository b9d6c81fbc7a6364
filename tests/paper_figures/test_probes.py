"""Records of memory and runtime as figures read them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from benchmarks.workload import Probe
from paper_figures.probes import (
    draw_intervals,
    draw_measured,
    draw_prediction,
    figure_of_probes,
    machine_entries,
    machine_fills,
    read_probes,
    repeats_text,
    title_of,
)
from paper_figures.style import model_look

GPU = "NVIDIA Test GPU"
PASS = Probe("memory", "c", "brats", (256, 256, 160), "inference", 2**14)
CUBE = Probe("memory", "c", "cube", (64, 64, 64), "training", 2**14)
TIME = Probe("runtime", "c", "cube", (64, 64, 64), "training", 2**14)


def memory(size: float) -> dict[str, Any]:
    return {"allocated_bytes": size, "reserved_bytes": size}


def runtime(*seconds: float) -> dict[str, Any]:
    return {"seconds": seconds, "median_s": seconds[0], "low_s": min(seconds), "high_s": max(seconds)}


def test_rows_hold_the_probe_its_answer_and_the_papers(write_probes: Any, tmp_path: Path) -> None:
    folder = write_probes(tmp_path, "figure6", "predicted", [(PASS, memory(4e8)), (CUBE, "OOM")])
    first, second = read_probes(folder, "figure6").to_dict("records")
    assert (first["model"], first["locations"], first["resolution"]) == ("c", 2**14, "256x256x160")
    assert (first["kind"], first["gigabytes"]) == ("predicted", 0.4)
    assert pd.isna(first["failure"])
    # Table 3: C on BraTS takes 0.39 GB at inference with 2^14 locations.
    assert first["published_gigabytes"] == pytest.approx(0.39)
    assert second["edge"] == pytest.approx(64)
    assert second["failure"] == "OOM"
    assert np.isnan(second["published_gigabytes"])
    assert np.isnan(second["gigabytes"])


def test_predictions_come_first_and_the_cpu_last(write_probes: Any, tmp_path: Path) -> None:
    for machine in ("cpu", GPU, "predicted"):
        folder = write_probes(tmp_path, "scaling", machine, [(CUBE, memory(1e9))])
    rows = read_probes(folder, "scaling")
    assert rows["kind"].tolist() == ["predicted", "gpu", "cpu"]
    assert rows["machine"].tolist()[1:] == [GPU, "CPU, Test, 1 thread"]
    assert machine_fills(rows) == {GPU: "full", "CPU, Test, 1 thread": "left"}
    assert list(machine_entries(rows)) == [f"measured: {GPU}", "measured: CPU, Test, 1 thread"]


def test_a_machine_that_is_missing_is_the_references(write_probes: Any, tmp_path: Path) -> None:
    for machine, size in ((GPU, 2e9), ("cpu", 3e9)):
        write_probes(tmp_path / "reference", "scaling", machine, [(CUBE, memory(size))])
    folder = write_probes(tmp_path, "scaling", "cpu", [(CUBE, memory(1e9))])
    rows = read_probes(folder, "scaling", tmp_path / "reference").set_index("machine")
    assert rows["gigabytes"].to_dict() == {f"{GPU} (reference)": 2.0, "CPU, Test, 1 thread": 1.0}


def test_a_picture_is_made_of_the_rows_and_their_files(write_probes: Any, tmp_path: Path) -> None:
    drawn: list[int] = []

    def draw(rows: pd.DataFrame) -> Figure:
        drawn.append(len(rows))
        return Figure()

    own = figure_of_probes("own", "scaling", draw)
    assert own.draw(tmp_path, None) == []
    folder = write_probes(tmp_path, "scaling", "cpu", [(CUBE, memory(1e9)), (PASS, memory(1e9))])
    reference = write_probes(tmp_path / "reference", "scaling", GPU, [(CUBE, memory(1e9))]).parent
    (made,) = own.pictures(folder, reference)
    made.draw()
    assert (made.name, drawn) == ("own", [3])
    assert made.sources == [folder / "scaling-cpu.jsonl", reference / "efficiency" / "scaling-nvidia-test-gpu.jsonl"]
    assert own.draw(tmp_path, None) == [f"{tmp_path}/figures/own.png: drawn"]
    by_model = figure_of_probes(
        "own", "scaling", draw, lambda rows: {"-c": rows[rows["model"] == "c"], "-no": rows[:0]}
    )
    assert [picture.name for picture in by_model.pictures(folder, None)] == ["own-c", "own-no"]


def test_predictions_are_a_line_and_measurements_markers(write_probes: Any, tmp_path: Path) -> None:
    larger = Probe("memory", "c", "cube", (128, 128, 128), "training", 2**14)
    write_probes(tmp_path, "scaling", "predicted", [(larger, memory(8e9)), (CUBE, memory(1e9))])
    write_probes(tmp_path, "scaling", "cpu", [(CUBE, memory(3e9))])
    rows = read_probes(write_probes(tmp_path, "scaling", GPU, [(CUBE, memory(2e9)), (larger, "OOM")]), "scaling")
    axes = Figure().subplots()
    draw_prediction(axes, rows, "c", "edge", "gigabytes")
    draw_measured(axes, rows, "c", "edge", "gigabytes", machine_fills(rows), size_pt=7)
    line, on_gpu, on_cpu = axes.lines
    np.testing.assert_allclose(line.get_xydata(), [(64, 1), (128, 8)])
    np.testing.assert_allclose(on_gpu.get_xydata(), [(64, 2)])
    assert (line.get_color(), on_gpu.get_marker()) == model_look("c")
    assert (line.get_linestyle(), on_gpu.get_linestyle(), on_gpu.get_markersize()) == ("-", "None", 7)
    # A marker that is not full has an edge of its colour.
    assert [markers.get_markeredgecolor() for markers in (on_gpu, on_cpu)] == ["white", model_look("c")[0]]


def test_times_have_their_interval_where_there_is_one(write_probes: Any, tmp_path: Path) -> None:
    once = Probe("runtime", "c", "cube", (128, 128, 128), "training", 2**14)
    answers = [(TIME, runtime(2.0, 1.0, 4.0)), (once, runtime(9.0) | {"low_s": None, "high_s": None})]
    folder = write_probes(tmp_path, "scaling", GPU, answers)
    rows = read_probes(folder, "scaling")
    axes = Figure().subplots()
    draw_intervals(axes, rows, "edge", "black")
    (bars,) = axes.collections
    np.testing.assert_allclose(bars.get_segments(), [[(64, 1), (64, 4)]])
    assert repeats_text(rows) == "median of 1–3 repeats (bars: range)"


def test_how_sure_a_median_is_follows_its_repeats(write_probes: Any, tmp_path: Path) -> None:
    folder = write_probes(tmp_path, "scaling", GPU, [(TIME, runtime(*range(1, 8)))])
    assert repeats_text(read_probes(folder, "scaling")) == "median of 7 repeats (bars: 95 % interval)"
    assert repeats_text(read_probes(write_probes(tmp_path, "scaling", GPU, [(CUBE, memory(1))]), "scaling")) == ""


def test_a_title_tells_failures_by_their_reason(write_probes: Any, tmp_path: Path) -> None:
    write_probes(tmp_path, "scaling", "cpu", [(CUBE, memory(1)), (PASS, "took over 60 s")])
    folder = write_probes(tmp_path, "scaling", GPU, [(PASS, "OOM"), (CUBE, "OOM"), (TIME, "OOM")])
    assert title_of("Title", read_probes(folder, "scaling")).splitlines() == [
        "Title",
        f"OOM on {GPU}: OSS-Net C at 256x256x160 (inference); OSS-Net C at 64x64x64 (training)",
        "took over 60 s on CPU, Test, 1 thread: OSS-Net C at 256x256x160 (inference)",
    ]
