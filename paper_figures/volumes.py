"""Drawings of volumes: the axial slice that shows a label best, with outlines of masks, and meshes of masks."""

from collections.abc import Sequence
from itertools import product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LightSource
from matplotlib.transforms import ScaledTranslation
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from mpl_toolkits.mplot3d.axes3d import Axes3D
from nibabel.affines import apply_affine, from_matvec, voxel_sizes
from nibabel.orientations import apply_orientation, io_orientation
from scipy.ndimage import find_objects
from skimage.measure import block_reduce

from ossnet.inference.mesh import mesh_of

FILL = 0.25
"""Opacity of a filled mask."""

BAR_BELOW_IN = 4 / 72
"""Distance from a slice down to its scale bar, in inches."""

MAX_MESH_VOXELS = 80
"""Longest edge of the grid that a mesh is made from; a finer grid would not be visible at the size of a panel."""

LIGHT = 310
"""Azimuth of the light on meshes, in degrees."""


def axial_view(volumes: Sequence[np.ndarray], affine: np.ndarray) -> tuple[list[np.ndarray], tuple[float, float]]:
    """Return volumes of one grid as axial slices [z, y, x] in the radiological view, and the pixel size (y, x) in mm.

    Slices run from inferior to superior, rows from posterior to anterior, and columns from the patient's right to the
    left.
    """
    orientation = io_orientation(affine)
    spacing_mm = dict(zip(orientation[:, 0].astype(int), voxel_sizes(affine), strict=True))
    turned = [apply_orientation(volume, orientation)[::-1].T for volume in volumes]
    return turned, (float(spacing_mm[1]), float(spacing_mm[0]))


def axial_slices(
    image: np.ndarray, masks: np.ndarray, affine: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Return the axial slice in which the first mask has the largest area.

    It is oriented as by `axial_view`, and cropped to the masks and to what differs from the background.

    Args:
        image: image [H, W, D].
        masks: masks [m, H, W, D].
        affine: voxel indices to mm, [4, 4].

    Returns:
        The image [y, x], the masks [m, y, x], and the pixel size (y, x) in mm.
    """
    turned, pixel_mm = axial_view([image, *masks], affine)
    place = int(turned[1].sum(axis=(1, 2)).argmax())
    picture, *slices = (volume[place] for volume in turned)
    (box,) = find_objects((np.any(slices, axis=0) | (picture != picture[0, 0])).astype(np.uint8))
    return picture[box], np.stack(slices)[:, *box], pixel_mm


def draw_slice(
    axes: Axes, picture: np.ndarray, pixel_mm: tuple[float, float], masks: list[tuple[np.ndarray, str]]
) -> None:
    """Draw a slice with a scale bar and the outline of every mask, the last one filled.

    Args:
        axes: axes to draw on.
        picture: the image [y, x].
        pixel_mm: pixel size (y, x) in mm.
        masks: masks [y, x] with their colours.
    """
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
    axes: Axes,
    mask: np.ndarray,
    pixel_mm: tuple[float, float],
    colour: str,
    filled: bool = False,
    style: str = "solid",
) -> None:
    """Draw the outline of a mask [y, x] in mm with a line style of matplotlib; an empty mask draws nothing."""
    if not mask.any():
        return
    # A border of zeros closes the outline where the mask touches the border of the slice.
    y, x = ((np.arange(size + 2) - 0.5) * pixel for size, pixel in zip(mask.shape, pixel_mm, strict=True))
    inside = np.pad(mask, 1).astype(float)
    if filled:
        axes.contourf(x, y, inside, levels=[0.5, 1], colors=[colour], alpha=FILL)
    axes.contour(x, y, inside, levels=[0.5], colors=[colour], linewidths=0.8, linestyles=[style])


def bar_length_mm(limit_mm: float) -> float:
    """Return the largest length up to a limit that is 1, 2 or 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(limit_mm))
    return float(max(step * power for step in (1, 2, 5) if step * power <= limit_mm))


class Mesh(Poly3DCollection):
    """Shaded triangles that keep their corners; matplotlib itself only gives access to projections.

    Attributes:
        triangles: corners of the triangles [n, 3, 3] in mm: triangle, corner, (x, y, z).
    """

    def __init__(self, triangles: np.ndarray, colour: str) -> None:
        light = LightSource(azdeg=LIGHT, altdeg=45)
        super().__init__(triangles, facecolors=colour, shade=True, lightsource=light)
        self.triangles = triangles
        # Smoothed edges would leave hairlines between triangles.
        self.set_antialiased(False)
        # As vectors, tens of thousands of triangles would make the PDF unwieldy.
        self.set_rasterized(True)


def coarse_meshes(masks: np.ndarray, affine: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the mesh (vertices and faces) of each mask [m, H, W, D].

    Masks are averaged over cubes so that no edge of the grid has more than `MAX_MESH_VOXELS`.
    """
    (box,) = find_objects(masks.any(axis=0).astype(np.uint8))
    cropped = masks[:, *box].astype(np.float32)
    edge = -(-max(cropped.shape[1:]) // MAX_MESH_VOXELS)
    # The centre of a cube's first voxel lies (edge - 1) / 2 before the cube's own.
    to_voxels = from_matvec(np.eye(3) * edge, np.array([part.start for part in box]) + (edge - 1) / 2)
    return [mesh_of(block_reduce(mask, edge, np.mean), affine @ to_voxels) for mask in cropped]


def view_of(mask: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return limits [2, 3] in mm around a mask [H, W, D], with a margin of a quarter of its longest edge."""
    (box,) = find_objects(mask.astype(np.uint8))
    corners = apply_affine(affine, list(product(*((part.start - 0.5, part.stop - 0.5) for part in box))))
    low, high = corners.min(axis=0), corners.max(axis=0)
    margin = (high - low).max() / 4
    return np.stack([low - margin, high + margin])


def draw_mesh(axes: Axes3D, vertices: np.ndarray, faces: np.ndarray, limits: np.ndarray, colour: str) -> None:
    """Draw a mesh from the patient's front right, with three arms that show the directions and the scale.

    A note says so where there is no surface, or where it extends beyond the limits [2, 3] in mm.
    """
    low, high = limits
    extent = high - low
    # matplotlib would draw what lies beyond the limits over the neighbouring panels.
    within = ((vertices >= low) & (vertices <= high)).all(axis=1)[faces].all(axis=1)
    if within.any():
        axes.add_collection3d(Mesh(vertices[faces[within]], colour))
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
