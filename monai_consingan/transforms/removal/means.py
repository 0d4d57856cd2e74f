"""Gaussian means of the voxels of a mask."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from monai_consingan.transforms.along import along


class Means:
    """Gaussian means of the voxels of a mask only.

    Args:
        where: the mask, boolean.
        sigma: standard deviations along every axis, in voxels.
        box: the part of an image, with limits, in which means are wanted; None for all of it.
    """

    def __init__(self, where: np.ndarray, sigma: Sequence[float], box: tuple[slice, ...] | None = None) -> None:
        self.where, self.sigma = where, tuple(sigma)
        self.box = (slice(None),) * where.ndim if box is None else box
        self.weight = np.maximum(_gaussian(where.astype(np.float64), self.sigma, self.box), 1e-9)
        self.any = bool(where.any())

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """The means around every voxel of the box of an image; the image itself where the mask is empty."""
        if not self.any:
            return image[self.box]
        middle = image[self.where].mean()
        near = _gaussian(np.where(self.where, image - middle, 0.0), self.sigma, self.box)
        return np.asarray(middle + near / self.weight)


def _gaussian(image: np.ndarray, sigma: Sequence[float], box: tuple[slice, ...]) -> np.ndarray:
    """A box of an image after a gaussian filter, cut at three standard deviations, beyond the image 0.

    What :func:`scipy.ndimage.gaussian_filter` gives up to rounding, by products of matrices, which are quicker for
    images of this size.
    """
    for axis, (width, part) in enumerate(zip(sigma, box, strict=True)):
        if width > 0:
            image = along(_filter_matrix(image.shape[axis], width)[part], image, axis)
        else:
            image = image[(slice(None),) * axis + (part,)]
    return image


@lru_cache(64)
def _filter_matrix(count: int, sigma: float) -> np.ndarray:
    """The matrix that filters a line of voxels."""
    away = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
    radius = int(3.0 * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(radius + 1) / sigma) ** 2)
    weights /= weights[0] + 2 * weights[1:].sum()
    return np.where(away <= radius, weights[np.minimum(away, radius)], 0.0)
