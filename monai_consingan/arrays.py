"""Small conversions shared by the transforms: arrays in, the host's kind of array out."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection, NdarrayOrTensor
from monai.data import MetaTensor
from monai.data.utils import affine_to_spacing
from monai.utils import convert_to_dst_type, convert_to_numpy, ensure_tuple

from monai_consingan.errors import ConSinGANError

__all__ = [
    "as_array",
    "as_mask",
    "as_spacing",
    "cast_values",
    "check_axis",
    "check_layers",
    "check_shape",
    "chosen",
    "image_and_label",
    "int_range",
    "spacing_of",
    "wrap_like",
]


def as_array(values: Any) -> np.ndarray:
    """The values of an array, tensor or MetaTensor as a plain numpy array (on the CPU, without metadata)."""
    return np.asarray(convert_to_numpy(values))


def as_mask(mask: Any, *, name: str = "mask") -> np.ndarray:
    """``mask > 0`` as booleans.

    Raises:
        ConSinGANError: when a value is NaN or infinite.
    """
    values = as_array(mask)
    if np.issubdtype(values.dtype, np.inexact) and not np.isfinite(values).all():
        raise ConSinGANError(f"{name} holds NaN or infinite values; give a mask of finite numbers.")
    return np.asarray(values > 0)


def as_spacing(spacing: Sequence[float] | float, ndim: int) -> tuple[float, ...]:
    """One positive, finite number of mm per spatial axis; a single number counts for all axes.

    Raises:
        ConSinGANError: when the count does not fit ``ndim`` or a value is not positive and finite.
    """
    values = as_array(spacing).astype(float)
    values = np.full(ndim, values) if values.ndim == 0 else values
    if values.shape != (ndim,) or not (np.isfinite(values).all() and (values > 0).all()):
        raise ConSinGANError(
            f"spacing {spacing} does not fit; give {ndim} positive numbers of mm, one per spatial axis."
        )
    return tuple(float(v) for v in values)


def spacing_of(image: NdarrayOrTensor, spacing: Sequence[float] | float | None = None) -> tuple[float, ...]:
    """Spacing in mm per spatial axis of a channel-first image: as given, else from its affine, else 1 mm."""
    ndim = image.ndim - 1
    if spacing is None and isinstance(image, MetaTensor):
        affine = as_array(image.affine)
        spacing = tuple(as_array(affine_to_spacing(affine, r=affine.shape[0] - 1)))[:ndim]
    return as_spacing(1.0 if spacing is None else spacing, ndim)


def check_axis(axis: int | None, ndim: int) -> int | None:
    """The spatial axis as a number from 0, or None.

    Raises:
        ConSinGANError: when the axis does not exist.
    """
    if axis is None or -ndim <= axis < ndim:
        return axis if axis is None else int(axis) % ndim
    raise ConSinGANError(f"axis {axis} does not exist; give a spatial axis from 0 to {ndim - 1}.")


def check_shape(values: np.ndarray, shape: Sequence[int], *, name: str, other: str) -> None:
    """Refuse arrays that do not lie on the same grid.

    Raises:
        ConSinGANError: when the shapes differ; both are named.
    """
    if tuple(values.shape) != tuple(shape):
        raise ConSinGANError(
            f"{name} has shape {tuple(values.shape)} but {other} has {tuple(shape)}; resample it to that grid."
        )


def check_layers(
    host: Any, source: Any, axis: int | None, spacing: Sequence[float] | float, **masks: Any
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], int | None, tuple[float, ...]]:
    """What is blended, all on one grid.

    Args:
        host: array of shape (\\*spatial).
        source: array of the same shape.
        axis: the spatial axis perpendicular to the slices, or None.
        spacing: mm per spatial axis, or one number for all.
        masks: arrays of the same shape by their names, True where above 0; one number stands for all voxels.

    Returns:
        Host and source as float64, the masks as booleans, the axis from 0, and mm per axis.

    Raises:
        ConSinGANError: when shapes differ, the axis does not exist, or the spacing does not fit.
    """
    target, guide = (as_array(part).astype(np.float64) for part in (host, source))
    check_shape(guide, target.shape, name="source", other="host")
    found = []
    for name, mask in masks.items():
        given = as_mask(mask, name=name)
        given = np.full(target.shape, given) if given.ndim == 0 else given
        check_shape(given, target.shape, name=name, other="host")
        found.append(given)
    return target, guide, found, check_axis(axis, target.ndim), as_spacing(spacing, target.ndim)


def cast_values(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Values as ``dtype``; where that is an integer type they are rounded to the nearest and clipped to its range."""
    if not np.issubdtype(dtype, np.integer):
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    whole = values if np.issubdtype(values.dtype, np.integer) else np.rint(values)
    return np.clip(whole, limits.min, limits.max).astype(dtype)


def wrap_like(values: np.ndarray, host: NdarrayOrTensor) -> Any:
    """Values as the host's kind of array, on its device and with its metadata; the dtype of ``values`` is kept.

    The metadata are a copy through and through: MONAI's inverses change what they find among the applied operations,
    which must not reach the host's.
    """
    if not isinstance(host, torch.Tensor):
        return values
    tensor = torch.from_numpy(np.ascontiguousarray(values))
    result = convert_to_dst_type(tensor, host, dtype=tensor.dtype)[0]
    if isinstance(result, MetaTensor):
        result.__dict__ = deepcopy(host.__dict__)
    return result


def chosen(data: Mapping[Hashable, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a transform, those that a case has by itself going first."""
    return {name: value if data.get(name) is None else data[name] for name, value in settings.items()}


def image_and_label(keys: KeysCollection) -> tuple[Hashable, Hashable]:
    """The key of an image and that of its label.

    Raises:
        ConSinGANError: more than two keys, or none.
    """
    image, *more = ensure_tuple(keys) or (None,)
    if image is None or len(more) > 1:
        raise ConSinGANError(f"keys is {ensure_tuple(keys)}; give the key of one image, and that of its label.")
    return image, more[0] if more else "label"


def int_range(value: int | Sequence[int], name: str, minimum: int) -> tuple[int, int]:
    """Read a number or a ``(low, high)`` pair, both ends included.

    Args:
        value: a whole number, which stands for exactly that number, or a pair of them in rising order.
        name: what the argument is called, for the error.
        minimum: the smallest number that makes sense.

    Returns:
        The two ends.

    Raises:
        ConSinGANError: if ``value`` is no such number or pair.
    """
    pair = (value, value) if isinstance(value, (int, float, np.number)) else tuple(value)
    if len(pair) != 2 or any(int(end) != end for end in pair) or not minimum <= pair[0] <= pair[1]:
        raise ConSinGANError(
            f"{name} is {value!r}, but must be a whole number of at least {minimum} or a rising pair of such numbers."
        )
    return int(pair[0]), int(pair[1])
