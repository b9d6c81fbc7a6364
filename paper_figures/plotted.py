"""The data that a figure hands to matplotlib, as plain values that can be stored and compared."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import Collection, PathCollection
from matplotlib.figure import Figure, FigureBase
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator
from mpl_toolkits.mplot3d.art3d import Line3D
from numpy.typing import ArrayLike

from paper_figures.volumes import Mesh

LISTED = 64
"""Largest number of values that are listed; of a larger array the shape and a digest are kept."""

NEGLIGIBLE = 1e-12
"""Values below this part of an array's largest are rounding errors, which differ between processors, and count as 0."""


def plotted_data(figure: Figure) -> dict[str, Any]:
    """Return the data and texts of a figure as values that JSON can hold.

    Numbers are rounded to six significant digits; NaN and infinities are None. Arrays of more than `LISTED` values are
    replaced by their shape and the SHA-256 of their rounded values. What is empty is left out.

    Returns:
        `texts`: titles, notes and legends of the figure and its subfigures.
        `axes`: in the order in which they were added, for each its `title`; for `x`, `y` and in 3-D `z` the `label`,
        `limits`, `scale`, and the fixed `ticks` with their `tick_labels`; `lines` with `label` and coordinates;
        `collections` with `vertices`, or for markers `offsets` and `sizes`, and the `array` that is mapped to colours;
        `patches` by their vertices; `images`; `texts`; and the texts of its `legend`.
    """
    return {"texts": list(_texts(figure)), "axes": [_axes(axes) for axes in figure.axes]}


def to_json(plotted: dict[str, Any]) -> str:
    """Return the result of `plotted_data` as JSON with one line per axes, so that changes are easy to find."""
    texts, *axes = (
        json.dumps(part, ensure_ascii=False, allow_nan=False) for part in (plotted["texts"], *plotted["axes"])
    )
    lines = ",\n".join(axes)
    return f'{{"texts": {texts}, "axes": [\n{lines}\n]}}\n'


def _texts(figure: FigureBase) -> Iterator[str]:
    yield from (text.get_text() for text in figure.texts)
    for legend in figure.legends:
        yield from _legend(legend)
    for part in figure.subfigs:
        yield from _texts(part)


def _axes(axes: Axes) -> dict[str, Any]:
    named = (("x", axes.xaxis), ("y", axes.yaxis), ("z", getattr(axes, "zaxis", None)))
    return _without_empty(
        {
            "title": axes.get_title(),
            **{name: _axis(axis) for name, axis in named if axis is not None},
            "lines": [_line(line) for line in axes.lines],
            "collections": [_collection(collection) for collection in axes.collections],
            "patches": [_patch(patch) for patch in axes.patches],
            "images": [_digest(_floats(image.get_array())) for image in axes.images],
            "texts": [text.get_text() for text in axes.texts],
            "legend": _legend(axes.get_legend()),
        }
    )


def _axis(axis: Axis) -> dict[str, Any]:
    ticks = {}
    # Other locators choose ticks by the size of the axes, which depends on fonts.
    if isinstance(axis.get_major_locator(), FixedLocator):
        locations = axis.get_majorticklocs().tolist()
        ticks = {"ticks": _values(locations), "tick_labels": axis.get_major_formatter().format_ticks(locations)}
    return _without_empty(
        {
            "label": axis.get_label_text(),
            "limits": _values(axis.get_view_interval()),
            "scale": axis.get_scale(),
            **ticks,
        }
    )


def _line(line: Line2D) -> dict[str, Any]:
    coordinates = line.get_data_3d() if isinstance(line, Line3D) else line.get_data(orig=False)
    label = str(line.get_label())
    # matplotlib gives names with an underscore to lines without a label.
    return _without_empty({"label": "" if label.startswith("_") else label}) | {
        name: _values(values) for name, values in zip("xyz", coordinates, strict=False)
    }


def _collection(collection: Collection) -> dict[str, Any]:
    data: dict[str, Any]
    if isinstance(collection, PathCollection):
        data = {"offsets": collection.get_offsets(), "sizes": collection.get_sizes()}
    elif isinstance(collection, Mesh):
        data = {"vertices": collection.triangles}
    else:
        data = {"vertices": _vertices(path.vertices for path in collection.get_paths())}
    if collection.get_array() is not None:
        data["array"] = collection.get_array()
    return {name: _values(values) for name, values in data.items()}


def _patch(patch: Patch) -> Any:
    return _values(patch.get_patch_transform().transform_path(patch.get_path()).vertices)


def _legend(legend: Legend | None) -> list[str]:
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def _vertices(parts: Iterable[ArrayLike]) -> np.ndarray:
    return np.concatenate([np.zeros((0, 2)), *map(np.asarray, parts)])


def _values(values: ArrayLike) -> Any:
    array = _floats(values)
    if array.size > LISTED:
        return _digest(array)
    rounded = np.array([float(text) for text in _rounded(array)]).reshape(array.shape).astype(object)
    rounded[~np.isfinite(array)] = None
    return rounded.tolist()


def _digest(array: np.ndarray) -> dict[str, Any]:
    # Text that is rounded alike on all platforms, which bytes of floats are not.
    digest = hashlib.sha256(" ".join(_rounded(array)).encode()).hexdigest()
    return {"shape": list(array.shape), "sha256": digest}


def _floats(values: Any) -> np.ndarray:
    array: np.ndarray = np.ma.filled(np.ma.asarray(values, dtype=float), np.nan)
    largest = np.max(np.abs(array), initial=0, where=np.isfinite(array))
    return np.where(np.abs(array) <= NEGLIGIBLE * largest, 0, array)


def _rounded(array: np.ndarray) -> list[str]:
    return ("%.6g " * array.size % tuple(array.ravel().tolist())).split()


def _without_empty(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in ("", [], {})}
