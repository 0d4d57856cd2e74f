"""Contrast of a lesion to the tissue around it, also in units of noise, and how much of it a result kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from monai.config import NdarrayOrTensor
from numpy.typing import NDArray

from monai_consingan.data.contrast import cnr, robust_spread
from monai_consingan.metrics.surroundings import Surroundings


def contrast(
    image: NdarrayOrTensor | Surroundings,
    mask: NdarrayOrTensor | None = None,
    *,
    part: NDArray[np.bool_] | None = None,
    **where: Any,
) -> float:
    """Weber contrast of a lesion: (mean of the lesion - mean of the ring around it) / mean of the ring.

    It does not change when the image is multiplied by a constant, so that scans with different gains compare.

    Args:
        image, mask, where: see :meth:`Surroundings.of`; tissue has intensities above 0.
        part: the part of the lesion that is looked at, boolean (\\*spatial), or (\\*box) of surroundings;
            None for all.

    Returns:
        The contrast, which is 0.5 for a lesion half as bright again as its surroundings, below 0 for a darker one.

    Raises:
        ConSinGANError: for an empty mask, shapes that differ, no tissue around, or intensities that have no ratios, as
            after a z-score.
    """
    case = Surroundings.of(image, mask, **where)
    around = case.unit()
    return (float(case.image[case.part(part)].mean(dtype=np.float64)) - around) / around


def contrast_to_noise(
    image: NdarrayOrTensor | Surroundings,
    mask: NdarrayOrTensor | None = None,
    *,
    part: NDArray[np.bool_] | None = None,
    **where: Any,
) -> float:
    """Contrast-to-noise ratio of a lesion: how many standard deviations of the tissue around it it stands out by.

    It is (mean of the lesion - median of the ring around it) / standard deviation of the ring, which is taken from the
    median absolute deviation, so that a vessel or some fluid in the ring counts little. It does not change when the
    image is multiplied by a constant or when one is added, so that normalised images will do.

    Args:
        image, mask, where: see :meth:`Surroundings.of`.
        part: the part of the lesion that is looked at, such as its enhancing rim, boolean (\\*spatial); None for all.
            The ring is around the whole lesion.

    Returns:
        The ratio, below 0 for a lesion that is darker; infinite in a perfectly flat ring, NaN if the lesion is as flat.

    Raises:
        ConSinGANError: for an empty mask, shapes that differ, or no tissue around.

    Example:

        >>> image, mask = np.zeros((1, 32, 32)), np.zeros((1, 32, 32))
        >>> image[0, ::2] = 2
        >>> mask[0, 12:20, 12:20] = 1
        >>> image[mask > 0] = 7
        >>> round(contrast_to_noise(image, mask), 2)
        4.05
    """
    case = Surroundings.of(image, mask, **where)
    return cnr(case.image[case.part(part)], case.values())


def noise(case: Surroundings) -> float:
    """Standard deviation of the ring around a lesion relative to its mean: what a :func:`contrast` has to exceed.

    Raises:
        ConSinGANError: as :func:`contrast`.
    """
    return robust_spread(case.values().astype(np.float64)) / case.unit()


def kept(result: float, donor: float, noise: float = 0.0) -> float:
    """A measure of the result as a share of the donor's; 1 is all of it.

    Args:
        result: the measure in the result.
        donor: the same measure in the donor.
        noise: how much it varies in tissue (``noise``).

    Returns:
        result / donor; NaN, which is not measurable, when the donor's is below half of the noise, or 0.
    """
    return result / donor if abs(donor) > 0.5 * noise else float("nan")


def contrast_kept(result: Surroundings, donor: Surroundings) -> float:
    """A lesion's contrast as a share of that in its donor, or of that before; 1 is all of it.

    It is that of :func:`contrast`, and of :func:`contrast_to_noise` where one of the images has no ratios of
    intensities, as after a z-score.

    Args:
        result: surroundings of the lesion in the result.
        donor: those in its donor.

    Returns:
        The share (:func:`kept`).

    Raises:
        ConSinGANError: no tissue around the lesion.
    """
    if result.has_ratios and donor.has_ratios:
        return kept(contrast(result), contrast(donor), noise(donor))
    return kept(contrast_to_noise(result), contrast_to_noise(donor), 1.0)
