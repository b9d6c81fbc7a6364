"""Options for the grid of a segmentation: the image's own, or a finer or coarser one over the same volume."""

import argparse
import math

import psutil

from ossnet.cli.options import OneLineParser, positive
from ossnet.data.case import Case
from ossnet.data.voxel_grid import Shape, VoxelGrid
from ossnet.errors import UserError

LONGEST_AXIS = 2**15 - 1
"""Largest number of voxels along an axis of a NIfTI-1 file, which stores it in 16 bits."""

BYTES_PER_VOXEL = 7
"""Bytes per voxel that an octree's lattices take."""


def grid_options() -> argparse.ArgumentParser:
    """Return the options of the grid."""
    options = OneLineParser(add_help=False)
    resolution = options.add_mutually_exclusive_group()
    resolution.add_argument(
        "--spacing",
        nargs="+",
        type=_length,
        metavar="MM",
        help="edge lengths of the voxels to write in mm: one, or three in the order of the input's axes; they are "
        "rounded so that whole voxels fill the input's volume (default: those of the input)",
    )
    resolution.add_argument(
        "--shape",
        nargs=3,
        type=positive,
        metavar=("H", "W", "D"),
        help="number of voxels to write along each of the input's axes, over the same volume (default: as it has)",
    )
    return options


def shape_to_write(arguments: argparse.Namespace, case: Case) -> Shape:
    """Return the shape of the grid to write by `grid_options`; without them that of the case.

    Raises:
        UserError: the size of the case's voxels is not known, or the grid is too large for a file or for memory.
    """
    if arguments.spacing:
        shape = _shape_at(arguments.spacing, case)
    elif arguments.shape:
        height, width, depth = arguments.shape
        shape = (height, width, depth)
    else:
        return case.shape
    remedy = "give a larger --spacing" if arguments.spacing else "give a smaller --shape"
    words = f"{' x '.join(map(str, shape))} voxels"
    if max(shape) > LONGEST_AXIS:
        raise UserError(f"a NIfTI file has at most {LONGEST_AXIS} voxels along an axis, not {words}; {remedy}")
    needed, available = BYTES_PER_VOXEL * math.prod(shape), psutil.virtual_memory().available
    if needed > available:
        raise UserError(
            f"{words} take {needed / 1e9:.1f} GB of memory, of which {available / 1e9:.1f} GB are free; {remedy}"
        )
    return shape


def _shape_at(spacing_mm: list[float], case: Case) -> Shape:
    if len(spacing_mm) not in (1, 3):
        raise UserError(f"--spacing has {len(spacing_mm)} lengths; give one, or three in the order of the axes")
    if not case.spacing_known:
        raise UserError(f"{case.name} does not state the size of its voxels; give --shape instead of --spacing")
    height, width, depth = spacing_mm * 3 if len(spacing_mm) == 1 else spacing_mm
    return VoxelGrid(case.shape, case.affine).shape_at((height, width, depth))


def _length(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a length in mm above 0, such as 0.5")
    return value
