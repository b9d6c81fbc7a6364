"""Meshes of masks as they are seen from the patient's front right, all with the same light and limits."""

from itertools import product

import numpy as np
from matplotlib.colors import LightSource
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from mpl_toolkits.mplot3d.axes3d import Axes3D
from nibabel.affines import apply_affine, from_matvec
from scipy.ndimage import find_objects
from skimage.measure import block_reduce

from ossnet.inference.mesh import mesh_of
from paper_figures.slices import bar_length_mm

MAX_MESH_VOXELS = 80
"""Longest edge of the grid that a mesh is drawn from; more would not be seen at the size of a panel."""

LIGHT = 310
"""Where the light comes from, in degrees of azimuth."""


def coarse_meshes(masks: np.ndarray, affine: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Meshes of masks [m, H, W, D], from their averages over cubes so that the grid has `MAX_MESH_VOXELS` at most."""
    (box,) = find_objects(masks.any(axis=0).astype(np.uint8))
    cropped = masks[:, *box].astype(np.float32)
    edge = -(-max(cropped.shape[1:]) // MAX_MESH_VOXELS)
    # The centre of a cube's first voxel lies (edge - 1) / 2 before the cube's own.
    to_voxels = from_matvec(np.eye(3) * edge, np.array([part.start for part in box]) + (edge - 1) / 2)
    return [mesh_of(block_reduce(mask, edge, np.mean), affine @ to_voxels) for mask in cropped]


def view_of(mask: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Limits [2, 3] in mm around a mask [H, W, D], with a margin of a quarter of its longest edge."""
    (box,) = find_objects(mask.astype(np.uint8))
    corners = apply_affine(affine, list(product(*((part.start - 0.5, part.stop - 0.5) for part in box))))
    low, high = corners.min(axis=0), corners.max(axis=0)
    margin = (high - low).max() / 4
    return np.stack([low - margin, high + margin])


def draw_mesh(axes: Axes3D, vertices: np.ndarray, faces: np.ndarray, limits: np.ndarray, colour: str) -> None:
    """A shaded mesh within limits [2, 3] in mm, with three arms that show the directions and the scale."""
    low, high = limits
    extent = high - low
    # matplotlib would draw what lies beyond the limits over the neighbouring panels.
    within = ((vertices >= low) & (vertices <= high)).all(axis=1)[faces].all(axis=1)
    if within.any():
        mesh = Poly3DCollection(
            vertices[faces[within]], facecolors=colour, shade=True, lightsource=LightSource(azdeg=LIGHT, altdeg=45)
        )
        # Smoothed edges would leave hairlines between triangles.
        mesh.set_antialiased(False)
        # As vectors, tens of thousands of triangles would make the PDF unwieldy.
        mesh.set_rasterized(True)
        axes.add_collection3d(mesh)
    if not within.all() or not len(faces):
        note = "extends beyond view" if len(faces) else "no surface"
        axes.text2D(0.5, 0.97, note, transform=axes.transAxes, ha="center", va="top", style="italic")
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
    axes.set_box_aspect(tuple(extent), zoom=1.2)
    axes.set_proj_type("ortho")
    axes.view_init(elev=20, azim=60)
    axes.set_axis_off()

    length_mm = bar_length_mm(extent.max() / 5)
    corner = np.array([high[0] - 0.15 * extent[0], low[1], low[2] - 0.15 * extent[2]])
    for letter, direction in (("L", (-1, 0, 0)), ("A", (0, 1, 0)), ("S", (0, 0, 1))):
        end = corner + length_mm * np.array(direction)
        axes.plot(*zip(corner, end, strict=True), color="black", linewidth=1)
        axes.text(*(corner + 1.6 * (end - corner)), letter, ha="center", va="center")
    axes.text2D(0, 0, f"arms: {length_mm:g} mm", transform=axes.transAxes, verticalalignment="top")
