from dataclasses import replace

import numpy as np
import pytest

from ossnet.data.synthetic.brain import Anatomy, Grid
from ossnet.data.synthetic.tumour import CORE, OEDEMA, RIM, TumourDraw, arrival_times, layers

GRID = Grid.covering((240, 240, 155)).crop((slice(100, 131), slice(100, 121), slice(60, 81)))
CENTRE_MM = np.array([115.0, 110.0, 70.0])
DRAW = TumourDraw(
    seed_mm=CENTRE_MM,
    grade="high",
    grey_speed=0.25,
    roughness=0.0,
    core_fraction=0.4,
    rim=0.3,
    satellites_mm=np.empty((0, 3)),
)


def rng(seed=0):
    return np.random.default_rng(seed)


def block(grey_from=31, fluid_from=31):
    """White matter with grey matter and fluid beyond the given first indices."""
    tissues = np.zeros((3, *GRID.shape), dtype=np.float32)
    tissues[1, :grey_from] = 1
    tissues[0, grey_from:fluid_from] = 1
    tissues[2, fluid_from:] = 1
    return Anatomy(tissues, np.zeros(GRID.shape, dtype=np.float32))


def test_front_runs_one_millimetre_a_unit_in_white_matter():
    times = arrival_times(rng(), GRID, block(), DRAW, step=1)
    np.testing.assert_allclose(times[15 + np.arange(-10, 11), 10, 10], np.abs(np.arange(-10, 11)), atol=1e-4)


def test_front_is_slower_in_grey_matter_and_stops_at_fluid():
    times = arrival_times(rng(), GRID, block(grey_from=20, fluid_from=25), DRAW, step=1)
    # Half of the step from voxel 19 to 20 is white (0.5), half grey (0.5 / 0.25), then four millimetres of grey.
    assert times[24, 10, 10] == pytest.approx(4 + 0.5 + 2 + 4 * 4)
    assert np.isinf(times[25:]).all()


def test_coarse_front_agrees_with_the_fine_one():
    fine, coarse = (arrival_times(rng(), GRID, block(), DRAW, step) for step in (1, 2))
    assert coarse.shape == GRID.shape
    assert np.abs(fine - coarse).max() < 2


def test_satellite_starts_a_second_piece():
    satellite = replace(DRAW, satellites_mm=CENTRE_MM[None] + [12.0, 0, 0])
    times = arrival_times(rng(), GRID, block(), satellite, step=1)
    assert times[27, 10, 10] == 0
    assert times[21, 10, 10] > 0


def test_layers_of_a_high_grade_tumour():
    inside = GRID.distance_mm(CENTRE_MM) < 9
    labels = layers(rng(), GRID, inside, DRAW)
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels > 0, inside)
    assert set(np.unique(labels)) == {0, CORE, OEDEMA, RIM}
    core_share = np.isin(labels, [CORE, RIM]).sum() / inside.sum()
    assert core_share == pytest.approx(DRAW.core_fraction, abs=0.01)


def test_lower_grades_lack_rim_or_core():
    inside = GRID.distance_mm(CENTRE_MM) < 9
    assert set(np.unique(layers(rng(), GRID, inside, replace(DRAW, grade="low")))) == {0, CORE, OEDEMA}
    assert set(np.unique(layers(rng(), GRID, inside, replace(DRAW, grade="diffuse")))) == {0, OEDEMA}


def test_draw_is_reproducible_and_within_its_ranges():
    for seed in range(50):
        first, second = (TumourDraw.draw(rng(seed), CENTRE_MM, 10.0) for _ in range(2))
        assert repr(first) == repr(second)
        assert 0 < first.grey_speed < 1
        assert first.satellites_mm.shape in {(0, 3), (1, 3), (2, 3)}
        distances = np.linalg.norm(first.satellites_mm - CENTRE_MM, axis=1)
        assert ((distances >= 12) & (distances <= 20)).all()
