"""The embedded data set `liver`: procedural CT of the abdomen, which stands in for LiTS (Bilic et al., 2019).

Nothing in it was measured in a patient, so that results compare methods with each other, not with published scores.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from ossnet.checks import STRICT
from ossnet.data.case import Case, Dataset
from ossnet.data.regions import LABEL_NAMES
from ossnet.data.synthetic import abdomen
from ossnet.data.synthetic.abdomen import Patient, Tumour
from ossnet.data.synthetic.cache import embedded_dataset
from ossnet.data.synthetic.shapes import Axes, Ellipsoid, SmoothField
from ossnet.data.synthetic.torso import Canvas, Torso, outline

VERSION = 1
"""Version of the generator, to be increased with any change of a case.

It is part of the fingerprint, so that outdated caches are not read.
"""

MODALITIES = ("ct",)
FIELD_OF_VIEW_MM = 360.0
SLAB_VOXELS = 2**21
"""Number of voxels to make at a time, which limits the memory to about 40 arrays of this size."""

Edge = Annotated[int, Field(ge=16)]


@dataclass(frozen=True, config=STRICT)
class LiverConfig:
    """Configuration of the data set `liver`.

    Attributes:
        shape: grid (H, W, D) in voxels, at least 16 each; it always spans 360 mm along each axis.
        train: number of cases for training.
        validation: number of cases for validation.
        test: number of cases for test.
        seed: random seed of the data set.
        tumour_share: probability that a liver has tumours.
        noise_hu: standard deviation of the image noise in Hounsfield units.
    """

    shape: tuple[Edge, Edge, Edge] = (64, 64, 64)
    train: int = Field(default=64, ge=0)
    validation: int = Field(default=8, ge=0)
    test: int = Field(default=16, ge=0)
    seed: int = Field(default=0, ge=0)
    tumour_share: float = Field(default=0.5, ge=0, le=1)
    noise_hu: float = Field(default=14.0, ge=0)


def _scan(patient: Patient, axes: Axes, edge_mm: float) -> tuple[np.ndarray, Torso, np.ndarray]:
    """Return Hounsfield units [N] without noise, the torso, and the indices [n] of the points that it is painted at."""
    points = patient.atlas_points(axes)
    wall = outline(points)
    near = np.flatnonzero(wall < edge_mm)
    canvas = Canvas(points, abdomen.AIR, edge_mm)
    _paint_table(canvas, patient, axes)
    skin = wall - patient.fat_mm * (1 - 0.003 * points[1]) * (1 - 0.002 * points[2])
    canvas.paint(skin, 10)
    canvas.paint(skin + 2, abdomen.FAT)
    canvas.paint(wall, patient.enhancement.muscle)
    canvas.paint(np.abs(wall + 4.5) - 0.8, abdomen.FAT)
    canvas.paint(wall + abdomen.WALL_MM, abdomen.FAT)

    def here(field: SmoothField) -> np.ndarray:
        values = field.on_grid(axes)
        return values.reshape(len(values), -1)[:, near]

    fields = np.concatenate([here(field) for field in (patient.texture, patient.loops, patient.speckle)])
    inner = Canvas(points[:, near], canvas.hu[near], edge_mm)
    torso = Torso(patient, inner, wall[near], fields, here(patient.liver_warp))
    torso.paint()
    canvas.hu[near] = inner.hu
    return canvas.hu, torso, near


def _paint_table(canvas: Canvas, patient: Patient, axes: Axes) -> None:
    """Paint a shallow trough of foam in a shell, in scanner coordinates, since it does not move with the patient."""
    x, y = np.meshgrid(axes[0], axes[1], indexing="ij")
    bend_mm = 500.0
    depth = np.hypot(x, y - patient.table_mm + bend_mm) - bend_mm
    plate = np.maximum.reduce([-depth, depth - 26, np.abs(x) - 205])
    plate = np.where(y > 0, plate, np.inf).astype(np.float32)
    level = np.broadcast_to(plate[:, :, None], tuple(len(axis) for axis in axes)).ravel()
    canvas.paint(level, 60)
    canvas.paint(level + 4, -930)


def _with_tumours(rng: np.random.Generator, patient: Patient) -> Patient:
    """Draw one to five tumours, each centred as deep inside the liver as its size allows."""
    axis = np.arange(-150, 151, 12.0)
    _, torso, _ = _scan(patient, (axis, axis, axis), edge_mm=12)
    tumours = []
    for _ in range(rng.integers(1, 6)):
        radius = np.exp(rng.uniform(np.log(8), np.log(32)))
        deep = np.flatnonzero(torso.liver < max(-0.7 * radius, 0.7 * torso.liver.min()))
        centre = torso.canvas.points[:, rng.choice(deep)]
        radii = (radius * rng.uniform(0.8, 1.25, 3)).astype(np.float32)
        turn = Rotation.from_quat(rng.standard_normal(4)).as_matrix().astype(np.float32)
        tumours.append(Tumour(Ellipsoid(centre, radii, turn), float(rng.uniform(3, 9)), float(rng.uniform(-55, -22))))
    return replace(patient, tumours=tuple(tumours))


def liver_case(config: LiverConfig, index: int) -> Case:
    """Make the case of an index, which does not depend on the number of cases.

    Returns:
        A case with an image [1, H, W, D] float32 in Hounsfield units with noise, labels 1 (liver) and 2 (tumour), and
        axes towards the patient's left, back and head (LPS).
    """
    anatomy, illness, grain = np.random.default_rng([config.seed, index]).spawn(3)
    patient = abdomen.draw_patient(anatomy)
    if illness.random() < config.tumour_share:
        patient = _with_tumours(illness, patient)

    spacing = FIELD_OF_VIEW_MM / np.array(config.shape)
    x, y, z = (
        (np.arange(size) + 0.5) * step - FIELD_OF_VIEW_MM / 2 for size, step in zip(config.shape, spacing, strict=True)
    )
    image = np.empty(config.shape, np.float32)
    label = np.zeros(config.shape, np.uint8)
    slices = max(1, SLAB_VOXELS // (config.shape[0] * config.shape[1]))
    for start in range(0, config.shape[2], slices):
        slab = np.s_[:, :, start : start + slices]
        hu, torso, near = _scan(patient, (x, y, z[start : start + slices]), edge_mm=float(spacing.max()))
        classes = np.zeros(hu.shape, np.uint8)
        classes[near] = torso.label()
        label[slab] = classes.reshape(label[slab].shape)
        image[slab] = _reconstruct(grain, hu.reshape(label[slab].shape), config.noise_hu)
    affine = np.diag([-spacing[0], -spacing[1], spacing[2], 1])
    affine[:3, 3] = -x[0], -y[0], z[0]
    return Case(f"liver-{index:04d}", image[None], label, affine, MODALITIES)


def _reconstruct(rng: np.random.Generator, hu: np.ndarray, noise_hu: float) -> np.ndarray:
    """Simulate the reconstruction of slices [H, W, d]: blur, noise that is correlated in plane, and 12 bits."""
    noise = gaussian_filter(rng.standard_normal(hu.shape, dtype=np.float32), 0.7, axes=(0, 1))
    return np.clip(gaussian_filter(hu, 0.5, axes=(0, 1)) + noise * (noise_hu / noise.std()), -1024, 3071)


def liver_dataset(
    config: LiverConfig, cache: Path, workers: int = 2, report: Callable[[int, int], None] | None = None
) -> Dataset:
    """Return the data set `liver`, and make its missing cases; see `embedded_dataset`."""
    dataset = embedded_dataset("liver", config, liver_case, MODALITIES, cache, workers, report, version=VERSION)
    return replace(dataset, label_names=LABEL_NAMES["lits"])
