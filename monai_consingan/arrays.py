"""Small conversions shared by the transforms: arrays in, the host's kind of array out."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from copy import deepcopy
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection, NdarrayOrTensor
from monai.data import MetaTensor
from monai.data.utils import affine_to_spacing
from monai.utils import convert_to_dst_type, convert_to_numpy, ensure_tuple

from monai_consingan.errors import ConSinGANError
from monai_consingan.grids import check_place
from monai_consingan.gzipped import crc32


def as_array(values: Any) -> np.ndarray:
    """The values of an array, tensor or MetaTensor as a plain numpy array (on the CPU, without metadata).

    Raises:
        ConSinGANError: for tensors of ``torch.bfloat16``, which numpy does not know.
    """
    if isinstance(values, torch.Tensor) and values.dtype == torch.bfloat16:
        raise ConSinGANError("a tensor is of type torch.bfloat16, which numpy does not know: give float16 or float32.")
    return np.asarray(convert_to_numpy(values))


def is_in_order(image: NdarrayOrTensor) -> bool:
    """Whether an image's voxels lie in memory in the order of its axes; those of a crop do not."""
    return bool(image.is_contiguous() if isinstance(image, torch.Tensor) else np.asarray(image).flags.c_contiguous)


def in_order(image: NdarrayOrTensor) -> Any:
    """An image whose voxels lie in memory in the order of its axes (:func:`is_in_order`): itself, or a copy.

    Whatever :func:`as_array` then makes of it is no further copy.
    """
    return image.contiguous() if isinstance(image, torch.Tensor) else np.asarray(image, order="C")


def image_identity(image: NdarrayOrTensor | None) -> tuple[Any, ...]:
    """What tells an image from others: its shape, type and a checksum of all voxels."""
    if image is None:
        return ()
    values = np.ascontiguousarray(as_array(image))
    return values.shape, values.dtype.str, crc32(values.data)


def all_finite(values: np.ndarray) -> bool:
    """Whether no value is NaN or infinite: their sum tells, in half of the time, unless it is too large itself."""
    if not np.issubdtype(values.dtype, np.inexact):
        return True
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum()) or np.isfinite(values).all())


def as_mask(mask: Any, *, name: str = "mask") -> np.ndarray:
    """``mask > 0`` as booleans.

    Raises:
        ConSinGANError: when a value is NaN or infinite.
    """
    values = as_array(mask)
    _check_mask(values, name)
    return np.asarray(values > 0)


def _check_mask(values: np.ndarray, name: str) -> None:
    if not all_finite(values):
        raise ConSinGANError(f"{name} holds NaN or infinite values; give a mask of finite numbers.")


def as_spacing(spacing: Sequence[float] | float, ndim: int) -> tuple[float, ...]:
    """One positive, finite number of mm per spatial axis; a single number counts for all axes.

    Raises:
        ConSinGANError: when the count does not fit ``ndim`` or a value is not positive and finite.
    """
    try:
        values = as_array(spacing).astype(float)
    except (TypeError, ValueError):
        values = np.zeros(0)
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


def as_scan(image: NdarrayOrTensor, spacing: Sequence[float] | float | None = None) -> MetaTensor:
    """An image with its spacing, and its orientation if that is known."""
    if isinstance(image, MetaTensor) and spacing is None:
        return image
    affine = np.diag([*spacing_of(image, spacing), 1.0])
    return MetaTensor(torch.from_numpy(np.ascontiguousarray(as_array(image))), affine=torch.from_numpy(affine))


def check_spacing(spacing: Any) -> None:
    """Refuse what can be no spacing of any image.

    Raises:
        ConSinGANError: for anything but None, a positive number of mm, or two or three of them.
    """
    if spacing is not None:
        as_spacing(spacing, 2 if np.shape(spacing) == (2,) else 3)


def check_axis(axis: int | None, ndim: int, *, name: str = "axis") -> int | None:
    """The spatial axis as a number from 0, or None.

    Raises:
        ConSinGANError: when the axis does not exist.
    """
    if axis is None or (isinstance(axis, Integral) and -ndim <= axis < ndim):
        return axis if axis is None else int(axis) % ndim
    raise ConSinGANError(f"{name} {axis} does not exist; give a spatial axis from 0 to {ndim - 1}.")


def check_number(value: Any, name: str, low: float = 0.0, high: float = np.inf) -> float:
    """A finite number within two limits, both included.

    Raises:
        ConSinGANError: for anything else.
    """
    if isinstance(value, Real) and np.isfinite(float(value)) and low <= float(value) <= high:
        return float(value)
    limits = "" if low == -np.inf else f" that is {low:g} or more" if high == np.inf else f" from {low:g} to {high:g}"
    raise ConSinGANError(f"{name} is {value!r}; give a number{limits}.")


def check_range(value: Any, name: str, low: float = 0.0, high: float = np.inf) -> tuple[float, float]:
    """A pair of finite numbers in rising order within two limits, all included.

    Raises:
        ConSinGANError: for anything else.
    """
    pair = tuple(value) if np.shape(value) == (2,) else (np.nan, np.nan)
    if all(isinstance(end, Real) and np.isfinite(float(end)) for end in pair) and low <= pair[0] <= pair[1] <= high:
        return float(pair[0]), float(pair[1])
    limits = f"that are {low:g} or more" if high == np.inf else f"from {low:g} to {high:g}"
    raise ConSinGANError(f"{name} is {value!r}; give two rising numbers {limits}.")


def check_labels(values: Any) -> tuple[int, ...] | None:
    """Label values, each a whole number above 0, or None for all.

    Raises:
        ConSinGANError: for anything else.
    """
    if values is None:
        return None
    if np.ndim(values) != 1 or len(values) == 0:
        raise ConSinGANError(f"lesion_labels is {values!r}; give a list of label values, or None for all.")
    return tuple(int_range(value, "lesion_labels", 1)[0] for value in values)


def check_image(image: Any, *, name: str = "image") -> None:
    """Refuse what is no image of finite numbers, (C, \\*spatial) in 2D or 3D.

    Raises:
        ConSinGANError: for another number of axes, or a value that is NaN or infinite.
    """
    values = as_array(image)
    if values.ndim not in (3, 4) or 0 in values.shape:
        raise ConSinGANError(f"{name} has shape {values.shape}; give channels and 2 or 3 spatial axes.")
    if not all_finite(values):
        raise ConSinGANError(f"{name} holds NaN or infinite values; give an image of finite numbers.")


def check_host(image: Any, label: Any = None, region: Any = None, mask: Any = None) -> None:
    """Refuse an image, its labels or masks in it that do not go together.

    Args:
        image: (C, \\*spatial), 2D or 3D.
        label: labels on its grid, (1, \\*spatial), or None.
        region: a mask on its grid, (1, \\*spatial), or None.
        mask: likewise.

    Raises:
        ConSinGANError: for shapes or places that differ, or a value that is NaN or infinite.
    """
    check_image(image)
    for name, one in (("label", label), ("region", region), ("mask", mask)):
        if one is None:
            continue
        values, grid = as_array(one), (1, *image.shape[1:])
        if values.shape != grid:
            raise ConSinGANError(
                f"{name} has shape {values.shape} but the image {tuple(image.shape)}; give it as {grid}."
            )
        check_place(one, image, name=name, other_name="the image")
        _check_mask(values, name)


def check_shape(values: np.ndarray, shape: Sequence[int], *, name: str, other: str) -> None:
    """Refuse arrays that do not lie on the same grid.

    Raises:
        ConSinGANError: when the shapes differ; both are named.
    """
    if tuple(values.shape) != tuple(shape):
        raise ConSinGANError(
            f"{name} has shape {tuple(values.shape)} but {other} has {tuple(shape)}; resample it to that grid."
        )


def check_masks(
    shape: Sequence[int], axis: int | None, spacing: Sequence[float] | float, **masks: Any
) -> tuple[list[np.ndarray], int | None, tuple[float, ...]]:
    """Masks on the grid of what is blended.

    Args:
        shape: of the grid.
        axis: the spatial axis perpendicular to the slices, or None.
        spacing: mm per spatial axis, or one number for all.
        masks: arrays of that shape by their names, True where above 0; one number stands for all voxels, and None for
            True everywhere.

    Returns:
        The masks as booleans, the axis from 0, and mm per axis.

    Raises:
        ConSinGANError: when shapes differ, the axis does not exist, or the spacing does not fit.
    """
    found = []
    for name, mask in masks.items():
        given = as_mask(True if mask is None else mask, name=name)
        given = np.full(tuple(shape), given) if given.ndim == 0 else given
        check_shape(given, shape, name=name, other="host")
        found.append(given)
    return found, check_axis(axis, len(shape)), as_spacing(spacing, len(shape))


def check_same_grid(data: Mapping[Hashable, Any], keys: Sequence[Hashable]) -> None:
    """Refuse images that are to be changed alike, but are not of one spatial shape, or lie elsewhere.

    Raises:
        ConSinGANError: when shapes or places differ; both are named.
    """
    first, shape = keys[0], tuple(data[keys[0]].shape)
    for key in keys:
        other = tuple(data[key].shape)
        if other[1:] != shape[1:]:
            raise ConSinGANError(f"{key} has shape {other} but {first} {shape}; give images of one spatial shape.")
        check_place(data[key], data[first], name=str(key), other_name=str(first))


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


def given(data: Mapping[Hashable, Any], *names: str, **other_names: str) -> dict[str, Any]:
    """What a case chooses by itself: arguments by their names, which are its keys or ``argument="key"``."""
    keys = {name: name for name in names} | other_names
    return {name: data[key] for name, key in keys.items() if data.get(key) is not None}


def in_all(places: Sequence[Any]) -> tuple[Any, ...]:
    """An index for all channels of an image, of an index for its spatial axes."""
    return (slice(None), *places)


def images_and_label(keys: KeysCollection, label_key: Hashable | None = None) -> tuple[tuple[Hashable, ...], Hashable]:
    """The keys of an image's sequences and that of its label.

    Args:
        keys: key of an image, or of several; the last of several is that of the label, unless that is given.
        label_key: key of the label; None takes the last one, or ``"label"`` for a single image.

    Raises:
        ConSinGANError: there is no key of an image.
    """
    given: tuple[Hashable, ...] = ensure_tuple(keys)
    if label_key is None:
        *images, label_key = given if len(given) > 1 else (*given, "label")
    else:
        images = [key for key in given if key != label_key]
    if not images:
        raise ConSinGANError(f"keys is {given}; give the key of an image, and that of its label.")
    return tuple(images), label_key


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
    try:
        low, high = check_range((value, value) if np.ndim(value) == 0 else value, name, minimum)
    except ConSinGANError:
        low = high = 0.5
    if low % 1 or high % 1:
        raise ConSinGANError(
            f"{name} is {value!r}, but must be a whole number of at least {minimum} or a rising pair of such numbers."
        )
    return int(low), int(high)
