"""Contrast of a lesion to the tissue around it, and how much of it a result kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from monai.config import NdarrayOrTensor

from monai_consingan.metrics.surroundings import Surroundings

__all__ = ["RING_MM", "contrast", "kept"]

RING_MM = (2.0, 8.0)


def contrast(
    image: NdarrayOrTensor | Surroundings,
    mask: NdarrayOrTensor | None = None,
    *,
    ring_mm: tuple[float, float] = RING_MM,
    **where: Any,
) -> float:
    """Weber contrast of a lesion: (mean of the lesion - mean of the ring around it) / mean of the ring.

    It does not change when the image is multiplied by a constant, so that scans with different gains compare.

    Args:
        image: channel-first image, (1, H, W) or (1, H, W, D), with intensities above 0 in tissue, or surroundings that
            were found before.
        mask: channel-first mask of the lesion on the same grid.
        ring_mm: where the ring begins and ends, as distances to the lesion in mm.
        where: ``spacing``, ``axis``, ``exclude`` and ``tissue``, see :class:`Surroundings`.

    Returns:
        The contrast, which is 0.5 for a lesion half as bright again as its surroundings, below 0 for a darker one.

    Raises:
        ConSinGANError: for an empty mask, shapes that differ, no tissue around, or a ring with a mean of 0 or less.
    """
    case = Surroundings.of(image, mask, **where)
    around = case.mean(ring_mm)
    return (float(case.image[case.inside].mean(dtype=np.float64)) - around) / around


def kept(result: float, donor: float) -> float:
    """A measure of the result as a share of the donor's; 1 is all of it.

    Args:
        result: the measure in the result.
        donor: the same measure in the donor.

    Returns:
        result / donor, NaN when the donor's is 0.
    """
    return result / donor if donor != 0 else float("nan")
