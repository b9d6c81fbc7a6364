"""What predicted peaks are made of."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import to_rgba

from benchmarks.workload import Probe
from paper_figures.memory_parts import MEMORY_PARTS, PARTS

BRATS = (256, 256, 160)
C_TRAINING = Probe("memory", "c", "brats", BRATS, "training", 2**14)
C_PASS = Probe("memory", "c", "brats", BRATS, "inference", 2**14)


def answer(**parts: float) -> dict[str, Any]:
    return {"allocated_bytes": sum(parts.values()), "by_part": parts}


def test_parts_are_stacked_to_the_peak_beside_the_papers(write_probes: Any, tmp_path: Path) -> None:
    answers = [
        (C_TRAINING, answer(decoder=1.5e9, parameters=5e8, something_new=2e8, other=1e8)),
        (C_PASS, answer(decoder=4e8)),
        (replace(C_PASS, locations=2**17), answer(decoder=3e9)),
        (replace(C_TRAINING, batch_size=8), answer(decoder=9e9)),
    ]
    (picture,) = MEMORY_PARTS.pictures(write_probes(tmp_path, "table3", "predicted", answers), None)
    training, inference = picture.draw().axes
    assert training.get_title() == "BraTS 256x256x160, training, 2¹⁴ locations"
    bars = {bar.get_facecolor(): (bar.get_x(), bar.get_width()) for bar in training.patches if bar.get_width() > 0}
    expected = {"parameters": (0, 0.5), "decoder": (0.5, 1.5), "other": (2.0, 0.3)}
    assert bars.keys() == {to_rgba(PARTS[part][1]) for part in expected}
    for part, extent in expected.items():
        np.testing.assert_allclose(bars[to_rgba(PARTS[part][1])], extent)
    # Table 3: 2.59 GB at training, 0.39 at inference with 2^14 locations.
    for axes, paper, total in ((training, 2.59, "2.30"), (inference, 0.39, "0.40")):
        (number,) = axes.lines
        np.testing.assert_allclose(number.get_xydata(), [(paper, 0)])
        assert [text.get_text() for text in axes.texts] == [total]


def test_each_implementation_has_a_picture_and_measurements_none(write_probes: Any, tmp_path: Path) -> None:
    folder = write_probes(tmp_path, "table3", "cpu", [(C_PASS, answer(decoder=4e8))])
    assert MEMORY_PARTS.pictures(folder, None) == []
    released = replace(C_TRAINING, implementation="released")
    answers = [(C_TRAINING, answer(decoder=2e9)), (released, answer(decoder=2.6e9))]
    write_probes(tmp_path, "table3", "predicted", answers)
    names = [picture.name for picture in MEMORY_PARTS.pictures(folder, None)]
    assert names == ["memory_parts-suite", "memory_parts-released"]
