"""What the metrics share: spatial arrays, and the tissue around a lesion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from monai.config import NdarrayOrTensor
from numpy.typing import NDArray

from monai_consingan.arrays import as_array, check_axis
from monai_consingan.distance import ring
from monai_consingan.errors import ConSinGANError

__all__ = [
    "slice_axis",
    "spatial_array",
    "spatial_mask",
    "surroundings",
    "tissue_mask",
]

AIR_FRACTION = 0.1


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
    array = spatial_array(mask, name) > 0
    if array.shape != tuple(shape):
        raise ConSinGANError(
            f"{name} has the spatial shape {array.shape} but its image {tuple(shape)}: give both on one grid."
        )
    if not allow_empty and not array.any():
        raise ConSinGANError(f"{name} is empty: give one with at least one voxel above 0.")
    return np.asarray(array)


def slice_axis(axis: int | None, ndim: int) -> int | None:
    """`axis` counted from 0, checked. None stays None, and so does every axis of a 2D image.

    Args:
        axis: spatial axis perpendicular to the slices, negative ones counted from the last.
        ndim: number of spatial axes.

    Returns:
        The axis from 0 to 2, or None.

    Raises:
        ConSinGANError: for an axis that a volume does not have.
    """
    return None if ndim == 2 else check_axis(axis, ndim)


def tissue_mask(image: NDArray[Any], tissue: NdarrayOrTensor | None = None) -> NDArray[np.bool_]:
    """Voxels that hold tissue and not air.

    Args:
        image: spatial array.
        tissue: channel-first mask of tissue, such as a brain mask. None takes every voxel that is brighter than air:
            above 0 (above the minimum, for images with values below 0) by more than a tenth of the way to the 99.5th
            percentile. That holds for scans with a skull, for stripped ones and for crops without any air.

    Returns:
        Boolean array of the image's shape.
    """
    if tissue is not None:
        return spatial_mask(tissue, image.shape, "tissue")
    low, high = min(float(image.min()), 0.0), float(np.percentile(image, 99.5))
    return np.asarray(image > low + AIR_FRACTION * (high - low))


def surroundings(
    array: NDArray[Any],
    inside: NDArray[np.bool_],
    spacing: Sequence[float],
    outer_mm: float,
    axis: int | None,
    exclude: NdarrayOrTensor | None,
    tissue: NdarrayOrTensor | None,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    r"""What a mask is compared with.

    Args:
        array: the image, (\*spatial).
        inside: the mask.
        spacing: mm per spatial axis.
        outer_mm: the ring reaches this far from the mask, in mm.
        axis: spatial axis perpendicular to the slices, or None.
        exclude: mask of voxels that must not count, such as other lesions.
        tissue: mask of tissue; None leaves air out by its intensity.

    Returns:
        All tissue outside of the mask, and of that the ring around it.

    Raises:
        ConSinGANError: for a width that is no positive number of mm, or a mask of another shape.
    """
    if not 0 < outer_mm < np.inf:
        raise ConSinGANError(f"outer_mm is {outer_mm}: give a positive number of mm.")
    countable = tissue_mask(array, tissue) & ~inside
    if exclude is not None:
        countable &= ~spatial_mask(exclude, array.shape, "exclude", allow_empty=True)
    return countable, ring(inside, spacing, (0.0, outer_mm), axis) & countable
