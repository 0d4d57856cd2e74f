"""Seam, level jump and texture: how smooth a mask's border, slices and tissue are, relative to the tissue around."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from monai.config import NdarrayOrTensor
from numpy.typing import NDArray

from monai_consingan.distance import bounding_box
from monai_consingan.metrics.surroundings import Surroundings
from monai_consingan.transforms.bands import energy, finest


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
    steps = _border_steps(Surroundings.of(image, mask, **where), along)
    if not steps.pairs or steps.border == steps.around == 0:
        return float("nan")
    return steps.border / steps.around if steps.around > 0 else float("inf")


def expected_seam(case: Surroundings, source: Surroundings, *, along: int | Sequence[int] | None = None) -> float:
    r"""The :func:`seam` that a lesion brings along from where it was taken.

    With :math:`B` the mean step across the border and :math:`R` that in the tissue around, in the source, whose
    intensities are matched to the result's, and :math:`R'` that in the tissue around in the result,

    .. math:: 1 + \frac{\max(0, B - R)}{R'}

    A lesion that does not stand out has no border of its own, so that 1 is expected; one that does shows a harder one
    the smoother its new surroundings are.

    Args:
        case: the lesion in the result.
        source: the same mask in what was put there, in the donor's tissue, with the same axis.
        along: see :func:`seam`.

    Returns:
        The ratio, from 1; that where nothing of it can be measured.

    Example:

        >>> import numpy as np
        >>> source = np.add.outer(np.arange(32.0), np.arange(32.0))[None] + 100
        >>> mask = np.zeros((1, 32, 32))
        >>> mask[0, 12:20, 12:20] = 1
        >>> source[mask > 0] += 40
        >>> rough = Surroundings(2 * source, mask)
        >>> expected_seam(rough, Surroundings(source, mask))
        20.5
    """
    there, here = _border_steps(source, along), _border_steps(case, along)
    own = max(0.0, there.border - there.around) / there.pairs if there.pairs else 0.0
    return 1 + own * here.pairs / here.around if here.around > 0 else 1.0


class _BorderSteps(NamedTuple):
    """Steps between neighbouring voxels across a border, and as many in the tissue around it.

    Attributes:
        border, around: their sums.
        pairs: how many there are; 0 where there is no border, or no surroundings to measure.
    """

    border: float
    around: float
    pairs: int


def _border_steps(case: Surroundings, along: int | Sequence[int] | None) -> _BorderSteps:
    """The steps of a case along some axes, or all but the one that is left out."""
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
            return _BorderSteps(0.0, 0.0, 0)
        border_sum += float(step[border].sum())
        expected_sum += float(border.sum()) * float(step[pairs_around].mean())
        pairs += int(border.sum())
    return _BorderSteps(border_sum, expected_sum, pairs)


def _side(array: NDArray[Any], along: int, side: int) -> NDArray[Any]:
    """The first (0) or second (1) voxel of all pairs of neighbours along an axis."""
    index = [slice(None)] * array.ndim
    index[along] = slice(None, -1) if side == 0 else slice(1, None)
    return np.asarray(array[tuple(index)])


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


def texture(image: NdarrayOrTensor | Surroundings, mask: NdarrayOrTensor | None = None, **where: Any) -> float:
    r"""High-frequency energy inside a mask, relative to that in the ring around it.

    The high frequencies of a voxel are its difference to the gaussian mean (standard deviation 1 voxel) of its
    neighbourhood. The means inside and outside are taken of voxels of the same side only, so a step at the border is
    no texture: what it is, :func:`seam` tells. With :math:`h` the differences,

    .. math:: \text{texture} = \frac{\operatorname{mean}_{inside} h^2}{\operatorname{mean}_{ring} h^2}

    1 means as rough as the tissue around, below 1 smoother (blurred), above 1 rougher.

    Args:
        image, mask, where: see :meth:`Surroundings.of`; along an ``axis`` nothing is smoothed.

    Returns:
        The ratio, from 0; infinite in perfectly flat surroundings, NaN if there are none or both sides are flat.

    Raises:
        ConSinGANError: for an empty mask, shapes that differ, or a spacing or axis that does not fit.

    Example:

        >>> import numpy as np
        >>> rng = np.random.RandomState(0)
        >>> image = rng.normal(100, 5, (1, 64, 64))
        >>> mask = np.zeros((1, 64, 64))
        >>> mask[0, 20:44, 20:44] = 1
        >>> 0.8 < texture(image, mask) < 1.2
        True
    """
    case = Surroundings.of(image, mask, **where)
    around = case.around
    if not around.any():
        return float("nan")
    box = bounding_box(case.inside | around, [4] * case.ndim)
    array = case.image[box].astype(np.float64)
    within, outside = (
        energy(finest(array, side[box], case.axis), part[box])
        for side, part in ((case.inside, case.inside), (case.countable, around))
    )
    if outside > 0:
        return within / outside
    return float("inf") if within > 0 else float("nan")
