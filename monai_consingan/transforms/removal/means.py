"""Means and sums of voxels: gaussian means within a mask, and weighted sums for every move of the weights."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy.fft import irfftn, next_fast_len, rfftn

__all__ = ["Means", "Sums"]


class Means:
    """Gaussian means of the voxels of a mask only.

    Args:
        where: the mask, boolean.
        sigma: standard deviations along every axis, in voxels.
    """

    def __init__(self, where: np.ndarray, sigma: Sequence[float]) -> None:
        self.where, self.sigma = where, tuple(sigma)
        self.weight = np.maximum(_gaussian(where.astype(np.float64), self.sigma), 1e-9)
        self.any = bool(where.any())

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """The means around every voxel of an image; the image itself where the mask is empty."""
        if not self.any:
            return image
        middle = image[self.where].mean()
        return np.asarray(middle + _gaussian(np.where(self.where, image - middle, 0.0), self.sigma) / self.weight)


def _gaussian(image: np.ndarray, sigma: Sequence[float]) -> np.ndarray:
    """A gaussian filter, cut at three standard deviations, beyond an image 0.

    What :func:`scipy.ndimage.gaussian_filter` gives up to rounding, by products of matrices, which are quicker for
    images of this size.
    """
    for axis, width in enumerate(sigma):
        if width > 0:
            image = np.moveaxis(np.tensordot(_filter_matrix(image.shape[axis], width), image, (1, axis)), 0, axis)
    return image


@lru_cache(64)
def _filter_matrix(count: int, sigma: float) -> np.ndarray:
    """The matrix that filters a line of voxels."""
    away = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
    radius = int(3.0 * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(radius + 1) / sigma) ** 2)
    weights /= weights[0] + 2 * weights[1:].sum()
    return np.where(away <= radius, weights[np.minimum(away, radius)], 0.0)


class Sums:
    """Weighted sums of an array for every move of the weights by some steps, by Fourier transforms.

    Args:
        shape: of the weights.
        steps: how far they are moved along every axis, to both sides; the array is larger by that.
    """

    def __init__(self, shape: Sequence[int], steps: Sequence[int]) -> None:
        self.size = [next_fast_len(side + 2 * step, real=True) for side, step in zip(shape, steps, strict=True)]
        self.moves = tuple(slice(2 * step + 1) for step in steps)

    def values(self, wide: np.ndarray) -> np.ndarray:
        """The transform of an array."""
        return np.asarray(rfftn(wide.astype(np.float64), self.size))

    def weights(self, weights: np.ndarray) -> np.ndarray:
        """The transform of weights."""
        return np.conj(self.values(weights))

    def of(self, product: np.ndarray) -> np.ndarray:
        """The sums, of a product of an array's transform and weights', or of a sum of such products."""
        return np.asarray(irfftn(product, self.size)[self.moves])
