"""Tissue for a lesion of a new outline to lie in: a donor's, from which the donor's own lesion is gone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monai_consingan.distance import outside_distance
from monai_consingan.transforms.generation.examples import Example
from monai_consingan.transforms.generation.warped import warp_lesion
from monai_consingan.transforms.insertion.move import move
from monai_consingan.transforms.smooth import mean_of_known

_COVERED = 0.85  # size of the donor's lesion, which the new one has to cover, over that of the new one
_MIXED_MM, _SMOOTH_MM = 1.0, 4.0


def tissue_around(
    example: Example, shape: tuple[int, ...], diameter: float, rng: np.random.RandomState
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The tissue around a donor's lesion, turned, on the grid of a new one.

    The donor's lesion is made a little smaller than the new one, and what is left of it, with 1 mm around, is filled
    smoothly with the tissue nearby.

    Args:
        example: the donor's lesion.
        shape: of the grid, whose middle is that of the new lesion.
        diameter: of the new lesion in mm.
        rng: what chance is drawn by.

    Returns:
        Intensities (C, \\*shape), and where they are those of tissue, boolean (\\*shape).
    """
    turned = warp_lesion(example, _COVERED * diameter, rng, strength=0.0)
    known = outside_distance(turned.label > 0, turned.spacing) > _MIXED_MM
    off = turned.image - example.level[:, None, None, None]
    away = np.where(known, off, mean_of_known(off, known, [_SMOOTH_MM / mm for mm in turned.spacing]))
    offset = [(new - old) // 2 for new, old in zip(shape, known.shape, strict=True)]
    image = move(away, offset, shape=shape) + example.level[:, None, None, None]
    return image, move(turned.valid | (turned.label > 0), offset, shape=shape)
