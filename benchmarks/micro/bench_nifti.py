"""Reading a volume from a file whose pages are in memory, as for a case that is not cached yet."""

import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks.micro.measure import Measure
from benchmarks.micro.volumes import SHAPE, ball
from ossnet.data.nifti import SUFFIXES, read_volume, write_volume

RADIUS = 20


@pytest.mark.parametrize("suffix", SUFFIXES)
def bench_nifti_reading(measure_on_host: Measure, tmp_path: Path, suffix: str) -> None:
    """Time reading one file format."""
    noise = np.random.default_rng(0).normal(0, 0.1, SHAPE)
    path = tmp_path / f"volume{suffix}"
    write_volume(path, ball(SHAPE, RADIUS) + noise, np.eye(4))
    measure_on_host("NIfTI reading", SHAPE, "voxels", math.prod(SHAPE), lambda: read_volume(path))
