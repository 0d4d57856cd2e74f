"""Poisson blending (seamless cloning) of one array into another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_matrix, csr_matrix

from monai_consingan.arrays import as_array, check_masks, check_shape, in_all
from monai_consingan.distance import bounding_box
from monai_consingan.errors import NoPlaceError

_ITERATIONS = 10_000


def poisson_blend(
    host: Any,
    source: Any,
    mask: Any,
    *,
    axis: int | None = None,
    spacing: Sequence[float] | float = 1.0,
    valid: Any | None = None,
    alone: float | None = None,
    precision: float = 1e-8,
) -> np.ndarray:
    """Clone the source's structure into the host without a seam.

    Inside the mask the result has the Laplacian of the source, and on the mask's border the values of the host
    (Pérez, Gangnet and Blake: Poisson image editing, ACM Transactions on Graphics 22, 2003,
    https://doi.org/10.1145/882262.882269). Solved is for the correction that is added to the source: a membrane
    spanned over the mask through the differences host - source around it. In planes this is a direct sparse solution,
    in space one by conjugate gradients. A mask that touches the array's border is free there (Neumann condition).

    Args:
        host: array of shape (\\*spatial), 2D or 3D, or (C, \\*spatial).
        source: array of the same shape whose structure is wanted.
        mask: array of shape (\\*spatial); values above 0 are replaced.
        axis: the spatial axis perpendicular to the slices to solve every slice by itself; None to solve in space.
        spacing: mm per spatial axis, or one number for all.
        valid: array of the mask's shape, above 0 where the source is known; None for everywhere. Voxels beside the mask
            where it is not known pose no condition.
        alone: what is added to the source in a part of the mask that has no known voxel beside it, and so nothing to
            take a level from; None takes the mean of what the other parts have around them.
        precision: in space, the error that is left, as a share of the border's differences.

    Returns:
        float64 array of the host's shape, the clone inside the mask, the host's values elsewhere.

    Raises:
        ConSinGANError: when shapes differ, the axis does not exist, or no part of the mask has a known voxel beside it
            and ``alone`` is None.

    Example:
        >>> import numpy as np
        >>> host, source, mask = np.full((1, 5), 3.0), np.array([[0.0, 0, 7, 0, 0]]), np.array([[0, 1, 1, 1, 0]])
        >>> poisson_blend(host, source, mask).round(6).tolist()
        [[3.0, 3.0, 10.0, 3.0, 3.0]]
    """
    target, guide = as_array(host).astype(np.float64), as_array(source)
    check_shape(guide, target.shape, name="source", other="host")
    blended = target
    if target.ndim == as_array(mask).ndim:
        target, guide = target[None], guide[None]
    (inside, known), axis, mm = check_masks(target.shape[1:], axis, spacing, mask=mask, valid=valid)
    if not inside.any():
        return blended
    near = bounding_box(inside, [1] * inside.ndim)  # nothing else has a say
    inside, known, there = inside[near], known[near], in_all(near)
    result, guide = target[there], guide[there].astype(np.float64)
    matrix, right = _membrane(result - guide, inside, known, mm, axis, alone)
    if inside.ndim - (axis is not None) <= 2:
        from scipy.sparse.linalg import spsolve  # which work in space does not need

        added = spsolve(matrix.tocsc(), right).reshape(right.shape)
    else:
        odd = np.add.reduce(np.nonzero(inside)) % 2 == 1
        added = _solve_in_space(matrix, right, odd, precision)
    result[:, inside] = guide[:, inside] + added.T
    return blended


def _membrane(
    difference: np.ndarray,
    inside: np.ndarray,
    known: np.ndarray,
    spacing: Sequence[float],
    axis: int | None,
    alone: float | None,
) -> tuple[csr_matrix, np.ndarray]:
    """The Laplace equation inside the mask, and of each channel the differences around it as its border values."""
    count = int(inside.sum())
    number = np.full(inside.shape, -1, np.int64)
    number[inside] = np.arange(count)
    diagonal, right, anchors = np.zeros(count), np.zeros((count, len(difference))), np.zeros(count)
    rows, cols, values = [], [], []
    for along, mm in enumerate(spacing):
        if along == axis:
            continue
        conductance = 1.0 / mm**2
        lower, upper = [slice(None)] * inside.ndim, [slice(None)] * inside.ndim
        lower[along], upper[along] = slice(None, -1), slice(1, None)
        for here, there in ((tuple(lower), tuple(upper)), (tuple(upper), tuple(lower))):
            inner = inside[here] & inside[there]
            border = inside[here] & ~inside[there] & known[there]
            diagonal[number[here][inner | border]] += conductance
            right[number[here][border]] += conductance * difference[in_all(there)][:, border].T
            anchors[number[here][border]] += conductance
            rows.append(number[here][inner])
            cols.append(number[there][inner])
            values.append(np.full(int(inner.sum()), -conductance))
    own = np.arange(count)
    where = (np.concatenate([*rows, own]), np.concatenate([*cols, own]))
    matrix = coo_matrix((np.concatenate([*values, diagonal]), where), shape=(count, count)).tocsr()
    links = ndimage.generate_binary_structure(inside.ndim, 1)
    if axis is not None:
        np.moveaxis(links, axis, 0)[[0, 2]] = False
    part = ndimage.label(inside, links)[0][inside]
    lone = np.bincount(part, weights=anchors)[part] == 0
    if lone.any():
        if alone is None and not anchors.any():
            raise NoPlaceError(
                "no voxel of known tissue lies beside the mask to take a level from; choose another place, or a blend "
                "that needs no level, such as hard."
            )
        # the only solution that is bound to one value everywhere, and to nothing else, is that value
        matrix.setdiag(diagonal + lone)
        right[lone] = right.sum(axis=0) / anchors.sum() if alone is None else alone
    return matrix, right


def _solve_in_space(matrix: csr_matrix, right: np.ndarray, odd: np.ndarray, precision: float) -> np.ndarray:
    """The solution for each column of the right side, in space.

    Voxels are coloured like a chessboard: those of one colour have neighbours of the other only, so that half of them
    can be eliminated at once, and what is left is solved in half as many iterations. Unknowns are scaled so that the
    diagonal is 1.

    Args:
        matrix: as of :func:`_membrane`.
        right: its right side, (N, C).
        odd: the colour of every unknown, boolean.
        precision: the error that is left.
    """
    scale = 1.0 / np.sqrt(matrix.diagonal())
    to_even = matrix[~odd][:, odd]
    to_even.data *= -np.repeat(scale[~odd], np.diff(to_even.indptr)) * scale[odd][to_even.indices]
    to_odd = to_even.T.tocsr()
    solution = np.empty(right.shape[::-1])
    for found, given in zip(solution, np.ascontiguousarray((right * scale[:, None]).T), strict=True):
        found[odd] = _solved(to_even, to_odd, given[odd] + to_odd @ given[~odd], precision)
        found[~odd] = given[~odd] + to_even @ found[odd]
    return (solution * scale).T


def _solved(to_even: csr_matrix, to_odd: csr_matrix, right: np.ndarray, precision: float) -> np.ndarray:
    """The unknowns of one colour, the other's being eliminated, by conjugate gradients."""
    solution, left, step = np.zeros_like(right), right.copy(), right.copy()
    weight = _dot(left, left)
    goal = precision**2 * weight
    for _ in range(_ITERATIONS):
        if weight <= goal:
            return solution
        image = step - to_odd @ (to_even @ step)
        share = weight / _dot(step, image)
        solution += share * step
        left -= share * image
        before, weight = weight, _dot(left, left)
        step *= weight / before
        step += left
    raise NoPlaceError("the Poisson equation of this mask has no stable solution; give axis.")


def _dot(first: np.ndarray, second: np.ndarray) -> float:
    """The inner product, on one thread: NumPy's library takes all processors for long vectors, and waits for them."""
    return float(np.einsum("i,i", first, second))
