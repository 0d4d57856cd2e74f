"""What measures are given, checked: images and masks as spatial arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from monai.config import NdarrayOrTensor
from numpy.typing import NDArray

from monai_consingan.arrays import as_array
from monai_consingan.errors import ConSinGANError


def channels_array(image: NdarrayOrTensor) -> NDArray[Any]:
    """A channel-first image of any number of sequences as an array, (C, H, W) or (C, H, W, D).

    Args:
        image: numpy array, tensor or MetaTensor.

    Raises:
        ConSinGANError: when there are no channels, or not 2 or 3 spatial axes.
    """
    array = as_array(image)
    if array.ndim not in (3, 4) or array.shape[0] == 0:
        raise ConSinGANError(f"image has shape {array.shape}: give channels and 2 or 3 spatial axes, as (C, H, W, D).")
    return array


def spatial_array(image: NdarrayOrTensor, name: str = "image") -> NDArray[Any]:
    """The spatial array of a channel-first image.

    Args:
        image: numpy array, tensor or MetaTensor of shape (1, H, W) or (1, H, W, D).
        name: what error messages call it.

    Returns:
        Array of shape (H, W) or (H, W, D), without the channel axis.

    Raises:
        ConSinGANError: when there is not exactly one channel and 2 or 3 spatial axes.
    """
    array = as_array(image)
    if array.ndim not in (3, 4) or array.shape[0] != 1:
        raise ConSinGANError(
            f"{name} has shape {array.shape}: give one channel and 2 or 3 spatial axes, as (1, H, W, D)."
        )
    return np.asarray(array[0])


def spatial_mask(
    mask: NdarrayOrTensor, shape: Sequence[int], name: str = "mask", *, allow_empty: bool = False
) -> NDArray[np.bool_]:
    """The boolean spatial array of a channel-first mask, checked against the image that it belongs to.

    Args:
        mask: channel-first mask or label; whatever is above zero counts.
        shape: spatial shape of the image.
        name: what error messages call it.
        allow_empty: accept a mask without any voxel.

    Returns:
        Boolean array of the spatial shape.

    Raises:
        ConSinGANError: for another shape than the image's, or for an empty mask unless that is allowed.
    """
    array = spatial_array(mask, name)
    array = array if array.dtype == bool else array > 0
    if array.shape != tuple(shape):
        raise ConSinGANError(
            f"{name} has the spatial shape {array.shape} but its image {tuple(shape)}: give both on one grid."
        )
    if not allow_empty and not array.any():
        raise ConSinGANError(f"{name} is empty: give one with at least one voxel above 0.")
    return np.asarray(array)
