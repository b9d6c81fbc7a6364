"""Reading and writing NIfTI files, completely or not at all."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

import nibabel
import numpy as np
from nibabel.affines import apply_affine, voxel_sizes
from nibabel.arrayproxy import ArrayProxy

from ossnet.data.nifti_header import MM_PER_UNIT, affine_mm, open_nifti, states_spacing, unit_of_length
from ossnet.errors import UserError
from ossnet.files import replacing

SUFFIXES = (".nii.gz", ".nii")

SCANNER_SPACE, MILLIMETRE = 1, 2
"""Values of NIFTI_XFORM_SCANNER_ANAT and NIFTI_UNITS_MM in the NIfTI-1 standard."""

PLACE_TOLERANCE_VOXELS = 0.1
"""Distance of the corners of a grid up to which two headers count as the same place, since they differ by rounding."""

LABEL_TOLERANCE = 0.01
"""Allowed difference of a stored label from a whole number, since writers that scale to 8 or 16 bits round values."""


def _read(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the image [C, H, W, D] float32 of a file, and its affine [4, 4] float64.

    The axes in the file are [H, W, D], [H, W, D, C] or, as ITK writes vectors, [H, W, D, 1, C].
    """
    with open_nifti(path) as (header, stream, start_is_certain):
        affine = affine_mm(header, path)
        if header.get_data_dtype().kind not in "iuf":
            raise UserError(
                f"{path} holds values of type {header.get_data_dtype()}; convert it to whole or floating-point numbers"
            )
        height, width, depth, channels = _shape(header, path)
        image = np.empty((channels, height, width, depth), dtype=np.float32)
        # Slice by slice in the order of the file, so that no whole volume is in float64, in which nibabel scales.
        slices = ArrayProxy(stream, header, mmap=False).reshape((height, width, depth * channels))
        with np.errstate(over="ignore"):
            for index in range(depth * channels):
                image[index // depth, :, :, index % depth] = slices[..., index]
        # The checksum of a .gz file is at its end and is verified only when all of it is read.
        while stream.read(2**20):
            pass
        end = header.get_data_offset() + image.size * header.get_data_dtype().itemsize
        if not start_is_certain and stream.tell() != end:
            raise UserError(f"{path} does not state where its voxels start; correct vox_offset in its header")

    bad = ~np.isfinite(image)
    if bad.any():
        where = tuple(int(index) for index in np.argwhere(bad)[0])
        raise UserError(
            f"{path} holds {np.count_nonzero(bad)} NaN or infinite values, the first in channel {where[0]} at voxel "
            f"{where[1:]}; replace them, for example with 0"
        )
    return image, affine


def _shape(header: nibabel.Nifti1Header, path: str | Path) -> tuple[int, int, int, int]:
    """Return the grid (H, W, D) and the number of channels."""
    stored = header.get_data_shape()
    shape = stored[:3] + tuple(size for size in stored[3:] if size != 1)
    if len(shape) not in (3, 4) or min(shape) < 1:
        raise UserError(f"{path} has the shape {stored}; give three axes, or four with the channels last")
    height, width, depth, channels = (*shape, 1)[:4]
    return height, width, depth, channels


class Header(NamedTuple):
    """What the header of a NIfTI file states.

    Attributes:
        shape: grid (H, W, D).
        channels: number of channels.
        affine: [4, 4] float64, from voxel indices to mm, RAS+.
    """

    shape: tuple[int, int, int]
    channels: int
    affine: np.ndarray


def read_header(path: str | Path) -> Header:
    """Read the header of a NIfTI file, and none of its voxels.

    Raises:
        UserError: the file is missing or not NIfTI, or the header is invalid.
    """
    with open_nifti(path) as (header, _, _):
        *shape, channels = _shape(header, path)
        return Header((shape[0], shape[1], shape[2]), channels, affine_mm(header, path))


def has_spacing(path: str | Path) -> bool:
    """Return whether a NIfTI file states the size of its voxels, see `nifti_header.states_spacing`."""
    with open_nifti(path) as (header, _, _):
        return states_spacing(header)


def read_volume(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the volume [H, W, D] float32 of a three-dimensional NIfTI file, and its affine [4, 4] float64.

    The affine maps voxel indices to mm, RAS+, whatever the header's unit of length. The header's scaling is applied.
    Values are read slice by slice, so that no whole volume is ever float64. `nifti_header` states the repairs of
    headers.

    Raises:
        UserError: the file is missing, a folder, empty, truncated or damaged anywhere, not NIfTI, does not have three
            axes (further axes of length 1 are dropped), has no invertible affine, or holds NaN or infinity.
    """
    image, affine = _read(path)
    if len(image) != 1:
        raise UserError(f"{path} holds {len(image)} volumes where one is expected; split it into one file per volume")
    return image[0], affine


def read_label(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the label [H, W, D] uint8 of a NIfTI file of any data type, and its affine [4, 4] float64.

    Values within `LABEL_TOLERANCE` of a class index are rounded to it.

    Raises:
        UserError: as for `read_volume`, or a value is not a whole number from 0 to 255.
    """
    volume, affine = read_volume(path)
    label = np.empty(volume.shape, dtype=np.uint8)
    bad_count, example = 0, 0.0
    # Slice by slice, since each step on a whole volume would take the memory of another one.
    for values, indices in zip(volume, label, strict=True):
        rounded = np.rint(values)
        bad = (np.abs(values - rounded) > LABEL_TOLERANCE) | (rounded < 0) | (rounded > 255)
        if bad.any():
            example = example if bad_count else float(values[bad][0])
            bad_count += int(np.count_nonzero(bad))
        else:
            indices[...] = rounded
    if bad_count:
        raise UserError(
            f"{path} holds {bad_count} values that are not labels, for example {example:.9g}; "
            "store class indices, which are whole numbers from 0 to 255"
        )
    return label, affine


def same_place(shape: tuple[int, ...], affine: np.ndarray, other: np.ndarray) -> bool:
    """Return whether two affines agree on a grid (H, W, D), within a tenth of a voxel's shortest edge."""
    corners = np.array(list(product(*((0, size - 1) for size in shape))))
    distance_mm = np.linalg.norm(apply_affine(affine, corners) - apply_affine(other, corners), axis=-1)
    return bool(distance_mm.max() <= PLACE_TOLERANCE_VOXELS * voxel_sizes(affine).min())


def read_image(paths: Sequence[str | Path]) -> tuple[np.ndarray, np.ndarray]:
    """Read the image [C, H, W, D] float32 of one file per modality or of a single file, and its affine [4, 4] float64.

    A single file may hold several channels: (H, W, D, C), or (H, W, D, 1, C) for vectors in NIfTI. Several files must
    have the same grid and affine.

    Raises:
        UserError: as for `read_volume`, or two files differ in grid or affine. The message names both.
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
    if not str(path).lower().endswith(SUFFIXES):
        raise UserError(f"{path} is not a name of a NIfTI file; end it in {' or '.join(SUFFIXES)}")
    space, unit = SCANNER_SPACE, MILLIMETRE
    if like is not None:
        with open_nifti(like) as (header, _, _):
            space = int(header["sform_code"]) or int(header["qform_code"]) or space
            unit = unit_of_length(header)
    stored_affine = affine.astype(np.float64)
    stored_affine[:3] /= MM_PER_UNIT[unit]
    image = nibabel.Nifti1Image(array, stored_affine)
    image.set_sform(stored_affine, space)
    image.set_qform(stored_affine, space)
    image.header["xyzt_units"] = unit
    with replacing(path) as temporary:
        nibabel.save(image, temporary)


def write_volume(path: str | Path, volume: np.ndarray, affine: np.ndarray, like: str | Path | None = None) -> None:
    """Write a volume or an image as float32, whole or not at all.

    Both sform and qform are set, in single precision as NIfTI stores them. The same input gives the same file.

    Args:
        path: the file, which is compressed if it ends in .nii.gz, and not if in .nii.
        volume: [H, W, D], or [C, H, W, D] to be stored with the channels last.
        affine: [4, 4], from voxel indices to mm, RAS+.
        like: a NIfTI file from which to take the kind of space (scanner, aligned, MNI, ...) and the unit of length, so
            that both headers have the same numbers.

    Raises:
        UserError: the name has another suffix, the file cannot be written, or `like` cannot be read.
    """
    stored = np.moveaxis(volume, 0, -1) if volume.ndim == 4 else volume
    _write(path, stored.astype(np.float32), affine, like)


def write_label(path: str | Path, label: np.ndarray, affine: np.ndarray, like: str | Path | None = None) -> None:
    """Write class indices [H, W, D] from 0 to 255, or a mask, as uint8; otherwise like `write_volume`."""
    _write(path, label.astype(np.uint8), affine, like)
