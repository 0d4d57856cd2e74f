"""How far a lesion stands out from the tissue around it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_NORMAL = 0.6744897501960817  # median absolute deviation of a normal distribution of standard deviation 1
RING_MM = (2.0, 8.0)
"""Where the tissue around a lesion is looked at: distances to it in mm, the first excluded."""


def robust_spread(values: NDArray[Any]) -> float:
    """Standard deviation taken from the median absolute deviation, or the standard deviation itself where that is 0.

    What :func:`scipy.stats.median_abs_deviation` gives, bit for bit: to import SciPy's statistics takes half a second.

    Args:
        values: array of any shape.

    Returns:
        The spread; NaN where there are no values.
    """
    if not values.size:
        return float("nan")
    return float(np.median(np.abs(values - np.median(values))) / _NORMAL) or float(values.std())


def cnr(inside: NDArray[Any], around: NDArray[Any]) -> float:
    """Contrast-to-noise ratio: (mean of the lesion - median of the tissue around it) / that tissue's spread.

    The spread is the standard deviation taken from the median absolute deviation, or the standard deviation itself
    where that is 0.

    Args:
        inside: values of the lesion.
        around: values of the tissue around it.

    Returns:
        The ratio, below 0 for a lesion that is darker; infinite where the tissue is perfectly flat, NaN where the
        lesion is as flat or there are no values.

    Example:
        >>> round(cnr(np.array([7.0]), np.array([0.0, 2.0] * 8)), 2)
        4.05
    """
    if not (inside.size and around.size):
        return float("nan")
    level, spread = _level(around)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float((inside.mean(dtype=np.float64) - level) / spread)


def visibility(inside: NDArray[Any], around: NDArray[Any]) -> float:
    """How far a lesion stands out, also where bright and dark parts of it make up for each other, as rim and core may.

    It is the root mean square of its differences from the median of the tissue around it, without as much as that
    tissue varies, in units of its spread; of a lesion of one intensity, the size of its :func:`cnr`.

    Example:
        >>> round(visibility(np.array([-9.0, 11.0]), np.array([0.0, 2.0] * 8)), 1)
        6.7
    """
    if not (inside.size and around.size):
        return float("nan")
    level, spread = _level(around)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.mean(((inside.astype(np.float64) - level) / spread) ** 2)
        return max(abs(cnr(inside, around)), float(np.sqrt(np.maximum(share - 1, 0))))


def _level(around: NDArray[Any]) -> tuple[np.float64, np.float64]:
    """Median and robust spread."""
    outer = around.astype(np.float64)
    level = np.median(outer)
    return level, np.float64(1.4826 * np.median(np.abs(outer - level)) or outer.std())
