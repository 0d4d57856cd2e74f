"""How rough tissue is in its finest part, and how much of that to put onto what is smooth to be as rough."""

from __future__ import annotations

import numpy as np

from monai_consingan.distance import bounding_box
from monai_consingan.transforms.removal.means import Means


def pixel_widths(axis: int | None, ndim: int) -> list[float]:
    """Standard deviations, in voxels, of the means which the finest part of an image is what differs from."""
    return [0.0 if along == axis else 1.0 for along in range(ndim)]


def finest(image: np.ndarray, where: np.ndarray, axis: int | None) -> np.ndarray:
    """The finest part of an image, of a mask's voxels."""
    return np.asarray(image - Means(where, pixel_widths(axis, image.ndim))(image))


def energy(fine: np.ndarray, where: np.ndarray) -> float:
    """Mean square over a mask, 0 if that is empty."""
    return float((fine[where] ** 2).mean()) if where.any() else 0.0


def strength(
    smooth: np.ndarray, rough: np.ndarray, region: np.ndarray, wanted: float, most: float, axis: int | None
) -> float:
    """How many times a rough part has to be added to a smooth one so that the region's finest part has an energy.

    Args:
        smooth, rough: the two parts, (\\*spatial).
        region: boolean (\\*spatial), not empty.
        wanted: the energy; 0 leaves the rough part as it is.
        most: it is made at most so many times stronger or weaker.
        axis: the spatial axis perpendicular to the slices along which nothing is averaged, or None.
    """
    box = bounding_box(region)
    base, more = (finest(part[box], region[box], axis)[region[box]] for part in (smooth, rough))
    square, mixed, rest = float((more**2).mean()), float((base * more).mean()), float((base**2).mean()) - wanted
    if not (wanted > 0 and square > 0):
        return 1.0
    found = (np.sqrt(max(mixed**2 - square * rest, 0.0)) - mixed) / square
    return float(np.clip(found, 1 / most, most))
