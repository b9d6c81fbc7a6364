"""Memory and time against resolution."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from benchmarks.workload import Phase, Probe, Quantity
from paper_figures.scaling import GPU_SIZES_GB, SCALING
from paper_figures.style import MODEL_COLOURS

GPU = "NVIDIA Test GPU"
MODELS = ("c", "unet3d")
EDGES = (64, 128, 256)


def probe(quantity: Quantity, phase: Phase, model: str, edge: int) -> Probe:
    return Probe(quantity, model, "cube", (edge, edge, edge), phase, 2**14 if model == "c" else None)


def memory(size: float) -> list[tuple[Probe, dict[str, Any]]]:
    """`size` bytes a voxel."""
    return [
        (probe("memory", phase, model, edge), {"allocated_bytes": size * edge**3})
        for phase in ("training", "inference")
        for model in MODELS
        for edge in EDGES
    ]


def runtime() -> list[tuple[Probe, dict[str, Any]]]:
    """As many seconds as voxels along an edge."""
    return [
        (
            probe("runtime", phase, model, edge),
            {"seconds": [edge] * 7, "median_s": edge, "low_s": edge, "high_s": edge},
        )
        for phase in ("training", "inference")
        for model in MODELS
        for edge in EDGES[:2]
    ]


def drawn(axes: Axes, model: str, joined: bool) -> list[Line2D]:
    """A model's lines, or else its markers."""
    lines = [line for line in axes.lines if line.get_color() == MODEL_COLOURS[model] and len(line.get_xdata())]
    return [line for line in lines if (line.get_marker() == "None") == joined]


def points(lines: Sequence[Line2D]) -> list[tuple[float, float]]:
    return [tuple(point) for line in lines for point in line.get_xydata()]


def names(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


@pytest.fixture(scope="module")
def figure(write_probes: Any, tmp_path_factory: pytest.TempPathFactory) -> Figure:
    """Predictions of memory, and a GPU that has measured one of them and all runtimes."""
    results = tmp_path_factory.mktemp("scaling")
    write_probes(results, "scaling", "predicted", memory(1000))
    (picture,) = SCALING.pictures(write_probes(results, "scaling", GPU, memory(2000)[:1] + runtime()), None)
    return picture.draw()


def test_memory_above_and_time_below(figure: Figure) -> None:
    training, inference, segmentation, training_time, inference_time, whole, _ = figure.axes
    predicted = [(edge, edge**3 / 1e6) for edge in EDGES]
    np.testing.assert_allclose(points(drawn(training, "c", joined=True)), [*predicted[:2], *predicted[1:]])
    np.testing.assert_allclose(points(drawn(training, "c", joined=False)), [(64, 64**3 * 2e-6)])
    for axes in (training_time, inference_time):
        for model in MODELS:
            for joined in (True, False):
                np.testing.assert_allclose(points(drawn(axes, model, joined)), [(64, 64), (128, 128)])
    for axes in (training, inference, training_time, inference_time):
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert names(whole) == ["not measured"]
    # A U-Net's is its evaluation; the other model's was not predicted.
    np.testing.assert_allclose(points(drawn(segmentation, "unet3d", joined=True))[:1], predicted[:1])
    assert not drawn(segmentation, "c", joined=True)


def test_what_comes_to_the_same_is_named_together_and_seen_around_each_other(figure: Figure) -> None:
    _, inference, _, training_time, *_ = figure.axes
    assert names(inference) == ["3D U-Net, C", *(f"{size} GB" for size in GPU_SIZES_GB)]
    assert names(training_time) == ["3D U-Net, C"]
    (unet,), (c,) = (drawn(training_time, model, joined=False) for model in ("unet3d", "c"))
    assert unet.get_markersize() > c.get_markersize()
    assert unet.get_markeredgecolor() == c.get_markeredgecolor() == "white"


def test_sizes_of_gpus_are_levels_that_have_their_names_on_the_left(figure: Figure) -> None:
    figure.draw_without_rendering()
    for axes in figure.axes[:2]:
        (levels,) = axes.collections
        assert [segment[0][1] for segment in levels.get_segments()] == list(GPU_SIZES_GB)
        texts = axes.texts[-len(GPU_SIZES_GB) :]
        assert [text.get_text() for text in texts] == [f"{size} GB" for size in GPU_SIZES_GB]
        boxes = [Text.get_window_extent(text) for text in texts]
        assert all(below.y1 <= above.y0 for below, above in pairwise(boxes))
        first_edge_px = axes.transData.transform((EDGES[0], 1))[0]
        assert all(axes.get_window_extent().x0 < box.x0 < box.x1 < first_edge_px for box in boxes)


def test_memory_of_a_cpu_is_shown_where_there_is_no_gpu(write_probes: Any, tmp_path: Path) -> None:
    def measured() -> Sequence[Axes]:
        (picture,) = SCALING.pictures(tmp_path / "efficiency", None)
        return picture.draw().axes

    write_probes(tmp_path, "scaling", "predicted", memory(1000))
    write_probes(tmp_path, "scaling", "cpu", memory(3000)[:2] + runtime())
    write_probes(tmp_path, "scaling", GPU, runtime())
    training = measured()[0]
    np.testing.assert_allclose(
        points(drawn(training, "c", joined=False)), [(edge, 3e-6 * edge**3) for edge in EDGES[:2]]
    )
    write_probes(tmp_path, "scaling", GPU, memory(2000)[:1])
    training, _, _, training_time, *_ = measured()
    np.testing.assert_allclose(points(drawn(training, "c", joined=False)), [(64, 2e-6 * 64**3)])
    assert len(drawn(training_time, "c", joined=False)) == 1
