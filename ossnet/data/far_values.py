"""Detection of padding and broken voxels, whose values are so far from all others that they decide normalisation."""

import numpy as np

from ossnet.errors import UserError

SPREAD_RATIO = 0.1
"""Share of the standard deviation below which all other values of an image would vanish in the normalisation."""

CONSTANT_RATIO = 1e-3
"""Share of their distance from the other values that the values of padding span at most."""

RARE = 1e-4
"""Share of all voxels that broken voxels are at most, unless there are no more than `FEW`."""

FEW = 3
"""Number of voxels that can be broken in an image of any size."""

SAMPLE = 2**16
"""Number of values to examine, enough to detect a factor of ten, and quick even for 512^3 voxels."""


def refuse_far_values(values: np.ndarray, deviation: np.float32, name: str) -> None:
    """Raise if padding or a few broken voxels, far from all other values, dominate the standard deviation.

    Values are split in two by Otsu's threshold. Padding is close to one value, perhaps with noise. If it is below all
    other values, where it is common, up to half of it may be blended with neighbouring voxels, as in an image that was
    resampled. Values around 0 are not padding but the usual background.

    Args:
        values: values of an image, [n].
        deviation: standard deviation of the values.
        name: name of the image, for messages.

    Raises:
        UserError: there are such values. The message states their number, their range and the remedy.
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
            # Clipping padding from above would make it the brightest tissue.
            or_clip = ", or train with preprocessing.clip=[LOW, HIGH]" if is_rare or far is below else ""
            raise UserError(
                f"{name} has {count} voxels {where}, far from all others, which would vanish in the normalisation; "
                f"replace {'these voxels' if is_rare else 'this padding'} with the value of the background{or_clip}"
            )


def _otsu_split(ordered: np.ndarray) -> int:
    """Return the number of ascending values [n], not all equal, below the threshold with most variance between."""
    below = np.arange(1, ordered.size)
    sums = np.cumsum(ordered)
    between = (
        below * (ordered.size - below) * (sums[:-1] / below - (sums[-1] - sums[:-1]) / (ordered.size - below)) ** 2
    )
    # Equal values must fall on the same side.
    return 1 + int(np.argmax(np.where(np.diff(ordered) > 0, between, -1)))


def _spread(ordered: np.ndarray) -> float:
    """Return the standard deviation of ascending values without the outer 2 % at each end; of all if that is 0."""
    outer = ordered.size // 50
    return float(ordered[outer : ordered.size - outer].std() or ordered.std())
