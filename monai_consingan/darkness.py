"""What tells dark from bright among some values, and whether the dark ones are the noisy air around a head."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from skimage.filters import threshold_otsu

from monai_consingan.ranks import median

_AIR_SHARE = 0.7  # of the voxels behind the border of a padded scan that are air at least: the others are cut tissue
_NOISES = 2.5  # of air, in standard deviations, that fit between it and tissue: values at a brain's edge are wider
_TISSUE_SHARE = 0.15  # of the voxels inside of padding that are tissue at least: what is less are bright lesions
_FAR = 0.1  # of the way from air to tissue that padding is away from air at least: what is nearer does for air
_BINS = 256  # of the histogram that the threshold is found in


class Darkness(NamedTuple):
    """What separates the dark class of some values from the bright one.

    Attributes:
        level: the threshold, lowered towards twice less where the dark values have little noise. Minus infinity where
            these are no class of their own, as their median is nearer to that of the bright ones than to the least
            value.
        threshold: Otsu's threshold.
        dark: median of the dark values.
        bright: median of the values above their mean.
        noise: robust standard deviation of the dark values.
    """

    level: float
    threshold: float
    dark: float
    bright: float
    noise: float


def darkness(values: NDArray[Any]) -> Darkness:
    """Find what separates dark values from bright ones; bright outliers such as fat and vessels are cut off for it.

    Args:
        values: array of any shape, not constant.
    """
    floor = float(values.min())
    rest = values[values > floor]  # in most images the floor, air, is most of them
    bright = float(np.median(rest[rest > values.mean()]))
    at_floor = values.size - rest.size
    threshold = _threshold(rest, floor, bright, at_floor)
    dark, noise = floor, 0.0
    if np.count_nonzero(rest <= threshold) >= at_floor:
        low = values[values <= threshold]
        dark = float(np.median(low))
        noise = 1.4826 * median(np.abs(low - dark))
    level = min(threshold, max(dark + 0.5 * (threshold - dark), dark + 4.0 * noise))
    if dark > floor and dark - floor > 0.5 * (float(np.median(rest[rest > threshold])) - floor):
        level = -np.inf
    return Darkness(level, threshold, dark, bright, noise)


def _threshold(rest: NDArray[Any], floor: float, bright: float, at_floor: int) -> float:
    """Otsu's threshold of some values and of so many more at the floor; those above ``bright`` count as that."""
    below = rest[rest < bright]
    counts, edges = np.histogram(below, _BINS, (rest.dtype.type(floor), rest.dtype.type(bright)))
    counts[0] += at_floor
    counts[-1] += rest.size - below.size
    return float(threshold_otsu(hist=(counts, (edges[:-1] + edges[1:]) / 2)))


def noisy_air(values: NDArray[Any], behind: NDArray[Any], constant: float) -> Darkness | None:
    """Tell whether a constant is mere padding, as noisy air lies right inside of it.

    Such air lies behind most of the constant's border; its values keep together well below those of tissue, unlike
    those at the surface of a brain that was stripped; what is brighter are not just lesions; and the constant is
    further from it than a little.

    Args:
        values: what is neither the constant nor mixed with it, not constant.
        behind: those values right behind the constant's border, at least one.
        constant: the value that may be padding.

    Returns:
        The air (``dark``) and its ``noise``, or None.
    """
    found = darkness(values.astype(np.float32))
    compact = found.dark + _NOISES * found.noise < found.threshold
    far = abs(found.dark - constant) > _FAR * (found.bright - found.dark)
    tissue, air = (values > found.threshold).mean(), (behind <= found.threshold).mean()
    return found if compact and far and tissue >= _TISSUE_SHARE and air >= _AIR_SHARE else None
