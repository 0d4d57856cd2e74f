"""Scans that the tests of checks and of what they measure share."""

from __future__ import annotations

import numpy as np


def tissue(seed: int = 0) -> np.ndarray:
    """A slab of noisy tissue around 100 in air, (1, 48, 48, 6)."""
    image = np.zeros((1, 48, 48, 6))
    image[:, 4:-4, 4:-4] = np.random.RandomState(seed).normal(100, 3, (1, 40, 40, 6))
    return image


def box(*sides: tuple[int, int]) -> np.ndarray:
    mask = np.zeros((1, 48, 48, 6), np.uint8)
    mask[(0, *(slice(*side) for side in sides))] = 1
    return mask


LESION = box((20, 28), (20, 28), (1, 5))


def lesion_in(image: np.ndarray, value: float = 150.0) -> np.ndarray:
    return np.where(LESION > 0, value + (image - 100), image)


def banded(image: np.ndarray) -> np.ndarray:
    """The image with every second slice of the lesion's place brighter."""
    out = image.copy()
    out[..., ::2] += 6 * LESION[..., ::2]
    return out
