"""Headers of NIfTI files: recognised by content rather than by name, and mended where their meaning is beyond doubt."""

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
"""Millimetres in the units of length of the NIfTI-1 standard: none said (taken as mm, as all readers do), m, mm, µm."""

LONGEST_EDGE_MM = 100.0
"""No scanner has longer voxels: a header that says so has another unit of length than it claims."""

QUATERNION_TOLERANCE = 0.01
"""A quaternion may be longer than 1 by so much, by rounding; the NIfTI reference code normalises any that is."""

HEADERS = ((4, b"n+2", nibabel.Nifti2Header), (344, b"n+1", nibabel.Nifti1Header))
"""Place and bytes of the magic string of single NIfTI files."""

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

DECOMPRESSORS: tuple[tuple[bytes, Any], ...] = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open))

# What it repairs in headers, nibabel also reports on standard error at each reading of each file.
_UNHEARD = logging.Logger("repairs by nibabel", level=logging.CRITICAL + 1)


class OpenedNifti(NamedTuple):
    """A NIfTI file with its voxels still unread.

    Attributes:
        header: mended; its offset of the voxels is one in `stream`.
        stream: the uncompressed bytes, seekable.
        start_is_certain: the file itself says where its voxels start. Otherwise they are taken to follow the header.
    """

    header: nibabel.Nifti1Header
    stream: IO[bytes]
    start_is_certain: bool


@contextmanager
def open_nifti(path: str | Path) -> Iterator[OpenedNifti]:
    """Open a single NIfTI-1 or NIfTI-2 file, compressed (gzip, bzip2) or not, whatever its name ends in.

    Raises:
        UserError: there is no such file, it cannot be read, is of another kind, damaged, or has an invalid header; also
            for what goes wrong while the caller reads from the stream.
    """
    path = Path(path)
    try:
        if not path.is_file():
            problem = "is a folder" if path.is_dir() else "does not exist"
            raise UserError(f"{path} {problem}; give a NIfTI file (.nii.gz or .nii)")
        with path.open("rb") as file, _uncompressed(file) as stream:
            header = _read_header(stream, path)
            start_is_certain = bool(header["vox_offset"] >= header.single_vox_offset)
            _mend(header, path)
            yield OpenedNifti(header, stream, start_is_certain)
    except HeaderDataError as error:
        raise UserError(f"cannot read {path} as NIfTI ({_one_line(error)}); mend its header") from error
    except (OSError, EOFError, zlib.error, ValueError, OverflowError, MemoryError) as error:
        damaged = f"cannot read {path} as NIfTI ({_one_line(error)}); replace it by an intact copy"
        raise unreadable(path, error, damaged) from error


def affine_mm(header: nibabel.Nifti1Header, path: str | Path) -> np.ndarray:
    """Return the affine [4, 4] float64 of a mended header: voxel indices to mm, RAS+.

    Raises:
        UserError: it cannot be inverted, or has no plausible size.
    """
    try:
        affine = np.array(header.get_best_affine(), dtype=np.float64)
    except ValueError as error:
        raise UserError(f"{path} has a quaternion that is no rotation ({_one_line(error)}); mend its header") from error
    affine[:3] *= MM_PER_UNIT[unit_of_length(header)]
    if not (np.isfinite(affine).all() and np.linalg.det(affine[:3, :3]) != 0):
        raise UserError(f"{path} has an affine that cannot be inverted; mend its header (sform or qform)")
    edges_mm = np.linalg.norm(affine[:3, :3], axis=0)
    if edges_mm.max() > LONGEST_EDGE_MM:
        size = " x ".join(f"{edge:g}" for edge in edges_mm)
        raise UserError(f"{path} has voxels of {size} mm by its header; correct its unit of length (xyzt_units)")
    return affine


def tells_spacing(header: nibabel.Nifti1Header) -> bool:
    """Tell whether a mended header says how large voxels are, rather than what is written where nobody has said.

    That is the identity as affine, which no scanner comes to (20 volumes of LiTS have it, with slices several mm apart,
    and so has whatever was saved from a bare array), or edges of 1 with neither sform nor qform.
    """
    no_place = not header["sform_code"] and not header["qform_code"]
    no_size = no_place and bool(np.all(header["pixdim"][1:4] == 1))
    return not (no_size or np.array_equal(header.get_best_affine(), np.eye(4)))


def unit_of_length(header: nibabel.Nifti1Header) -> int:
    """Return the code of a header's unit of length, a key of `MM_PER_UNIT`; 0 if it has none of the standard's."""
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


def _mend(header: nibabel.Nifti1Header, path: Path) -> None:
    # Nibabel would make it 1, and a volume in ml of that.
    if not header["sform_code"] and not np.all(header["pixdim"][1:4]):
        raise UserError(f"{path} has voxels without a size (pixdim 0); mend its header")
    if not header["vox_offset"] >= header.single_vox_offset:
        header["vox_offset"] = header.single_vox_offset
    parts = ["quatern_b", "quatern_c", "quatern_d"]
    length = np.linalg.norm([float(header[part]) for part in parts])
    if 1 < length <= 1 + QUATERNION_TOLERANCE:
        for part in parts:
            header[part] = header[part] / length
    header.check_fix(logger=_UNHEARD)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
