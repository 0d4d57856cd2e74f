"""Distances to a mask, in mm: of whole volumes in little memory, within slices, and as far as they matter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from monai_consingan.errors import ConSinGANError

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
    nearest = ndimage.distance_transform_edt(mask, sampling=spacing, return_distances=False, return_indices=True)
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


def outside_distance(
    mask: np.ndarray, spacing: Sequence[float], axis: int | None = None, *, reach_mm: float = np.inf
) -> np.ndarray:
    """Distance in mm from every voxel's centre to the nearest voxel centre of ``mask``.

    Args:
        mask: boolean array of shape (\\*spatial).
        spacing: mm per spatial axis.
        axis: the axis perpendicular to the slices when distances stay within a slice; None for distances in space.
        reach_mm: distances beyond this are of no interest and may be given as infinite, which saves time.

    Returns:
        Array of shape (\\*spatial): 0 inside the mask, infinite where there is no mask (in the slice).
    """
    if axis is not None:
        in_plane = tuple(s for i, s in enumerate(spacing) if i != axis)
        slices = [outside_distance(part, in_plane, reach_mm=reach_mm) for part in np.moveaxis(mask, axis, 0)]
        return np.stack(slices, axis=axis)
    distance = np.full(mask.shape, np.inf)
    if mask.any():
        near = reach_box(mask, spacing, reach_mm)
        depth_within(~mask[near], spacing, distance[near])
    return distance


def signed_distance(mask: np.ndarray, spacing: Sequence[float], axis: int | None = None) -> np.ndarray:
    """Distance in mm of every voxel's centre to a mask's border: above 0 outside, below 0 inside.

    The border runs half of the smallest spacing away from the voxels on either side.

    Args:
        mask: boolean array of shape (\\*spatial).
        spacing: mm per spatial axis.
        axis: the axis perpendicular to the slices when distances stay within a slice; None for distances in space.

    Returns:
        Array of shape (\\*spatial), infinite where there is no border (in the slice).
    """
    half = min(mm for along, mm in enumerate(spacing) if along != axis) / 2
    return np.where(mask, half - outside_distance(~mask, spacing, axis), outside_distance(mask, spacing, axis) - half)


def reach_box(mask: np.ndarray, spacing: Sequence[float], reach_mm: float) -> tuple[slice, ...]:
    """The smallest box that holds all voxels up to a distance in mm of a mask that is not empty."""
    pads = [int(min(np.ceil(reach_mm / mm), n)) for mm, n in zip(spacing, mask.shape, strict=True)]
    return bounding_box(mask, pads)


def ball_diameter(extent: float, ndim: int) -> float:
    """Diameter of the circle (2D) or ball (3D) that has an area or volume, in the unit of length of the extent."""
    return float(2 * (extent / np.pi) ** 0.5 if ndim == 2 else 2 * (3 * extent / (4 * np.pi)) ** (1 / 3))


def bounding_box(mask: NDArray[np.bool_], margin: Sequence[int] | None = None) -> tuple[slice, ...]:
    """The smallest box around a mask and a margin, within the array.

    Args:
        mask: boolean spatial array that is not empty.
        margin: voxels per axis to add on both sides; None for none.

    Returns:
        An index for the array.
    """
    box, part = [], mask
    for axis, more in enumerate([0] * mask.ndim if margin is None else margin):
        found = np.flatnonzero(part.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        low, high = int(found[0]), int(found[-1]) + 1
        box.append(slice(max(low - more, 0), high + more))
        part = part[(slice(None),) * axis + (slice(low, high),)]
    return tuple(box)


def depth_inside(mask: NDArray[np.bool_], spacing: Sequence[float], axis: int | None = None) -> NDArray[np.float64]:
    """Depth of each voxel of the mask: its distance in mm to the nearest voxel outside.

    Args:
        mask: boolean spatial array that is not empty.
        spacing: mm per spatial axis.
        axis: with an axis, depths are measured within the slices perpendicular to it.

    Returns:
        Depths in mm, of the mask's shape; 0 outside.
    """
    depth = np.zeros(mask.shape)
    box = bounding_box(mask, [1] * mask.ndim)
    depth[box] = outside_distance(~mask[box], spacing, axis)
    return depth


def ring(
    mask: NDArray[np.bool_], spacing: Sequence[float], limits_mm: tuple[float, float], axis: int | None = None
) -> NDArray[np.bool_]:
    """Voxels whose distance to the mask lies between two limits.

    Args:
        mask: boolean spatial array that is not empty.
        spacing: mm per spatial axis.
        limits_mm: the inner limit (excluded) and the outer one (included), in mm.
        axis: with an axis, the ring stays within the slices perpendicular to it.

    Returns:
        Boolean array of the mask's shape.

    Raises:
        ConSinGANError: for limits that are negative or in the wrong order.
    """
    inner, outer = limits_mm
    if not 0 <= inner < outer < np.inf:
        raise ConSinGANError(f"ring_mm is {tuple(limits_mm)}: give two limits in mm, the smaller first, none negative.")
    found, box = np.zeros(mask.shape, bool), reach_box(mask, spacing, outer)
    distance = outside_distance(mask[box], spacing, axis)
    found[box] = (distance > inner) & (distance <= outer)
    return found
