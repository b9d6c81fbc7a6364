"""The files of surfaces: their names, what lies within them, and their place in mm."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ossnet.cli.surfaces import surfaces_to_write, write_surfaces
from ossnet.config import build
from ossnet.data.preprocessing import Preprocessing
from ossnet.errors import UserError
from ossnet.field import Grid, VoxelField

NAMES = Path("meshes/a-{class}.ply")


def model(**values: Any) -> Preprocessing:
    return build(Preprocessing, {"shape": (20, 20, 20), **values}, "test")


def vertices_of(path: Path) -> np.ndarray:
    """The vertices [v, 3] of a binary PLY."""
    header, _, body = path.read_bytes().partition(b"end_header\n")
    (count,) = (int(line.split()[-1]) for line in header.split(b"\n") if line.startswith(b"element vertex"))
    return np.frombuffer(body, "<f4", 3 * count).reshape(-1, 3)


@pytest.mark.parametrize(
    ("settings", "files"),
    [
        ({}, {"a-1.ply": range(1, 2)}),
        ({"classes": 3, "label_values": (0, 2, 4)}, {"a-2.ply": range(1, 2), "a-4.ply": range(2, 3)}),
        (
            {"regions": "brats"},
            {
                "a-whole-tumour.ply": range(1, 4),
                "a-tumour-core.ply": range(2, 4),
                "a-enhancing-tumour.ply": range(3, 4),
            },
        ),
    ],
)
def test_a_name_with_a_placeholder_is_that_of_a_file_for_each_class_or_region(
    settings: dict[str, Any], files: dict[str, range]
) -> None:
    surfaces = surfaces_to_write(NAMES, model(**settings))
    assert {surface.path: surface.part for surface in surfaces} == {NAMES.parent / name: files[name] for name in files}
    ((whole, _, part),) = surfaces_to_write(Path("a.ply"), model(**settings))
    assert (whole, part) == (Path("a.ply"), range(1, model(**settings).classes))


@pytest.mark.parametrize(
    "name", ["a-{klass}.ply", "a-{Class}.ply", "a-{class.ply", "{case}-{class}.ply", "a-class}.ply"]
)
def test_another_placeholder_is_no_part_of_a_name(name: str) -> None:
    with pytest.raises(UserError, match=r"--mesh.*\{class\}"):
        surfaces_to_write(Path(name), model())


def test_each_region_lies_where_it_is_in_mm_and_an_empty_one_is_not_written(tmp_path: Path) -> None:
    centre, radii = torch.tensor([9.3, 10.1, 9.7]), torch.tensor([7.0, 4.0, -1.0]).view(-1, 1, 1, 1)
    places = torch.stack(torch.meshgrid(*[torch.arange(20.0)] * 3, indexing="ij"), -1)
    field = VoxelField((radii - (places - centre).norm(dim=-1)).sigmoid(), 4)
    segmentation = (field.probabilities > 0.5).sum(0).to(torch.uint8)
    affine = np.array([[-2.0, 0, 0, 30], [0, -2, 0, -10], [0, 0, 3, 5], [0, 0, 0, 1]])

    def write(folder: Path, rounds: int) -> list[np.ndarray]:
        surfaces = surfaces_to_write(folder / "{class}.ply", model(regions="brats"))
        on_grid = (field, Grid.over(field), segmentation, affine)
        lines = write_surfaces(surfaces, *on_grid, 512, rounds, spacing_known=True)
        paths = [path for path, *_ in surfaces]
        assert [line.startswith(str(path)) for line, path in zip(lines, paths, strict=True)] == [True] * 3
        assert [path.exists() for path in paths] == [True, True, False]
        return [(vertices_of(path) - affine[:3, 3]) / np.diag(affine)[:3] for path in paths[:2]]

    raw, smooth = write(tmp_path / "raw", 0), write(tmp_path / "smooth", 5)
    for voxels, smoothed, radius in zip(raw, smooth, (7, 4), strict=True):
        assert np.abs(np.linalg.norm(voxels - centre.numpy(), axis=1) - radius).max() < 0.05
        # The smoothed one has the same vertices in other places.
        assert 0.01 < np.linalg.norm(smoothed - voxels, axis=1).mean() < 0.5
