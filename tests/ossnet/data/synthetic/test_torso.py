"""Painting with partial volume, and the outline that everything lies in."""

import numpy as np
import pytest

from ossnet.data.synthetic.abdomen import AIR, WAIST_MM
from ossnet.data.synthetic.torso import Canvas, outline


def test_paint_covers_the_inside_and_mixes_at_the_edge():
    canvas = Canvas(np.zeros((3, 4)), AIR, edge_mm=4.0)
    canvas.paint(np.array([-10.0, 0.0, 1.0, 10.0]), 100.0)
    # Level 0 is the surface: half of a voxel lies inside. A quarter of an edge outside, a quarter does.
    np.testing.assert_allclose(canvas.hu, [100, (100 + AIR) / 2, AIR + 0.25 * (100 - AIR), AIR])


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_the_wall_is_half_a_waist_from_the_axis(axis: int, sign: float):
    points = np.zeros((3, 3))
    points[axis] = sign * np.array([0.5, 1.0, 1.5]) * WAIST_MM[axis]
    level = outline(points)
    assert level[0] < 0 < level[2]
    assert level[1] == pytest.approx(0, abs=1e-3)
