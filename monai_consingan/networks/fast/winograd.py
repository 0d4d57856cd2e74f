"""3-wide convolutions by Winograd's minimal filtering, compiled by Numba for the CPU.

``F(4 x 4, 3 x 3)`` (Lavin and Gray, 2016, https://arxiv.org/abs/1509.09308) makes tiles of 4 x 4 results from tiles of
6 x 6 pixels with 36 multiplications a pair of channels instead of 144. In space, what a result gets of three planes is
added up before it is transformed back. The gradient by the weights is the adjoint of the same algorithm, with the same
saving. Tiles are transformed, multiplied and transformed back in blocks that stay in the cache of a core.

Arrays are flat and contiguous, images (N, D, H, W, C), all of one type, float32 or float64. Filters have ``taps``
planes: 1 in the plane, where D is 1, or 3 in space. Results do not depend on the number of threads.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch

from monai_consingan.networks.fast import tiles as of_tiles
from monai_consingan.networks.fast.product import product, tile_of
from monai_consingan.networks.fast.specialize import Kernel, is_kept, own, specialize
from monai_consingan.networks.fast.tiles import clear, load_gradient, load_planes, store

FLAT, DEEP = 32, 16
"""Tiles of a plane in a block, in the plane and in space."""
ROOM = 69
"""Tiles that a block has room for; odd, so that what belongs together falls into different sets of a cache."""
SCRATCH = 72 * ROOM + 72
"""Values of scratch memory a thread and channel."""

# Every function below is compiled for one number of channels and type of numbers, with the names in capitals as
# constants.
C = STEP = 0
floats: Any = None
number: Any = None


def filter_matrix() -> np.ndarray:
    """The transform of filters: a filter's 9 values @ (9, 36) are the 36 values that tiles are multiplied by."""
    g = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
    return np.kron(g, g).T


class Winograd(NamedTuple):
    """Compiled functions for one number of channels."""

    convolve: Kernel
    weight_gradient: Kernel


@cache
def winograd(channels: int, dtype: torch.dtype) -> Winograd:
    """Functions for convolutions from ``channels`` to as many channels, a multiple of 4.

    Their first argument is the number of parts that the work is split in. ``scratch`` is (parts, SCRATCH * C).

    Returns:
        ``convolve(parts, x, u, bias, like, y, scratch, n, d, h, w, taps, pad, slope)``: the cross-correlation of ``x``,
        with ``pad`` zeros on every side (if negative, cropped), by filters ``u`` (taps, 36, C in, C out), into ``y``.
        If ``bias`` is not empty it is added, and then LeakyReLU applied; if ``like`` is not empty, the result is
        multiplied by the slope of the LeakyReLU whose output was ``like``. ``slope`` is given by
        :py:func:`~monai_consingan.networks.fast.specialize.bits`.

        ``weight_gradient(parts, x, g, du, scratch, n, d, h, w, taps, pad)``: adds the gradient by ``u``, for the
        gradient ``g`` by the result, to ``du`` (parts, taps, 36, C in, C out), to every part that of some tiles.
    """
    step = channels * ROOM  # from one of the 36 values of a block of tiles to the next
    row, column = {"NEAR": channels, "FAR": channels}, {"NEAR": 6 * channels, "FAR": 6 * step}
    compiled = specialize(
        {**vars(of_tiles), **globals()},
        {"C": channels, "STEP": step, "tile": tile_of(channels)},
        [
            "product",
            "own",
            ("spread_row", "_spread", row),
            ("spread_column", "_spread", column),
            ("collect_row", "_collect", row),
            ("collect_column", "_collect", column),
            ("adjoint_row", "_adjoint", row),
            ("adjoint_column", "_adjoint", column),
            "_gather",
            "clear",
            "_load",
            "_shift",
            "load_planes",
            "load_gradient",
            "_block",
            "_blocks",
            "store",
        ],
        ["_convolve", "_weight_gradient"],
        dtype=dtype,
        suffix=f"{channels}_",
    )
    return Winograd(*compiled.values())


def has_winograd(channels: int, dtype: torch.dtype) -> bool:
    """Whether these functions are on the disk already, or cannot be kept there (:func:`is_kept`)."""
    return all(is_kept(source, dtype=dtype, suffix=f"{channels}_") for source in (_convolve, _weight_gradient))


def _block(item, ho, wo, taps):  # type: ignore[no-untyped-def]
    # a block by its number: image, row of tiles, first tile, tiles, and planes at a time
    most = FLAT if taps == 1 else DEEP
    down, across = (ho + 3) // 4, (wo + 3) // 4
    blocks = (across + most - 1) // most
    width = (across + blocks - 1) // blocks
    first = item % blocks * width
    tiles = min(width, across - first)
    return item // (down * blocks), item // blocks % down, first, tiles, max(1, (ROOM - 3) // tiles - taps + 1)


def _blocks(n, ho, wo, taps):  # type: ignore[no-untyped-def]
    # how many blocks there are
    most = FLAT if taps == 1 else DEEP
    return n * ((ho + 3) // 4) * (((wo + 3) // 4 + most - 1) // most)


def _convolve(part, parts, table):  # type: ignore[no-untyped-def]
    x, u, bias, like, y = floats(table, 0), floats(table, 1), floats(table, 2), floats(table, 3), floats(table, 4)
    scratch = own(floats(table, 5), part, parts)
    n, d, h, w, taps, pad, slope = table[12], table[13], table[14], table[15], table[16], table[17], number(table, 18)
    deep = pad if taps == 3 else 0
    do, ho, wo = d + 2 * deep - taps + 1, h + 2 * pad - 2, w + 2 * pad - 2
    v, m, rest = scratch[: 36 * STEP], scratch[36 * STEP : 72 * STEP], scratch[72 * STEP :]
    items = _blocks(n, ho, wo, taps)
    for item in range(part * items // parts, (part + 1) * items // parts):
        image, row, first, tiles, planes = _block(item, ho, wo, taps)
        source, top, left = x[image * d * h * w * C :], 4 * row - pad, 4 * first - pad
        for plane in range(0, do, planes):
            now = min(planes, do - plane)
            count = (now * tiles + 3) // 4 * 4
            load_planes(source, d, h, w, top, left, tiles, plane, planes, now, deep, taps, v, rest)
            for i in range(36):
                b = m[i * STEP : (i + 1) * STEP]
                b[: count * C] = 0
                for k in range(taps):
                    f = (k * 36 + i) * C * C
                    product(v[i * STEP + k * tiles * C : (i + 1) * STEP], C, 1, u[f : f + C * C], b, count, C)
            for p in range(now):
                at = (image * do + plane + p) * ho * wo * C
                store(m[p * tiles * C :], tiles, bias, like[at:], slope, y[at:], ho, wo, 4 * row, 4 * first, rest)


def _weight_gradient(part, parts, table):  # type: ignore[no-untyped-def]
    x, g, du = floats(table, 0), floats(table, 1), own(floats(table, 2), part, parts)
    scratch = own(floats(table, 3), part, parts)
    n, d, h, w, taps, pad = table[8], table[9], table[10], table[11], table[12], table[13]
    deep = pad if taps == 3 else 0
    do, ho, wo = d + 2 * deep - taps + 1, h + 2 * pad - 2, w + 2 * pad - 2
    v, m, rest = scratch[: 36 * STEP], scratch[36 * STEP : 72 * STEP], scratch[72 * STEP :]
    items = _blocks(n, ho, wo, taps)
    for item in range(part * items // parts, (part + 1) * items // parts):
        image, row, first, tiles, planes = _block(item, ho, wo, taps)
        source, top, left = x[image * d * h * w * C :], 4 * row - pad, 4 * first - pad
        for plane in range(0, do, planes):
            now = min(planes, do - plane)
            count = (now * tiles + 3) // 4 * 4
            load_planes(source, d, h, w, top, left, tiles, plane, planes, now, deep, taps, v, rest)
            for p in range(now):
                at = (image * do + plane + p) * ho * wo * C
                load_gradient(g[at:], ho, wo, 4 * row, 4 * first, tiles, m[p * tiles * C :], rest)
            clear(m, now * tiles, count)
            for i in range(36):
                b = m[i * STEP : (i + 1) * STEP]
                for k in range(taps):
                    f = (k * 36 + i) * C * C
                    product(v[i * STEP + k * tiles * C : (i + 1) * STEP], 1, C, b, du[f : f + C * C], C, count)
