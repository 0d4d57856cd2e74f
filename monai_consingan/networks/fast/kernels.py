"""What surrounds the convolutions of :py:mod:`monai_consingan.networks.fast.winograd`, compiled by Numba for the CPU.

Arrays are flat and contiguous, images (N, D, H, W, C), all of one type; filters have ``taps`` planes, 1 in the plane,
where D is 1, or 3 in space. Sums are split in as many parts as the caller says, all else gives the same in any number.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import torch

from monai_consingan.networks.fast.product import product, tile_of
from monai_consingan.networks.fast.specialize import Kernel, specialize

PARTS = 8
"""Parts of a sum."""


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
wholes: Any = None
number: Any = None


class Layers(NamedTuple):
    """Compiled functions for one number of channels."""

    expand: Kernel
    outer: Kernel
    moments: Kernel
    activate: Kernel
    norm_sums: Kernel
    norm_gradient: Kernel


@cache
def layers(channels: int, dtype: torch.dtype) -> Layers:
    """Functions for convolutions between a few channels and ``channels``, and for instance norm with LeakyReLU.

    Their first argument is the number of parts that the work is split in.

    Returns:
        ``expand(parts, x, weight, bias, like, y, scratch, n, d, h, w, taps, few, pad, slope)``: the cross-correlation
        of ``x``, of ``few`` channels, with ``pad`` zeros on every side, by ``weight`` (:py:func:`padded` (taps * 9 *
        few), C); ``bias``, ``like`` and ``slope`` are as in
        :py:func:`~monai_consingan.networks.fast.winograd.winograd`.

        ``outer(parts, x, g, out, scratch, n, d, h, w, taps, few, pad)``: the gradient by the ``weight`` of ``expand``,
        for the gradient ``g`` by its result, in parts, ``out`` (parts, padded(taps * 9 * few), C).

        ``moments(parts, x, out, scratch, pixels)``: sums of the differences to the first pixel and of their squares, in
        parts, ``out`` (parts, 2, C).

        ``activate(parts, x, scale, shift, y, pixels, slope)``: LeakyReLU of ``x * scale + shift``.

        ``norm_sums(parts, x, g, scale, shift, mean, out, scratch, pixels, slope)``: for the gradient ``g`` by the
        result of ``activate``, sums of the gradient ``d`` in front of LeakyReLU and of ``d * (x - mean)``, in parts as
        above.

        ``norm_gradient(parts, x, g, scale, shift, of_x, constant, y, pixels, slope)``: ``d * scale + of_x * x +
        constant``.

        ``out`` is double, and filled with zeros. ``scratch`` is as large as ``out``, or as :py:func:`row_scratch` says.
        ``slope`` is given by :py:func:`~monai_consingan.networks.fast.specialize.bits`.
    """
    compiled = specialize(
        globals(),
        {"C": channels, "tile": tile_of(channels)},
        ["product", "_own", "_patches", "_finish", "_moments_part", "_norm_sums_part"],
        [f"_{name}" for name in Layers._fields],
        dtype=dtype,
        suffix=f"{channels}_",
    )
    return Layers(*compiled.values())


def _own(values, part, parts):  # type: ignore[no-untyped-def]
    # what of an array belongs to a part
    size = values.size // parts
    return values[part * size : (part + 1) * size]


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
    scratch = _own(floats(table, 5), part, parts)
    patch, result, line = scratch[: pixels * size], scratch[pixels * size :], scratch[pixels * (size + C) :]
    line[:] = 0
    for item in range(part * n * rows // parts, (part + 1) * n * rows // parts):
        image, at, plane, row = x[item // rows * d * h * w * few :], item * wo * C, item % rows // ho, item % ho
        _patches(image, d, h, w, taps, few, pad, plane, row, size, line, patch)
        result[: pixels * C] = 0
        product(patch, size, 1, weight, result, pixels, size)
        _finish(y[at:], result, wo * C, bias, like[at:], slope)


def _outer(part, parts, table):  # type: ignore[no-untyped-def]
    x, g, total = floats(table, 0), floats(table, 1), _own(doubles(table, 2), part, parts)
    n, d, h, w, taps, few, pad = table[8], table[9], table[10], table[11], table[12], table[13], table[14]
    ho, wo, size = h + 2 * pad - 2, w + 2 * pad - 2, total.size // C
    rows, pixels = (d + 2 * pad - 2 if taps == 3 else d) * ho, (w + 2 * pad + 1) // 4 * 4
    scratch = _own(floats(table, 3), part, parts)
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


def _moments_part(x, first, last, sums, out):  # type: ignore[no-untyped-def]
    start = x[:C]
    sums[:] = 0
    for p in range(first, last):
        xs = x[p * C : (p + 1) * C]
        for c in range(C):
            d = xs[c] - start[c]
            sums[c] += d
            sums[C + c] += d * d
    out += sums


def _moments(part, parts, table):  # type: ignore[no-untyped-def]
    x, pixels, end = floats(table, 0), table[6], (part + 1) * table[6] // parts
    out, sums = _own(doubles(table, 1), part, parts), _own(floats(table, 2), part, parts)
    for first in range(part * pixels // parts, end, 256):
        _moments_part(x, first, min(first + 256, end), sums, out)


def _activate(part, parts, table):  # type: ignore[no-untyped-def]
    x, scale, shift, y = floats(table, 0), floats(table, 1), floats(table, 2), floats(table, 3)
    pixels, slope = table[8], number(table, 9)
    zero = x.dtype.type(0)
    for p in range(part * pixels // parts, (part + 1) * pixels // parts):
        xs, ys = x[p * C : (p + 1) * C], y[p * C : (p + 1) * C]
        for c in range(C):
            value = xs[c] * scale[c] + shift[c]
            ys[c] = value if value > zero else slope * value


def _norm_sums_part(x, g, first, last, scale, shift, slope, mean, sums, out):  # type: ignore[no-untyped-def]
    zero = x.dtype.type(0)
    sums[:] = 0
    for p in range(first, last):
        xs, gs = x[p * C : (p + 1) * C], g[p * C : (p + 1) * C]
        for c in range(C):
            d = gs[c] if xs[c] * scale[c] + shift[c] > zero else slope * gs[c]
            sums[c] += d
            sums[C + c] += d * (xs[c] - mean[c])
    out += sums


def _norm_sums(part, parts, table):  # type: ignore[no-untyped-def]
    x, g, scale, shift = floats(table, 0), floats(table, 1), floats(table, 2), floats(table, 3)
    mean, out, sums = floats(table, 4), _own(doubles(table, 5), part, parts), _own(floats(table, 6), part, parts)
    pixels, slope = table[14], number(table, 15)
    end = (part + 1) * pixels // parts
    for first in range(part * pixels // parts, end, 256):
        _norm_sums_part(x, g, first, min(first + 256, end), scale, shift, slope, mean, sums, out)


def _norm_gradient(part, parts, table):  # type: ignore[no-untyped-def]
    x, g, scale, shift = floats(table, 0), floats(table, 1), floats(table, 2), floats(table, 3)
    of_x, constant, y = floats(table, 4), floats(table, 5), floats(table, 6)
    pixels, slope = table[14], number(table, 15)
    zero = x.dtype.type(0)
    for p in range(part * pixels // parts, (part + 1) * pixels // parts):
        xs, gs, ys = x[p * C : (p + 1) * C], g[p * C : (p + 1) * C], y[p * C : (p + 1) * C]
        for c in range(C):
            d = gs[c] if xs[c] * scale[c] + shift[c] > zero else slope * gs[c]
            ys[c] = d * scale[c] + of_x[c] * xs[c] + constant[c]


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
