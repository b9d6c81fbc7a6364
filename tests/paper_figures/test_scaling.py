"""Memory and time against resolution."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from benchmarks.efficiency.probe import Phase, Probe, Quantity
from paper_figures.scaling import APART, GPU_COLOUR, GPU_SIZES_GB, SCALING
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


def drawn(axes: Axes) -> list[Line2D]:
    return [line for line in axes.lines if len(line.get_xdata())]


def of_model(axes: Axes, model: str) -> list[Line2D]:
    return [line for line in drawn(axes) if line.get_color() == MODEL_COLOURS[model]]


def test_memory_above_and_time_below(write_probes: Any) -> None:
    write_probes("scaling", "predicted", memory(1000))
    (picture,) = SCALING.pictures(write_probes("scaling", GPU, memory(2000)[:1] + runtime()))
    figure = picture.draw()
    training, inference, legend, training_time, inference_time, whole = figure.axes
    assert [axes.get_title() for axes in (training, inference, whole)] == [
        "Training step",
        "One pass at inference",
        "Whole segmentation",
    ]
    assert figure.get_suptitle().replace("\n", " ") == (
        "2¹⁴ locations, or one slice of the slicing U-Net, at a time; median of 7 repeats (bars: its 95 % interval)"
    )
    predicted, measured = of_model(training, "c")
    np.testing.assert_allclose(predicted.get_xydata(), [(edge, edge**3 / 1e6) for edge in EDGES])
    # The second of two models: its measurement stands a little to the right.
    np.testing.assert_allclose(measured.get_xydata(), [(64 * 2 ** (APART / 2), 64**3 * 2e-6)])
    for axes in (training_time, inference_time):
        assert {line.get_color() for line in drawn(axes)} == {MODEL_COLOURS[model] for model in MODELS}
        (seconds,) = of_model(axes, "unet3d")
        np.testing.assert_allclose(seconds.get_xydata(), [(edge * 2 ** (-APART / 2), edge) for edge in (64, 128)])
    for axes in (training, inference, training_time, inference_time):
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["64³", "128³", "256³"]
    assert [text.get_text() for text in whole.texts] == ["not measured"]
    assert not legend.lines


def test_sizes_of_gpus_are_levels(write_probes: Any) -> None:
    (picture,) = SCALING.pictures(write_probes("scaling", "predicted", memory(1000)))
    training, inference, *_ = picture.draw().axes
    for axes in (training, inference):
        assert [text.get_text() for text in axes.texts] == [f"{size} GB" for size in GPU_SIZES_GB]
        levels = [line.get_ydata()[0] for line in axes.lines if line.get_color() == GPU_COLOUR]
        assert levels == list(GPU_SIZES_GB)


def test_models_are_in_the_order_of_the_tables_and_failures_told(write_probes: Any) -> None:
    write_probes("scaling", "predicted", memory(1000))
    failed = [(probe("memory", "training", "unet3d", 256), "OOM")]
    (picture,) = SCALING.pictures(write_probes("scaling", GPU, failed))
    figure = picture.draw()
    legend = [text.get_text() for text in figure.axes[2].get_legend().get_texts()]
    assert legend == ["3D residual U-Net", "OSS-Net C", "predicted", f"measured: {GPU}"]
    assert figure.get_suptitle().splitlines() == [
        "2¹⁴ locations, or one slice of the slicing U-Net, at a time",
        f"OOM on {GPU}: 3D residual U-Net at 256x256x256 (training)",
    ]
