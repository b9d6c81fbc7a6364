"""Preprocessing of a case for a model, and mapping of its segmentation back to the original grid."""

from dataclasses import replace
from typing import Annotated, Literal, Self

import numpy as np
import pydantic
import torch
import torch.nn.functional as F
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform
from pydantic import Field, field_validator, model_validator

from ossnet.checks import STRICT
from ossnet.config import newer
from ossnet.data.case import Case
from ossnet.data.far_values import refuse_far_values
from ossnet.data.grid_map import GridMap
from ossnet.data.regions import NestedRegions, label_values_of
from ossnet.errors import UserError

Size = Annotated[int, Field(ge=1)]
LabelValue = Annotated[int, Field(ge=0, le=255)]
Intensity = Annotated[float, Field(ge=-1e38, le=1e38)]


@pydantic.dataclasses.dataclass(frozen=True, config=STRICT)
class Preprocessing:
    """Steps of preprocessing, applied in the order of orientation, clip, normalisation and fit.

    Attributes:
        shape: prepared grid (H, W, D) in voxels.
        fit: `pad` with zeros (BraTS, Section 4.2), `resize` (LiTS, Section 4.2), or `none` for cases of that shape.
        orientation: directions of the three axes in nibabel's codes, to which the closest axes are brought; or `stored`
            to leave the axes as they are.
        normalise: `volume` for mean 0 and standard deviation 1 of each modality over the whole volume, background
            included, as in the released code (the paper does not state it); `foreground` for the same over voxels other
            than 0, which stay 0; or `none`.
        classes: number of classes, including the background.
        label_values: stored value of each class, background first (BraTS: 0, 1, 2, 4). None if the stored values are
            the class indices or, with two classes, to join all values > 0 as in the paper: whole tumour, full liver.
        clip: lowest and highest stored value of every modality, such as (-200, 250) in Hounsfield units, to which
            values beyond are set. None to keep all values as the paper does; then padding such as -32768 and broken
            voxels, which would decide mean and standard deviation, raise an error.
        regions: nested regions that a model learns with a sigmoid for each, in place of a softmax over classes (see
            `ossnet.nested`). Given as a name in `ossnet.data.regions.NAMED`, such as `brats`, or as a table of stored
            label values by region; kept from the outermost inwards. `classes` and `label_values` follow from them:
            class c is in the outer c regions alone.
        label_resizing: how `resize` finds the voxel whose label it takes: `nearest-exact` by the centres of voxels, or
            `nearest` at floor(index * scale) as in the released code, which shifts labels by up to half a voxel
            relative to the image.
    """

    shape: tuple[Size, Size, Size]
    fit: Literal["pad", "resize", "none"] = "none"
    orientation: str = "LPS"
    normalise: Literal["volume", "foreground", "none"] = "volume"
    classes: int = Field(default=2, ge=2, le=255)
    label_values: tuple[LabelValue, ...] | None = None
    clip: tuple[Intensity, Intensity] | None = newer(None)
    regions: NestedRegions | None = newer(None)
    label_resizing: Literal["nearest-exact", "nearest"] = newer("nearest-exact")

    @property
    def learned_values(self) -> tuple[int, ...]:
        """Stored value of each class but the background; empty if all values > 0 are joined to one class."""
        if self.classes == 2 and self.label_values is None:
            return ()
        return (self.label_values or tuple(range(self.classes)))[1:]

    def stored(self, classes: np.ndarray) -> np.ndarray:
        """Return the stored label values, uint8, of class indices; the indices themselves without `label_values`."""
        if self.label_values is None:
            return classes
        return np.array(self.label_values, dtype=np.uint8)[classes]

    @field_validator("orientation")
    @classmethod
    def _names_each_axis_once(cls, orientation: str) -> str:
        directions = [{"L", "R"}, {"P", "A"}, {"S", "I"}]
        if orientation != "stored" and (
            len(orientation) != 3 or not all(pair.intersection(orientation) for pair in directions)
        ):
            raise ValueError("give one of L and R, one of P and A and one of S and I in any order, such as LPS or RAS")
        return orientation

    @model_validator(mode="after")
    def _classes_follow_from_regions(self) -> Self:
        if self.regions is not None:
            values = label_values_of(self.regions)
            if self.classes not in (2, len(values)) or self.label_values not in (None, values):
                raise ValueError(f"regions make {len(values)} classes with label_values {values}; leave both out")
            object.__setattr__(self, "classes", len(values))
            object.__setattr__(self, "label_values", values)
        return self

    @model_validator(mode="after")
    def _values_match_classes(self) -> Self:
        if self.label_values is not None and len(set(self.label_values)) != self.classes:
            raise ValueError(f"label_values must hold {self.classes} different values, one for each of the classes")
        return self

    @model_validator(mode="after")
    def _clip_is_a_range(self) -> Self:
        if self.clip is not None and not self.clip[0] < self.clip[1]:
            raise ValueError("clip must hold the lowest value before the highest")
        if self.clip is not None and self.normalise == "foreground" and not self.clip[0] <= 0 <= self.clip[1]:
            raise ValueError("clip must include 0, which stays the background if normalise is foreground")
        return self


def grid_map(shape: tuple[int, int, int], affine: np.ndarray, preprocessing: Preprocessing, name: str) -> GridMap:
    """Return the map by which `prepare` moves the grid of a case.

    An odd number of padding voxels has one more before than after: 240x240x155 is padded by 8 + 8, 8 + 8 and 3 + 2
    voxels to 256x256x160, as in the released code. Resizing keeps the outer faces of the grid in place (align_corners
    false).

    Args:
        shape: original grid (H, W, D) of the case.
        affine: affine of the case, [4, 4].
        preprocessing: preprocessing of the case.
        name: name of the case, for messages.

    Raises:
        UserError: the grid is larger than the shape to pad it to, or is not that shape without padding and resizing.
    """
    axes, flips = _reorientation(affine, preprocessing.orientation)
    oriented = tuple(shape[axis] for axis in axes)
    target = preprocessing.shape
    if preprocessing.fit == "pad" and any(size > room for size, room in zip(oriented, target, strict=True)):
        raise UserError(
            f"case {name}: its grid {oriented} does not fit into shape {target}; enlarge shape or set fit to resize"
        )
    if preprocessing.fit == "none" and oriented != target:
        raise UserError(
            f"case {name}: its grid {oriented} is not shape {target}; set fit to pad or resize, or change shape"
        )
    scale, offset = [], []
    for size, room, flipped in zip(oriented, target, flips, strict=True):
        sign, start = (-1, size - 1) if flipped else (1, 0)
        factor = room / size if preprocessing.fit == "resize" else 1.0
        before = (factor - 1) / 2 if preprocessing.fit == "resize" else _padding(size, room)[0]
        scale.append(factor * sign)
        offset.append(factor * start + before)
    return GridMap(shape, target, axes, (scale[0], scale[1], scale[2]), (offset[0], offset[1], offset[2]))


def prepare(case: Case, preprocessing: Preprocessing) -> Case:
    """Return a case in the form that models take.

    It has an image [C, H, W, D] float32, a label [H, W, D] uint8 of class indices and the affine of the prepared grid.

    Resizing is trilinear for the image (align_corners false) and nearest for the label, both in the voxel-centre
    convention. Departure: torch's `nearest`, which the released code takes for labels, is in another convention; here
    it has to be asked for by `label_resizing`.

    Raises:
        UserError: the case does not fit (see `grid_map`), a label value belongs to no class, or padding or a few broken
            voxels would decide the normalisation.
    """
    moves = grid_map(case.shape, case.affine, preprocessing, case.name)
    image = _normalise(_orient(case.image, moves), case, preprocessing)
    label = case.label
    if label is not None:
        label = _orient(class_indices(label, preprocessing, case.name), moves)
    if preprocessing.fit == "pad":
        margins = [_padding(*sizes) for sizes in zip(image.shape[1:], preprocessing.shape, strict=True)]
        image = np.pad(image, [(0, 0), *margins])
        label = None if label is None else np.pad(label, margins)
    elif preprocessing.fit == "resize":
        image = F.interpolate(
            torch.from_numpy(image)[None], preprocessing.shape, mode="trilinear", align_corners=False
        )[0].numpy()
        if label is not None:
            voxels = torch.from_numpy(np.ascontiguousarray(label))
            resized = F.interpolate(voxels[None, None], preprocessing.shape, mode=preprocessing.label_resizing)
            label = resized[0, 0].numpy()
    label = None if label is None else np.ascontiguousarray(label)
    return replace(case, image=image, label=label, affine=case.affine @ np.linalg.inv(moves.matrix))


def _reorientation(affine: np.ndarray, orientation: str) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Return the original axis along which each prepared axis runs, and whether it is flipped."""
    if orientation == "stored":
        return (0, 1, 2), (False, False, False)
    transform = ornt_transform(io_orientation(affine), axcodes2ornt(orientation))
    # Rows are original axes, each with its prepared axis and direction.
    axes = np.argsort(transform[:, 0])
    flips = transform[axes, 1] < 0
    return (int(axes[0]), int(axes[1]), int(axes[2])), (bool(flips[0]), bool(flips[1]), bool(flips[2]))


def _padding(size: int, room: int) -> tuple[int, int]:
    """Return the number of padding voxels before and after."""
    extra = room - size
    return (extra + 1) // 2, extra // 2


def _orient(array: np.ndarray, moves: GridMap) -> np.ndarray:
    """Return a view of an array [..., H, W, D] with its last three axes in the prepared order and direction."""
    leading = array.ndim - 3
    oriented = array.transpose(*range(leading), *(leading + axis for axis in moves.axes))
    return np.flip(oriented, tuple(leading + axis for axis in range(3) if moves.scale[axis] < 0))


def _normalise(image: np.ndarray, case: Case, preprocessing: Preprocessing) -> np.ndarray:
    """Return a new contiguous image [C, H, W, D] float32 with clipped and normalised channels; constant ones become 0.

    Sums are in float64 (a float32 sum over 512^3 voxels loses the mean); the standard deviation is the population's.
    """
    normalised = np.array(image, dtype=np.float32, order="C")
    if preprocessing.clip is not None:
        np.clip(normalised, *preprocessing.clip, out=normalised)
    if preprocessing.normalise == "none":
        return normalised
    for channel, modality in zip(normalised.reshape(len(image), -1), case.modalities, strict=True):
        inside = channel != 0 if preprocessing.normalise == "foreground" else slice(None)
        values = channel[inside]
        if values.size == 0:
            continue
        with np.errstate(over="ignore"):
            centred = values - np.float32(values.mean(dtype=np.float64))
        deviation = _root_mean_square(centred)
        refuse_far_values(values, deviation, f"case {case.name}: {modality}")
        channel[inside] = centred / deviation if deviation > 0 else 0
    return normalised


def _root_mean_square(values: np.ndarray) -> np.float32:
    # The square of a float32 can exceed the range of float32. Scaling by a power of two avoids this without rounding.
    exponent = np.frexp(max(values.max(), -values.min()))[1]
    scaled = np.ldexp(values, -exponent)
    np.square(scaled, out=scaled)
    root: np.float32 = np.ldexp(np.float32(np.sqrt(scaled.mean(dtype=np.float64))), exponent)
    return root


def class_indices(label: np.ndarray, preprocessing: Preprocessing, name: str, remedy: str | None = None) -> np.ndarray:
    """Return the class indices, uint8, of stored label values.

    Args:
        label: stored label values, uint8.
        preprocessing: preprocessing of a model, which defines the classes.
        name: name of the case, for the message.
        remedy: what to do about a value that is in no class, for the message; None for a model that is yet to be
            trained.

    Raises:
        UserError: a value is in no class.
    """
    values = preprocessing.label_values
    if preprocessing.classes == 2 and values is None:
        return (label > 0).astype(np.uint8)
    values = values or tuple(range(preprocessing.classes))
    no_class = 255
    index_of = np.full(256, no_class, dtype=np.uint8)
    index_of[list(values)] = range(preprocessing.classes)
    indices = index_of[label]
    if (indices == no_class).any():
        value = label[indices == no_class][0]
        if remedy is None and preprocessing.regions is None:
            remedy = "add it there with a class"
        elif remedy is None:
            remedy = "choose preprocessing.regions that hold it, such as brats2023 or brats-msd for a value of 3"
        raise UserError(f"case {name}: its label holds {value}, but label_values are {values}; {remedy}")
    return indices
