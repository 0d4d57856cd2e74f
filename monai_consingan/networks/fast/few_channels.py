"""Convolutions between a few channels and many, compiled by Numba for the CPU.

Arrays are flat and contiguous, images (N, D, H, W, C), all of one type; filters have ``taps`` planes, 1 in the plane,
where D is 1, or 3 in space. Sums are split in as many parts as the caller says, all else gives the same in any number.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import torch

from monai_consingan.networks.fast.product import product, tile_of
from monai_consingan.networks.fast.specialize import Kernel, own, specialize


def padded(count: int) -> int:
    """Rows of zeros are added to a product's matrices up to this number."""
    return (count + 15) // 16 * 16


def row_scratch(channels: int, size: int, w: int, few: int, pad: int) -> int:
    """Values of scratch memory of a part of ``expand`` and ``outer``, for ``size`` rows of the weight."""
    pixels = (w + 2 * pad + 1) // 4 * 4
    return pixels * (size + channels) + size * channels + (w + 2 * max(pad, 0)) * few


# Every function below is compiled for one number of channels, the constant C, and one type of numbers.
C = 0
floats: Any = None
doubles: Any = None
number: Any = None


class Expander(NamedTuple):
    """Compiled functions for one number of channels."""

    expand: Kernel
    outer: Kernel


@cache
def expander(channels: int, dtype: torch.dtype) -> Expander:
    """Functions for convolutions from a few channels to ``channels``.

    Their first argument is the number of parts that the work is split in.

    Returns:
        ``expand(parts, x, weight, bias, like, y, scratch, n, d, h, w, taps, few, pad, slope)``: the cross-correlation
        of ``x``, of ``few`` channels, with ``pad`` zeros on every side, by ``weight`` (:py:func:`padded` (taps * 9 *
        few), C); ``bias``, ``like`` and ``slope`` are as in
        :py:func:`~monai_consingan.networks.fast.winograd.winograd`.

        ``outer(parts, x, g, out, scratch, n, d, h, w, taps, few, pad)``: the gradient by the ``weight`` of ``expand``,
        for the gradient ``g`` by its result, in parts, ``out`` (parts, padded(taps * 9 * few), C), double and filled
        with zeros.

        ``scratch`` is as large as :py:func:`row_scratch` says.
    """
    constants = {"C": channels, "tile": tile_of(channels)}
    functions, kernels = ["product", "own", "_patches", "_finish"], ["_expand", "_outer"]
    compiled = specialize(globals(), constants, functions, kernels, dtype=dtype, suffix=f"{channels}_")
    return Expander(*compiled.values())


def _patches(x, d, h, w, taps, few, pad, plane, row, size, line, patch):  # type: ignore[no-untyped-def]
    # what the filter sees at every pixel of a row of results, into patch (pixels, size); line holds a row
    deep, wo, wide = pad if taps == 3 else 0, w + 2 * pad - 2, 3 * few
    patch[:] = 0
    for q in range(max(0, deep - plane), min(taps, d + deep - plane)):
        for i in range(max(0, pad - row), min(3, h + pad - row)):
            at, k = ((plane + q - deep) * h + row + i - pad) * w * few, (q * 3 + i) * wide
            for t in range(max(0, -pad) * few, (w + min(0, pad)) * few):
                line[t + pad * few] = x[at + t]
            for s in range(wo):
                for t in range(wide):
                    patch[s * size + k + t] = line[s * few + t]


def _finish(y, line, count, bias, like, slope):  # type: ignore[no-untyped-def]
    # what follows the convolution
    zero = line.dtype.type(0)
    ls, ys = line[:count], y[:count]
    if bias.size:
        for s in range(0, count, C):
            lc, yc = ls[s : s + C], ys[s : s + C]
            for c in range(C):
                value = lc[c] + bias[c]
                yc[c] = value if value > zero else slope * value
    elif like.size:
        likes = like[:count]
        for k in range(count):
            ys[k] = ls[k] if likes[k] > zero else slope * ls[k]
    else:
        for k in range(count):
            ys[k] = ls[k]


def _expand(part, parts, table):  # type: ignore[no-untyped-def]
    x, weight, bias, like, y = floats(table, 0), floats(table, 1), floats(table, 2), floats(table, 3), floats(table, 4)
    n, d, h, w, taps, few = table[12], table[13], table[14], table[15], table[16], table[17]
    pad, slope = table[18], number(table, 19)
    ho, wo, size = h + 2 * pad - 2, w + 2 * pad - 2, weight.size // C
    rows, pixels = (d + 2 * pad - 2 if taps == 3 else d) * ho, (w + 2 * pad + 1) // 4 * 4
    scratch = own(floats(table, 5), part, parts)
    patch, result, line = scratch[: pixels * size], scratch[pixels * size :], scratch[pixels * (size + C) :]
    line[:] = 0
    for item in range(part * n * rows // parts, (part + 1) * n * rows // parts):
        image, at, plane, row = x[item // rows * d * h * w * few :], item * wo * C, item % rows // ho, item % ho
        _patches(image, d, h, w, taps, few, pad, plane, row, size, line, patch)
        result[: pixels * C] = 0
        product(patch, size, 1, weight, result, pixels, size)
        _finish(y[at:], result, wo * C, bias, like[at:], slope)


def _outer(part, parts, table):  # type: ignore[no-untyped-def]
    x, g, total = floats(table, 0), floats(table, 1), own(doubles(table, 2), part, parts)
    n, d, h, w, taps, few, pad = table[8], table[9], table[10], table[11], table[12], table[13], table[14]
    ho, wo, size = h + 2 * pad - 2, w + 2 * pad - 2, total.size // C
    rows, pixels = (d + 2 * pad - 2 if taps == 3 else d) * ho, (w + 2 * pad + 1) // 4 * 4
    scratch = own(floats(table, 3), part, parts)
    patch, gs = scratch[: pixels * size], scratch[pixels * size : pixels * (size + C)]
    sums, line = scratch[pixels * (size + C) :], scratch[(pixels + size) * C + pixels * size :]
    gs[:] = 0
    line[:] = 0
    for item in range(part * n * rows // parts, (part + 1) * n * rows // parts):
        image, at, plane, row = x[item // rows * d * h * w * few :], item * wo * C, item % rows // ho, item % ho
        _patches(image, d, h, w, taps, few, pad, plane, row, size, line, patch)
        for k in range(wo * C):
            gs[k] = g[at + k]
        sums[: size * C] = 0
        product(patch, 1, size, gs, sums, size, pixels)
        for k in range(size * C):
            total[k] += sums[k]


class Reducer(NamedTuple):
    """Compiled functions for one number of products."""

    multiply: Kernel
    add_up: Kernel


@cache
def reducer(size: int, dtype: torch.dtype) -> Reducer:
    """Functions for convolutions to a few channels, ``size`` being ``padded(taps * 9 * few)``.

    Returns:
        ``multiply(parts, x, weight, z, pixels, channels)``: the products of every pixel with every weight (channels,
        size), ``z`` (pixels, size).

        ``add_up(parts, z, y, n, d, h, w, taps, few, pad)``: from these the cross-correlation with ``pad`` zeros on
        every side, into ``y``.
    """
    constants = {"C": size, "tile": tile_of(size)}
    kernels = ["_multiply", "_add_up"]
    return Reducer(*specialize(globals(), constants, ["product"], kernels, dtype=dtype, suffix=f"{size}_").values())


def _multiply(part, parts, table):  # type: ignore[no-untyped-def]
    x, weight, z, pixels, channels = floats(table, 0), floats(table, 1), floats(table, 2), table[6], table[7]
    fours = pixels // 4
    chunks = (fours + 15) // 16
    for chunk in range(part * chunks // parts, (part + 1) * chunks // parts):
        first, count = chunk * 64, min(16, fours - chunk * 16) * 4
        z[first * C : (first + count) * C] = 0
        product(x[first * channels :], channels, 1, weight, z[first * C :], count, channels)
    if part == parts - 1:
        z[fours * 4 * C :] = 0
        for p in range(fours * 4, pixels):
            for k in range(channels):
                for o in range(C):
                    z[p * C + o] += x[p * channels + k] * weight[k * C + o]


def _add_up(part, parts, table):  # type: ignore[no-untyped-def]
    # C is the number of products of a pixel
    z, y, n, d, h, w = floats(table, 0), floats(table, 1), table[4], table[5], table[6], table[7]
    taps, few, pad = table[8], table[9], table[10]
    deep, ho, wo = pad if taps == 3 else 0, h + 2 * pad - 2, w + 2 * pad - 2
    rows = (d + 2 * pad - 2 if taps == 3 else d) * ho
    for item in range(part * n * rows // parts, (part + 1) * n * rows // parts):
        zs, ys = z[item // rows * d * h * w * C :], y[item * wo * few : (item + 1) * wo * few]
        plane, row = item % rows // ho, item % ho
        ys[:] = 0
        for q in range(max(0, deep - plane), min(taps, d + deep - plane)):
            for i in range(max(0, pad - row), min(3, h + pad - row)):
                at = ((plane + q - deep) * h + row + i - pad) * w
                for j in range(3):
                    for f in range(few):
                        k = ((q * 3 + i) * 3 + j) * few + f
                        for s in range(max(0, pad - j), min(wo, w + pad - j)):
                            ys[s * few + f] += zs[(at + s + j - pad) * C + k]
