"""Means of an image at every distance from a mask's border."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter

_LEAST = 4  # voxels that the outermost shell has at least
_SMOOTH_MM = 1.0  # standard deviation of the gaussian that takes the steps of voxels from distances
_FAR = 3.0  # standard deviations at which it ends


def shell_means(distance: np.ndarray, values: np.ndarray, mm: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Means of values in shells half a voxel thick; those farthest away are one shell of four voxels or more.

    Args:
        distance: of every voxel, in mm, above 0.
        values: of the same shape.
        mm: mm per spatial axis.

    Returns:
        The mean distances of the shells, rising, and the means of their values.
    """
    step = np.rint(distance / (0.5 * min(mm))).astype(np.int64)
    deeper = np.cumsum(np.bincount(step)[::-1])[::-1]
    step = np.minimum(step, np.flatnonzero(deeper >= min(_LEAST, deeper[0])).max())
    count = np.bincount(step)
    there = count > 0
    distances, means = (np.bincount(step, part)[there] / count[there] for part in (distance, values))
    return distances, means


class Shells:
    """The shells around a mask's border, on both sides.

    A border that runs in steps of voxels would show in whatever hangs on the distance to it. So most of a mean is that
    at a distance without such steps, and only what this leaves over is that at the distance itself.

    Args:
        mask: boolean (\\*spatial), not empty.
        depth: distance in mm of its voxels to the outside, 0 outside.
        around: distance in mm of the voxels outside to it, 0 inside.
        mm: mm per spatial axis.
        reach_mm: how far outside shells reach.
    """

    def __init__(
        self, mask: np.ndarray, depth: np.ndarray, around: np.ndarray, mm: Sequence[float], reach_mm: float
    ) -> None:
        self.mm = mm
        self.inside = mask
        sides = ((mask, depth), (~mask & (around <= reach_mm), around))
        self.sides = [(side, distance[side]) for side, distance in sides if side.any()]
        used = mask | (around <= reach_mm)
        inward = np.where(mask, depth - 0.5 * min(mm), 0.5 * min(mm) - np.minimum(around, reach_mm + _FAR * _SMOOTH_MM))
        inward = gaussian_filter(inward, [_SMOOTH_MM / size for size in mm], mode="nearest", truncate=_FAR)[used]
        self.smooth = (used, inward - inward.min())

    def means(self, values: np.ndarray) -> np.ndarray:
        """The mean at every voxel's distance, on its side of the border; 0 beyond the reach.

        Args:
            values: array of the mask's shape.
        """
        found = self._means(values, [self.smooth])
        return found + self._means(values - found, self.sides)

    def _means(self, values: np.ndarray, sides: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """The mean at every voxel's distance among those of its side."""
        found = np.zeros(values.shape)
        for side, distance in sides:
            found[side] = np.interp(distance, *shell_means(distance, values[side], self.mm))
        return found
