"""What fills a region of a volume, made to bend where the volume's slices were."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import distance_transform_edt

from monai_consingan.distance import bounding_box
from monai_consingan.transforms.stiffness import Stiffness

_REACH_MM = 8.0  # around the region that says how the host bends
_FIXED = 1e6  # how much more than the filling the host counts, whose values stay


def bent_fill(
    host: np.ndarray, filled: np.ndarray, region: np.ndarray, known: np.ndarray, ring: np.ndarray, mm: Sequence[float]
) -> np.ndarray:
    """A filling that bends as the host does, along the axes along which that was resampled from thicker slices.

    Such a host hardly bends between two slices, so that its slope goes on into the region. A lesion's border does so
    too, which is no tissue's slope: the mean over all voxels that are equally deep in the region, along the axis, stays
    that of the filling.

    Args:
        host: one channel, (X, Y, Z); says how it bends where it is known.
        filled: the host with the region filled, whose values around the region are the host's.
        region: where it is filled, boolean (X, Y, Z).
        known: where the host shows tissue that was not filled, boolean.
        ring: the tissue that says which axes are blunt (:class:`Stiffness`), boolean.
        mm: mm per spatial axis.

    Returns:
        Array of the same shape, ``filled`` outside the region, and everywhere if no axis is blunt.
    """
    box = bounding_box(region, [int(np.ceil(_REACH_MM / size)) for size in mm])
    part, inside = filled[box], region[box]
    (stiff,) = Stiffness.of(host[None], known, ring, mm, region, box)
    for axis, weights in zip(stiff.axes, stiff.weights, strict=True):
        lines = np.broadcast_to(inside.any(axis, keepdims=True), inside.shape)
        bent = Stiffness((axis,), (weights,)).applied(part, lines, np.where(inside, 1.0, _FIXED))
        lost = (part - bent)[inside]
        depth = _depth(inside, axis)[inside]
        means = np.bincount(depth, lost) / np.maximum(np.bincount(depth), 1)
        part = part.copy()
        part[inside] += means[depth] - lost
    result = filled.copy()
    result[box] = part
    return result


def _depth(inside: np.ndarray, axis: int) -> np.ndarray:
    """How many voxels deep in a mask each voxel is along an axis; as many as the axis has if the mask has no end."""
    far = float(sum(inside.shape))
    apart = distance_transform_edt(inside, [1.0 if along == axis else far for along in range(inside.ndim)])
    return np.minimum(np.rint(apart), inside.shape[axis]).astype(int)
