"""Extractions against locations per pass."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.studies.locations import LOCATIONS_PER_PASS
from paper_figures.locations import FARTHEST, draw
from paper_figures.scores import read_numbers


def test_an_extraction_is_a_curve_beside_the_others(tmp_path: Path, write_records: Any) -> None:
    runs = [
        ("c", seed, {"extraction": extraction, "locations": locations}, dice + 0.01 * seed)
        for seed in (0, 1)
        for extraction, dice in (("mise", 0.7), ("dense", 0.8))
        for locations in (2**8, 2**17)
    ]
    write_records(tmp_path, "locations", runs)
    figure = draw(read_numbers(LOCATIONS_PER_PASS, tmp_path)["laptop"])
    axes = figure.axes[0]
    curves = [line for line in axes.lines if len(line.get_xdata()) == 2 and line.get_marker() == ""]
    (mise, dense) = [line for line in curves if line.get_linewidth() == 1]
    assert list(mise.get_ydata()) == pytest.approx([0.705, 0.705])
    assert list(dense.get_ydata()) == pytest.approx([0.805, 0.805])
    for curve, end in ((mise, -FARTHEST), (dense, FARTHEST)):
        assert list(curve.get_xdata()) == pytest.approx([8 + 9 * end, 17 + 9 * end])
    assert [text.get_text() for text in axes.get_xticklabels()] == ["2⁸", "2¹⁷"]
    (legend,) = figure.legends
    assert "every voxel" in [text.get_text() for text in legend.get_texts()]
