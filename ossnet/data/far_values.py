"""Padding and broken voxels, so far from the values of an image that they alone would decide its normalisation."""

import numpy as np

from ossnet.errors import UserError

SPREAD_RATIO = 0.1
"""An image whose other values have less than this share of its standard deviation would vanish in the normalisation."""

CONSTANT_RATIO = 1e-3
"""Of padding: its values span less than this share of their distance from the others."""

RARE = 1e-4
"""Broken voxels are at most this share of all, or `FEW`."""

FEW = 3

SAMPLE = 2**16
"""Values that are looked at: enough to tell a factor of ten, and no time even of 512^3 voxels."""


def refuse_far_values(values: np.ndarray, deviation: np.float32, name: str) -> None:
    """Refuse values [n] whose standard deviation is that of padding, or of a few broken voxels, far from all others.

    They are split in two by Otsu's threshold. Padding is close to one value, perhaps with noise; below all else, where
    it is common, up to half of it may be blended with what lies next to it, as in an image that was resampled. A value
    around 0 is none: it is the usual background.

    Args:
        name: of the image, for messages.

    Raises:
        UserError: there are such values; tells how many, where they lie, and the remedy.
    """
    drawn = values[np.random.default_rng(0).integers(values.size, size=SAMPLE)]
    sample = np.sort(np.concatenate([drawn, [values.min(), values.max()]]).astype(np.float64))
    if sample[0] == sample[-1]:
        return
    split = _otsu_split(sample)
    below, above = sample[:split], sample[split:]
    threshold = (below[-1] + above[0]) / 2
    distance = above.mean() - below.mean()
    for far, others in ((below, above), (above, below)):
        low, median, high = np.percentile(far, [25, 50, 75] if far is below else [0, 50, 100])
        if not 0 < _spread(others) < SPREAD_RATIO * deviation or abs(median) <= CONSTANT_RATIO * distance:
            continue
        beyond = values < threshold if far is below else values > threshold
        count = np.count_nonzero(beyond)
        is_rare = count <= max(FEW, RARE * values.size)
        if is_rare or high - low < CONSTANT_RATIO * distance:
            found = values[beyond]
            where = f"of {far[0]:g}" if found.min() == found.max() else f"from {found.min():g} to {found.max():g}"
            # Clipped from above, padding would be the brightest tissue.
            or_clip = ", or train with preprocessing.clip=[LOW, HIGH]" if is_rare or far is below else ""
            raise UserError(
                f"{name} has {count} voxels {where}, far from all others, which would vanish in the normalisation; "
                f"replace {'those voxels' if is_rare else 'that padding'} by the value of the background{or_clip}"
            )


def _otsu_split(ordered: np.ndarray) -> int:
    """How many of the ascending values [n], not all equal, are below the threshold of the most variance between."""
    below = np.arange(1, ordered.size)
    sums = np.cumsum(ordered)
    between = (
        below * (ordered.size - below) * (sums[:-1] / below - (sums[-1] - sums[:-1]) / (ordered.size - below)) ** 2
    )
    # Equal values are on one side.
    return 1 + int(np.argmax(np.where(np.diff(ordered) > 0, between, -1)))


def _spread(ordered: np.ndarray) -> float:
    """The standard deviation of ascending values without the outer fiftieths, unless that is 0: of all then."""
    outer = ordered.size // 50
    return float(ordered[outer : ordered.size - outer].std() or ordered.std())
