"""Connected components of a label or a segmentation, and how many of them another segmentation has found.

Components are of one class, joined at faces, edges or corners. One is found if any of its voxels has its class in the
other segmentation. A share is NaN where there is no component to find.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import label as label_components

SMALL_VOXELS = 100
"""Largest number of voxels of a component that is small: what an extraction most easily misses."""


def recall_of_small(everything: ArrayLike, segmentation: ArrayLike) -> float:
    """Return the share of the small components of class indices [H, W, D] that other class indices have found."""
    sizes, found = _components(everything, segmentation)
    return _share(found[sizes <= SMALL_VOXELS])


def recall_of_lesions(label: ArrayLike, segmentation: ArrayLike) -> dict[str, float]:
    """Return the shares of a label's small and large components that a segmentation has found, by quantity.

    Args:
        label: class indices [H, W, D] of the label.
        segmentation: class indices [H, W, D] of the segmentation.
    """
    sizes, found = _components(label, segmentation)
    small = sizes <= SMALL_VOXELS
    return {"lesions_found_small": _share(found[small]), "lesions_found_large": _share(found[~small])}


def _components(everything: ArrayLike, segmentation: ArrayLike) -> tuple[Any, Any]:
    """Return the number of voxels [m] of each component, and [m] whether it is found."""
    truth, other = np.asarray(everything), np.asarray(segmentation)
    sizes, found = [np.zeros(0, int)], [np.zeros(0, bool)]
    for index in np.unique(truth[truth > 0]):
        components, count = label_components(truth == index, np.ones((3, 3, 3)))
        sizes.append(np.bincount(components.ravel(), minlength=count + 1)[1:])
        hits = np.bincount(components.ravel(), weights=(other == index).ravel(), minlength=count + 1)[1:]
        found.append(hits > 0)
    return np.concatenate(sizes), np.concatenate(found)


def _share(found: Any) -> float:
    return float(found.mean()) if len(found) else float("nan")
