"""Parts of arrays: boxes in boxes, connected parts in theirs, and arrays moved by whole voxels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from monai.config import NdarrayOrTensor
from scipy import ndimage

from monai_consingan.arrays import as_array, wrap_like
from monai_consingan.distance import bounding_box

Box = tuple[slice, ...]
"""A part of an array, with limits along every axis that is meant."""


def box_in(box: Sequence[slice], near: Sequence[slice]) -> Box:
    """A box of an array as one of a larger box of it."""
    return tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(box, near, strict=True))


def box_of(inner: Sequence[slice], box: Sequence[slice]) -> Box:
    """A box of a box of an array as one of the array."""
    return tuple(slice(a.start + b.start, a.start + b.stop) for a, b in zip(box, inner, strict=True))


def wider(box: Sequence[slice], pads: Sequence[int], shape: Sequence[int]) -> Box:
    """A box and so many voxels around it, as far as the array goes."""
    sides = zip(box, pads, shape, strict=True)
    return tuple(slice(max(side.start - pad, 0), min(side.stop + pad, size)) for side, pad, size in sides)


def overlap(low: Sequence[int] | np.ndarray, size: Sequence[int] | np.ndarray, shape: Sequence[int]) -> tuple[Box, Box]:
    """What of an array a box covers that may reach beyond it, and which part of the box does.

    Args:
        low: where the box begins in the array.
        size: of the box.
        shape: of the array.
    """
    limits = ((at, max(0, at), min(at + n, end)) for at, n, end in zip(low, size, shape, strict=True))
    there = tuple(slice(first, max(first, last)) for _, first, last in limits)
    return there, tuple(slice(side.start - at, side.stop - at) for side, at in zip(there, low, strict=True))


def connected_parts(mask: np.ndarray) -> list[tuple[Box, np.ndarray]]:
    """The parts of a mask whose voxels touch, be it at corners: the box of each, and where in it the part is."""
    if not mask.any():
        return []
    whole = bounding_box(mask)
    labels, count = ndimage.label(mask[whole], np.ones((3,) * mask.ndim))
    boxes = enumerate(ndimage.find_objects(labels, count), start=1)
    return [(box_of(box, whole), labels[box] == number) for number, box in boxes]


def within(part: np.ndarray, box: Sequence[slice], near: Sequence[slice]) -> np.ndarray:
    """A mask of a box in a larger box, False elsewhere."""
    found = np.zeros([side.stop - side.start for side in near], bool)
    found[box_in(box, near)] = part
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
    lead, old = values.shape[: values.ndim - len(offset)], values.shape[values.ndim - len(offset) :]
    size = old if shape is None else tuple(shape)
    there, here = overlap(offset, old, size)
    out = np.full((*lead, *size), fill, dtype=values.dtype)
    every: tuple[Any, ...] = (...,)
    out[every + there] = values[every + here]
    return wrap_like(out, array)
