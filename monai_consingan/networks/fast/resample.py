"""Sparse matrices along an axis, compiled by Numba for the CPU."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

from monai_consingan.networks.fast.specialize import Kernel, specialize

floats: Any = None
wholes: Any = None


@cache
def resample(dtype: torch.dtype) -> Kernel:
    """Function for sparse matrices along an axis.

    Returns:
        ``resample(parts, x, weight, y, starts, index, outer, size, inner, new_size)``: multiplies the middle axis of
        ``x`` (outer, size, inner) by a matrix in compressed rows, into ``y`` (outer, new_size, inner): row ``k`` has
        ``weight[p]`` in column ``index[p]`` for ``p`` from ``starts[k]`` to below ``starts[k + 1]``.
    """
    return specialize(globals(), {}, [], ["_resample"], dtype=dtype)["_resample"]


def _resample(part, parts, table):  # type: ignore[no-untyped-def]
    x, weight, y, starts, index = (
        floats(table, 0),
        floats(table, 1),
        floats(table, 2),
        wholes(table, 3),
        wholes(table, 4),
    )
    outer, size, inner, new_size = table[10], table[11], table[12], table[13]
    for item in range(part * outer * new_size // parts, (part + 1) * outer * new_size // parts):
        image, k, ys = x[item // new_size * size * inner :], item % new_size, y[item * inner : (item + 1) * inner]
        ys[:] = 0
        for p in range(starts[k], starts[k + 1]):
            value, xs = weight[p], image[index[p] * inner : (index[p] + 1) * inner]
            for c in range(inner):
                ys[c] += value * xs[c]
