"""Organs of the torso, painted at given points in Hounsfield units and labelled."""

from dataclasses import replace

import numpy as np

from ossnet.data.synthetic import abdomen
from ossnet.data.synthetic.abdomen import Patient
from ossnet.data.synthetic.shapes import blend

LIVER, TUMOUR = 1, 2


class Canvas:
    """Hounsfield units [N] at points [3, N], where later shapes cover earlier ones and edges show partial volume."""

    def __init__(self, points: np.ndarray, hu: float | np.ndarray, edge_mm: float) -> None:
        self.points = points
        self.hu = np.full(points.shape[1], hu, np.float32)
        self.edge_mm = edge_mm

    def paint(self, level: np.ndarray, hu: float | np.ndarray) -> None:
        """Paint the inside of a level [N] with `hu`, one value or [N]."""
        self.hu += np.clip(0.5 - level / self.edge_mm, 0, 1) * (hu - self.hu)


class Torso:
    """Everything within the muscular wall at N points: the levels of organs that bound others, and the painting.

    Attributes:
        canvas: Hounsfield units at the points.
        liver: level of the liver, [N] in mm.
        tumours: level of each tumour, [N] in mm.
    """

    def __init__(
        self, patient: Patient, canvas: Canvas, wall: np.ndarray, fields: np.ndarray, liver_warp: np.ndarray
    ) -> None:
        """Compute the levels.

        Args:
            patient: anatomy.
            canvas: canvas at the points.
            wall: level of the muscles' outline, [N].
            fields: texture, loops and speckle of the patient at the points, [3, N].
            liver_warp: displacement of the liver's surface at the points, [3, N] in mm.
        """
        self.patient = patient
        self.canvas = canvas
        self.wall = wall
        self.texture, self.loops, self.speckle = fields
        self._find_back()
        self.dome = blend(self._organ("right dome"), self._organ("left dome"), 30)
        self.stomach = self._within_abdomen(
            blend(self._organ("stomach"), self._organ("fundus"), 15) + 2 * self.loops, 4
        )
        self.kidneys = {name: self._organ(name) + self.texture for name in ("right kidney", "left kidney")}
        self.liver = self._liver(liver_warp)
        self.tumours = [
            np.maximum(tumour.shape.level(canvas.points) + 2 * self.texture, self.liver) for tumour in patient.tumours
        ]

    def _organ(self, name: str) -> np.ndarray:
        return self.patient.level(name, self.canvas.points)

    def _within_abdomen(self, level: np.ndarray, gap_mm: float) -> np.ndarray:
        """Restrict an organ's level to below the diaphragm and `gap_mm` inside of wall and back."""
        return np.maximum.reduce([level, self.dome + 3, self.cavity + gap_mm])

    def _find_back(self) -> None:
        """Compute the vertebrae, 33 mm each with their disc, and the muscles next to them, which bound the cavity."""
        x, y, z = self.canvas.points
        x = np.abs(x)
        lordosis = 46 - 8 * np.cos((z + 60) / 110)
        behind = y - lordosis
        along = np.mod(z, 33) - 16.5
        sacrum = 1 + np.clip((-125 - z) / 40, 0, 1)
        self.disc = (np.hypot(x / (24 * sacrum), behind / 17) - 1) * 19
        self.vertebra = np.maximum(self.disc, np.abs(along) - 12.5)
        self.canal = (np.hypot(x / 12, (behind - 26) / 9) - 1) * 10
        arch = np.maximum(self.canal - 6, np.abs(along) - 11)
        spinous = np.maximum.reduce([x - 3.5, np.abs(behind - 48) - 16, np.abs(along + 4) - 8])
        transverse = np.maximum.reduce([x - 40, np.abs(behind - 20) - 4, np.abs(along) - 6])
        self.processes = np.minimum.reduce([arch, spinous, transverse])
        self.paraspinal = (np.hypot((x - 34) / 33, (behind - 36) / 21) - 1) * 26
        self.back = np.minimum.reduce([self.disc, self.paraspinal, self.canal - 8])
        self.cavity = np.maximum(self.wall + abdomen.WALL_MM, -self.back)

    def _liver(self, warp: np.ndarray) -> np.ndarray:
        """Return the level of two lobes, cut by the visceral surface, the diaphragm and neighbouring organs."""
        patient = self.patient
        shifted = self.canvas.points + warp
        lobes = blend(patient.level("right lobe", shifted), patient.level("left lobe", shifted), 25)
        visceral = patient.hilum_normal @ (shifted - patient.hilum[:, None])
        liver = self._within_abdomen(-blend(-lobes, -visceral, 20), 3)
        neighbours = ("cava", "gallbladder", "fissure", "aorta", "duodenum")
        obstacles = [self._organ(name) for name in neighbours]
        kidney = patient.ellipsoids["right kidney"]
        # No liver lies behind the kidney or between it and the spine: such points count as the nearest other point.
        beside = np.stack([*np.minimum(shifted[:2], kidney.centre[:2, None]), shifted[2]])
        obstacles += [kidney.level(beside) - 6, self.kidneys["right kidney"] - 6, self.stomach - 1]
        return np.maximum(liver, 1 - np.minimum.reduce(obstacles))

    def paint(self) -> None:
        """Paint all organs, in the order in which they cover each other."""
        self._paint_chest()
        self._paint_bowel()
        self._paint_upper_organs()
        self._paint_vessels()
        self._paint_liver()
        self._paint_muscles_and_bones()

    def label(self) -> np.ndarray:
        """Return the classes [N]: 0 background, 1 liver, 2 tumour."""
        label = np.where(self.liver < 0, LIVER, 0)
        for level in self.tumours:
            label[level < 0] = TUMOUR
        return label

    def _paint_chest(self) -> None:
        x, y, z = self.canvas.points
        mediastinum = (np.hypot(x / 26, (y - 25) / 48) - 1) * 30
        recess = 15 - 0.5 * y - z
        lungs = np.maximum.reduce([self.cavity, -self.dome, recess, -mediastinum])
        enhancement = self.patient.enhancement
        self.canvas.paint(lungs - 3, enhancement.muscle)
        self.canvas.paint(lungs, abdomen.LUNG + 90 * np.clip(self.speckle, 0, 4) ** 2)
        heart = np.maximum(self._organ("heart"), -self.dome)
        self.canvas.paint(heart - 4, abdomen.FAT)
        self.canvas.paint(heart, 1.2 * enhancement.muscle)
        self.canvas.paint(heart + 10 + 6 * self.loops, (enhancement.artery + enhancement.vein) / 2)

    def _paint_bowel(self) -> None:
        y, z = self.canvas.points[1:]
        bowel = self.patient.enhancement.bowel
        small = np.maximum.reduce([8 * (-0.1 - self.loops), self.cavity + 5, y - 25, z - 5])
        self.canvas.paint(small, bowel)
        self.canvas.paint(small + 4, 15 + 10 * self.texture)
        for name in ("ascending colon", "transverse colon", "descending colon"):
            colon = np.maximum(self._organ(name) + 4 * self.loops, self.cavity + 4)
            self.canvas.paint(colon, bowel)
            stool = np.where(self.speckle > 0.8, -600, 25 + 25 * self.speckle)
            self.canvas.paint(colon + 3, np.where(y < -45 + 10 * self.texture, abdomen.AIR, stool))
        self.canvas.paint(self._organ("bladder"), abdomen.BILE)

    def _paint_upper_organs(self) -> None:
        canvas, enhancement = self.canvas, self.patient.enhancement
        for name, kidney in self.kidneys.items():
            organ = self.patient.ellipsoids[name]
            sinus = replace(organ, centre=organ.centre * np.array([0.72, 0.8, 1], np.float32), radii=organ.radii / 2)
            canvas.paint(kidney - 8, abdomen.FAT)
            canvas.paint(kidney, enhancement.cortex)
            canvas.paint(kidney + 7 + 3 * self.loops, enhancement.medulla)
            canvas.paint(sinus.level(canvas.points), abdomen.FAT)
        canvas.paint(self._organ("pancreas") + 3 * self.speckle, enhancement.pancreas)
        spleen = self._within_abdomen(self._organ("spleen") + 2 * self.texture, 3)
        spleen = np.maximum.reduce([spleen, 2 - self.stomach, 5 - self.kidneys["left kidney"]])
        canvas.paint(spleen, enhancement.liver + 3 * self.texture)
        canvas.paint(self.stomach, enhancement.bowel)
        lumen = self.stomach + 5
        canvas.paint(lumen, 30 + 12 * self.speckle)
        canvas.paint(np.maximum(lumen, canvas.points[1] - self.patient.gastric_air_mm), abdomen.AIR)
        duodenum = self._organ("duodenum")
        canvas.paint(duodenum, enhancement.bowel)
        canvas.paint(duodenum + 4, 20)
        canvas.paint(self._organ("oesophagus"), enhancement.muscle)
        gallbladder = self._organ("gallbladder")
        canvas.paint(gallbladder, enhancement.bowel)
        canvas.paint(gallbladder + 2, abdomen.BILE)

    def _paint_vessels(self) -> None:
        enhancement = self.patient.enhancement
        for hu, names in (
            (enhancement.artery, ("aorta", "right iliac", "left iliac", "mesenteric artery")),
            (enhancement.portal, ("portal vein", "splenic vein", "mesenteric vein")),
            (enhancement.vein, ("cava",)),
        ):
            for name in names:
                self.canvas.paint(self._organ(name), hu)

    def _paint_liver(self) -> None:
        canvas, enhancement = self.canvas, self.patient.enhancement
        canvas.paint(self.liver, enhancement.liver + 3 * self.texture)
        near = np.flatnonzero(self.liver < canvas.edge_mm)
        inner = Canvas(canvas.points[:, near], canvas.hu[near], canvas.edge_mm)
        for hu, vessels in (
            (enhancement.portal, self.patient.portal_tree),
            (enhancement.vein, self.patient.hepatic_veins),
        ):
            for vessel in vessels:
                inner.paint(np.maximum(vessel.level(inner.points), self.liver[near] + 3), hu)
        for tumour, level in zip(self.patient.tumours, self.tumours, strict=True):
            rim = np.clip(0.5 - level[near] / tumour.rim_mm, 0, 1)
            inner.hu += rim * (enhancement.liver + tumour.contrast + 6 * self.texture[near] - inner.hu)
        canvas.hu[near] = inner.hu

    def _paint_muscles_and_bones(self) -> None:
        canvas = self.canvas
        x, y, z = canvas.points
        muscle = self.patient.enhancement.muscle + 4 * self.texture
        for name in ("right psoas", "left psoas"):
            canvas.paint(self._organ(name), muscle)
        canvas.paint(self.paraspinal, muscle - 60 * np.clip(self.speckle - 1, 0, 1))
        canvas.paint(self.disc, 85)
        canvas.paint(np.minimum(self.vertebra, self.processes), abdomen.BONE)
        canvas.paint(self.vertebra + 3, abdomen.SPONGY_BONE + 25 * self.speckle)
        canvas.paint(self.canal, 25)

        across, backward = np.abs(x) / abdomen.WAIST_MM[0], y / abdomen.WAIST_MM[1]
        around = np.hypot(across, backward) + 1e-6
        across, backward = across / around, backward / around
        # Ribs are stripes in a layer of the wall that descend from the back to the side and rise to the sternum.
        height = z + 60 * across - 11 * (1 - backward) ** 2
        stripe = np.abs(np.mod(height, 27) - 13.5) - 4.5
        ribs = np.maximum.reduce([np.abs(self.wall + 9) - 3.2, stripe, 8 - height])
        sternum = np.maximum.reduce([np.abs(self.wall + 8) - 5, np.abs(x) - 16, 75 - z, y])
        canvas.paint(ribs, np.where(backward < -0.6, abdomen.CARTILAGE, abdomen.BONE))
        canvas.paint(sternum, abdomen.SPONGY_BONE)
        below_crest = -100 - 40 * (backward - 0.3) ** 2 - z
        wing = np.maximum.reduce([-below_crest, backward - 0.85, -0.35 - backward])
        depth = -self.wall - 12 - 0.5 * below_crest
        canvas.paint(np.maximum(depth - 14, wing), muscle)
        canvas.paint(np.maximum(np.abs(depth) - 4, wing), abdomen.BONE)


def outline(points: np.ndarray) -> np.ndarray:
    """Return the level [N] of the outside of the muscular wall, a rounded box that narrows towards the shoulders."""
    x, y, z = points
    narrowing = 1 - 0.0004 * np.clip(z, 0, None)
    across, backward = (np.abs(part) / (half * narrowing) for part, half in zip((x, y), abdomen.WAIST_MM, strict=True))
    radius = (across**2.4 + backward**2.4) ** (1 / 2.4) + 1e-6
    return np.hypot(x, y) * (1 - 1 / radius)
