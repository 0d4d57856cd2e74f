"""The tiles of Winograd's minimal filtering: read from images, transformed, and written back (``winograd``).

A block of tiles is an array (36, ROOM, C): of each of a tile's 36 values those of all tiles, of which there is room for
``ROOM``, and of a tile those of all channels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# Every function below is compiled for one number of channels and type of numbers, with the names in capitals as
# constants. Arrays are sliced before their loops: otherwise these are not vectorized. They are copied in loops: an
# assignment of a slice to a slice brings an error message for shapes that differ, which takes seconds to compile.
C = STEP = NEAR = FAR = 0
spread_row: Any = None
spread_column: Any = None
collect_row: Any = None
collect_column: Any = None
adjoint_row: Any = None
adjoint_column: Any = None


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


def clear(v, first, last):  # type: ignore[no-untyped-def]
    """Zeros into the tiles first to last of v (36, ROOM, C)."""
    for i in range(36):
        v[i * STEP + first * C : i * STEP + last * C] = 0


def _shift(v, by, count):  # type: ignore[no-untyped-def]
    # count tiles of v (36, ROOM, C) to its front, from the one with the number by
    for i in range(36):
        target, source = v[i * STEP : i * STEP + count * C], v[i * STEP + by * C : i * STEP + (by + count) * C]
        for k in range(count * C):
            target[k] = source[k]


def load_planes(x, d, h, w, top, left, tiles, plane, planes, now, deep, taps, v, part):  # type: ignore[no-untyped-def]
    """Into v what ``now`` planes of results are made of, of a row of tiles, beginning with a plane.

    Of the planes of results before it, ``planes`` at a time, v holds theirs, whose last ones are needed again.
    """
    if plane > 0:
        for p in range(taps - 1):
            _shift(v[p * tiles * C :], planes * tiles, tiles)
    for p in range(taps - 1 if plane > 0 else 0, now + taps - 1):
        z = plane - deep + p
        if 0 <= z < d:
            _load(x[z * h * w * C :], h, w, top, left, tiles, v[p * tiles * C :], part)
        else:
            clear(v, p * tiles, (p + 1) * tiles)
    clear(v, (now + taps - 1) * tiles, (now + taps - 1) * tiles + 3)


def store(m, tiles, bias, like, slope, y, h, w, top, left, part):  # type: ignore[no-untyped-def]
    """Output transform of a row of tiles, and what follows the convolution."""
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


def load_gradient(g, h, w, top, left, tiles, m, part):  # type: ignore[no-untyped-def]
    """Adjoint of the output transform of a row of tiles, into m (36, ROOM, C)."""
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
