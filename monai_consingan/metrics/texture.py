"""Texture: fine structure inside a mask, relative to the tissue around it."""

from __future__ import annotations

from typing import Any

import numpy as np
from monai.config import NdarrayOrTensor
from numpy.typing import NDArray
from scipy import ndimage

from monai_consingan.distance import bounding_box
from monai_consingan.metrics.surroundings import Surroundings


def texture(image: NdarrayOrTensor | Surroundings, mask: NdarrayOrTensor | None = None, **where: Any) -> float:
    r"""High-frequency energy inside a mask, relative to that in the ring around it.

    The high frequencies of a voxel are its difference to the gaussian mean (standard deviation 1 voxel) of its
    neighbourhood. The means inside and outside are taken of voxels of the same side only, so a step at the border is
    no texture: what it is, :func:`seam` tells. With :math:`h` the differences,

    .. math:: \text{texture} = \frac{\operatorname{mean}_{inside} h^2}{\operatorname{mean}_{ring} h^2}

    1 means as rough as the tissue around, below 1 smoother (blurred), above 1 rougher.

    Args:
        image, mask, where: see :meth:`Surroundings.of`; along an ``axis`` nothing is smoothed.

    Returns:
        The ratio, from 0; infinite in perfectly flat surroundings, NaN if there are none or both sides are flat.

    Raises:
        ConSinGANError: for an empty mask, shapes that differ, or a spacing or axis that does not fit.

    Example:

        >>> import numpy as np
        >>> rng = np.random.RandomState(0)
        >>> image = rng.normal(100, 5, (1, 64, 64))
        >>> mask = np.zeros((1, 64, 64))
        >>> mask[0, 20:44, 20:44] = 1
        >>> 0.8 < texture(image, mask) < 1.2
        True
    """
    case = Surroundings.of(image, mask, **where)
    around = case.around
    if not around.any():
        return float("nan")
    box = bounding_box(case.inside | around, [4] * case.ndim)
    array = case.image[box].astype(np.float64)
    within, outside = (
        _energy(array, side[box], part[box], case.axis)
        for side, part in ((case.inside, case.inside), (case.countable, around))
    )
    if outside > 0:
        return within / outside
    return float("inf") if within > 0 else float("nan")


def _energy(array: NDArray[np.float64], side: NDArray[np.bool_], where: NDArray[np.bool_], axis: int | None) -> float:
    """Mean squared difference, over ``where``, of voxels to the gaussian mean of the voxels of their side."""
    sigma = [0.0 if along == axis else 1.0 for along in range(array.ndim)]
    centred = np.where(side, array - array[side].mean(), 0.0)
    weight = ndimage.gaussian_filter(side.astype(np.float64), sigma, mode="constant", truncate=3.0)
    total = ndimage.gaussian_filter(centred, sigma, mode="constant", truncate=3.0)
    return float(((centred[where] - total[where] / weight[where]) ** 2).mean())
