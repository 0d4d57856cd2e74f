"""Filling a region from its border: biharmonic inpainting."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.ndimage import binary_dilation, distance_transform_edt, map_coordinates
from skimage.measure import block_reduce
from skimage.restoration import inpaint_biharmonic

from monai_consingan.arrays import as_array, as_mask, check_axis, check_shape
from monai_consingan.data.contrast import robust_spread
from monai_consingan.distance import bounding_box
from monai_consingan.errors import ConSinGANError, NoPlaceError
from monai_consingan.transforms.poisson import poisson_blend
from monai_consingan.transforms.whole_voxels import connected_parts, wider, within

_MOST_IN_SPACE = 5000  # voxels
_MARGIN = 8  # voxels around the mask that are handed to the solver
_STENCIL = 2  # voxels that it reaches
_FROM_MEMBRANE = 0.5  # robust standard deviations of the values that the stencil reaches


def biharmonic(image: Any, mask: Any, *, axis: int | None = None, valid: Any | None = None) -> np.ndarray:
    """Fill the masked voxels smoothly from the values and slopes around them.

    This is ``skimage.restoration.inpaint_biharmonic`` (Damelin and Hoang: On surface completion and image inpainting
    by biharmonic functions, International Journal of Mathematics and Mathematical Sciences, 2018,
    https://doi.org/10.1155/2018/3950312) in a box around the mask. Slopes that go on far make a hill or a pit of
    a large mask, and most of all of a lesion that is smeared beyond it: so filled values stay near a membrane, to
    within half of the standard deviation that the border's values have, and within the range of the known values in
    that box. There is no texture: it serves as a baseline and where no tissue can be copied.

    Args:
        image: array of shape (\\*spatial), 2D or 3D, no channel, any intensity units.
        mask: array of the same shape; values above 0 are filled.
        axis: the spatial axis perpendicular to the slices to fill each slice by itself; None fills in space, a mask of
            more than 5,000 voxels on a coarser grid, as solving takes long there. A membrane
            (:func:`poisson_blend`) then fits what was found to the voxels around.
        valid: array of the same shape, above 0 where the image shows tissue; None for everywhere. The air beside a mask
            at the head's surface has no say: the nearest tissue goes on there.

    Returns:
        float64 array of the image's shape; unmasked voxels keep their exact values.

    Raises:
        ConSinGANError: when shapes differ, the axis does not exist, or known values are not finite.
        NoPlaceError: when nothing to fill from is left around a part of the mask.

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
    known = ~unknown if valid is None else ~unknown & as_mask(valid, name="valid")
    check_shape(known, values.shape, name="valid", other="image")
    axis = check_axis(axis, values.ndim)
    factor = math.ceil((unknown.sum() / _MOST_IN_SPACE) ** (1 / 3)) if axis is None and values.ndim == 3 else 1
    if factor > 1:
        return _filled_coarsely(values, unknown, known, factor)
    result, alone = values.copy(), unknown.copy()
    layers = [part if axis is None else np.moveaxis(part, axis, 0) for part in (result, alone, known)]
    for filled, gaps, sound in zip(*([part] if axis is None else part for part in layers), strict=True):
        if _fill(filled, gaps, sound):
            gaps[...] = False
    if alone.any():  # slices in which no tissue is near the mask
        sound = known | (unknown & ~alone)
        if not sound.any():
            raise NoPlaceError("no tissue is around the mask, so there is nothing to fill it from; mark less.")
        result[alone] = _nearest(result, sound)[alone]
    return result


def _filled_coarsely(values: np.ndarray, unknown: np.ndarray, known: np.ndarray, factor: int) -> np.ndarray:
    """A volume filled on a grid of so many times the spacing, of the means of known voxels."""
    box = bounding_box(unknown, [2 * _MARGIN] * unknown.ndim)
    part, gaps, sound = values[box], unknown[box], known[box]
    counts, sums = (block_reduce(array, factor, np.sum) for array in (sound.astype(float), np.where(sound, part, 0.0)))
    open_ = block_reduce(gaps, factor, np.max) > 0  # a mean of a part of a block would be one of another place
    means = sums / np.maximum(counts, 1)
    coarse = biharmonic(means, open_, valid=counts > 0)
    coarse = _nearest(coarse, open_ | (counts > 0))
    # the middle of a block lies between its voxels
    places = np.meshgrid(*((np.arange(side) + 0.5) / factor - 0.5 for side in part.shape), indexing="ij")
    smooth = map_coordinates(coarse, places, order=1, mode="nearest")
    filled = poisson_blend(part, smooth, gaps, valid=sound, alone=0.0)
    result = values.copy()
    result[box] = np.where(gaps, np.clip(filled, part[sound].min(), part[sound].max()), part)
    return result


def _nearest(values: np.ndarray, sound: np.ndarray) -> np.ndarray:
    """At every voxel the value of the nearest sound one."""
    nearest = distance_transform_edt(~sound, return_distances=False, return_indices=True)
    return np.asarray(values[tuple(nearest)])


def _fill(values: np.ndarray, unknown: np.ndarray, known: np.ndarray) -> bool:
    """Fill the unknown voxels of an array in place from those near them that are known, if there are any."""
    if not unknown.any():
        return True
    box = bounding_box(unknown, [_MARGIN] * unknown.ndim)
    part, gaps, sound = values[box], unknown[box], known[box]
    if not sound.any():
        return False
    if not np.isfinite(part[sound]).all():
        raise ConSinGANError("image holds NaN or infinite values around the mask; give an image of finite numbers.")
    if not (sound | gaps).all():
        part = np.where(sound | gaps, part, _nearest(part, sound))
    low, span = float(part[sound].min()), float(np.ptp(part[sound])) or 1.0
    scaled = np.where(gaps, 0.0, (part - low) / span)
    filled = inpaint_biharmonic(scaled, gaps, split_into_regions=True)
    values[box] = np.where(gaps, low + span * _near_membrane(filled, gaps, sound), values[box])
    return True


def _near_membrane(filled: np.ndarray, gaps: np.ndarray, sound: np.ndarray) -> np.ndarray:
    """What was filled, every part kept near a membrane that is spanned over it."""
    level = float(np.median(filled[sound]))
    membrane = poisson_blend(filled, np.zeros_like(filled), gaps, valid=sound, alone=level)
    result = filled.copy()
    for place, part in connected_parts(gaps):
        near = wider(place, [_STENCIL] * gaps.ndim, gaps.shape)
        inside = within(part, place, near)
        border = filled[near][binary_dilation(inside, iterations=_STENCIL) & sound[near]]
        if border.size:
            reach = _FROM_MEMBRANE * robust_spread(border)
            middle = membrane[place][part]
            result[place][part] = np.clip(filled[place][part], middle - reach, middle + reach)
    return result
