"""Level jump: whether a mask's slices lie at levels of their own, as what was made slice by slice may do."""

from __future__ import annotations

from typing import Any

import numpy as np
from monai.config import NdarrayOrTensor
from numpy.typing import NDArray

from monai_consingan.distance import bounding_box
from monai_consingan.metrics.surroundings import Surroundings


def level_jump(
    image: NdarrayOrTensor | Surroundings,
    mask: NdarrayOrTensor | None = None,
    *,
    along: int,
    **where: Any,
) -> float:
    r"""How far slices of a mask lie above or below their neighbours, relative to the tissue around.

    Take all voxels whose both neighbours along an axis lie in the mask too. Their mean difference to the mean of both
    neighbours, :math:`m_k` in slice :math:`k`, is 0 where the level changes evenly, as anatomy does, and large where
    slices are brighter and darker by turns: horizontal bands in the other two planes. With :math:`n_k` voxels,

    .. math:: \text{level jump} = \frac{\sum_k n_k |m_k| / \sum_k n_k \; (mask)}{\sum_k n_k |m_k| / \sum_k n_k \;
        (ring)}

    1 is as in the tissue around. Masks of few voxels have more of it by chance: compare the axis with the others.

    Args:
        image, mask, where: see :meth:`Surroundings.of`.
        along: the spatial axis that slices are compared along.

    Returns:
        The ratio, from 0; infinite in perfectly even surroundings, NaN where mask or ring have less than three slices,
        or both are even.

    Raises:
        ConSinGANError: for an empty mask, shapes that differ, or a spacing or axis that does not fit.

    Example:

        >>> rng = np.random.RandomState(0)
        >>> image, mask = rng.normal(100, 5, (1, 40, 40, 20)), np.zeros((1, 40, 40, 20))
        >>> mask[0, 12:28, 12:28, 4:16] = 1
        >>> image[..., ::2] += 5 * mask[..., ::2]
        >>> level_jump(image, mask, along=2) > 5 > 2 > level_jump(image, mask, along=0)
        True
    """
    case = Surroundings.of(image, mask, **where)
    around = case.around
    box = bounding_box(case.inside | around, [1] * case.ndim)
    array = np.moveaxis(case.image[box].astype(np.float64), along, 0)
    within, outside = (_unevenness(array, np.moveaxis(part[box], along, 0)) for part in (case.inside, around))
    if outside > 0:
        return within / outside
    return float("inf") if outside == 0 and within > 0 else float("nan")


def _unevenness(array: NDArray[np.float64], part: NDArray[np.bool_]) -> float:
    """Mean distance of a slice's level to the mean of its neighbours', by the first axis; NaN without three slices."""
    if len(array) < 3:
        return float("nan")
    counted = part[:-2] & part[1:-1] & part[2:]
    apart = np.where(counted, array[1:-1] - (array[:-2] + array[2:]) / 2, 0.0)
    voxels = int(counted.sum())
    return float(np.abs(apart.reshape(len(apart), -1).sum(axis=1)).sum() / voxels) if voxels else float("nan")
