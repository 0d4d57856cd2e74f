"""How an outline departs from an ellipsoid: its axes, and how strong its waves are, from long ones to short ones."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.distance import cdist

from monai_consingan.distance import ball_diameter

__all__ = ["WAVES", "axes_and_waves"]

WAVES = (0.35, 0.17)
"""Angles, in radians, that long waves are told from middle ones by, and these from short ones."""

_RAYS = 600
_STEPS, _FARTHEST = 96, 2.4  # along a ray, in radii of the ellipsoid
_LEAST_RADIUS = 0.1


def axes_and_waves(
    mask: NDArray[np.bool_], spacing: tuple[float, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The ellipsoid of an outline, and its waves.

    Args:
        mask: the lesion, boolean (\\*spatial), in space.
        spacing: mm per axis.

    Returns:
        Lengths of the axes of the ellipsoid of the same moments, relative to their geometric mean, rising; and the
        standard deviations, over all directions, of long, middle and short waves of the logarithm of how far the lesion
        reaches from the ellipsoid's middle, in units of the ellipsoid. Of a ray only how much of it lies in the lesion
        counts, so that holes and overhangs do not.
    """
    mm = np.asarray(spacing)
    points = np.argwhere(mask) * mm
    middle = points.mean(axis=0)
    values, turn = np.linalg.eigh(np.cov((points - middle).T) + np.diag(mm**2 / 12))
    axes = np.sqrt(values)
    axes /= np.cbrt(axes.prod())
    radius = ball_diameter(float(len(points) * mm.prod()), 3) / 2
    rays, (longer, long) = _directions(), _smoothers()
    along = np.linspace(0, _FARTHEST, _STEPS)
    spots = radius * along[:, None, None] * ((rays * axes) @ turn.T) + middle
    inside = ndimage.map_coordinates(mask.astype(np.float64), np.moveaxis(spots / mm, -1, 0), order=1)
    reach = np.cbrt((inside * 3 * along[:, None] ** 2).sum(axis=0) * along[1])
    waves = np.log(np.maximum(reach, _LEAST_RADIUS))
    waves -= waves.mean()
    first, second = longer @ waves, long @ waves
    return axes, np.array([first.std(), (second - first).std(), (waves - second).std()])


@cache
def _directions() -> NDArray[np.float64]:
    """Directions that are spread evenly (a spiral of Fibonacci), (rays, 3)."""
    number = np.arange(_RAYS) + 0.5
    height, turn = 1 - 2 * number / _RAYS, np.pi * (3 - np.sqrt(5)) * number
    width = np.sqrt(1 - height**2)
    return np.stack([width * np.cos(turn), width * np.sin(turn), height], axis=1)


@cache
def _smoothers() -> list[NDArray[np.float64]]:
    """What smooths values on the directions by each of :data:`WAVES`, (rays, rays)."""
    found = []
    for width in WAVES:
        near = np.exp(-0.5 * (cdist(_directions(), _directions()) / width) ** 2)
        found.append(near / near.sum(axis=1, keepdims=True))
    return found
