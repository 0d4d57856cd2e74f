"""Parts of arrays: boxes in boxes, connected parts in theirs, and arrays moved by whole voxels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from monai.config import NdarrayOrTensor
from scipy import ndimage

from monai_consingan.arrays import as_array, wrap_like
from monai_consingan.distance import bounding_box


def connected_parts(mask: np.ndarray) -> list[tuple[tuple[slice, ...], np.ndarray]]:
    """The parts of a mask whose voxels touch, be it at corners: the box of each, and where in it the part is."""
    if not mask.any():
        return []
    whole = bounding_box(mask)
    labels, count = ndimage.label(mask[whole], np.ones((3,) * mask.ndim))
    found = []
    for number, box in enumerate(ndimage.find_objects(labels, count), start=1):
        place = tuple(slice(a.start + b.start, a.start + b.stop) for a, b in zip(whole, box, strict=True))
        found.append((place, labels[box] == number))
    return found


def between(mask: np.ndarray) -> np.ndarray:
    """A mask and what lies between parts of it along any axis."""
    found = mask.copy()
    for along in range(mask.ndim):
        before = np.logical_or.accumulate(mask, axis=along)
        found |= before & np.flip(np.logical_or.accumulate(np.flip(mask, along), axis=along), along)
    return found


def within(part: np.ndarray, box: Sequence[slice], near: Sequence[slice]) -> np.ndarray:
    """A mask of a box in a larger box, False elsewhere."""
    found = np.zeros([side.stop - side.start for side in near], bool)
    found[tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(box, near, strict=True))] = part
    return found


def move(array: NdarrayOrTensor, offset: Sequence[int], fill: float = 0, shape: Sequence[int] | None = None) -> Any:
    """Shift an array by whole voxels; what leaves is lost, what comes in is ``fill``, and nothing is interpolated.

    Args:
        array: array, tensor or MetaTensor whose last ``len(offset)`` axes are shifted.
        offset: voxels per axis; positive moves towards higher indices.
        fill: value of the voxels that come in.
        shape: size of the result along the shifted axes; None keeps the array's.

    Returns:
        The shifted copy, of the same dtype and kind.

    Example:
        >>> import numpy as np
        >>> move(np.array([[1, 2, 3]]), (0, 1)).tolist()
        [[0, 1, 2]]
    """
    values = as_array(array)
    lead, count = values.ndim - len(offset), len(offset)
    size = tuple(values.shape[lead:]) if shape is None else tuple(shape)
    source, target = [slice(None)] * lead, [slice(None)] * lead
    for step, old, new in zip(offset, values.shape[lead:], size, strict=True):
        low, high = max(0, step), max(0, min(new, old + step))
        target.append(slice(low, max(low, high)))
        source.append(slice(low - step, max(low, high) - step))
    out = np.full((*values.shape[: values.ndim - count], *size), fill, dtype=values.dtype)
    out[tuple(target)] = values[tuple(source)]
    return wrap_like(out, array)
