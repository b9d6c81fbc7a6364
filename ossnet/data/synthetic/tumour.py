"""Growth of a synthetic glioma: a front that follows the tissue, and the layers inside."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.ndimage import zoom
from skimage.graph import MCP_Geometric

from ossnet.data.synthetic.brain import Anatomy, Grid, smooth_noise

CORE, OEDEMA, RIM = 1, 2, 4
"""Labels of BraTS: necrotic or non-enhancing core, oedema, enhancing rim."""

FLUID_SPEED = 0.06
"""Speed of the front through fluid and outside the brain, low enough to stop it within a sulcus."""

Grade = Literal["high", "low", "diffuse"]


@dataclass(frozen=True)
class TumourDraw:
    """Random parameters of a tumour, drawn before it grows.

    Attributes:
        seed_mm: point from which the tumour grows, [3].
        grade: `high` for a necrotic core in an enhancing rim, `low` for a core that does not enhance, `diffuse` for
            neither.
        grey_speed: speed of the front in grey matter, relative to white matter.
        roughness: standard deviation of the logarithm of the speed.
        core_fraction: fraction of the tumour's volume that core and rim fill together.
        rim: average thickness of the rim as a fraction of the core's radius.
        satellites_mm: additional seeds around which the front is slow, [n, 3].
    """

    seed_mm: np.ndarray
    grade: Grade
    grey_speed: float
    roughness: float
    core_fraction: float
    rim: float
    satellites_mm: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator, seed_mm: np.ndarray, radius_mm: float) -> "TumourDraw":
        """Draw a tumour at `seed_mm` with the volume of a ball of `radius_mm`; satellites start outside of the ball."""
        grades: tuple[Grade, ...] = ("high", "low", "diffuse")
        satellites = rng.choice(3, p=[0.65, 0.25, 0.1])
        directions = rng.standard_normal((satellites, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        return cls(
            seed_mm=seed_mm,
            grade=grades[rng.choice(3, p=[0.65, 0.25, 0.1])],
            grey_speed=rng.uniform(0.12, 0.5),
            roughness=rng.uniform(0.3, 0.6),
            core_fraction=rng.uniform(0.12, 0.6),
            rim=rng.uniform(0.12, 0.5),
            satellites_mm=seed_mm + directions * radius_mm * rng.uniform(1.2, 2.0, (satellites, 1)),
        )


def arrival_times(rng: np.random.Generator, grid: Grid, anatomy: Anatomy, draw: TumourDraw, step: int) -> np.ndarray:
    """Return when the front reaches each voxel, [H, W, D] float32, infinite in fluid and outside the brain.

    The front starts at the seeds and runs at a noisy speed that depends on the tissue, 1 mm per unit of time in white
    matter. The times are those of the cheapest paths (Dijkstra), computed on every `step`-th voxel, which is `step`
    cubed times cheaper, and interpolated linearly.
    """
    coarse = grid.crop((slice(None, None, step),) * 3)
    grey, white, _ = anatomy.tissues[:, ::step, ::step, ::step]
    noise = sum(smooth_noise(rng, coarse, scale_mm) for scale_mm in (7.0, 20.0)) / np.sqrt(2)
    speed = (white + draw.grey_speed * grey) * np.exp(draw.roughness * noise)
    for satellite_mm in draw.satellites_mm:
        speed *= 1 - 0.8 * np.exp(-np.square(coarse.distance_mm(satellite_mm) / 15))
    speed = np.maximum(speed, FLUID_SPEED)

    seeds = [_nearest(coarse, draw.seed_mm, white > 0.5)]
    seeds += [_nearest(coarse, point, white > 0.5) for point in draw.satellites_mm]
    times, _ = MCP_Geometric(1 / speed, sampling=coarse.spacing_mm).find_costs(seeds)
    times = times.astype(np.float32)
    if step > 1:
        factors = [fine / few for fine, few in zip(grid.shape, times.shape, strict=True)]
        times = zoom(times, factors, order=1, mode="nearest", grid_mode=True)
    tissue = anatomy.tissues[0] + anatomy.tissues[1]
    return np.where(tissue > 0.5, times, np.inf)


def _nearest(grid: Grid, point_mm: Sequence[float] | np.ndarray, allowed: np.ndarray) -> tuple[int, ...]:
    """Return the index of the allowed voxel nearest to a point."""
    distance = np.where(allowed, grid.distance_mm(point_mm), np.inf)
    return tuple(int(index) for index in np.unravel_index(distance.argmin(), distance.shape))


def layers(rng: np.random.Generator, grid: Grid, inside: np.ndarray, draw: TumourDraw) -> np.ndarray:
    """Draw the labels [H, W, D] uint8 of the voxels `inside` the tumour: a round core, its uneven rim, and oedema."""
    labels = np.where(inside, OEDEMA, 0).astype(np.uint8)
    if draw.grade == "diffuse" or not inside.any():
        return labels
    centre_mm = draw.seed_mm + rng.normal(0, 4, 3)
    unevenness = 0.25 * smooth_noise(rng, grid, 12.0) + 0.08 * smooth_noise(rng, grid, 5.0)
    distance = grid.distance_mm(centre_mm) * np.exp(unevenness)
    depth = distance / np.quantile(distance[inside], draw.core_fraction)
    core = inside & (depth < 1)
    labels[core] = CORE
    if draw.grade == "high":
        thickness = draw.rim * (1 + 0.7 * smooth_noise(rng, grid, 8.0))
        labels[core & (depth > 1 - thickness)] = RIM
    return labels
