"""A lesion's border: where to change over so that it shows least, and means of an image at every distance from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from monai_consingan.data.contrast import robust_spread
from monai_consingan.distance import bounding_box, reach_box

_STEPS = 1000  # of the median difference: maximum_flow takes whole numbers
_LEAST = 0.05  # cost of a pixel without any difference, which keeps the seam short
_MOST = 100.0
_LEAST_SHELL = 4  # voxels that the outermost shell has at least
_SMOOTH_MM = 1.0  # standard deviation of the gaussian that takes the steps of voxels from distances
_FAR = 3.0  # standard deviations at which it ends
BLUR_MM = _FAR * _SMOOTH_MM
"""How far beyond its reach a mean of :class:`Shells` hangs on distances."""
_ROUNDS = 6  # of finding the means of parts with soft edges, after which those of thin ones are there too


def seam_cut(first: np.ndarray, second: np.ndarray, inside: np.ndarray, between: np.ndarray) -> np.ndarray:
    """The region in which to show the first image so that its border runs where the two images differ least.

    A minimum cut: a pair of neighbours on either side of the seam costs the differences of the images at both (Kwatra,
    Schödl, Essa, Turk and Bobick: Graphcut textures, ACM Transactions on Graphics 22, 2003,
    https://doi.org/10.1145/882262.882264).

    Args:
        first: array of shape (\\*spatial), or (C, \\*spatial): the differences of several channels are added up, each
            relative to the spread of the second image's values where the border may run.
        second: array of the same shape.
        inside: boolean array: shows the first image in any case.
        between: boolean array: where the border may run; elsewhere the second image is shown.

    Returns:
        Boolean array of shape (\\*spatial), True where the first image is shown.

    Example:
        >>> import numpy as np
        >>> first, second = np.zeros((1, 6)), np.array([[9.0, 9, 9, 0, 0, 9]])
        >>> seam_cut(first, second, np.arange(6)[None] < 1, np.arange(6)[None] < 5).astype(int).tolist()
        [[1, 1, 1, 1, 0, 0]]
    """
    shown, open_ = np.array(inside, bool), between & ~inside
    if not inside.any() or not open_.any():
        return shown
    near = bounding_box(open_, [1] * open_.ndim)  # no other pair of neighbours is parted
    inside, open_ = shown[near], open_[near]
    there: tuple[Any, ...] = (..., *near)
    first, second = (np.asarray(part[there], np.float64) for part in (first, second))
    difference = np.abs(first - second)
    if difference.ndim > open_.ndim:
        difference = _added_up(difference, second, open_)
    typical = float(np.median(difference[open_])) or 1.0
    cost = np.minimum(difference / typical, _MOST) + _LEAST
    count = int(open_.sum())
    source, sink = count, count + 1
    node = np.full(open_.shape, sink)
    node[open_] = np.arange(count)
    node[inside] = source
    rows, columns, capacities = [], [], []
    for axis in range(open_.ndim):
        low, high = [slice(None)] * open_.ndim, [slice(None)] * open_.ndim
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        one, other = node[tuple(low)].ravel(), node[tuple(high)].ravel()
        pair = np.rint(_STEPS * (cost[tuple(low)] + cost[tuple(high)])).astype(np.int32).ravel()
        apart = one != other
        rows += [one[apart], other[apart]]
        columns += [other[apart], one[apart]]
        capacities += [pair[apart], pair[apart]]
    where = (np.concatenate(rows), np.concatenate(columns))
    graph = coo_matrix((np.concatenate(capacities), where), shape=(count + 2, count + 2)).tocsr()
    left = graph - maximum_flow(graph, source, sink).flow
    left.data[left.data < 0] = 0
    left.eliminate_zeros()
    reached = np.zeros(count + 2, bool)
    reached[breadth_first_order(left, source, return_predecessors=False)] = True
    shown[near] = reached[node]
    return shown


def _added_up(difference: np.ndarray, shown: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Differences of several channels as one, each relative to its own robust spread."""
    if len(difference) == 1:
        return difference[0]
    total = np.zeros(where.shape)
    for channel, values in zip(difference, shown, strict=True):
        spread = robust_spread(values[where])
        total += channel / (spread or 1.0)
    return total


class ShellMeans:
    """Means in shells half a voxel thick; those farthest away are one shell of four voxels or more.

    Args:
        distance: of every voxel, in mm, above 0.
        mm: mm per spatial axis.

    Attributes:
        distances: the mean distance of every shell, rising.
    """

    def __init__(self, distance: np.ndarray, mm: Sequence[float]) -> None:
        step = np.rint(distance / (0.5 * min(mm))).astype(np.int64)
        deeper = np.cumsum(np.bincount(step)[::-1])[::-1]
        step = np.minimum(step, np.flatnonzero(deeper >= min(_LEAST_SHELL, deeper[0])).max())
        count = np.bincount(step)
        self._shell, self._count = (np.cumsum(count > 0) - 1)[step], count[count > 0]
        self.distances = self.of(distance)
        self._below = np.maximum(np.searchsorted(self.distances, distance, side="right") - 1, 0)
        self._beyond = np.maximum(distance - self.distances[self._below], 0.0)

    def of(self, values: np.ndarray) -> np.ndarray:
        """The mean of every shell, of values in the order of the distances."""
        return np.asarray(np.bincount(self._shell, values) / self._count)

    def at(self, values: np.ndarray) -> np.ndarray:
        """The mean at every voxel's distance, linear between shells."""
        means = self.of(values)
        slopes = np.append(np.diff(means) / np.diff(self.distances), 0.0)
        return np.asarray(slopes[self._below] * self._beyond + means[self._below])


class Depths(NamedTuple):
    """How far from a mask's border voxels lie.

    Attributes:
        mask: boolean (\\*spatial), not empty.
        parts: its parts, a value above 0 for each, (\\*spatial).
        depth: distance in mm of its voxels to the outside, 0 outside.
        around: distance in mm of the voxels outside to it, 0 inside.
    """

    mask: np.ndarray
    parts: np.ndarray
    depth: np.ndarray
    around: np.ndarray

    def within(self, box: tuple[slice, ...]) -> Depths:
        """Those in a box."""
        return Depths(*(part[box] for part in self))


class PartMeans:
    """Means of the parts of a mask at every depth below its border, where there are several.

    Parts end where a label says, which is by whole voxels, and often ragged. So that a label does not show in what
    hangs on its parts, their means go over into each other as soft as what else has no steps of voxels.

    Args:
        depths: of the mask.
        mm: mm per spatial axis.
    """

    def __init__(self, depths: Depths, mm: Sequence[float]) -> None:
        mask, parts, depth, _ = depths
        values = np.unique(parts[mask])
        self._parts: list[tuple[np.ndarray, ShellMeans]] = []
        self._shares: list[np.ndarray] = []
        if len(values) < 2:
            return
        self._box = bounding_box(mask)
        inside = mask[self._box]
        self._inside, self._depth = inside, depth[self._box][inside]
        sigma = [_SMOOTH_MM / size for size in mm]
        for value in values:
            part = parts[self._box] == value
            soft = gaussian_filter(part.astype(np.float64), sigma, mode="constant", truncate=_FAR)
            self._shares.append(soft[inside])
            self._parts.append((part[inside], ShellMeans(self._depth[part[inside]], mm)))
        whole = sum(self._shares)
        self._shares = [share / whole for share in self._shares]

    def added(self, means: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Means, and in the mask those that its parts have at every depth of what the means leave of values.

        Args:
            means: array of the mask's shape; it is written to.
            values: array of the same shape.

        Returns:
            The means, as they are if the mask has one part only.
        """
        if not self._parts:
            return means
        there = means[self._box]
        left = (values[self._box] - there)[self._inside]
        told = np.zeros(left.shape)
        for _ in range(_ROUNDS):  # what a soft edge takes from a thin part is given back
            step = np.zeros(left.shape)
            for share, (part, shells) in zip(self._shares, self._parts, strict=True):
                step += share * np.interp(self._depth, shells.distances, shells.of(left[part]))
            told, left = told + step, left - step
        there[self._inside] += told
        return means


class Shells:
    """The shells around a mask's border, on both sides.

    A border that runs in steps of voxels would show in whatever hangs on the distance to it. So most of a mean is that
    at a distance without such steps, and only what this leaves over is that at the distance itself; and where a mask
    has several parts, what that leaves over in turn is that of the part at the distance.

    Args:
        depths: of the mask.
        mm: mm per spatial axis.
        reach_mm: how far outside shells reach.
        known: the voxels outside whose values count, boolean (\\*spatial); True for all.
    """

    def __init__(self, depths: Depths, mm: Sequence[float], reach_mm: float, known: np.ndarray | bool = True) -> None:
        mask, _, depth, around = depths
        half, far = 0.5 * min(mm), reach_mm + BLUR_MM
        used, box = mask | ((around <= reach_mm) & known), reach_box(mask, mm, far)
        inward = np.where(mask[box], depth[box] - half, half - np.minimum(around[box], far))
        inward = gaussian_filter(inward, [_SMOOTH_MM / size for size in mm], mode="nearest", truncate=_FAR)[used[box]]
        self._used, self._smooth = np.flatnonzero(used), ShellMeans(inward - inward.min(), mm)
        inside = mask[used]
        sides = ((inside, depth[used]), (~inside, around[used]))
        self._sides = [(np.flatnonzero(side), ShellMeans(far[side], mm)) for side, far in sides if side.any()]
        self._parts = PartMeans(depths, mm)

    def means(self, values: np.ndarray) -> np.ndarray:
        """The mean at every voxel's distance, on its side of the border; 0 beyond the reach, or if not known.

        Args:
            values: array of the mask's shape.
        """
        found, left = np.zeros(values.shape), values.ravel()[self._used]
        told = self._smooth.at(left)
        left -= told
        for side, shells in self._sides:
            told[side] += shells.at(left[side])
        found.reshape(-1)[self._used] = told
        return self._parts.added(found, values)


def stands_out(
    difference: np.ndarray,
    profile: np.ndarray,
    tissue: np.ndarray,
    parts: np.ndarray,
    spreads: tuple[float, float],
) -> float:
    """Whether what a mask holds is another thing than tissue, as a whole or a part of it: from 0 to 1.

    As a whole it is by its radial profile, in which a bright rim and a dark core count both; a part is by its mean.

    Args:
        difference: one channel, less what would be tissue there.
        profile: mean of that at every distance from the mask's border.
        tissue: values of tissue.
        parts: the mask, a value above 0 for each part that is told apart.
        spreads: differences, in spreads of the tissue, of what is tissue for sure, and of what is none.
    """
    spread = robust_spread(tissue)
    means = [float(difference[parts == value].mean()) for value in np.unique(parts[parts > 0])]
    least, most = spreads
    far = max(float(np.sqrt((profile[parts > 0] ** 2).mean())), *map(abs, means)) - least * spread
    share = float(np.clip(far / ((most - least) * spread), 0.0, 1.0)) if spread else 1.0
    return share * share * (3 - 2 * share)


def faded_profile(change: np.ndarray, depths: Depths, mm: Sequence[float], fade_mm: float) -> np.ndarray:
    """Mean of a change at every depth below a mask's border, by parts; that at the border fades out around it.

    Args:
        change: array of the mask's shape.
        depths: of the mask.
        mm: mm per spatial axis.
        fade_mm: how far it fades.
    """
    mask, _, depth, around = depths
    shells = ShellMeans(depth[mask], mm)
    means = shells.of(change[mask])
    fade = np.clip(1 - around / fade_mm, 0.0, 1.0) if fade_mm else np.zeros(mask.shape)
    inner, outer = np.interp(depth, shells.distances, means), means[0] * (0.5 - 0.5 * np.cos(np.pi * fade))
    profile = np.where(mask, inner, outer)
    return PartMeans(depths, mm).added(profile, change)
