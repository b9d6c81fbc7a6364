"""Memory of one pass against its number of locations."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.workload import Implementation, Probe
from paper_figures.figure6 import FIGURE6
from paper_figures.style import MODEL_COLOURS

GPU = "NVIDIA Test GPU"
LOCATIONS = (2**8, 2**14, 2**17)


def probe(model: str, locations: int, implementation: Implementation = "suite") -> Probe:
    return Probe("memory", model, "brats", (256, 256, 160), "inference", locations, implementation=implementation)


def answers(factor: float, implementation: Implementation = "suite") -> list[tuple[Probe, dict[str, Any]]]:
    return [
        (probe(model, locations, implementation), {"allocated_bytes": factor * locations})
        for model in ("onet", "c")
        for locations in LOCATIONS
    ]


def test_predictions_measurements_and_the_papers_numbers(write_probes: Any, tmp_path: Path) -> None:
    write_probes(tmp_path, "figure6", "predicted", answers(1e6) + answers(2e6, "released"))
    write_probes(tmp_path, "figure6", "cpu", answers(3e6)[:2])
    folder = write_probes(tmp_path, "figure6", GPU, [*answers(4e6), (probe("c", 2**18), "OOM")])
    (picture,) = FIGURE6.pictures(folder, None)
    figure = picture.draw()
    (axes,) = figure.axes
    onet = [line for line in axes.lines if line.get_color() == MODEL_COLOURS["onet"]]
    predicted, gpu, cpu, released, paper = onet
    assert (predicted.get_linestyle(), released.get_linestyle()) == ("-", "--")
    np.testing.assert_allclose(predicted.get_xydata(), [(count, count / 1e3) for count in LOCATIONS])
    np.testing.assert_allclose(released.get_ydata(), [count / 500 for count in LOCATIONS])
    np.testing.assert_allclose(gpu.get_ydata(), [count / 250 for count in LOCATIONS])
    np.testing.assert_allclose(cpu.get_xdata(), LOCATIONS[:2])
    assert (gpu.get_fillstyle(), cpu.get_fillstyle(), paper.get_markerfacecolor()) == ("full", "left", "none")
    # Table 3: 0.29 GB at 2^14 and 1.93 GB at 2^17 locations.
    np.testing.assert_allclose(paper.get_xydata(), [(2**14, 0.29), (2**17, 1.93)])
    # The paper's markers are around those of machines.
    assert gpu.get_markeredgecolor() == "white"
    assert paper.get_markersize() > gpu.get_markersize()
    assert paper.get_zorder() > gpu.get_zorder()
    assert len(axes.lines) == 10
    assert figure.get_suptitle().endswith(f"\nOOM on {GPU}: OSS-Net C at 256x256x160 (inference)")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        *("O-Net", "OSS-Net C", "predicted", "predicted, released code", "paper, Table 3"),
        *(f"measured: {GPU}", "measured: CPU, Test, 1 thread"),
    ]
