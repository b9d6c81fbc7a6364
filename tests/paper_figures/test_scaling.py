"""Memory and time against resolution."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.text import Text

from benchmarks.study import Phase, Probe, Quantity
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


def test_memory_above_and_time_below(write_probes: Any) -> None:
    write_probes("scaling", "predicted", memory(1000))
    (picture,) = SCALING.pictures(write_probes("scaling", GPU, memory(2000)[:1] + runtime()), None)
    figure = picture.draw()
    training, inference, segmentation, training_time, inference_time, whole, legend = figure.axes
    assert [axes.get_title() for axes in figure.axes] == [
        *("Memory, training step", "Memory, one evaluation", "Memory, whole segmentation"),
        *("Runtime, training step", "Runtime, one evaluation", "Runtime, whole segmentation", ""),
    ]
    assert figure.get_suptitle().replace("\n", " ") == (
        "Memory and runtime by volume resolution; runtime: median of 7 repeats (bars: 95 % interval)"
    )
    predicted = [(edge, edge**3 / 1e6) for edge in EDGES]
    np.testing.assert_allclose(points(drawn(training, "c", joined=True)), [*predicted[:2], *predicted[1:]])
    np.testing.assert_allclose(points(drawn(training, "c", joined=False)), [(64, 64**3 * 2e-6)])
    for axes in (training_time, inference_time):
        for model in MODELS:
            for joined in (True, False):
                np.testing.assert_allclose(points(drawn(axes, model, joined)), [(64, 64), (128, 128)])
    for axes in (training, inference, training_time, inference_time):
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["64³", "128³", "256³"]
    assert names(whole) == ["not measured"]
    # A U-Net's is its evaluation; the other model's was not predicted.
    np.testing.assert_allclose(points(drawn(segmentation, "unet3d", joined=True))[:1], predicted[:1])
    assert not drawn(segmentation, "c", joined=True)
    assert "predicted" in [text.get_text() for text in legend.get_legend().get_texts()]


def test_curves_are_named_at_their_ends_and_together_where_they_are_the_same(write_probes: Any) -> None:
    apart = [(one, {"allocated_bytes": 2 * answer["allocated_bytes"]}) for one, answer in memory(1000)[:3]]
    write_probes("scaling", "predicted", [*apart, *memory(1000)[3:]])
    (picture,) = SCALING.pictures(write_probes("scaling", GPU, runtime()), None)
    training, inference, _, training_time, *_ = picture.draw().axes
    sizes = [f"{size} GB" for size in GPU_SIZES_GB]
    assert names(training) == ["3D U-Net", "C", *sizes]
    assert names(inference) == ["3D U-Net, C", *sizes]
    assert names(training_time) == ["3D U-Net, C"]


def test_markers_of_models_that_come_to_the_same_are_seen_around_each_other(write_probes: Any) -> None:
    (picture,) = SCALING.pictures(write_probes("scaling", GPU, memory(1000)), None)
    training = picture.draw().axes[0]
    (unet,), (c,) = (drawn(training, model, joined=False) for model in ("unet3d", "c"))
    assert unet.get_markersize() > c.get_markersize()
    assert unet.get_markeredgecolor() == c.get_markeredgecolor() == "white"


def test_memory_of_a_cpu_is_shown_where_there_is_no_gpu(write_probes: Any) -> None:
    write_probes("scaling", "predicted", memory(1000))
    write_probes("scaling", "cpu", memory(3000)[:2] + runtime())
    folder = write_probes("scaling", GPU, runtime())
    (picture,) = SCALING.pictures(folder, None)
    np.testing.assert_allclose(
        points(drawn(picture.draw().axes[0], "c", joined=False)), [(edge, 3e-6 * edge**3) for edge in EDGES[:2]]
    )
    write_probes("scaling", GPU, memory(2000)[:1])
    (picture,) = SCALING.pictures(folder, None)
    training, _, _, training_time, *_ = picture.draw().axes
    np.testing.assert_allclose(points(drawn(training, "c", joined=False)), [(64, 2e-6 * 64**3)])
    assert len(drawn(training_time, "c", joined=False)) == 1


def test_sizes_of_gpus_are_levels_that_have_their_names_on_the_left(write_probes: Any) -> None:
    (picture,) = SCALING.pictures(write_probes("scaling", "predicted", memory(1000)), None)
    figure = picture.draw()
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


def test_the_note_tells_what_else_changes_with_the_resolution(write_probes: Any) -> None:
    (picture,) = SCALING.pictures(write_probes("scaling", "predicted", memory(1000)), None)
    note = " ".join(picture.draw().get_supxlabel().split())
    assert (
        "Evaluation: 2¹⁴ locations (U-Nets: all voxels, 2D one slice per pass, which is their whole segmentation)"
        in note
    )
    assert (
        "a block with half as many filters (64-128 at 64³, 16-32-64-128 at 256³), which flattens their curves" in note
    )


def test_models_are_in_the_order_of_the_tables_and_failures_told(write_probes: Any) -> None:
    write_probes("scaling", "predicted", memory(1000))
    failed = [(probe("memory", "training", "unet3d", 256), "OOM")]
    (picture,) = SCALING.pictures(write_probes("scaling", GPU, failed), None)
    figure = picture.draw()
    legend = [text.get_text() for text in figure.axes[-1].get_legend().get_texts()]
    assert legend == ["3D residual U-Net", "OSS-Net C", "predicted", f"measured: {GPU}", "memory sizes of GPUs"]
    assert figure.get_suptitle().splitlines() == [
        "Memory and runtime by volume resolution",
        f"OOM on {GPU}: 3D residual U-Net at 256x256x256 (training)",
    ]
