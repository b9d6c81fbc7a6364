"""NIfTI files in and out: read completely or not at all, written whole or not at all."""

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import IO

import nibabel
import numpy as np
from nibabel.affines import apply_affine, voxel_sizes
from nibabel.filebasedimages import ImageFileError
from nibabel.openers import ImageOpener
from nibabel.spatialimages import HeaderDataError

from ossnet.errors import UserError
from ossnet.files import replacing

SUFFIXES = (".nii.gz", ".nii")

SCANNER_SPACE = 1
"""NIFTI_XFORM_SCANNER_ANAT of the NIfTI-1 standard."""

PLACE_TOLERANCE_VOXELS = 0.1
"""Headers that put a corner of the grid less than this apart mean the same place: they differ by rounding."""


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[nibabel.Nifti1Image, IO[bytes]]]:
    """A NIfTI image with its data still unread, and the uncompressed stream that it reads from."""
    path = Path(path)
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "does not exist"
        raise UserError(f"{path} {problem}; give a NIfTI file ({' or '.join(SUFFIXES)})")
    try:
        kind = type(nibabel.load(path))
        if kind not in (nibabel.Nifti1Image, nibabel.Nifti2Image):
            raise UserError(f"{path} is a {kind.__name__}, no single NIfTI file; convert it to {' or '.join(SUFFIXES)}")
        with ImageOpener(path) as opener:
            yield kind.from_stream(opener.fobj), opener.fobj
    except (ImageFileError, HeaderDataError, OSError, EOFError, zlib.error, ValueError, MemoryError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"cannot read {path} as NIfTI ({reason}); replace it by an intact copy") from error


def _read(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """The image [C, H, W, D] float32 of a file [H, W, D] or [H, W, D, C], and its affine."""
    with _opened(path) as (stored, stream):
        if stored.get_data_dtype().kind not in "iuf":
            raise UserError(
                f"{path} holds values of type {stored.get_data_dtype()}; convert it to whole or floating-point numbers"
            )
        shape = stored.shape
        while len(shape) > 3 and shape[-1] == 1:
            shape = shape[:-1]
        if len(shape) not in (3, 4) or min(shape) < 1:
            raise UserError(f"{path} has the shape {stored.shape}; expected three axes, or four with the channels last")
        affine = np.asarray(stored.affine, dtype=np.float64)
        if not (np.isfinite(affine).all() and np.linalg.det(affine[:3, :3]) != 0):
            raise UserError(f"{path} has an affine that cannot be inverted; mend its header (sform or qform)")

        height, width, depth, channels = (*shape, 1)[:4]
        image = np.empty((channels, height, width, depth), dtype=np.float32)
        # A slice at a time in the order of the file: nibabel scales in float64, which a whole volume need never be.
        slices = stored.dataobj.reshape((height, width, depth * channels))
        with np.errstate(over="ignore"):
            for index in range(depth * channels):
                image[index // depth, :, :, index % depth] = slices[..., index]
        # The end of a .gz holds the checksum of the whole, and is verified only by reading up to it.
        while stream.read(2**20):
            pass

    bad = ~np.isfinite(image)
    if bad.any():
        where = tuple(int(index) for index in np.argwhere(bad)[0])
        raise UserError(
            f"{path} holds {np.count_nonzero(bad)} NaN or infinite values, the first in channel {where[0]} at voxel "
            f"{where[1:]}; replace them, by 0 for example"
        )
    return image, affine


def read_volume(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """The volume [H, W, D] float32 of a three-dimensional NIfTI file, and its affine [4, 4] float64.

    The affine takes voxel indices to mm, RAS+. The header's scaling is applied. Values are read slice by slice, so that
    no whole volume is ever float64.

    Raises:
        UserError: the file is missing, a folder, empty, truncated or damaged anywhere, no NIfTI, of other than three
            axes (trailing axes of 1 are dropped), without an invertible affine, or holds NaN or infinity.
    """
    image, affine = _read(path)
    if len(image) != 1:
        raise UserError(f"{path} holds {len(image)} volumes where one is expected; split it into one file a volume")
    return image[0], affine


def read_label(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """The label [H, W, D] uint8 of a NIfTI file, of whichever type it is stored as, and its affine [4, 4] float64.

    Raises:
        UserError: as `read_volume`, or a value that is not a whole number from 0 to 255.
    """
    volume, affine = read_volume(path)
    bad = (volume != np.rint(volume)) | (volume < 0) | (volume > 255)
    if bad.any():
        raise UserError(
            f"{path} holds {np.count_nonzero(bad)} values that are no labels, for example {volume[bad][0]:g}; "
            "store class indices, whole numbers from 0 to 255"
        )
    return volume.astype(np.uint8), affine


def same_place(shape: tuple[int, ...], affine: np.ndarray, other: np.ndarray) -> bool:
    """Whether two affines put every voxel of a grid (H, W, D) within a tenth of a voxel's shortest edge."""
    corners = np.array(list(product(*((0, size - 1) for size in shape))))
    distance_mm = np.linalg.norm(apply_affine(affine, corners) - apply_affine(other, corners), axis=-1)
    return bool(distance_mm.max() <= PLACE_TOLERANCE_VOXELS * voxel_sizes(affine).min())


def read_image(paths: Sequence[str | Path]) -> tuple[np.ndarray, np.ndarray]:
    """The image [C, H, W, D] float32 of one file a modality, or of a single file, and its affine [4, 4] float64.

    A single file may have four axes, (H, W, D, C) as NIfTI has them. Several files must agree in grid and place.

    Raises:
        UserError: as `read_volume`, or two files differ in grid or place (names both).
    """
    if len(paths) == 1:
        return _read(paths[0])
    first, affine = read_volume(paths[0])
    image = np.empty((len(paths), *first.shape), dtype=np.float32)
    image[0] = first
    for channel, path in enumerate(paths[1:], start=1):
        volume, other = read_volume(path)
        if volume.shape != first.shape:
            raise UserError(
                f"{path} has the grid {volume.shape} and {paths[0]} has {first.shape}; resample one to the other"
            )
        if not same_place(first.shape, affine, other):
            raise UserError(f"{path} and {paths[0]} have different affines; resample one to the other")
        image[channel] = volume
    return image, affine


def _write(path: str | Path, array: np.ndarray, affine: np.ndarray, like: str | Path | None) -> None:
    if not str(path).endswith(SUFFIXES):
        raise UserError(f"{path} is no name of a NIfTI file; let it end in {' or '.join(SUFFIXES)}")
    space, units = SCANNER_SPACE, "mm"
    if like is not None:
        with _opened(like) as (reference, _):
            header = reference.header
        space = int(header["sform_code"]) or int(header["qform_code"]) or space
        units = header.get_xyzt_units()[0]
    image = nibabel.Nifti1Image(array, affine)
    image.set_sform(affine, space)
    image.set_qform(affine, space)
    image.header.set_xyzt_units(units)
    with replacing(path) as temporary:
        nibabel.save(image, temporary)


def write_volume(path: str | Path, volume: np.ndarray, affine: np.ndarray, like: str | Path | None = None) -> None:
    """Write a volume [H, W, D], or an image [C, H, W, D] (stored channels last), as float32, whole or not at all.

    Both sform and qform are set (NIfTI holds them in single precision). The file is the same for the same input.

    Args:
        path: ends in .nii or .nii.gz, which says whether to compress.
        affine: [4, 4], voxel indices to mm, RAS+.
        like: a NIfTI file whose kind of space (scanner, aligned, MNI, ...) and unit of length the new one takes.

    Raises:
        UserError: another ending, a place that cannot be written, or `like` cannot be read.
    """
    stored = np.moveaxis(volume, 0, -1) if volume.ndim == 4 else volume
    _write(path, stored.astype(np.float32), affine, like)


def write_label(path: str | Path, label: np.ndarray, affine: np.ndarray, like: str | Path | None = None) -> None:
    """Write class indices [H, W, D] from 0 to 255 (or a mask) as uint8; else as `write_volume`."""
    _write(path, label.astype(np.uint8), affine, like)
