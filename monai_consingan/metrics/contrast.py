"""Contrast of a lesion to the tissue around it, and how much of it a result kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from monai.config import NdarrayOrTensor

from monai_consingan.metrics.surroundings import Surroundings

__all__ = ["RING_MM", "contrast", "kept", "noise"]

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


def noise(case: Surroundings, ring_mm: tuple[float, float] = RING_MM) -> float:
    """Standard deviation of the ring around a lesion relative to its mean: what a :func:`contrast` has to exceed.

    Raises:
        ConSinGANError: as :func:`contrast`.
    """
    mean = case.mean(ring_mm)
    return float(case.image[case.ring(ring_mm)].std(dtype=np.float64)) / mean


def kept(result: float, donor: float, noise: float = 0.0) -> float:
    """A measure of the result as a share of the donor's; 1 is all of it.

    Args:
        result: the measure in the result.
        donor: the same measure in the donor.
        noise: how much it varies in tissue (:func:`noise`).

    Returns:
        result / donor; NaN, which is not measurable, when the donor's is below a quarter of the noise, or 0.
    """
    return result / donor if abs(donor) > 0.25 * noise else float("nan")
