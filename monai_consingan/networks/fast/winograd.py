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

from monai_consingan.networks.fast.product import product, tile_of
from monai_consingan.networks.fast.specialize import Kernel, own, specialize

FLAT, DEEP = 32, 16
"""Tiles of a plane in a block, in the plane and in space."""
ROOM = 69
"""Tiles that a block has room for; odd, so that what belongs together falls into different sets of a cache."""
SCRATCH = 72 * ROOM + 72
"""Values of scratch memory a thread and channel."""

# Every function below is compiled for one number of channels and type of numbers, with the names in capitals as
# constants. Arrays are sliced before their loops: otherwise these are not vectorized. They are copied in loops: an
# assignment of a slice to a slice brings an error message for shapes that differ, which takes seconds to compile.
C = STEP = NEAR = FAR = 0
floats: Any = None
number: Any = None
spread_row: Any = None
spread_column: Any = None
collect_row: Any = None
collect_column: Any = None
adjoint_row: Any = None
adjoint_column: Any = None


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
        globals(),
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
            "_clear",
            "_load",
            "_shift",
            "_load_planes",
            "_load_gradient",
            "_block",
            "_blocks",
            "_store",
        ],
        ["_convolve", "_weight_gradient"],
        dtype=dtype,
        suffix=f"{channels}_",
    )
    return Winograd(*compiled.values())


def _spread(x, y):  # type: ignore[no-untyped-def]
    # input transform of 6 values, for all channels
    two, four, five = x.dtype.type(2), x.dtype.type(4), x.dtype.type(5)
    x, y = x[: 5 * NEAR + C], y[: 5 * FAR + C]
    for c in range(C):
        d0, d1, d2 = x[c], x[NEAR + c], x[2 * NEAR + c]
        d3, d4, d5 = x[3 * NEAR + c], x[4 * NEAR + c], x[5 * NEAR + c]
        even, odd = d4 - four * d2, d3 - four * d1
        wide, side = d4 - d2, two * (d3 - d1)
        y[c] = four * d0 - five * d2 + d4
        y[FAR + c] = even + odd
        y[2 * FAR + c] = even - odd
        y[3 * FAR + c] = wide + side
        y[4 * FAR + c] = wide - side
        y[5 * FAR + c] = four * d1 - five * d3 + d5


def _collect(m, y):  # type: ignore[no-untyped-def]
    # output transform of 6 values, for all channels
    two, four, eight = m.dtype.type(2), m.dtype.type(4), m.dtype.type(8)
    m, y = m[: 5 * FAR + C], y[: 3 * NEAR + C]
    for c in range(C):
        m0, m1, m2 = m[c], m[FAR + c], m[2 * FAR + c]
        m3, m4, m5 = m[3 * FAR + c], m[4 * FAR + c], m[5 * FAR + c]
        s1, s2, d1, d2 = m1 + m2, m3 + m4, m1 - m2, m3 - m4
        y[c] = m0 + s1 + s2
        y[NEAR + c] = d1 + two * d2
        y[2 * NEAR + c] = s1 + four * s2
        y[3 * NEAR + c] = d1 + eight * d2 + m5


def _adjoint(g, y):  # type: ignore[no-untyped-def]
    # adjoint of collect
    two, four, eight = g.dtype.type(2), g.dtype.type(4), g.dtype.type(8)
    g, y = g[: 3 * NEAR + C], y[: 5 * FAR + C]
    for c in range(C):
        g0, g1, g2, g3 = g[c], g[NEAR + c], g[2 * NEAR + c], g[3 * NEAR + c]
        s1, d1, s2, d2 = g0 + g2, g1 + g3, g0 + four * g2, two * g1 + eight * g3
        y[c] = g0
        y[FAR + c] = s1 + d1
        y[2 * FAR + c] = s1 - d1
        y[3 * FAR + c] = s2 + d2
        y[4 * FAR + c] = s2 - d2
        y[5 * FAR + c] = g3


def _gather(x, h, w, top, left, side, patch):  # type: ignore[no-untyped-def]
    # a square of pixels with zeros outside the image
    for r in range(side):
        for s in range(side):
            k = (r * side + s) * C
            if 0 <= top + r < h and 0 <= left + s < w:
                i = ((top + r) * w + left + s) * C
                for c in range(C):
                    patch[k + c] = x[i + c]
            else:
                patch[k : k + C] = 0


def _load(x, h, w, top, left, tiles, v, part):  # type: ignore[no-untyped-def]
    # input transform of a row of tiles into v (36, ROOM, C); part holds 36 + 36 pixels
    patch = part[36 * C :]
    for t in range(tiles):
        inside = top >= 0 and left >= 0 and top + 6 <= h and left + 6 <= w
        if not inside:
            _gather(x, h, w, top, left, np.int64(6), patch)
        for r in range(6):
            source = x[((top + r) * w + left) * C :] if inside else patch[r * 6 * C :]
            spread_row(source, part[r * 6 * C :])
        for s in range(6):
            spread_column(part[s * C :], v[s * STEP + t * C :])
        left += 4


def _clear(v, first, last):  # type: ignore[no-untyped-def]
    # tiles first to last of v (36, ROOM, C)
    for i in range(36):
        v[i * STEP + first * C : i * STEP + last * C] = 0


def _shift(v, by, count):  # type: ignore[no-untyped-def]
    # count tiles of v (36, ROOM, C) to its front, from the one with the number by
    for i in range(36):
        target, source = v[i * STEP : i * STEP + count * C], v[i * STEP + by * C : i * STEP + (by + count) * C]
        for k in range(count * C):
            target[k] = source[k]


def _load_planes(x, d, h, w, top, left, tiles, plane, planes, now, deep, taps, v, part):  # type: ignore[no-untyped-def]
    # into v what now planes of results are made of, of a row of tiles, beginning with a plane; of the planes of results
    # before it, so many at a time, v holds theirs, whose last ones are needed again
    if plane > 0:
        for p in range(taps - 1):
            _shift(v[p * tiles * C :], planes * tiles, tiles)
    for p in range(taps - 1 if plane > 0 else 0, now + taps - 1):
        z = plane - deep + p
        if 0 <= z < d:
            _load(x[z * h * w * C :], h, w, top, left, tiles, v[p * tiles * C :], part)
        else:
            _clear(v, p * tiles, (p + 1) * tiles)
    _clear(v, (now + taps - 1) * tiles, (now + taps - 1) * tiles + 3)


def _store(m, tiles, bias, like, slope, y, h, w, top, left, part):  # type: ignore[no-untyped-def]
    # output transform of a row of tiles, and what follows the convolution
    zero = m.dtype.type(0)
    result = part[24 * C : 28 * C]
    for t in range(tiles):
        for s in range(6):
            collect_column(m[s * STEP + t * C :], part[s * C :])
        for r in range(min(4, h - top)):
            collect_row(part[r * 6 * C :], result)
            i, size = ((top + r) * w + left) * C, min(4, w - left) * C
            ys = y[i : i + size]
            if bias.size:
                for s in range(0, size, C):
                    yc, rc = ys[s : s + C], result[s : s + C]
                    for c in range(C):
                        value = rc[c] + bias[c]
                        yc[c] = value if value > zero else slope * value
            elif like.size:
                ls = like[i : i + size]
                for k in range(size):
                    ys[k] = result[k] if ls[k] > zero else slope * result[k]
            else:
                for k in range(size):
                    ys[k] = result[k]
        left += 4


def _load_gradient(g, h, w, top, left, tiles, m, part):  # type: ignore[no-untyped-def]
    # adjoint of the output transform of a row of tiles, into m (36, ROOM, C)
    patch = part[36 * C :]
    for t in range(tiles):
        inside = top + 4 <= h and left + 4 <= w
        if not inside:
            _gather(g, h, w, top, left, np.int64(4), patch)
        for r in range(4):
            source = g[((top + r) * w + left) * C :] if inside else patch[r * 4 * C :]
            adjoint_row(source, part[r * 6 * C :])
        for s in range(6):
            adjoint_column(part[s * C :], m[s * STEP + t * C :])
        left += 4


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
            _load_planes(source, d, h, w, top, left, tiles, plane, planes, now, deep, taps, v, rest)
            for i in range(36):
                b = m[i * STEP : (i + 1) * STEP]
                b[: count * C] = 0
                for k in range(taps):
                    f = (k * 36 + i) * C * C
                    product(v[i * STEP + k * tiles * C : (i + 1) * STEP], C, 1, u[f : f + C * C], b, count, C)
            for p in range(now):
                at = (image * do + plane + p) * ho * wo * C
                _store(m[p * tiles * C :], tiles, bias, like[at:], slope, y[at:], ho, wo, 4 * row, 4 * first, rest)


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
            _load_planes(source, d, h, w, top, left, tiles, plane, planes, now, deep, taps, v, rest)
            for p in range(now):
                at = (image * do + plane + p) * ho * wo * C
                _load_gradient(g[at:], ho, wo, 4 * row, 4 * first, tiles, m[p * tiles * C :], rest)
            _clear(m, now * tiles, count)
            for i in range(36):
                b = m[i * STEP : (i + 1) * STEP]
                for k in range(taps):
                    f = (k * 36 + i) * C * C
                    product(v[i * STEP + k * tiles * C : (i + 1) * STEP], 1, C, b, du[f : f + C * C], C, count)
