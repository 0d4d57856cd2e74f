"""Medians and percentiles of volumes, as NumPy has them, but quicker where most voxels are the darkest: the air."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def median(values: NDArray[Any], left_out: NDArray[np.bool_] | None = None) -> float:
    """The median of some values, told at once where more than half of them are the least, as around a brain.

    Args:
        values: array of any shape.
        left_out: boolean array of the same shape: values that do not count, not all; None for none.
    """
    least = values.min()
    lowest, total = np.count_nonzero(values == least), values.size
    if left_out is not None:
        others = values[left_out]
        lowest, total = lowest - np.count_nonzero(others == least), total - others.size
    if 2 * lowest > total:
        return float(least)
    return float(np.median(values if left_out is None else values[~left_out]))


def percentiles(values: NDArray[Any], shares: Sequence[float]) -> NDArray[np.float64]:
    """What :func:`numpy.percentile` gives, bit for bit: where most values are the least, only the others are sorted.

    Args:
        values: finite numbers, array of any shape.
        shares: from 0 to 100.

    Returns:
        One number for each share.

    Example:
        >>> percentiles(np.array([0.0, 0.0, 0.0, 1.0, 3.0]), (50, 90)).tolist()
        [0.0, 2.2]
    """
    least = values.min()
    rest = values[values > least]
    lowest = values.size - rest.size
    if 2 * lowest < values.size or not rest.size:
        return np.asarray(np.percentile(values, shares), np.float64)
    places = np.true_divide(shares, 100) * (values.size - 1)
    below = np.floor(places)
    ranks = np.stack([below, np.minimum(below + 1, values.size - 1)]).astype(int) - lowest
    rest.partition(np.unique(np.maximum(ranks, 0)))
    low, high = np.where(ranks < 0, least, rest[np.maximum(ranks, 0)])
    share, step = places - below, high - low
    return np.asarray(np.where(share < 0.5, low + step * share, high - step * (1 - share)), np.float64)
