"""Smooth random fields and shapes in mm, evaluated at any points.

A shape is given by its level, the approximate signed distance to its surface in mm, negative inside.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import BSpline

Axes = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Coordinates of a grid along each of its axes, in mm."""

EXTENT_MM = 400.0
"""Edge of the cube around the origin in which smooth fields are defined; they are constant beyond it."""

FAR_MM = 100.0
"""Level that is far from any shape."""


@dataclass(frozen=True)
class SmoothField:
    """Random field of cubic B-splines on a coarse lattice, as in free-form deformation (Rueckert et al., 1999).

    Attributes:
        coefficients: coefficients of K components, [K, n, n, n] float32.
    """

    coefficients: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator, components: int, spacing_mm: float, rms: float) -> "SmoothField":
        """Draw independent components of root mean square about `rms`, on lattice points `spacing_mm` apart."""
        points = round(EXTENT_MM / spacing_mm) + 3
        energy = (151 / 315) ** 1.5  # root of the integral of the squared cubic B-spline, once per axis
        values = rng.standard_normal((components, points, points, points), dtype=np.float32)
        return cls(values * np.float32(rms / energy))

    def on_grid(self, axes: Axes) -> np.ndarray:
        """Return values [K, H, W, D] float32 on the grid of three coordinate vectors in mm."""
        points = self.coefficients.shape[1]
        knots = np.arange(-3, points + 1)
        bases = []
        for axis in axes:
            place = (np.asarray(axis) / EXTENT_MM + 0.5) * (points - 3)
            basis = BSpline.design_matrix(np.clip(place, 0, points - 3 - 1e-6), knots, 3)
            bases.append(basis.toarray().astype(np.float32))
        return np.einsum("kabc,ha,wb,dc->khwd", self.coefficients, *bases, optimize=True)


def _norm(vectors: np.ndarray) -> np.ndarray:
    """Return the lengths [N] of the columns of [3, N]."""
    return np.sqrt(np.einsum("in,in->n", vectors, vectors))


@dataclass(frozen=True)
class Ellipsoid:
    """Ellipsoid.

    Attributes:
        centre: [3] in mm.
        radii: [3] in mm.
        turn: axes as columns, [3, 3].
    """

    centre: np.ndarray
    radii: np.ndarray
    turn: np.ndarray

    def level(self, points: np.ndarray) -> np.ndarray:
        """Return the level [N] at points [3, N]; it is exact to first order at the surface."""
        local = (self.turn / self.radii).T @ (points - self.centre[:, None])
        scaled = _norm(local) + 1e-6
        slope = _norm(local / self.radii[:, None]) + 1e-8
        return (scaled - 1) * scaled / slope


@dataclass(frozen=True)
class Tube:
    """Chain of round segments.

    Attributes:
        path: points of the centre line, [S, 3] in mm.
        radii: radius at each point, [S] in mm.
    """

    path: np.ndarray
    radii: np.ndarray

    def level(self, points: np.ndarray) -> np.ndarray:
        """Return the level [N] at points [3, N]; `FAR_MM` outside a box that is `FAR_MM` / 4 wider than the tube."""
        reach = self.radii.max() + FAR_MM / 4
        low, high = self.path.min(0) - reach, self.path.max(0) + reach
        near = np.flatnonzero(((points > low[:, None]) & (points < high[:, None])).all(0))
        level = np.full(points.shape[1], FAR_MM, np.float32)
        points = points[:, near]
        nearest = level[near]
        for start, end, first, last in zip(self.path, self.path[1:], self.radii, self.radii[1:], strict=False):
            along = end - start
            offset = points - start[:, None]
            share = np.clip(along @ offset / (along @ along), 0, 1)
            offset -= along[:, None] * share
            np.minimum(nearest, _norm(offset) - (first + (last - first) * share), out=nearest)
        level[near] = nearest
        return level


def blend(first: np.ndarray, second: np.ndarray, width_mm: float) -> np.ndarray:
    """Return the union of two levels, with its crease rounded over `width_mm`."""
    overlap = np.clip(width_mm - np.abs(first - second), 0, None)
    return np.minimum(first, second) - overlap**2 / (4 * width_mm)
