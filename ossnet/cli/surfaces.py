"""The surfaces that `ossnet segment` writes: that of the whole foreground, or one of each class or region."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from ossnet.data.preprocessing import Preprocessing
from ossnet.errors import UserError
from ossnet.evaluation.class_scores import scored_classes
from ossnet.field import Grid, OccupancyField
from ossnet.inference.mesh import write_mesh
from ossnet.inference.smoothing import smooth_mesh
from ossnet.inference.surface import surface_of_field

PLACEHOLDER = "{class}"
"""Part of a file name in whose place each surface has the name of its class."""


class Surface(NamedTuple):
    """A surface to write.

    Attributes:
        path: file of the mesh.
        name: label value of the class or name of the region; empty for the whole foreground.
        part: class indices within the surface.
    """

    path: Path
    name: str
    part: range


def surfaces_to_write(path: Path, preprocessing: Preprocessing) -> list[Surface]:
    """Return the surface of the foreground or, if the path has a `PLACEHOLDER`, that of each class or region.

    Classes have the names that they have in scores, in which characters other than letters, digits, `_`, `+` and `-`
    are replaced by `-`.

    Raises:
        UserError: the path has a curly bracket that is not of a `PLACEHOLDER`.
    """
    if set("{}") & set(str(path).replace(PLACEHOLDER, "")):
        raise UserError(f"--mesh {path}: of names in curly brackets there is only {PLACEHOLDER}; write that or none")
    if PLACEHOLDER not in str(path):
        return [Surface(path, "", range(1, preprocessing.classes))]
    return [
        Surface(
            Path(str(path).replace(PLACEHOLDER, re.sub(r"[^\w+-]+", "-", name))),
            name,
            range(min(indices), max(indices) + 1),
        )
        for name, indices in scored_classes(preprocessing).items()
    ]


def write_surfaces(
    surfaces: Sequence[Surface],
    field: OccupancyField,
    grid: Grid,
    segmentation: Tensor,
    affine: np.ndarray,
    max_locations: int,
    rounds: int,
    spacing_known: bool,
) -> list[str]:
    """Write the surfaces one after another, and return lines about them.

    A surface without a voxel is not written.

    Args:
        surfaces: the surfaces.
        field: occupancy field of the segmentation.
        grid: grid of the segmentation.
        segmentation: class indices [H, W, D].
        affine: map [4, 4] from voxel indices to mm, or to voxels if their size is not known.
        max_locations: maximum number of locations per pass.
        rounds: number of rounds of smoothing.
        spacing_known: whether the size of voxels is known.

    Raises:
        UserError: a file cannot be written.
    """
    lines = []
    for path, name, part in surfaces:
        vertices, faces = surface_of_field(field, grid, segmentation, affine, max_locations, part)
        if not len(faces):
            lines.append(f"{path}: not written, since the segmentation {f'has no {name}' if name else 'is empty'}")
            continue
        write_mesh(path, smooth_mesh(vertices, faces, rounds), faces, unit="mm" if spacing_known else "voxels")
        if name:
            lines.append(f"{path}: surface of {name}")
        if not spacing_known:
            lines.append(f"{path}: in voxels instead of mm, since the image does not state their size")
    return lines
