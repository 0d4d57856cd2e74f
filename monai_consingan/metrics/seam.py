"""Seam: how hard the border of a lesion looks, relative to the tissue around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from monai.config import NdarrayOrTensor
from numpy.typing import NDArray

from monai_consingan.distance import bounding_box
from monai_consingan.metrics.surroundings import Surroundings


def seam(
    image: NdarrayOrTensor | Surroundings,
    mask: NdarrayOrTensor | None = None,
    *,
    along: int | Sequence[int] | None = None,
    **where: Any,
) -> float:
    r"""Intensity steps across the border of a mask, relative to the steps in the tissue around it.

    Take all pairs of neighbouring voxels (4 neighbours in a plane, 6 in a volume). :math:`B_a` are the pairs along axis
    :math:`a` with one voxel inside the mask and one outside, :math:`R_a` those with both voxels in the ring around it,
    :math:`\overline{R_a}` being their mean absolute difference. Then

    .. math:: \text{seam} = \frac{\sum_a \sum_{(i,j) \in B_a} |x_i - x_j|}{\sum_a |B_a| \; \overline{R_a}}

    so that axes with a coarser spacing are compared with themselves. 1 means that the border is as smooth as the tissue
    around it; a lesion that is brighter than its surroundings has a border of its own, therefore compare a result with
    the naive paste, or with the donor's lesion in the donor. Pairs whose outer voxel is air do not count.

    Args:
        image, mask, where: see :meth:`Surroundings.of`; with an ``axis``, pairs along it are left out.
        along: the only spatial axis to compare along, such as the one across slices, or several; None compares along
            all.

    Returns:
        The ratio, from 0; infinite for a step in perfectly flat surroundings, NaN if there is no border or no
        surroundings to measure.

    Raises:
        ConSinGANError: for an empty mask, shapes that differ, or a spacing or axis that does not fit.

    Example:

        >>> import numpy as np
        >>> image = np.arange(32.0).reshape(1, 32, 1).repeat(32, axis=2) + 100
        >>> mask = np.zeros((1, 32, 32))
        >>> mask[0, 12:20, 12:20] = 1
        >>> seam(image, mask)
        1.0
    """
    case = Surroundings.of(image, mask, **where)
    around = case.around
    box = bounding_box(case.inside | around, [1] * case.ndim)
    array, inside, countable = case.image[box].astype(np.float64), case.inside[box], case.countable[box]
    around = around[box]

    border_sum, expected_sum, pairs = 0.0, 0.0, 0
    for direction in range(array.ndim) if along is None else np.atleast_1d(along).tolist():
        if direction == case.axis:
            continue
        step = np.abs(np.diff(array, axis=direction))
        first, second = _side(inside, direction, 0), _side(inside, direction, 1)
        # The voxel outside has to be tissue; the one inside may be as dark as a necrotic core.
        outside_counts = np.where(first, _side(countable, direction, 1), _side(countable, direction, 0))
        border = (first != second) & outside_counts
        pairs_around = _side(around, direction, 0) & _side(around, direction, 1)
        if not border.any():
            continue
        if not pairs_around.any():
            return float("nan")
        border_sum += float(step[border].sum())
        expected_sum += float(border.sum()) * float(step[pairs_around].mean())
        pairs += int(border.sum())
    if pairs == 0 or (expected_sum == 0 and border_sum == 0):
        return float("nan")
    return border_sum / expected_sum if expected_sum > 0 else float("inf")


def _side(array: NDArray[Any], along: int, side: int) -> NDArray[Any]:
    """The first (0) or second (1) voxel of all pairs of neighbours along an axis."""
    index = [slice(None)] * array.ndim
    index[along] = slice(None, -1) if side == 0 else slice(1, None)
    return np.asarray(array[tuple(index)])
