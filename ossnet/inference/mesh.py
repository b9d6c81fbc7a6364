"""Triangle mesh of a segmentation's surface in world coordinates."""

from pathlib import Path

import numpy as np
from nibabel.affines import apply_affine
from numpy.typing import ArrayLike
from skimage.measure import marching_cubes

from ossnet.errors import UserError
from ossnet.files import replacing

MESH_SUFFIXES = (".ply", ".obj")
"""File name extensions that `write_mesh` accepts, in upper or lower case."""


def mesh_of(
    segmentation_or_probability: ArrayLike, affine: np.ndarray, level: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """Return the surface where a mask or a probability crosses `level`, by marching cubes.

    The mesh is closed, also where the object touches the border of the volume. It is not smoothed: MISE smooths it, and
    Section 3.3 leaves that out in practice. `ossnet.inference.surface` has the surface of an occupancy field.

    Args:
        segmentation_or_probability: mask or probabilities [H, W, D]; zero outside the volume.
        affine: map [4, 4] from voxel indices to mm, or to voxels where their size is not known.
        level: threshold above 0; values above it are inside.

    Returns:
        Vertices [v, 3] float64 in the affine's world, and faces [f, 3] int64, the indices of their vertices,
        anticlockwise as seen from outside, so that normals point outward. Both are empty where no value lies above
        `level`.
    """
    # Zeros around the volume close the surface of an object that touches its border.
    return cut(np.pad(np.asarray(segmentation_or_probability, dtype=np.float32), 1), level, affine, np.full(3, -1))


def cut(volume: np.ndarray, level: float, affine: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the surface where values cross a level, by marching cubes; see `mesh_of`.

    Args:
        volume: values [h, w, d] float32; the outermost ones are not above the level.
        level: values above it are inside.
        affine: map [4, 4] from voxel indices to mm.
        first: voxel index [3] of the first value.
    """
    if not (volume > level).any():
        return np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64)
    vertices, faces, _, _ = marching_cubes(volume, level)
    # With high values inside, scikit-image orders vertices for inward normals; a mirroring affine reverses the order.
    if np.linalg.det(affine[:3, :3]) > 0:
        faces = faces[:, ::-1]
    return apply_affine(affine, vertices.astype(np.float64) + first), faces.astype(np.int64)


def write_mesh(path: str | Path, vertices: np.ndarray, faces: np.ndarray, unit: str = "mm") -> None:
    """Write a triangle mesh as binary PLY (`.ply`) or Wavefront OBJ (`.obj`), whole or not at all.

    Args:
        path: file to write; its extension selects the format.
        vertices: vertices [v, 3].
        faces: indices [f, 3] of vertices, from 0.
        unit: unit of the vertices, written as a comment: mm, or voxels where their size is not known.

    Raises:
        UserError: the extension is another one, or the file cannot be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in MESH_SUFFIXES:
        raise UserError(f"cannot write a mesh to {path}: name it .ply or .obj")
    encode = _ply if suffix == ".ply" else _obj
    with replacing(path) as temporary:
        temporary.write_bytes(encode(vertices, faces, unit))


def _ply(vertices: np.ndarray, faces: np.ndarray, unit: str) -> bytes:
    header = (
        f"ply\nformat binary_little_endian 1.0\ncomment coordinates in {unit}\n"
        f"element vertex {len(vertices)}\nproperty float x\nproperty float y\nproperty float z\n"
        f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    polygons = np.zeros(len(faces), dtype=[("corners", "u1"), ("vertices", "<i4", 3)])
    polygons["corners"] = 3
    polygons["vertices"] = faces
    return header.encode("ascii") + vertices.astype("<f4").tobytes() + polygons.tobytes()


def _obj(vertices: np.ndarray, faces: np.ndarray, unit: str) -> bytes:
    lines = [f"# coordinates in {unit}"]
    lines += [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices]
    # OBJ counts vertices from 1.
    lines += [f"f {a} {b} {c}" for a, b, c in faces + 1]
    return ("\n".join(lines) + "\n").encode("ascii")
