"""What is smooth: random fields, and displacements that fold nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_LEAST_JACOBIAN = 0.3


def positions_mm(shape: Sequence[int], spacing: Sequence[float]) -> NDArray[np.float64]:
    """Positions in mm of all voxels, from the middle of the array, (ndim, \\*shape)."""
    axes = [(np.arange(n) - (n - 1) / 2) * mm for n, mm in zip(shape, spacing, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"))


def smooth_noise(
    shape: Sequence[int], spacing: Sequence[float], smooth_mm: float, rng: np.random.RandomState
) -> NDArray[np.float64]:
    """Gaussian noise, smoothed by a gaussian of ``smooth_mm``, with mean 0 and standard deviation 1."""
    noise = ndimage.gaussian_filter(rng.standard_normal(tuple(shape)), [smooth_mm / mm for mm in spacing], truncate=3)
    noise -= noise.mean()
    return np.asarray(noise / max(float(noise.std()), np.finfo(float).tiny))


def jacobian(moved: NDArray[np.float64], spacing: Sequence[float]) -> NDArray[np.float64]:
    """Determinant of the Jacobian of a displacement in mm, (ndim, \\*shape): above 0 where nothing is folded."""
    ndim = len(spacing)
    matrix = np.zeros((*moved.shape[1:], ndim, ndim))
    for column, mm in enumerate(spacing):
        if moved.shape[1 + column] > 1:
            matrix[..., column] = np.moveaxis(np.gradient(moved, mm, axis=1 + column), 0, -1)
        matrix[..., column, column] += 1
    return np.asarray(np.linalg.det(matrix))


def displacement(
    shape: Sequence[int],
    spacing: Sequence[float],
    parts: Sequence[tuple[float, float]],
    rng: np.random.RandomState,
) -> NDArray[np.float64]:
    """A smooth random displacement that can be undone.

    Args:
        shape: of the grid.
        spacing: mm per axis.
        parts: for each part of it, how smooth it is and its standard deviation along an axis, both in mm.
        rng: what it is drawn by.

    Returns:
        Displacement in mm, (ndim, \\*shape). It is made weaker until the Jacobian is 0.3 or more everywhere.
    """
    moved = np.zeros((len(spacing), *shape))
    if not any(strength for _, strength in parts):
        rng.standard_normal((len(parts), *moved.shape))  # so that what is drawn next is what it would be
        return moved
    for smooth, strength in parts:
        moved += strength * np.stack([smooth_noise(shape, spacing, smooth, rng) for _ in spacing])
    while jacobian(moved, spacing).min() < _LEAST_JACOBIAN:
        moved *= 0.8
    return moved
