"""Meshes of bodies whose volume is known."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from nibabel.affines import apply_affine

from ossnet.errors import UserError
from ossnet.inference.mesh import mesh_of, write_mesh

RAS = np.diag([1.0, 1, 1, 1])
LPS = np.diag([-1.0, -1, 1, 1])
MIRRORED = np.array([[0, 2.0, 0, -30], [1, 0, 0, 5], [0, 0, 1.5, 7], [0, 0, 0, 1]])
ONE_AXIS_FLIPPED = np.diag([-1.0, 1, 1, 1])
AFFINES = [RAS, LPS, ONE_AXIS_FLIPPED, MIRRORED]


def signed_volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Positive where the faces' normals point outward, by the divergence theorem."""
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def ball(radius: float) -> np.ndarray:
    """Signed distance to the sphere, positive inside, in the middle of a grid."""
    size = 2 * int(radius) + 5
    return radius - np.linalg.norm(np.indices((size, size, size)) - size // 2, axis=0)


def is_closed(faces: np.ndarray) -> bool:
    """Every edge is walked once in each direction."""
    edges = Counter(tuple(edge) for face in faces.tolist() for edge in zip(face, [*face[1:], face[0]], strict=True))
    return all(edges[b, a] == count == 1 for (a, b), count in edges.items())


@pytest.mark.parametrize("affine", AFFINES)
def test_normals_point_outward_whatever_the_handedness(affine: np.ndarray) -> None:
    voxels = ball(10) > 0
    expected = 4 / 3 * np.pi * 10**3 * abs(np.linalg.det(affine[:3, :3]))
    vertices, faces = mesh_of(voxels, affine)
    assert signed_volume(vertices, faces) == pytest.approx(expected, rel=0.03)


def test_a_mask_and_its_mesh_hold_the_same_volume_but_for_the_cut_edges() -> None:
    # Between voxel centres marching cubes cuts the 12 edges of a box by a wedge of 1/8 voxel each.
    mask = np.zeros((12, 12, 12), dtype=bool)
    mask[1:11, 1:11, 1:11] = True
    volume = signed_volume(*mesh_of(mask, RAS))
    assert 1000 - 12 * 10 / 8 <= volume < 1000


def test_vertices_are_in_mm_of_the_world() -> None:
    mask = np.zeros((5, 5, 5), dtype=bool)
    mask[1, 2, 3] = True
    vertices, _ = mesh_of(mask, MIRRORED)
    np.testing.assert_allclose(vertices.mean(axis=0), apply_affine(MIRRORED, [1, 2, 3]))
    np.testing.assert_allclose(np.ptp(vertices, axis=0), [2, 1, 1.5])


def test_a_mesh_is_closed_where_the_object_fills_the_volume() -> None:
    vertices, faces = mesh_of(np.ones((4, 3, 2)), RAS)
    assert is_closed(faces)
    np.testing.assert_allclose(vertices.min(axis=0), [-0.5] * 3)
    np.testing.assert_allclose(vertices.max(axis=0), [3.5, 2.5, 1.5])


def test_a_probability_is_cut_at_its_level() -> None:
    probability = np.clip(0.5 + 0.1 * ball(8), 0, 1)
    for level, radius in ((0.5, 8.0), (0.7, 6.0)):
        vertices, faces = mesh_of(probability, RAS, level)
        assert is_closed(faces)
        radii = np.linalg.norm(vertices - len(probability) // 2, axis=1)
        np.testing.assert_allclose(radii, radius, atol=0.05)


def test_nothing_gives_an_empty_mesh() -> None:
    vertices, faces = mesh_of(np.zeros((3, 3, 3)), RAS)
    assert vertices.shape == faces.shape == (0, 3)


def test_ply_holds_the_mesh(tmp_path: Path) -> None:
    vertices, faces = mesh_of(ball(3) > 0, LPS)
    write_mesh(tmp_path / "mesh.ply", vertices, faces)
    header, _, body = (tmp_path / "mesh.ply").read_bytes().partition(b"end_header\n")
    assert header.startswith(b"ply\nformat binary_little_endian 1.0\ncomment coordinates in mm\n")
    assert f"element vertex {len(vertices)}\n".encode() in header
    assert f"element face {len(faces)}\n".encode() in header
    cut = 12 * len(vertices)
    np.testing.assert_allclose(np.frombuffer(body[:cut], "<f4").reshape(-1, 3), vertices, rtol=1e-6)
    polygons = np.frombuffer(body[cut:], [("corners", "u1"), ("vertices", "<i4", 3)])
    assert (polygons["corners"] == 3).all()
    np.testing.assert_array_equal(polygons["vertices"], faces)


def test_obj_holds_the_mesh_and_counts_from_one(tmp_path: Path) -> None:
    vertices, faces = mesh_of(ball(3) > 0, LPS)
    write_mesh(tmp_path / "mesh.obj", vertices, faces, unit="voxels")
    assert b" coordinates in voxels\n" in (tmp_path / "mesh.obj").read_bytes()
    lines = [line.split() for line in (tmp_path / "mesh.obj").read_text().splitlines()]
    read = np.array([line[1:] for line in lines if line[0] == "v"], dtype=float)
    np.testing.assert_allclose(read, vertices, atol=1e-6)
    np.testing.assert_array_equal([[int(index) - 1 for index in line[1:]] for line in lines if line[0] == "f"], faces)


def test_an_unknown_format_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"mesh\.stl.*\.ply or \.obj"):
        write_mesh(tmp_path / "mesh.stl", np.zeros((0, 3)), np.zeros((0, 3), dtype=int))
    assert not list(tmp_path.iterdir())
