"""Boxes, parts of masks, and arrays moved, turned and flipped by whole voxels, so that nothing is interpolated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor
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


def filled_along_axes(mask: np.ndarray) -> np.ndarray:
    """A mask and what lies between parts of it along any axis."""
    found = mask.copy()
    for along in range(mask.ndim):
        before = np.logical_or.accumulate(mask, axis=along)
        found |= before & np.flip(np.logical_or.accumulate(np.flip(mask, along), axis=along), along)
    return found


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


@dataclass(frozen=True)
class Turn:
    """An order of axes, and which of them are flipped.

    Args:
        axes: for every spatial axis of the image, the host's axis that it is.
        flips: for every spatial axis of the image, whether it runs against the host's.
    """

    axes: tuple[int, ...]
    flips: tuple[bool, ...]

    @property
    def turns(self) -> bool:
        """Whether anything is turned."""
        return self != Turn.none(len(self.axes))

    @classmethod
    def none(cls, dims: int) -> Turn:
        """That of an image of so many spatial axes that lies as its host does."""
        return cls(tuple(range(dims)), (False,) * dims)

    def after(self, first: Turn) -> Turn:
        """This turn of an image that was turned before."""
        flips = (flip != first.flips[own] for own, flip in zip(self.axes, self.flips, strict=True))
        return Turn(tuple(first.axes[own] for own in self.axes), tuple(flips))

    def turned(self, values: np.ndarray) -> np.ndarray:
        """An array of the host's axes, which others may go before, on the image's axes."""
        lead = values.ndim - len(self.axes)
        order = [*range(lead), *(lead + axis for axis in self.axes)]
        return np.flip(np.transpose(values, order), self._flipped(lead))

    def upright(self, image: NdarrayOrTensor) -> Any:
        """An image (C, \\*spatial) on the host's axes, of its kind and with its affine changed accordingly.

        It is the very image where nothing is turned.
        """
        if not self.turns:
            return image
        order = np.argsort(self.axes)
        values = np.transpose(np.flip(as_array(image), self._flipped(1)), [0, *(1 + order)])
        result = wrap_like(values, image)
        if isinstance(result, MetaTensor):
            result.affine = result.affine @ torch.from_numpy(self._voxels(image.shape[1:])).to(result.affine)
        return result

    def _flipped(self, lead: int) -> tuple[int, ...]:
        return tuple(lead + axis for axis, flip in enumerate(self.flips) if flip)

    def _voxels(self, shape: Sequence[int]) -> np.ndarray:
        """Voxels of the upright image -> voxels of the image."""
        dims = len(self.axes)
        matrix = np.zeros((dims + 1, dims + 1))
        matrix[dims, dims] = 1
        for axis, (own, flip) in enumerate(zip(self.axes, self.flips, strict=True)):
            matrix[axis, own], matrix[axis, dims] = (-1, shape[axis] - 1) if flip else (1, 0)
        return matrix
