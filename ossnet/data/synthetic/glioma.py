"""The embedded data set `glioma`: synthetic gliomas in real anatomy, which stand in for BraTS.

The anatomy is the randomly deformed ICBM 152 template (`brain`), and the tumour a front that grows through it
(`tumour`); this module turns them into four MR contrasts. White-matter hyperintensities and vessels imitate the tumour
locally and are not labelled, so that only location and context distinguish them. Nothing is fitted to the results of
any model.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass
from scipy.ndimage import gaussian_filter

from ossnet.checks import STRICT
from ossnet.data.case import Case, Dataset
from ossnet.data.regions import LABEL_NAMES
from ossnet.data.synthetic.brain import (
    FIELD_OF_VIEW_MM,
    HEAD_BOX_MM,
    Anatomy,
    Grid,
    Pose,
    Push,
    bend,
    smooth_noise,
    template,
)
from ossnet.data.synthetic.cache import embedded_dataset
from ossnet.data.synthetic.tumour import CORE, OEDEMA, RIM, TumourDraw, arrival_times, layers

VERSION = 3
"""Version of the generator, to be increased when the same configuration gives other cases."""

MODALITIES = ("flair", "t1", "t1ce", "t2")

WORKING_MM = 2.0
"""Approximate spacing at which cases are made before they are averaged to the grid, unless that is finer."""

TISSUE_SIGNALS = {
    "grey": (1.18, 0.74, 0.80, 1.35),
    "white": (1.0, 1.0, 1.0, 1.0),
    "fluid": (0.30, 0.32, 0.34, 3.2),
}
"""Signals relative to white matter, in the order of `MODALITIES`."""

LESION_SIGNALS = {
    OEDEMA: ((1.55, 0.16), (0.76, 0.06), (0.78, 0.06), (1.85, 0.20)),
    CORE: ((1.25, 0.35), (0.56, 0.08), (0.56, 0.08), (2.30, 0.35)),
    RIM: ((1.50, 0.18), (0.74, 0.08), (1.55, 0.25), (1.70, 0.20)),
}
"""Mean and standard deviation over cases of the signals relative to white matter, in the order of `MODALITIES`."""

HYPERINTENSITY_SIGNALS = ((1.50, 0.12), (0.80, 0.05), (0.82, 0.05), (1.75, 0.15))
"""Likewise, for white-matter hyperintensities."""

Size = Annotated[int, Field(ge=8)]
Share = Annotated[float, Field(gt=0, le=0.1)]


@dataclass(frozen=True, config=STRICT)
class GliomaConfig:
    """Configuration of the data set `glioma`.

    Attributes:
        shape: grid (H, W, D) in voxels over the field of view of BraTS, 240x240x155 mm.
        train: number of cases for training.
        validation: number of cases for validation.
        test: number of cases for test.
        seed: random seed of the data set.
        tumour_fraction: least and largest fraction of the grid that the whole tumour fills, log-uniformly distributed.
    """

    shape: tuple[Size, Size, Size] = (64, 64, 48)
    train: int = Field(default=64, ge=0)
    validation: int = Field(default=8, ge=0)
    test: int = Field(default=16, ge=0)
    seed: int = Field(default=0, ge=0)
    tumour_fraction: tuple[Share, Share] = (0.003, 0.04)

    @model_validator(mode="after")
    def _ordered(self) -> "GliomaConfig":
        if self.tumour_fraction[0] > self.tumour_fraction[1]:
            raise ValueError("tumour_fraction: give the smaller value first")
        return self


def glioma_dataset(
    config: GliomaConfig, cache: str | Path, workers: int = 2, report: Callable[[int, int], None] | None = None
) -> Dataset:
    """Return the data set `glioma`, and make its missing cases; see `embedded_dataset`."""
    dataset = embedded_dataset("glioma", config, glioma_case, MODALITIES, cache, workers, report, version=VERSION)
    return replace(dataset, label_names=LABEL_NAMES["brats"])


def glioma_case(config: GliomaConfig, index: int) -> Case:
    """Make the case of an index, which does not depend on the number of cases.

    Returns:
        A case of four modalities with raw intensities, 0 outside the brain, and labels 1 (necrotic or non-enhancing
        core), 2 (oedema) and 4 (enhancing rim).
    """
    head_rng, tumour_rng, signal_rng, noise_rng = np.random.default_rng([config.seed, index]).spawn(4)
    whole = Grid.covering(config.shape)
    box = whole.box(*HEAD_BOX_MM)
    head = whole.crop(box)
    first, second, third = (max(1, round(size / WORKING_MM)) for size in head.spacing_mm)
    factors = (first, second, third)
    grid = head.refined(factors)

    pose = Pose.draw(head_rng)
    fraction = np.exp(tumour_rng.uniform(*np.log(config.tumour_fraction)))
    radius_mm = float(np.cbrt(fraction * np.prod(FIELD_OF_VIEW_MM) * 3 / (4 * np.pi)))
    draw = TumourDraw.draw(tumour_rng, pose.to_frame(_draw_site(tumour_rng)), radius_mm)
    push = Push(draw.seed_mm, radius_mm=tumour_rng.uniform(18, 30), shift_mm=tumour_rng.uniform(0, 5))
    anatomy = bend(head_rng, grid, pose, push)

    # The front has reached half of a voxel of the grid at the median time of its parts.
    times = arrival_times(tumour_rng, grid, anatomy, draw, step=2)
    count = max(1, round(fraction * np.prod(config.shape)))
    arrived = np.median(_parts(times, factors), axis=-1)
    end = np.partition(arrived.ravel(), count)[count]
    fine_labels = layers(tumour_rng, grid, times < end, draw)

    signals = _signals(signal_rng, grid, anatomy, times / end, fine_labels)
    brain = _parts(anatomy.brain, factors).mean(-1) > 0.5
    shares = np.stack([(_parts(fine_labels, factors) == label).mean(-1) for label in (CORE, OEDEMA, RIM)])

    image = np.zeros((len(MODALITIES), *config.shape), dtype=np.float32)
    for channel, signal in zip(image, signals, strict=True):
        channel[box] = brain * _acquire(noise_rng, head, _parts(signal, factors).mean(-1))
    label = np.zeros(config.shape, dtype=np.uint8)
    label[box] = np.array([CORE, OEDEMA, RIM])[shares.argmax(0)] * (arrived < end)
    return Case(f"glioma-{index:04d}", image, label, _affine(whole), MODALITIES)


def _affine(grid: Grid) -> np.ndarray:
    """Return the affine to the RAS+ world of a grid with LPS axes and the origin of BraTS, (0, -239, 0) in LPS."""
    affine = np.diag([*grid.spacing_mm, 1.0])
    affine[:3, 3] = [axis[0] for axis in grid.axes_mm]
    return np.array([[-1.0, 0, 0, 0], [0, -1, 0, 239], [0, 0, 1, 0], [0, 0, 0, 1]]) @ affine


def _parts(volume: np.ndarray, factors: tuple[int, ...]) -> np.ndarray:
    """Reshape [H a, W b, D c] to [H, W, D, a b c], the parts of each voxel."""
    a, b, c = factors
    height, width, depth = (size // factor for size, factor in zip(volume.shape, factors, strict=True))
    parts = volume.reshape(height, a, width, b, depth, c).transpose(0, 2, 4, 1, 3, 5)
    return parts.reshape(height, width, depth, a * b * c)


def _draw_site(rng: np.random.Generator) -> np.ndarray:
    """Draw a point of the template's white matter above the tentorium, [3] in mm."""
    source = template()
    while True:
        point = rng.uniform([-60, -90, -20], [60, 60, 60])
        voxel = np.rint(point - source.affine[:3, 3]).astype(int)
        if source.white[tuple(voxel)] > 0.8 and abs(point[0]) > 8:
            return point


def _signals(
    rng: np.random.Generator, grid: Grid, anatomy: Anatomy, time: np.ndarray, labels: np.ndarray
) -> list[np.ndarray]:
    """Return the noise-free signals [H, W, D] of the four modalities; `time` is 1 at the front of the tumour."""
    # The change of signal fades at the boundary, where tumour cells thin out, and is half where the label ends.
    width = rng.uniform(0.02, 0.12)
    infiltration = 1 / (1 + np.exp(np.clip((time - 1) / width, -30, 30)))
    layer = np.where(labels == 0, OEDEMA, labels)
    hyperintensity = _hyperintensity(rng, grid, anatomy)
    vessels = _vessels(rng, grid, anatomy)
    texture = smooth_noise(rng, grid, 25.0)
    signals = []
    for modality, name in enumerate(MODALITIES):
        grey, white, fluid = (values[modality] * rng.normal(1, 0.04) for values in TISSUE_SIGNALS.values())
        signal = np.tensordot(np.array([grey, white, fluid], dtype=np.float32), anatomy.tissues, 1) * (
            1 + 0.03 * texture
        )
        altered = rng.normal(*HYPERINTENSITY_SIGNALS[modality])
        signal += hyperintensity * (altered - signal)
        if name == "t1ce":
            signal += vessels * (rng.normal(1.6, 0.2) - signal)
        lesion = np.zeros(5, dtype=np.float32)
        for label, means in LESION_SIGNALS.items():
            lesion[label] = rng.normal(*means[modality])
        heterogeneity = np.exp(0.1 * smooth_noise(rng, grid, 8.0))
        signal += infiltration * (lesion[layer] * heterogeneity - signal)
        signals.append(signal)
    return signals


def _hyperintensity(rng: np.random.Generator, grid: Grid, anatomy: Anatomy) -> np.ndarray:
    """Draw age-related white-matter hyperintensities, [H, W, D] in [0, 1]: a band around the ventricles, and spots."""
    white = anatomy.tissues[1]
    severity = rng.beta(1.5, 1.5)
    band = anatomy.ventricles + 0.08 * smooth_noise(rng, grid, 12.0) - (0.28 - 0.24 * severity)
    spots = smooth_noise(rng, grid, 10.0) + 2 * anatomy.ventricles - (2.8 - 1.2 * severity)
    return white * np.clip(np.maximum(band / 0.06, spots / 0.3), 0, 1)


def _vessels(rng: np.random.Generator, grid: Grid, anatomy: Anatomy) -> np.ndarray:
    """Draw structures that take up contrast agent, [H, W, D] in [0, 1]: vessels and the choroid plexus.

    Vessels lie where two random fields are both 0.
    """
    first, second = smooth_noise(rng, grid, 14.0), smooth_noise(rng, grid, 14.0)
    tubes = np.exp(-(np.square(first) + np.square(second)) / 0.12**2)
    plexus = np.clip(smooth_noise(rng, grid, 7.0) - 0.6, 0, 1) * np.clip(2 * anatomy.ventricles, 0, 1)
    return np.clip(np.maximum(tubes, plexus * anatomy.tissues[2]), 0, 1)


def _acquire(rng: np.random.Generator, grid: Grid, signal: np.ndarray) -> np.ndarray:
    """Simulate the acquisition of a modality: point spread, bias field, Rician noise and a random scale."""
    blur_mm = rng.uniform([0.3, 0.3, 0.3], [0.8, 0.8, 1.5])
    signal = gaussian_filter(signal, blur_mm / grid.spacing_mm)
    signal = signal * np.exp(rng.uniform(0.03, 0.1) * smooth_noise(rng, grid, 70.0))
    noise = rng.uniform(0.015, 0.05) * rng.standard_normal((2, *grid.shape), dtype=np.float32)
    return np.hypot(signal + noise[0], noise[1]) * 300 * np.exp(rng.normal(0, 0.4))
