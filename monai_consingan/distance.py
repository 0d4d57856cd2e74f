"""Distances to a mask, in mm: of whole volumes in little memory, within slices, and as far as they matter."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from monai_consingan.errors import ConSinGANError

_AT_ONCE = 2**20  # voxels
_IN_CACHE = 2**17  # voxels of planes that are worked on together
_UNIT = 1 / 16  # mm, of which spacings are multiples where distances can be found in whole numbers


def depth_within(
    mask: np.ndarray, spacing: Sequence[float], out: np.ndarray | None = None, *, reach_mm: float = np.inf
) -> np.ndarray:
    """Distance in mm from every voxel's centre to the nearest voxel centre outside of a mask.

    What :func:`scipy.ndimage.distance_transform_edt` gives, bit for bit, in a third of its memory: distances are worked
    out of the nearest voxels' indices part by part; or, where a volume's spacings are multiples of a sixteenth of a mm
    (such as 1 or 0.5), in whole numbers, which takes a fifth of the time.

    Args:
        mask: boolean array of shape (\\*spatial) that is not True everywhere.
        spacing: mm per spatial axis.
        out: array of the same shape for the result, in its type.
        reach_mm: what is further away than this may be given as infinitely far away, which saves time.

    Returns:
        Array of the same shape, float64 if none is given, 0 outside of the mask.
    """
    steps_in_units = [round(mm / _UNIT) for mm in spacing]
    far = sum((step * size) ** 2 for step, size in zip(steps_in_units, mask.shape, strict=True))
    exact = all(step * _UNIT == mm for step, mm in zip(steps_in_units, spacing, strict=True)) and 2 * far < 2**31
    if exact and mask.ndim == 3:
        return _depth_in_units(mask, steps_in_units, reach_mm, np.empty(mask.shape) if out is None else out)
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


def _depth_in_units(mask: np.ndarray, steps: Sequence[int], reach_mm: float, out: np.ndarray) -> np.ndarray:
    """What :func:`depth_within` gives of a volume whose spacings are whole numbers of :data:`_UNIT`.

    Squared distances are found along one axis after the other: of all voxels on a line that with the least sum of what
    was found before and the square of the way to it (Saito and Toriwaki). Small numbers take a third of the time of
    large ones.

    Args:
        mask: boolean (H, W, D), not True everywhere.
        steps: the spacings in units.
        reach_mm: what is further away may be given as infinitely far away.
        out: where the result, in mm, is written.
    """
    common = math.gcd(*steps)
    unit, steps = common * _UNIT, [step // common for step in steps]
    none = sum(mask.shape)
    near = np.empty(mask.shape, np.int16 if 3 * none < 2**15 else np.int32)  # in voxels along the first axis
    for planes in (range(len(mask)), range(len(mask) - 1, -1, -1)):
        run = np.full(mask.shape[1:], none, near.dtype)
        for index in planes:
            run += 1
            run *= mask[index]
            near[index] = run if planes.step > 0 else np.minimum(near[index], run)
    furthest = int(near.max())
    far = (furthest * steps[0]) ** 2 + 1  # more than any square there, and than any sum where all lines have a way out
    if furthest >= none:
        far = sum((step * size) ** 2 for step, size in zip(steps, mask.shape, strict=True))
    reach = min(far, math.ceil(min(reach_mm, far) / unit) ** 2 + 1)  # what is as far away is not told apart
    kind = np.uint16 if 2 * reach < 2**16 else np.int32
    _, rows, columns = mask.shape
    together = max(1, _IN_CACHE // (rows * columns))
    for low in range(0, len(mask), together):
        ways = near[low : low + together].swapaxes(0, 1)  # with its lines along the first axis
        squares = ways.astype(np.int32)
        squares *= steps[0]
        squares *= squares
        np.minimum(squares, reach, out=squares)
        squares[ways >= none] = reach
        lines = _least_sums(squares.astype(kind).reshape(rows, -1), steps[1], reach).reshape(ways.shape)
        turned = np.ascontiguousarray(lines.transpose(2, 0, 1))
        sums = _least_sums(turned.reshape(columns, -1), steps[2], reach).reshape(turned.shape).transpose(2, 1, 0)
        found = np.sqrt(sums * unit**2)
        if reach < far:
            found[sums >= reach] = np.inf
        out[low : low + together] = found
    return out


def _least_sums(lines: np.ndarray, step: int, reach: int) -> np.ndarray:
    """For each place along the first axis the least of all values there, each plus the square of the way to it.

    None of the values is above ``reach``, and sums of so much and more may be missed.
    """
    least, moved = lines.copy(), np.empty_like(lines)
    most = min(int(lines.max()), reach)
    for way in range(1, len(lines)):
        cost = (way * step) ** 2
        if way % 4 == 0:  # nothing further away than the largest that is left can be the least
            most = min(int(least.max()), reach)
        if cost >= most:
            break
        np.add(lines, cost, out=moved)
        np.minimum(least[way:], moved[:-way], out=least[way:])
        np.minimum(least[:-way], moved[way:], out=least[:-way])
    return least


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
        depth_within(~mask[near], spacing, distance[near], reach_mm=reach_mm)
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
    box, part = [], np.asarray(mask)
    for more in [0] * mask.ndim if margin is None else margin:
        found = np.flatnonzero(part.any(axis=tuple(range(1, part.ndim))))
        low, high = int(found[0]), int(found[-1]) + 1
        box.append(slice(max(low - more, 0), high + more))
        part = np.asarray(part[low:high].any(axis=0))  # seen along this axis, as this is quick and tells of all others
    return tuple(box)


def marked_box(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    """The smallest box around a mask, which is a small part of most labels; an empty one where the mask is empty."""
    return bounding_box(mask) if mask.any() else (slice(0, 0),) * mask.ndim


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
    distance = outside_distance(mask[box], spacing, axis, reach_mm=outer)
    found[box] = (distance > inner) & (distance <= outer)
    return found
