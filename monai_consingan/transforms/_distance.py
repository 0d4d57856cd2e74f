"""Distance transforms of whole volumes in little memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import distance_transform_edt

__all__ = ["depth_within"]

_AT_ONCE = 2**20  # voxels


def depth_within(mask: np.ndarray, spacing: Sequence[float], out: np.ndarray | None = None) -> np.ndarray:
    """Distance in mm from every voxel's centre to the nearest voxel centre outside of a mask.

    What :func:`scipy.ndimage.distance_transform_edt` gives, bit for bit, in a third of its memory: distances are worked
    out of the nearest voxels' indices part by part.

    Args:
        mask: boolean array of shape (\\*spatial) that is not True everywhere.
        spacing: mm per spatial axis.
        out: array of the same shape for the result, in its type.

    Returns:
        Array of the same shape, float64 if none is given, 0 outside of the mask.
    """
    nearest = distance_transform_edt(mask, sampling=spacing, return_distances=False, return_indices=True)
    depth = np.empty(mask.shape) if out is None else out
    step = max(1, _AT_ONCE * len(mask) // max(1, mask.size))
    for low in range(0, len(mask), step):
        part = slice(low, low + step)
        steps = (nearest[:, part] - _indices(mask.shape, part)).astype(np.float64)
        for along, mm in zip(steps, spacing, strict=True):
            along *= mm
        np.multiply(steps, steps, steps)
        depth[part] = np.sqrt(np.add.reduce(steps, axis=0))
    return depth


def _indices(shape: Sequence[int], part: slice) -> np.ndarray:
    """The indices of voxels along every axis, of a part of the first."""
    found = np.indices((min(part.stop, shape[0]) - part.start, *shape[1:]), dtype=np.int32)
    found[0] += part.start
    return found
