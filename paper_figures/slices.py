"""The axial slice of a case that shows its label best, with outlines of masks."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import ScaledTranslation
from nibabel.affines import voxel_sizes
from nibabel.orientations import apply_orientation, io_orientation
from scipy.ndimage import find_objects

FILL = 0.25
"""Opacity of a filled mask."""

BAR_BELOW_IN = 4 / 72
"""From a picture down to its scale bar, in inches."""


def axial_view(volumes: Sequence[np.ndarray], affine: np.ndarray) -> tuple[list[np.ndarray], tuple[float, float]]:
    """Volumes of one grid as slices [z, y, x] in the radiological view, and their pixel size (y, x) in mm.

    They go from inferior to superior, their rows from posterior to anterior, and columns from the patient's right to
    the left.
    """
    orientation = io_orientation(affine)
    spacing_mm = dict(zip(orientation[:, 0].astype(int), voxel_sizes(affine), strict=True))
    turned = [apply_orientation(volume, orientation)[::-1].T for volume in volumes]
    return turned, (float(spacing_mm[1]), float(spacing_mm[0]))


def axial_slices(
    image: np.ndarray, masks: np.ndarray, affine: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Image [y, x], masks [m, y, x] and pixel size (y, x) in mm of the slice with the largest area of the first mask.

    It is seen as `axial_view` turns it, and cropped to what is not background.
    """
    turned, pixel_mm = axial_view([image, *masks], affine)
    place = int(turned[1].sum(axis=(1, 2)).argmax())
    picture, *slices = (volume[place] for volume in turned)
    (box,) = find_objects((np.any(slices, axis=0) | (picture != picture[0, 0])).astype(np.uint8))
    return picture[box], np.stack(slices)[:, *box], pixel_mm


def draw_slice(
    axes: Axes, picture: np.ndarray, pixel_mm: tuple[float, float], masks: list[tuple[np.ndarray, str]]
) -> None:
    """The picture with the outline of every mask, and the last mask filled."""
    height_mm, width_mm = np.multiply(picture.shape, pixel_mm)
    dark, bright = np.percentile(picture, (1, 99))
    axes.imshow(picture, cmap="gray", vmin=dark, vmax=bright, origin="lower", extent=(0, width_mm, 0, height_mm))
    for index, (mask, colour) in enumerate(masks):
        draw_outline(axes, mask, pixel_mm, colour, filled=index == len(masks) - 1)
    axes.set(xlim=(0, width_mm), ylim=(0, height_mm), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)

    length_mm = bar_length_mm(width_mm / 3)
    below = axes.transData + ScaledTranslation(0, -BAR_BELOW_IN, axes.figure.dpi_scale_trans)
    axes.plot([0, length_mm], [0, 0], color="black", linewidth=1.5, clip_on=False, transform=below)
    axes.set_xlabel(f"{length_mm:g} mm", loc="left", labelpad=7)
    for place, letter in ((0.03, "R"), (0.97, "L")):
        axes.text(
            place,
            0.98,
            letter,
            color="white",
            transform=axes.transAxes,
            va="top",
            ha="left" if letter == "R" else "right",
        )


def draw_outline(
    axes: Axes, mask: np.ndarray, pixel_mm: tuple[float, float], colour: str, filled: bool = False
) -> None:
    """The outline of a mask [y, x] in mm, which may be empty."""
    if not mask.any():
        return
    # A border of zeros closes the outline of what touches the border of the picture.
    y, x = ((np.arange(size + 2) - 0.5) * pixel for size, pixel in zip(mask.shape, pixel_mm, strict=True))
    inside = np.pad(mask, 1).astype(float)
    if filled:
        axes.contourf(x, y, inside, levels=[0.5, 1], colors=[colour], alpha=FILL)
    axes.contour(x, y, inside, levels=[0.5], colors=[colour], linewidths=0.8)


def bar_length_mm(limit_mm: float) -> float:
    """The largest length up to the limit that is 1, 2 or 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(limit_mm))
    return float(max(step * power for step in (1, 2, 5) if step * power <= limit_mm))
