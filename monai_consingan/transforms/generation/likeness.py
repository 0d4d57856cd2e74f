"""How alike two lesions are, whatever their size and however they are flipped or turned by right angles."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from monai_consingan.transforms.generation.examples import Example

_SIDE, _RADII = 20, 1.6


def normal_view(example: Example) -> NDArray[np.float64]:
    """A lesion in a cube of 20 voxels, 3.2 of its radii wide: 0 outside, its leading sequence's contrast inside.

    Contrast is relative to the mean of the lesion's.
    """
    crop, mm = example.crop, np.asarray(example.crop.spacing)
    centre = np.argwhere(example.core).mean(axis=0)
    axis = np.linspace(-_RADII, _RADII, _SIDE) * example.diameter / 2
    cube = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    spots = np.moveaxis(cube / mm + centre, -1, 0)
    contrast = crop.image[example.lead].astype(np.float64) - example.level[example.lead]
    contrast = np.where(example.core, contrast, 0.0)
    mean = contrast[example.core].mean()
    found, share = (
        ndimage.map_coordinates(part, spots, order=1, mode="constant")
        for part in (contrast / (mean if mean else 1.0), example.core.astype(np.float64))
    )
    return np.where(share > 0.5, found / np.maximum(share, 0.5), 0.0)


def likeness(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """The greatest correlation, within the union of both, of one lesion and any flip or right turn of the other.

    Args:
        first, second: both by :func:`normal_view`.

    Returns:
        1 for copies, about 0 for lesions that have nothing in common but their place.
    """
    return max(_correlation(first, turned) for turned in _turned(second))


def _turned(view: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    for order in permutations(range(3)):
        for flips in product((1, -1), repeat=3):
            yield view.transpose(order)[:: flips[0], :: flips[1], :: flips[2]]


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    union = (first != 0) | (second != 0)
    a, b = first[union], second[union]
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / max(float(np.sqrt((a**2).sum() * (b**2).sum())), np.finfo(float).tiny))
