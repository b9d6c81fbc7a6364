"""A procedural human abdomen, drawn once per patient and then evaluated at any points.

Atlas coordinates are in mm, [3, N], with x to the patient's left, y to the back and z to the head, and the origin
between the kidneys. Organs are given by their levels (see `shapes`), so that the patient is the same on every grid.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation

from ossnet.data.synthetic.shapes import Axes, Ellipsoid, SmoothField, Tube


class Enhancement(NamedTuple):
    """Hounsfield units of the tissues that take up contrast agent. The spleen has those of the liver."""

    artery: float
    portal: float
    vein: float
    liver: float
    cortex: float
    medulla: float
    pancreas: float
    bowel: float
    muscle: float


PHASES = {
    "native": Enhancement(42, 41, 40, 56, 33, 31, 42, 38, 52),
    "arterial": Enhancement(280, 95, 60, 70, 165, 75, 102, 75, 56),
    "portal": Enhancement(150, 162, 148, 104, 182, 160, 94, 82, 60),
}
PHASE_SHARES = (0.2, 0.2, 0.6)
"""Probability of each of `PHASES`."""

FAT, AIR, LUNG, BILE, SPONGY_BONE, BONE, CARTILAGE = -102.0, -1000.0, -830.0, 8.0, 150.0, 520.0, 110.0
"""Hounsfield units of what takes up no contrast agent."""

WALL_MM = 14.0
"""Thickness of the muscle between subcutaneous and abdominal fat."""

WAIST_MM = (140.0, 98.0)
"""Half axes of the outline of the muscular wall."""


@dataclass(frozen=True)
class Tumour:
    """Tumour inside the liver.

    Attributes:
        shape: shape of the tumour.
        rim_mm: width of the blurred rim.
        contrast: difference to the parenchyma in Hounsfield units.
    """

    shape: Ellipsoid
    rim_mm: float
    contrast: float


@dataclass(frozen=True)
class Patient:
    """Anatomy of one patient.

    Attributes:
        pose: linear part of the map from scanner to atlas coordinates, [3, 3].
        shift: translation of that map, [3] in mm.
        warp: displacement that is added to that map, 3 components in mm.
        liver_warp: displacement of the liver's surface, 3 components in mm.
        texture: field of soft tissue, of unit root mean square.
        loops: field of the small bowel, of unit root mean square.
        speckle: field of colon and lung, of unit root mean square.
        fat_mm: mean thickness of the subcutaneous fat.
        enhancement: Hounsfield units of the tissues.
        ellipsoids: round organs by name.
        tubes: tubular organs and large vessels by name.
        portal_tree: branches of the portal vein inside the liver.
        hepatic_veins: branches of the hepatic veins inside the liver.
        hilum: point of the liver's visceral surface, [3] in mm.
        hilum_normal: outward unit normal of that surface there, [3].
        gastric_air_mm: y in front of which air fills the stomach.
        table_mm: y of the table's surface in scanner coordinates.
        tumours: tumours of the liver.
    """

    pose: np.ndarray
    shift: np.ndarray
    warp: SmoothField
    liver_warp: SmoothField
    texture: SmoothField
    loops: SmoothField
    speckle: SmoothField
    fat_mm: float
    enhancement: Enhancement
    ellipsoids: dict[str, Ellipsoid]
    tubes: dict[str, Tube]
    portal_tree: tuple[Tube, ...]
    hepatic_veins: tuple[Tube, ...]
    hilum: np.ndarray
    hilum_normal: np.ndarray
    gastric_air_mm: float
    table_mm: float
    tumours: tuple[Tumour, ...] = ()

    def level(self, name: str, points: np.ndarray) -> np.ndarray:
        """Return the level [N] of an organ at atlas coordinates [3, N]."""
        return (self.ellipsoids.get(name) or self.tubes[name]).level(points)

    def atlas_points(self, axes: Axes) -> np.ndarray:
        """Return atlas coordinates [3, N] float32, in C order, of the grid of `axes` in scanner coordinates (mm)."""
        grid = np.stack(np.meshgrid(*(axis.astype(np.float32) for axis in axes), indexing="ij"))
        return (self.pose @ grid.reshape(3, -1) + self.shift[:, None]) + self.warp.on_grid(axes).reshape(3, -1)


ELLIPSOIDS = {
    "right lobe": ((-62, -6, 22), (84, 92, 98)),
    "left lobe": ((4, -46, 50), (84, 46, 44)),
    "right dome": ((-62, -10, 0), (74, 88, 102)),
    "left dome": ((60, -12, -4), (74, 88, 92)),
    "heart": ((24, -26, 138), (60, 48, 60)),
    "spleen": ((98, 30, 36), (38, 54, 60)),
    "fundus": ((48, 4, 56), (29, 32, 34)),
    "gallbladder": ((-42, -50, -34), (15, 19, 30)),
    "right kidney": ((-62, 36, -32), (27, 25, 56)),
    "left kidney": ((64, 38, -20), (27, 25, 56)),
    "bladder": ((0, -30, -190), (45, 35, 30)),
}
"""Centre and radii in mm of the organs of an average adult."""

TUBES = {
    "aorta": ((10, 22, 200, 12), (9, 19, 60, 11), (8, 14, 0, 10), (6, 10, -60, 9), (4, 14, -98, 9)),
    "right iliac": ((4, 14, -98, 6), (-28, 8, -140, 6), (-55, -15, -190, 6)),
    "left iliac": ((4, 14, -98, 6), (34, 8, -140, 6), (60, -15, -190, 6)),
    "cava": ((-20, 2, 112, 12), (-22, 12, 70, 12), (-19, 20, 20, 11), (-16, 18, -40, 11), (-12, 18, -100, 11)),
    "portal vein": ((6, -12, 2, 7), (-14, -10, 18, 7), (-36, -4, 34, 7)),
    "splenic vein": ((6, -12, 2, 5), (40, 4, 20, 4), (80, 20, 38, 4)),
    "mesenteric vein": ((6, -12, 2, 5), (0, -24, -40, 5), (-8, -34, -80, 4)),
    "mesenteric artery": ((8, 6, -4, 4), (10, -18, -30, 4), (2, -32, -80, 3)),
    "stomach": ((50, 2, 54, 25), (60, -26, 22, 25), (40, -50, -10, 23), (8, -48, -14, 20), (-18, -32, -4, 14)),
    "duodenum": ((-18, -30, -4, 13), (-42, -8, -14, 13), (-40, 4, -48, 12), (-4, 0, -60, 11), (24, -8, -36, 11)),
    "pancreas": ((-26, -16, -16, 15), (0, -20, -2, 11), (36, -8, 14, 11), (74, 14, 30, 9)),
    "oesophagus": ((4, 12, 200, 9), (8, 6, 110, 9), (30, 4, 72, 10)),
    "ascending colon": ((-84, 0, -150, 28), (-96, 6, -100, 24), (-90, -18, -62, 22)),
    "transverse colon": ((-90, -18, -62, 21), (-50, -66, -58, 21), (20, -70, -66, 20), (80, -34, -14, 20)),
    "descending colon": ((92, 6, 4, 19), (102, 20, -60, 17), (96, 8, -130, 16), (50, -10, -170, 17)),
    "fissure": ((-2, -100, 10, 6), (-12, -60, 14, 4), (-18, -20, 24, 3)),
    "right psoas": ((-28, 34, 10, 8), (-38, 34, -60, 19), (-58, 20, -140, 24), (-70, -10, -190, 22)),
    "left psoas": ((28, 34, 10, 8), (38, 34, -60, 19), (58, 20, -140, 24), (70, -10, -190, 22)),
}
"""Points along the centre lines of the same adult, (x, y, z, radius) in mm."""


def _turn(rng: np.random.Generator, degrees: float) -> np.ndarray:
    """Draw a rotation [3, 3]; `degrees` is the standard deviation of the angle about each axis."""
    return Rotation.from_euler("xyz", rng.normal(0, degrees, 3), degrees=True).as_matrix().astype(np.float32)


def _ellipsoid(rng: np.random.Generator, name: str, shift: float | np.ndarray = 0.0) -> Ellipsoid:
    centre, radii = (np.array(values, np.float32) for values in ELLIPSOIDS[name])
    centre += (rng.normal(0, 4, 3) + shift).astype(np.float32)
    return Ellipsoid(centre, radii * rng.uniform(0.9, 1.1, 3).astype(np.float32), _turn(rng, 6))


def _tube(rng: np.random.Generator, name: str) -> Tube:
    """Draw a tube along a cubic spline through jittered points, with three segments between neighbours."""
    points = np.array(TUBES[name], np.float64)
    radii = points[:, 3]
    points[1:, :3] += rng.normal(0, 0.12, (len(points) - 1, 3)) * radii[1:, None]
    points[:, 3] *= rng.uniform(0.88, 1.12)
    fine = CubicSpline(np.arange(len(points)), points)(np.linspace(0, len(points) - 1, 3 * len(points) - 2))
    return Tube(fine[:, :3].astype(np.float32), fine[:, 3].astype(np.float32))


def _branches(
    rng: np.random.Generator, start: np.ndarray, heading: np.ndarray, length_mm: float, radius_mm: float, forks: int
) -> list[Tube]:
    """Draw a vessel that forks in two `forks` times; both branches are shorter and, by Murray's law, thinner."""
    heading = heading / np.linalg.norm(heading)
    end = start + heading * length_mm
    thinner = radius_mm * 2 ** (-1 / 3)
    vessel = Tube(np.stack([start, end]).astype(np.float32), np.array([radius_mm, thinner], np.float32))
    if forks == 0:
        return [vessel]
    aside = np.cross(heading, rng.standard_normal(3))
    aside *= 0.7 / np.linalg.norm(aside)
    left = _branches(rng, end, heading + aside, 0.8 * length_mm, thinner, forks - 1)
    return [vessel, *left, *_branches(rng, end, heading - aside, 0.8 * length_mm, thinner, forks - 1)]


def draw_patient(rng: np.random.Generator) -> Patient:
    """Draw an adult without tumours who lies on the back; variances are plausible, not fitted to a population."""
    phase = PHASES[str(rng.choice(list(PHASES), p=PHASE_SHARES))]
    enhancement = Enhancement(*(value + rng.normal(0, 3 + 0.06 * value) for value in phase))
    size = rng.uniform(0.96, 1.07) * rng.uniform(0.97, 1.03, 3)
    liver_shift = rng.normal(0, (4, 4, 8))  # the diaphragm moves with the liver
    ellipsoids = {
        name: _ellipsoid(rng, name, liver_shift if name.endswith(("lobe", "dome")) else 0.0) for name in ELLIPSOIDS
    }
    tubes = {name: _tube(rng, name) for name in TUBES}
    hilum_normal = np.array((0.5, 0.3, -0.81)) + rng.normal(0, 0.08, 3)
    porta = np.array(TUBES["portal vein"][-1][:3])
    portal_headings = ((-1, -0.3, 0.2), (-0.8, 0.6, 0.5), (0.9, -1, 0.8), (-0.7, 0.4, -0.9))
    vein_headings = ((-1, 0.3, -0.4), (-0.4, -1, -0.5), (0.7, -0.9, -0.5))
    shift = rng.normal(0, (8, 6, 20)).astype(np.float32)
    fat_mm = float(np.exp(rng.uniform(np.log(9), np.log(28))))
    return Patient(
        pose=(_turn(rng, 2.5) / size).astype(np.float32),
        shift=shift,
        warp=SmoothField.draw(rng, 3, spacing_mm=100, rms=5),
        liver_warp=SmoothField.draw(rng, 3, spacing_mm=50, rms=5),
        texture=SmoothField.draw(rng, 1, spacing_mm=25, rms=1),
        loops=SmoothField.draw(rng, 1, spacing_mm=25, rms=1),
        speckle=SmoothField.draw(rng, 1, spacing_mm=8, rms=1),
        fat_mm=fat_mm,
        enhancement=enhancement,
        ellipsoids=ellipsoids,
        tubes=tubes,
        portal_tree=tuple(
            branch for heading in portal_headings for branch in _branches(rng, porta, np.array(heading), 32, 5, 2)
        ),
        hepatic_veins=tuple(
            branch
            for heading in vein_headings
            for branch in _branches(rng, np.array((-22, 8, 80)), np.array(heading), 42, 5.5, 1)
        ),
        hilum=(liver_shift + np.array((-40, -10, rng.uniform(-48, -18)))).astype(np.float32),
        hilum_normal=(hilum_normal / np.linalg.norm(hilum_normal)).astype(np.float32),
        gastric_air_mm=float(rng.uniform(-90, -20)),
        table_mm=float((WAIST_MM[1] + 0.7 * fat_mm - shift[1]) * size[1] + 1),
    )
