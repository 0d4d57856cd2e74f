"""Slices of scans: which axis is sliced, which slices hold a lesion, and keeping one of them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor
from monai.data.utils import affine_to_spacing
from nibabel.orientations import aff2axcodes

from ..arrays import as_array
from ..errors import ConSinGANError
from .stored import source_name

THICK_SLICES = 2.5
"""How many times the largest side of a voxel may be the smallest for a volume to be worked on in space."""


def axis_codes(affine: Any) -> str:
    """Where the axes of an affine point to, a letter each, such as RAS."""
    matrix = as_array(affine).astype(np.float64, order="C")
    return _codes(matrix.shape, matrix.tobytes())


@lru_cache(16)
def _codes(shape: tuple[int, ...], matrix: bytes) -> str:
    return "".join(map(str, aff2axcodes(np.frombuffer(matrix).reshape(shape))))


def slice_axis(image: NdarrayOrTensor, axis: int | None = None) -> int | None:
    """The spatial axis perpendicular to the slices.

    Args:
        image: (1, \\*spatial); what is no MetaTensor counts as RAS with voxels of 1 mm.
        axis: what the user asks for; ``None`` takes the axis of a single slice, that with clearly thicker voxels, or
            else the axial one.

    Returns:
        The axis, or ``None`` for 2D images.

    Raises:
        ConSinGANError: an axis that the image does not have.
    """
    if image.ndim == 3:
        if axis not in (None, 0):
            raise ConSinGANError(f"axis is {axis}, but the image is 2D and has one slice: leave axis out.")
        return None
    if axis is not None:
        if not 0 <= axis < 3:
            raise ConSinGANError(f"axis is {axis}, but a volume has the axes 0, 1 and 2.")
        return axis
    if 1 in image.shape[1:]:
        return list(image.shape[1:]).index(1)
    affine = np.asarray(image.affine, dtype=np.float64) if isinstance(image, MetaTensor) else np.eye(4)
    spacing = affine_to_spacing(affine)
    thickest = int(np.argmax(spacing))
    if spacing[thickest] > 1.5 * float(np.median(spacing)):
        return thickest
    return next(i for i, code in enumerate(axis_codes(affine)) if code in "SI")


def thick_slices(image: NdarrayOrTensor) -> str:
    """Why a volume is not worked on in space: it has one slice, or voxels whose sides differ by more than 2.5 times.

    Returns:
        A sentence; empty for other volumes, and for 2D images.
    """
    if image.ndim > 3 and 1 in image.shape[1:]:
        return "one slice is no volume to work in: it was worked on by itself"
    if image.ndim == 3 or not isinstance(image, MetaTensor):
        return ""
    spacing = affine_to_spacing(np.asarray(image.affine, dtype=np.float64))
    least, most = float(min(spacing)), float(max(spacing))
    if most <= THICK_SLICES * least:
        return ""
    return f"voxels of {least:.4g} to {most:.4g} mm are too thick to work in space: each slice was worked on by itself"


def work_dims(image: NdarrayOrTensor, axis: int | None = None, dims: int | None = None) -> int:
    """Whether to work slice by slice or in space.

    Args:
        image: (1, \\*spatial); what is no MetaTensor has voxels of 1 mm.
        axis: the axis that the user asks for, which means slices.
        dims: 2 or 3 as the user asks for; ``None`` works in space unless an axis is given, or there is one slice, or
            thick ones (:func:`thick_slices`).

    Returns:
        2 for slices, and for 2D images; 3 for work in space.

    Raises:
        ConSinGANError: neither 2 nor 3, or 3 for a 2D image, for one slice, or together with an axis.
    """
    if dims not in (None, 2, 3):
        raise ConSinGANError(f"dims is {dims}: give 2 to work slice by slice, or 3 to work in space.")
    if dims == 3 and image.ndim == 3:
        raise ConSinGANError("dims is 3, but the image is 2D: leave dims out.")
    if dims == 3 and 1 in image.shape[1:]:
        raise ConSinGANError("dims is 3, but the image has one slice: leave dims out.")
    if dims == 3 and axis is not None:
        raise ConSinGANError(f"dims is 3, but axis is {axis}, which means slices: leave one of them out.")
    in_space = image.ndim > 3 and axis is None and not thick_slices(image)
    return dims or (3 if in_space else 2)


def sliced_axis(image: NdarrayOrTensor, axis: int | None, dims: int) -> int | None:
    """The spatial axis along which an image is worked on slice by slice; ``None`` in space and for 2D images.

    Args:
        image: (C, \\*spatial).
        axis: what the user asks for (:func:`slice_axis`).
        dims: 2 for slices, 3 for work in space.

    Raises:
        ConSinGANError: neither 2 nor 3, or 3 for a 2D image or together with an axis.
    """
    return slice_axis(image, axis) if work_dims(image, axis, dims) == 2 else None


def slices_of(mask: NdarrayOrTensor, axis: int | None) -> list[int]:
    """Indices of the slices that hold a voxel of a mask, (1, \\*spatial) (``[0]`` in 2D)."""
    array = as_array(mask)[0]
    array = array if array.dtype == bool else array > 0
    if axis is None:
        return [0] if array.any() else []
    return [int(i) for i in np.flatnonzero(array.any(axis=tuple(a for a in range(3) if a != axis)))]


def check_slice(image: NdarrayOrTensor, axis: int | None, index: int | None, name: str) -> None:
    """Refuse a slice that an image does not have.

    Raises:
        ConSinGANError: out of range.
    """
    count = 1 if axis is None else image.shape[1 + axis]
    if index is not None and not 0 <= index < count:
        raise ConSinGANError(
            f"{name} is {index}, but {source_name(image) or 'the image'} has the slices 0 to {count - 1} "
            f"along axis {axis if axis is not None else 'none (2D)'}: give one of them."
        )


def keep_slice(label: MetaTensor, axis: int | None, index: int, name: str) -> MetaTensor:
    """A label of which one slice is kept.

    Raises:
        ConSinGANError: there is no lesion on that slice.
    """
    present = slices_of(label, axis)
    if index not in present:
        raise ConSinGANError(
            f"{name} is {index}, but label {source_name(label)} has no lesion on it: give one of "
            f"{', '.join(map(str, present))}."
        )
    if axis is None:
        return label
    elsewhere = torch.arange(label.shape[1 + axis]) != index
    kept: MetaTensor = label.clone()
    kept.index_fill_(1 + axis, torch.nonzero(elsewhere)[:, 0], 0)
    return kept
