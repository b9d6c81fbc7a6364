"""Headers of NIfTI files, recognised by content instead of name, and repaired where their meaning is beyond doubt."""

import bz2
import gzip
import logging
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import nibabel
import numpy as np
from nibabel.spatialimages import HeaderDataError

from ossnet.errors import UserError
from ossnet.files import unreadable

MM_PER_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
"""Millimetres per unit of length of the NIfTI-1 standard: none stated (mm, as all readers assume), m, mm and µm."""

LONGEST_EDGE_MM = 100.0
"""Longest plausible edge of a voxel. No scanner has longer ones, so that a longer edge has the wrong unit."""

QUATERNION_TOLERANCE = 0.01
"""Allowed excess of the length of a quaternion over 1 by rounding. The NIfTI reference code normalises any excess."""

HEADERS = ((4, b"n+2", nibabel.Nifti2Header), (344, b"n+1", nibabel.Nifti1Header))
"""Offset and bytes of the magic string of single NIfTI files, and the class of their header."""

OTHER_KINDS = (
    (344, b"ni1", "the header of a NIfTI pair (.hdr and .img)"),
    (4, b"ni2", "the header of a NIfTI pair (.hdr and .img)"),
    (128, b"DICM", "a DICOM file"),
    (0, b"NRRD", "an NRRD file"),
    (0, b"ObjectType", "the header of a MetaImage (.mhd or .mha)"),
    (0, b"\0\0\0\1", "a FreeSurfer volume (.mgh or .mgz)"),
    (0, b"\x5c\1\0\0", "the header of an Analyze 7.5 image"),
    (0, b"\0\0\1\x5c", "the header of an Analyze 7.5 image"),
    (0, b"\x89HDF", "an HDF5 or MINC file"),
    (0, b"PK", "a zip archive"),
    (0, b"version https://git-lfs", "a pointer of Git LFS, whose contents were not fetched"),
    (0, b"<", "a page of HTML or XML"),
)
"""Offset and first bytes of other files, and their name in messages."""

DECOMPRESSORS: tuple[tuple[bytes, Any], ...] = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open))

# Nibabel would report its repairs of a header on standard error whenever the file is read.
_SILENT = logging.Logger("repairs by nibabel", level=logging.CRITICAL + 1)


class OpenedNifti(NamedTuple):
    """Open NIfTI file whose voxels have not been read.

    Attributes:
        header: repaired header, whose offset of the voxels is that in `stream`.
        stream: uncompressed bytes, seekable.
        start_is_certain: whether the file states where its voxels start. Otherwise they are assumed to follow the
            header.
    """

    header: nibabel.Nifti1Header
    stream: IO[bytes]
    start_is_certain: bool


@contextmanager
def open_nifti(path: str | Path) -> Iterator[OpenedNifti]:
    """Open a single NIfTI-1 or NIfTI-2 file, uncompressed or compressed with gzip or bzip2, whatever its suffix.

    Raises:
        UserError: the file does not exist, cannot be read, has another format, is damaged, or has an invalid header.
            Errors while the caller reads from the stream are converted in the same way.
    """
    path = Path(path)
    try:
        if not path.is_file():
            problem = "is a folder" if path.is_dir() else "does not exist"
            raise UserError(f"{path} {problem}; give a NIfTI file (.nii.gz or .nii)")
        with path.open("rb") as file, _uncompressed(file) as stream:
            header = _read_header(stream, path)
            start_is_certain = bool(header["vox_offset"] >= header.single_vox_offset)
            _repair(header, path)
            yield OpenedNifti(header, stream, start_is_certain)
    except HeaderDataError as error:
        raise UserError(f"cannot read {path} as NIfTI ({_one_line(error)}); correct its header") from error
    except (OSError, EOFError, zlib.error, ValueError, OverflowError, MemoryError) as error:
        damaged = f"cannot read {path} as NIfTI ({_one_line(error)}); replace it with an intact copy"
        raise unreadable(path, error, damaged) from error


def affine_mm(header: nibabel.Nifti1Header, path: str | Path) -> np.ndarray:
    """Return the affine [4, 4] float64 of a repaired header, from voxel indices to mm, RAS+.

    Raises:
        UserError: the affine cannot be inverted, or its voxels have no plausible size.
    """
    try:
        affine = np.array(header.get_best_affine(), dtype=np.float64)
    except ValueError as error:
        raise UserError(
            f"{path} has a quaternion that is not a rotation ({_one_line(error)}); correct its header"
        ) from error
    affine[:3] *= MM_PER_UNIT[unit_of_length(header)]
    if not (np.isfinite(affine).all() and np.linalg.det(affine[:3, :3]) != 0):
        raise UserError(f"{path} has an affine that cannot be inverted; correct sform or qform in its header")
    edges_mm = np.linalg.norm(affine[:3, :3], axis=0)
    if edges_mm.max() > LONGEST_EDGE_MM:
        size = " x ".join(f"{edge:g}" for edge in edges_mm)
        raise UserError(
            f"{path} has voxels of {size} mm according to its header; correct the unit of length there (xyzt_units)"
        )
    return affine


def states_spacing(header: nibabel.Nifti1Header) -> bool:
    """Return whether a repaired header states the size of voxels, and not only the defaults of programs.

    The defaults are edges of 1 with neither sform nor qform, or the identity as affine. No scanner produces the latter,
    but 20 volumes of LiTS have it, with slices several mm apart, and so have files that are saved from a bare array.
    """
    no_place = not header["sform_code"] and not header["qform_code"]
    no_size = no_place and bool(np.all(header["pixdim"][1:4] == 1))
    return not (no_size or np.array_equal(header.get_best_affine(), np.eye(4)))


def unit_of_length(header: nibabel.Nifti1Header) -> int:
    """Return the code of a header's unit of length, a key of `MM_PER_UNIT`; 0 if the standard lacks it."""
    code = int(header["xyzt_units"]) % 8
    return code if code in MM_PER_UNIT else 0


@contextmanager
def _uncompressed(file: Any) -> Iterator[IO[bytes]]:
    start = file.peek(8)
    for magic, decompress in DECOMPRESSORS:
        if start.startswith(magic):
            with decompress(file) as stream:
                yield stream
            return
    yield file


def _read_header(stream: IO[bytes], path: Path) -> nibabel.Nifti1Header:
    block = stream.read(nibabel.Nifti2Header.sizeof_hdr)
    for place, magic, kind in HEADERS:
        if block[place:].startswith(magic) and len(block) >= kind.sizeof_hdr:
            return kind(block[: kind.sizeof_hdr], check=False)
    for place, magic, name in OTHER_KINDS:
        if block[place:].startswith(magic):
            raise UserError(f"cannot read {path} as NIfTI (it is {name}); give a NIfTI file (.nii.gz or .nii)")
    start = f"it starts with {block[:12]!r}" if block else "it is empty"
    raise UserError(f"cannot read {path} as NIfTI ({start}); give a NIfTI file (.nii.gz or .nii)")


def _repair(header: nibabel.Nifti1Header, path: Path) -> None:
    # Nibabel would replace 0 by 1, from which wrong volumes in ml would follow.
    if not header["sform_code"] and not np.all(header["pixdim"][1:4]):
        raise UserError(f"{path} has voxels without a size (pixdim 0); correct its header")
    if not header["vox_offset"] >= header.single_vox_offset:
        header["vox_offset"] = header.single_vox_offset
    parts = ["quatern_b", "quatern_c", "quatern_d"]
    length = np.linalg.norm([float(header[part]) for part in parts])
    if 1 < length <= 1 + QUATERNION_TOLERANCE:
        for part in parts:
            header[part] = header[part] / length
    header.check_fix(logger=_SILENT)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
