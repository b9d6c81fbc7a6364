"""Brain anatomy of synthetic cases: the ICBM 152 template, randomly deformed and resampled to a grid.

Positions are in mm in the frame of a BraTS case: the axes point left, posterior and superior (LPS), and the first voxel
of a 240x240x155 grid of 1 mm has its centre at the origin.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.interpolate import BSpline
from scipy.ndimage import gaussian_filter, label, map_coordinates
from scipy.spatial.transform import Rotation

FIELD_OF_VIEW_MM = (240.0, 240.0, 155.0)
HEAD_CENTRE_MM = (118.0, 129.0, 75.0)
"""Centre of the brain in BraTS."""

HEAD_BOX_MM = ((33.0, 30.0, -1.0), (203.0, 228.0, 155.0))
"""Corners of a box that contains the brain in every pose."""

TEMPLATE_CENTRE_MM = (0.0, -17.0, 5.0)
"""Centre of the template's brain in its own RAS world."""

BRAIN_SCALE = (0.97, 0.92, 0.88)
"""Size of the average brain in BraTS relative to ICBM 152, which is larger, most of all from top to bottom."""

VENTRICLE_BLUR_MM = 4.0
"""Standard deviation of the blur of `Template.ventricles`."""

KNOT_VARIANCE = 0.11
"""Mean over space of the variance of a cubic B-spline volume whose coefficients have variance 1: (151/315)^3."""


@dataclass(frozen=True)
class Grid:
    """Grid of voxels over a box of the field of view, given by the voxel centres along each axis in mm."""

    axes_mm: tuple[np.ndarray, np.ndarray, np.ndarray]

    @classmethod
    def covering(cls, shape: Sequence[int]) -> "Grid":
        """Return the grid of `shape` over the whole field of view of BraTS."""
        first, second, third = (
            (np.arange(size) + 0.5) * extent / size - 0.5 for size, extent in zip(shape, FIELD_OF_VIEW_MM, strict=True)
        )
        return cls((first, second, third))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along each axis."""
        first, second, third = (len(axis) for axis in self.axes_mm)
        return first, second, third

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance of voxel centres along each axis."""
        first, second, third = (float(axis[1] - axis[0]) for axis in self.axes_mm)
        return first, second, third

    def box(self, low_mm: Sequence[float], high_mm: Sequence[float]) -> tuple[slice, slice, slice]:
        """Return slices of the voxels whose centres lie between two corners."""
        first, second, third = (
            slice(*np.searchsorted(axis, [low, high]).tolist())
            for axis, low, high in zip(self.axes_mm, low_mm, high_mm, strict=True)
        )
        return first, second, third

    def crop(self, box: tuple[slice, slice, slice]) -> "Grid":
        """Return the part of the grid in these slices."""
        first, second, third = (axis[part] for axis, part in zip(self.axes_mm, box, strict=True))
        return Grid((first, second, third))

    def refined(self, factors: tuple[int, int, int]) -> "Grid":
        """Return the grid with each voxel divided into `factors` parts along the axes."""
        first, second, third = (
            (axis[:, None] + spacing * ((np.arange(factor) + 0.5) / factor - 0.5)).ravel()
            for axis, spacing, factor in zip(self.axes_mm, self.spacing_mm, factors, strict=True)
        )
        return Grid((first, second, third))

    def distance_mm(self, centre_mm: Sequence[float] | np.ndarray) -> np.ndarray:
        """Return the Euclidean distance [H, W, D] of each voxel from a point, float32."""
        i, j, k = (
            np.square(axis - centre).astype(np.float32) for axis, centre in zip(self.axes_mm, centre_mm, strict=True)
        )
        return np.sqrt(i[:, None, None] + j[:, None] + k)


@dataclass(frozen=True)
class Template:
    """ICBM 152 template (2009a, symmetric) at 1 mm from nilearn.

    Attributes:
        brain: mask of the brain with its fluid, [X, Y, Z] bool.
        grey: fraction of grey matter, [X, Y, Z] float32. The fraction of fluid in the brain is the rest of grey and
            white matter to 1.
        white: fraction of white matter, [X, Y, Z] float32.
        ventricles: mask of the lateral ventricles, blurred so that values decrease with distance, [X, Y, Z] float32.
        affine: from voxels to mm in RAS, [4, 4] float64.
    """

    brain: np.ndarray
    grey: np.ndarray
    white: np.ndarray
    ventricles: np.ndarray
    affine: np.ndarray


@cache
def template() -> Template:
    """Load the template, once per process."""
    # Imported here, since it takes seconds and is needed only to make cases.
    from nilearn.datasets import load_mni152_brain_mask, load_mni152_gm_template, load_mni152_wm_template

    mask, *tissues = (
        load(resolution=1) for load in (load_mni152_brain_mask, load_mni152_gm_template, load_mni152_wm_template)
    )
    affine = np.asarray(mask.affine, dtype=np.float64)
    brain = np.asarray(mask.dataobj) > 0
    grey, white = (np.asarray(tissue.dataobj, dtype=np.float32) * brain for tissue in tissues)
    return Template(brain, grey, white, _lateral_ventricles(brain - grey - white, affine), affine)


def _lateral_ventricles(fluid: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return the largest component of fluid in a box without sulci and cisterns, blurred."""
    box = tuple(
        slice(round(low), round(high))
        for low, high in zip([-42, -55, -8] - affine[:3, 3], [42, 42, 34] - affine[:3, 3], strict=True)
    )
    components, _ = label(fluid[box] > 0.5)
    ventricles = np.zeros_like(fluid)
    ventricles[box] = components == np.bincount(components.ravel())[1:].argmax() + 1
    return gaussian_filter(ventricles, VENTRICLE_BLUR_MM)


def smooth_noise(rng: np.random.Generator, grid: Grid, scale_mm: float) -> np.ndarray:
    """Draw Gaussian noise [H, W, D] float32 of mean 0 and variance about 1 that is smooth at `scale_mm`.

    It is a cubic B-spline volume, as in free-form deformations, with independent coefficients at knots `scale_mm` apart
    over the whole field of view, so that a draw is the same on every grid.
    """
    knots = [int(np.ceil((extent + 1) / scale_mm)) + 3 for extent in FIELD_OF_VIEW_MM]
    coefficients = rng.standard_normal(knots, dtype=np.float32) / np.float32(np.sqrt(KNOT_VARIANCE))
    return _spline(coefficients, grid, scale_mm)


def _spline(coefficients: np.ndarray, grid: Grid, scale_mm: float) -> np.ndarray:
    """Return the cubic B-spline volume of `coefficients` at the voxels of `grid`."""
    for axis_mm, count in zip(grid.axes_mm, coefficients.shape, strict=True):
        knots = -0.5 + scale_mm * np.arange(-3, count + 1)
        weights = BSpline.design_matrix(axis_mm, knots, 3).toarray().astype(np.float32)
        # Each iteration contracts the leading axis and appends the new one, so that after three the order is the same.
        coefficients = np.tensordot(coefficients, weights, axes=([0], [1]))
    return coefficients


@dataclass(frozen=True)
class Pose:
    """Pose of a head: template (mm, RAS) = matrix @ (frame - HEAD_CENTRE_MM) + TEMPLATE_CENTRE_MM."""

    matrix: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Pose":
        """Draw rotations of a few degrees and sizes within a few per cent.

        Flips are not needed, since the template is symmetric.
        """
        rotation = Rotation.from_euler("xyz", rng.normal(0, 3, 3), degrees=True).as_matrix()
        scale = np.array(BRAIN_SCALE) * rng.normal(1, 0.04, 3).clip(0.92, 1.08)
        return cls(np.diag([-1.0, -1.0, 1.0]) @ np.diag(1 / scale) @ rotation)

    def to_frame(self, template_mm: np.ndarray) -> np.ndarray:
        """Return the point of the frame [3] that corresponds to a point of the template [3]."""
        return np.linalg.solve(self.matrix, template_mm - TEMPLATE_CENTRE_MM) + HEAD_CENTRE_MM


@dataclass(frozen=True)
class Push:
    """Mass that displaces the tissue around it, by `shift_mm` at `radius_mm` from its centre and less elsewhere."""

    centre_mm: np.ndarray
    radius_mm: float
    shift_mm: float


@dataclass(frozen=True)
class Anatomy:
    """Deformed brain on a grid.

    Attributes:
        tissues: fractions of grey matter, white matter and cerebrospinal fluid, [3, H, W, D] float32.
        ventricles: proximity of the lateral ventricles, see `Template`, [H, W, D] float32.
    """

    tissues: np.ndarray
    ventricles: np.ndarray

    @property
    def brain(self) -> np.ndarray:
        """Mask of the brain with its fluid, [H, W, D] bool."""
        return self.tissues.sum(0) > 0.5


def bend(rng: np.random.Generator, grid: Grid, pose: Pose, push: Push) -> Anatomy:
    """Return the template on a grid under an affine map, a smooth random deformation, a push and wider ventricles."""
    source = template()
    positions = np.stack(np.meshgrid(*(axis.astype(np.float32) for axis in grid.axes_mm), indexing="ij"))
    for scale_mm, amplitude_mm in ((40.0, 2.5), (16.0, 1.0)):
        for axis in range(3):
            positions[axis] += amplitude_mm * smooth_noise(rng, grid, scale_mm)
    distance = grid.distance_mm(push.centre_mm)
    # shift * (d / radius) * exp(1 - d / radius) towards the centre, along the unit vector (p - centre) / d.
    pull = push.shift_mm / push.radius_mm * np.exp(1 - distance / push.radius_mm)
    for axis in range(3):
        along = grid.axes_mm[axis].astype(np.float32) - np.float32(push.centre_mm[axis])
        positions[axis] -= pull * np.expand_dims(along, tuple({0, 1, 2} - {axis}))

    matrix = np.linalg.inv(source.affine)[:3, :3] @ pose.matrix
    offset = np.linalg.inv(source.affine) @ [*(TEMPLATE_CENTRE_MM - pose.matrix @ HEAD_CENTRE_MM), 1]
    voxels = np.tensordot(matrix.astype(np.float32), positions, 1) + offset[:3, None, None, None].astype(np.float32)
    nearest = tuple(
        np.rint(axis).astype(np.intp).clip(0, size - 1) for axis, size in zip(voxels, source.brain.shape, strict=True)
    )
    brain = source.brain[nearest]
    grey, white, ventricles = np.zeros((3, *grid.shape), dtype=np.float32)
    for volume, values in ((source.grey, grey), (source.white, white), (source.ventricles, ventricles)):
        values[brain] = map_coordinates(volume, voxels[:, brain], order=1)
    fluid = np.clip(brain - grey - white, 0, 1)
    # The template is blurred, as the mean of 152 heads. Squares restore the contrast between the tissues of one head.
    squares = np.square([grey, white, fluid])
    grey, white, _ = squares / np.maximum(squares.sum(0), 1e-6)
    # Ventricles widen with age, so that more of the blurred map counts as fluid.
    widened = np.clip((ventricles - rng.uniform(0.12, 0.6)) / 0.12 + 0.5, 0, 1)
    grey, white = grey * (1 - widened), white * (1 - widened)
    return Anatomy(np.stack([grey, white, brain - grey - white]), ventricles)
