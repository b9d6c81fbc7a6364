"""The conversion of a segmentation to a triangle mesh."""

import math

import numpy as np

from benchmarks.micro.measure import Measure
from benchmarks.micro.volumes import SHAPE, ball
from ossnet.inference.mesh import mesh_of

RADIUS = 20


def bench_mesh(measure_on_host: Measure) -> None:
    """Time the conversion."""
    mask = ball(SHAPE, RADIUS)
    measure_on_host("mesh", SHAPE, "voxels", math.prod(SHAPE), lambda: mesh_of(mask, np.eye(4)))
