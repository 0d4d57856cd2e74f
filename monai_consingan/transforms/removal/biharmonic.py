"""Filling a region from its border: biharmonic inpainting."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.ndimage import find_objects
from skimage.restoration import inpaint_biharmonic

from monai_consingan.arrays import as_array, as_mask, check_axis, check_shape
from monai_consingan.errors import ConSinGANError, NoPlaceError

__all__ = ["biharmonic"]

_MARGIN = 8  # voxels around the mask that are handed to the solver; its stencil reaches 2


def biharmonic(image: Any, mask: Any, *, axis: int | None = None) -> np.ndarray:
    """Fill the masked voxels smoothly from the values and slopes around them.

    This is ``skimage.restoration.inpaint_biharmonic`` (Damelin and Hoang: On surface completion and image inpainting
    by biharmonic functions, International Journal of Mathematics and Mathematical Sciences, 2018,
    https://doi.org/10.1155/2018/3950312) in a box around the mask. Filled values stay within the range of the known
    values in that box. There is no texture: it serves as a baseline and where no tissue can be copied.

    Args:
        image: array of shape (\\*spatial), 2D or 3D, no channel, any intensity units.
        mask: array of the same shape; values above 0 are filled.
        axis: the spatial axis perpendicular to the slices to fill each slice by itself; None fills in space, which is
            slow for masks of more than some thousand voxels.

    Returns:
        float64 array of the image's shape; unmasked voxels keep their exact values.

    Raises:
        ConSinGANError: when shapes differ, the axis does not exist, known values are not finite, or nothing but masked
            voxels is left around a part of the mask.

    Example:
        >>> import numpy as np
        >>> image, mask = np.tile(np.arange(9.0), (9, 1)), np.zeros((9, 9))
        >>> mask[3:6, 3:6] = 1
        >>> bool(np.allclose(biharmonic(np.where(mask, 99, image), mask), image))
        True
    """
    values = as_array(image).astype(np.float64)
    unknown = as_mask(mask)
    check_shape(unknown, values.shape, name="mask", other="image")
    axis = check_axis(axis, values.ndim)
    result = values.copy()
    if axis is None:
        _fill(result, unknown)
        return result
    for plane, plane_mask in zip(np.moveaxis(result, axis, 0), np.moveaxis(unknown, axis, 0), strict=True):
        _fill(plane, plane_mask)
    return result


def _fill(values: np.ndarray, unknown: np.ndarray) -> None:
    """Fill the unknown voxels of an array in place."""
    if not unknown.any():
        return
    box = tuple(
        slice(max(side.start - _MARGIN, 0), side.stop + _MARGIN) for side in find_objects(unknown.astype(np.uint8))[0]
    )
    known = values[box][~unknown[box]]
    if known.size == 0:
        raise NoPlaceError("mask covers a whole slice, so there is nothing to fill it from; give a smaller mask.")
    if not np.isfinite(known).all():
        raise ConSinGANError("image holds NaN or infinite values around the mask; give an image of finite numbers.")
    low, span = float(known.min()), float(np.ptp(known)) or 1.0
    scaled = np.where(unknown[box], 0.0, (values[box] - low) / span)
    filled = inpaint_biharmonic(scaled, unknown[box], split_into_regions=True)
    values[box] = np.where(unknown[box], low + span * filled, values[box])
