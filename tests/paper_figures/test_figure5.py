"""Runtime against the locations of a pass, on answers that can be checked by eye."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from benchmarks.workload import Probe
from paper_figures.figure5 import BEST, FIGURE5, HALF, INFERENCES, PAPER_SECONDS, STAGES
from paper_figures.style import MODEL_COLOURS

GPU = "NVIDIA Test GPU"
PAPER_SHAPE = (256, 256, 160)
LOCATIONS = (2**8, 2**12, 2**14)
TIMES = ((8.0, 7.0, 6.0, 4.0), (3.0, 2.5, 2.0, 1.0), (2.0, 1.5, 1.5, 1.0))
"""Seconds of every extraction with each number of locations."""

Answers = list[tuple[Probe, dict[str, Any] | str]]


def answer(seconds: float) -> dict[str, Any]:
    """One tenth of the time in the encoder, two in the gather, four in the decoder, three in bookkeeping."""
    stages = dict(zip(STAGES, (0.1 * seconds, 0.2 * seconds, 0.4 * seconds, 0.3 * seconds), strict=True))
    repeats = (0.9 * seconds, *[seconds] * 5, 1.2 * seconds)
    timing = {"seconds": repeats, "median_s": seconds, "low_s": repeats[0], "high_s": repeats[-1], "stages": stages}
    return timing | {"evaluated": [1000, 234]}


def answers(shape: tuple[int, int, int] = PAPER_SHAPE) -> Answers:
    return [
        (Probe("runtime", "c", "brats", shape, "extraction", locations, extraction=extraction), answer(seconds))
        for locations, all_four in zip(LOCATIONS, TIMES, strict=True)
        for extraction, seconds in zip(INFERENCES, all_four, strict=True)
    ]


def slicing(slices: int, seconds: float) -> tuple[Probe, dict[str, Any]]:
    probe = Probe("runtime", "unet2d-depth", "brats", PAPER_SHAPE, "extraction", batch_size=slices, extraction="dense")
    return probe, answer(seconds)


@pytest.fixture(scope="module")
def figure(write_probes: Any, tmp_path_factory: pytest.TempPathFactory) -> Figure:
    """The figure of a GPU that has measured both inferences in both readings, and slicing."""
    measured = [*answers(), slicing(1, 5.0), slicing(32, 2.5)]
    folder = write_probes(tmp_path_factory.mktemp("figure5"), "figure5", GPU, measured)
    (picture,) = FIGURE5.pictures(folder, None)
    return picture.draw()


def test_a_line_for_each_extraction_and_half_of_the_originals(figure: Figure) -> None:
    times, _ = figure.axes
    *lines, half, half_of_released = times.lines[:6]
    for line, seconds in zip(lines, zip(*TIMES, strict=True), strict=True):
        np.testing.assert_allclose(line.get_xydata(), list(zip(LOCATIONS, seconds, strict=True)))
    np.testing.assert_allclose(half.get_xydata(), [(2**8, 4), (2**12, 1.5), (2**14, 1)])
    np.testing.assert_allclose(half_of_released.get_xydata(), [(2**8, 3), (2**12, 1), (2**14, 0.75)])
    assert half.get_linestyle() == half_of_released.get_linestyle() == HALF["linestyle"]
    assert [line.get_color() for line in lines] == [look["color"] for _, look in INFERENCES.values()]
    bars = times.collections[0].get_segments()
    np.testing.assert_allclose(bars[0], [(2**8, 7.2), (2**8, 9.6)])


def test_what_the_paper_states_is_marked(figure: Figure) -> None:
    times, _ = figure.axes
    assert times.lines[-1].get_ydata()[0] == PAPER_SECONDS
    (best,) = times.patches
    assert (best.get_x(), best.get_x() + best.get_width()) == BEST
    legend = [text.get_text() for text in times.get_legend().get_texts()]
    assert "paper, improved inference: 2.6 s on an RTX 2080 Ti" in legend


def test_slicing_is_a_level_for_each_number_of_slices(figure: Figure) -> None:
    times, _ = figure.axes
    one, several = times.lines[6:8]
    assert (one.get_ydata()[0], several.get_ydata()[0]) == (5.0, 2.5)
    assert one.get_color() == several.get_color() == MODEL_COLOURS["unet2d-depth"]
    assert one.get_linestyle() != several.get_linestyle()


def test_stages_are_stacked_for_each_extraction(figure: Figure) -> None:
    _, stages = figure.axes
    heights = np.array([bar.get_height() for bar in stages.patches]).reshape(len(INFERENCES), len(STAGES))
    np.testing.assert_allclose(heights.sum(axis=1), TIMES[LOCATIONS.index(2**14)])
    np.testing.assert_allclose(heights[0], (0.2, 0.4, 0.8, 0.6))
    assert max(bar.get_y() + bar.get_height() for bar in stages.patches) == pytest.approx(2)
    assert [text.get_text() for text in stages.texts] == ["1,234"] * 4
    assert stages.get_xlabel().startswith("2¹⁴ locations per pass")


def test_at_another_resolution_the_papers_seconds_are_not_shown_nor_at_other_locations_its_stages(
    write_probes: Any, tmp_path: Path
) -> None:
    few = [answer for answer in answers((128, 128, 80)) if answer[0].locations != 2**14]
    failed = (replace(answers()[0][0], locations=2**17), "OOM")
    (picture,) = FIGURE5.pictures(write_probes(tmp_path, "figure5", GPU, [*few, failed]), None)
    figure = picture.draw()
    times, stages = figure.axes
    assert len(times.lines) == 6
    assert stages.get_xlabel().startswith("2¹² locations per pass")
    assert len(stages.patches) == len(INFERENCES) * len(STAGES)
    assert figure.get_suptitle().splitlines() == [
        f"OSS-Net C, 128x128x80, {GPU}; median of 7 repeats (bars: 95 % interval)",
        f"OOM on {GPU}: OSS-Net C at 256x256x160 (extraction)",
    ]


def test_several_cpus_are_all_named_beside_no_seconds_of_a_gpu(write_probes: Any, tmp_path: Path) -> None:
    (path,) = write_probes(tmp_path, "figure5", "cpu", answers()).glob("figure5-*.jsonl")
    first, *others = path.read_text().splitlines()
    path.write_text("\n".join([first.replace('"torch_threads": 1', '"torch_threads": 8'), *others]) + "\n")
    (picture,) = FIGURE5.pictures(path.parent, None)
    figure = picture.draw()
    title = figure.get_suptitle().replace("\n", " ")
    assert title.startswith("OSS-Net C, 256x256x160, CPU, Test, 8 threads and CPU, Test, 1 thread; median of 7")
    assert len(figure.axes[0].lines) == 6


def test_each_machine_has_a_picture(write_probes: Any, tmp_path: Path) -> None:
    write_probes(tmp_path, "figure5", GPU, answers())
    pictures = FIGURE5.pictures(write_probes(tmp_path, "figure5", "cpu", answers()), None)
    assert [picture.name for picture in pictures] == ["figure5-nvidia-test-gpu", "figure5-cpu"]
