"""The embedded data set `glioma`: synthetic gliomas in real anatomy, standing in for BraTS.

Anatomy is the ICBM 152 template bent at random (`anatomy`), the tumour a front grown through it (`tumour`); here they
become four MR contrasts. White-matter hyperintensities and vessels imitate the tumour locally and are not labelled, so
that only place and context tell them from it. Nothing here is fitted to the result of any model.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass
from scipy.ndimage import gaussian_filter

from ossnet.checks import STRICT
from ossnet.data.case import Case, Dataset
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
"""Raise it when the same configuration gives other cases."""

MODALITIES = ("flair", "t1", "t1ce", "t2")

WORKING_MM = 2.0
"""Cases are made at about this spacing or the grid's own, whichever is finer, then averaged to the grid."""

# Signals relative to white matter, in the order of MODALITIES.
TISSUE_SIGNALS = {
    "grey": (1.18, 0.74, 0.80, 1.35),
    "white": (1.0, 1.0, 1.0, 1.0),
    "fluid": (0.30, 0.32, 0.34, 3.2),
}
LESION_SIGNALS = {  # mean and standard deviation over cases
    OEDEMA: ((1.55, 0.16), (0.76, 0.06), (0.78, 0.06), (1.85, 0.20)),
    CORE: ((1.25, 0.35), (0.56, 0.08), (0.56, 0.08), (2.30, 0.35)),
    RIM: ((1.50, 0.18), (0.74, 0.08), (1.55, 0.25), (1.70, 0.20)),
}
HYPERINTENSITY_SIGNALS = ((1.50, 0.12), (0.80, 0.05), (0.82, 0.05), (1.75, 0.15))


Size = Annotated[int, Field(ge=8)]
Share = Annotated[float, Field(gt=0, le=0.1)]


@dataclass(frozen=True, config=STRICT)
class GliomaConfig:
    """How many cases, how large, and how large their tumours.

    Attributes:
        shape: grid (H, W, D) over the field of view of BraTS, 240x240x155 mm.
        tumour_fraction: least and largest part of the grid that the whole tumour fills, uniform in the logarithm.
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
            raise ValueError("tumour_fraction: give the least first")
        return self


def glioma_dataset(
    config: GliomaConfig, cache: str | Path, workers: int = 2, report: Callable[[int, int], None] | None = None
) -> Dataset:
    """The cases of `config`, made now where `cache` lacks them; see `embedded_dataset`."""
    return embedded_dataset("glioma", config, glioma_case, MODALITIES, cache, workers, report, version=VERSION)


def glioma_case(config: GliomaConfig, index: int) -> Case:
    """Case `index`: determined by the seed and the index alone, whatever other cases there are.

    Returns:
        A case of four modalities with raw intensities, 0 outside the brain; labels 1 (necrotic or non-enhancing core),
        2 (oedema) and 4 (enhancing rim).
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

    # The front reaches half of a voxel of the grid at the median of its parts.
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
    """Voxel to mm in the RAS+ world, axes LPS, with the origin of BraTS: (0, -239, 0) in its own LPS frame."""
    affine = np.diag([*grid.spacing_mm, 1.0])
    affine[:3, 3] = [axis[0] for axis in grid.axes_mm]
    return np.array([[-1.0, 0, 0, 0], [0, -1, 0, 239], [0, 0, 1, 0], [0, 0, 0, 1]]) @ affine


def _parts(volume: np.ndarray, factors: tuple[int, ...]) -> np.ndarray:
    """[H a, W b, D c] -> [H, W, D, a b c]: the parts of each voxel."""
    a, b, c = factors
    height, width, depth = (size // factor for size, factor in zip(volume.shape, factors, strict=True))
    parts = volume.reshape(height, a, width, b, depth, c).transpose(0, 2, 4, 1, 3, 5)
    return parts.reshape(height, width, depth, a * b * c)


def _draw_site(rng: np.random.Generator) -> np.ndarray:
    """A point of the template's white matter above the tentorium, [3] in mm."""
    source = template()
    while True:
        point = rng.uniform([-60, -90, -20], [60, 60, 60])
        voxel = np.rint(point - source.affine[:3, 3]).astype(int)
        if source.white[tuple(voxel)] > 0.8 and abs(point[0]) > 8:
            return point


def _signals(
    rng: np.random.Generator, grid: Grid, anatomy: Anatomy, time: np.ndarray, labels: np.ndarray
) -> list[np.ndarray]:
    """Noise-free signals [H, W, D] of the four modalities; `time` is 1 where the front stands."""
    # The change of signal fades across the hull, where tumour cells thin out; its half is where the label ends.
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
    """White-matter hyperintensities of age, [H, W, D] in [0, 1]: a band about the ventricles, and spots."""
    white = anatomy.tissues[1]
    severity = rng.beta(1.5, 1.5)
    band = anatomy.ventricles + 0.08 * smooth_noise(rng, grid, 12.0) - (0.28 - 0.24 * severity)
    spots = smooth_noise(rng, grid, 10.0) + 2 * anatomy.ventricles - (2.8 - 1.2 * severity)
    return white * np.clip(np.maximum(band / 0.06, spots / 0.3), 0, 1)


def _vessels(rng: np.random.Generator, grid: Grid, anatomy: Anatomy) -> np.ndarray:
    """What takes up contrast agent, [H, W, D] in [0, 1]: vessels, where two random fields vanish, and the plexus."""
    first, second = smooth_noise(rng, grid, 14.0), smooth_noise(rng, grid, 14.0)
    tubes = np.exp(-(np.square(first) + np.square(second)) / 0.12**2)
    plexus = np.clip(smooth_noise(rng, grid, 7.0) - 0.6, 0, 1) * np.clip(2 * anatomy.ventricles, 0, 1)
    return np.clip(np.maximum(tubes, plexus * anatomy.tissues[2]), 0, 1)


def _acquire(rng: np.random.Generator, grid: Grid, signal: np.ndarray) -> np.ndarray:
    """A modality as a scanner gives it: point spread, bias field, Rician noise and a scale of its own."""
    blur_mm = rng.uniform([0.3, 0.3, 0.3], [0.8, 0.8, 1.5])
    signal = gaussian_filter(signal, blur_mm / grid.spacing_mm)
    signal = signal * np.exp(rng.uniform(0.03, 0.1) * smooth_noise(rng, grid, 70.0))
    noise = rng.uniform(0.015, 0.05) * rng.standard_normal((2, *grid.shape), dtype=np.float32)
    return np.hypot(signal + noise[0], noise[1]) * 300 * np.exp(rng.normal(0, 0.4))
