"""Where to change over from one image to another so that it shows least."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from monai_consingan.data.contrast import robust_spread
from monai_consingan.distance import bounding_box

_STEPS = 1000  # of the median difference: maximum_flow takes whole numbers
_LEAST = 0.05  # cost of a pixel without any difference, which keeps the seam short
_MOST = 100.0


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
