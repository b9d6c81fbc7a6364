"""Times and memory by way, as a row of markers for each work."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.studies.speed import DECODER, STEPS, TRAINING
from paper_figures.speed import SPEED, WAY_LOOKS


def test_a_marker_for_the_median_of_each_way(write_probes: Any, tmp_path: Path) -> None:
    decoder = {"seconds": {"released": [4.0, 6.0, 5.0], "plain": [2.0], "suite": [1.0]}}
    training = {"seconds": {"plain": [8.0], "lean": [9.0]}}
    write_probes(tmp_path, "speed", "predicted", [(STEPS[0], {"allocated_bytes": 2.5e9})])
    folder = write_probes(tmp_path, "speed", "cpu", [(DECODER, decoder), (TRAINING, training)])
    (picture,) = SPEED.pictures(folder, None)
    times, memory = picture.draw().axes
    found = {line.get_color(): line.get_xydata() for line in times.lines}
    expected = {"released code": [(5, 0)], "plain": [(2, 0), (8, 1)], "suite": [(1, 0)], "lean": [(9, 1)]}
    assert found.keys() == {WAY_LOOKS[way]["color"] for way in expected}
    for way, points in expected.items():
        np.testing.assert_allclose(np.asarray(found[WAY_LOOKS[way]["color"]]), points)
    (plain,) = memory.lines
    np.testing.assert_allclose(np.asarray(plain.get_xydata()), [(2.5, 0)])
    assert plain.get_color() == WAY_LOOKS["plain"]["color"]
