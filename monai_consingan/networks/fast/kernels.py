"""What surrounds the convolutions of :py:mod:`monai_consingan.networks.fast.winograd`, compiled by Numba for the CPU.

Arrays are flat and contiguous, images (N, D, H, W, C), all of one type; filters have ``taps`` planes, 1 in the plane,
where D is 1, or 3 in space. Sums are split in a fixed number of parts, so results do not depend on the number of
threads.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import prange

from monai_consingan.networks.fast.product import product, tile_of
from monai_consingan.networks.fast.specialize import specialize

PARTS = 8
"""Parts of a sum."""


def padded(count: int) -> int:
    """Rows of zeros are added to a product's matrices up to this number."""
    return (count + 15) // 16 * 16


# Every function below is compiled for one number of channels, the constant C.
C = 0


class Layers(NamedTuple):
    """Compiled functions for one number of channels."""

    expand: Any
    outer: Any
    moments: Any
    activate: Any
    norm_sums: Any
    norm_gradient: Any


@cache
def layers(channels: int) -> Layers:
    """Functions for convolutions between a few channels and ``channels``, and for instance norm with LeakyReLU.

    Returns:
        ``expand(x, n, d, h, w, taps, few, weight, bias, like, slope, pad, y)``: the cross-correlation of ``x``, of
        ``few`` channels, with ``pad`` zeros on every side, by ``weight`` (:py:func:`padded` (taps * 9 * few), C);
        ``bias``, ``like`` and ``slope`` are as in :py:func:`~monai_consingan.networks.fast.winograd.winograd`.

        ``outer(x, n, d, h, w, taps, few, g, pad, out)``: the gradient by the ``weight`` of ``expand``, for the gradient
        ``g`` by its result, in parts, ``out`` (PARTS, padded(taps * 9 * few), C).

        ``moments(x, pixels, out)``: sums of the differences to the first pixel and of their squares, in parts
        (PARTS, 2, C).

        ``activate(x, pixels, scale, shift, slope, y)``: LeakyReLU of ``x * scale + shift``.

        ``norm_sums(x, g, pixels, scale, shift, slope, mean, out)``: for the gradient ``g`` by the result of
        ``activate``, sums of the gradient ``d`` in front of LeakyReLU and of ``d * (x - mean)``, in parts.

        ``norm_gradient(x, g, pixels, scale, shift, slope, of_x, constant, y)``: ``d * scale + of_x * x + constant``.
    """
    parallel = ["_expand", "_outer", "_moments", "_activate", "_norm_sums", "_norm_gradient"]
    compiled = specialize(
        globals(),
        {"C": channels, "tile": tile_of(channels)},
        ["product", "_patches", "_finish", "_moments_part", "_norm_sums_part"],
        parallel,
        suffix=str(channels),
    )
    return Layers(*[compiled[name] for name in parallel])


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


def _expand(x, n, d, h, w, taps, few, weight, bias, like, slope, pad, y):  # type: ignore[no-untyped-def]
    ho, wo, size = h + 2 * pad - 2, w + 2 * pad - 2, weight.size // C
    rows, pixels = (d + 2 * pad - 2 if taps == 3 else d) * ho, (w + 2 * pad + 1) // 4 * 4
    for item in prange(n * rows):
        image, at, plane, row = x[item // rows * d * h * w * few :], item * wo * C, item % rows // ho, item % ho
        patch, line = np.empty(pixels * size, x.dtype), np.zeros((w + 2 * max(pad, 0)) * few, x.dtype)
        _patches(image, d, h, w, taps, few, pad, plane, row, size, line, patch)
        result = np.zeros(pixels * C, x.dtype)
        product(patch, size, 1, weight, result, pixels, size)
        _finish(y[at:], result, wo * C, bias, like[at:], slope)


def _outer(x, n, d, h, w, taps, few, g, pad, out):  # type: ignore[no-untyped-def]
    ho, wo, size = h + 2 * pad - 2, w + 2 * pad - 2, out.shape[1] // C
    rows, pixels = (d + 2 * pad - 2 if taps == 3 else d) * ho, (w + 2 * pad + 1) // 4 * 4
    for part in prange(PARTS):
        patch, line = np.empty(pixels * size, x.dtype), np.zeros((w + 2 * max(pad, 0)) * few, x.dtype)
        gs, sums = np.zeros(pixels * C, x.dtype), np.empty(size * C, x.dtype)
        total = np.zeros(size * C, np.float64)
        for item in range(part * n * rows // PARTS, (part + 1) * n * rows // PARTS):
            image, at, plane, row = x[item // rows * d * h * w * few :], item * wo * C, item % rows // ho, item % ho
            _patches(image, d, h, w, taps, few, pad, plane, row, size, line, patch)
            for k in range(wo * C):
                gs[k] = g[at + k]
            sums[:] = 0
            product(patch, 1, size, gs, sums, size, pixels)
            for k in range(size * C):
                total[k] += sums[k]
        for k in range(size * C):
            out[part, k] = total[k]


def _moments_part(x, first, last, out):  # type: ignore[no-untyped-def]
    start, sums = x[:C], np.zeros(2 * C, x.dtype)
    for p in range(first, last):
        xs = x[p * C : (p + 1) * C]
        for c in range(C):
            d = xs[c] - start[c]
            sums[c] += d
            sums[C + c] += d * d
    out += sums


def _moments(x, pixels, out):  # type: ignore[no-untyped-def]
    for part in prange(PARTS):
        end = (part + 1) * pixels // PARTS
        for first in range(part * pixels // PARTS, end, 256):
            _moments_part(x, first, min(first + 256, end), out[part])


def _activate(x, pixels, scale, shift, slope, y):  # type: ignore[no-untyped-def]
    zero = x.dtype.type(0)
    for p in prange(pixels):
        xs, ys = x[p * C : (p + 1) * C], y[p * C : (p + 1) * C]
        for c in range(C):
            value = xs[c] * scale[c] + shift[c]
            ys[c] = value if value > zero else slope * value


def _norm_sums_part(x, g, first, last, scale, shift, slope, mean, out):  # type: ignore[no-untyped-def]
    zero, sums = x.dtype.type(0), np.zeros(2 * C, x.dtype)
    for p in range(first, last):
        xs, gs = x[p * C : (p + 1) * C], g[p * C : (p + 1) * C]
        for c in range(C):
            d = gs[c] if xs[c] * scale[c] + shift[c] > zero else slope * gs[c]
            sums[c] += d
            sums[C + c] += d * (xs[c] - mean[c])
    out += sums


def _norm_sums(x, g, pixels, scale, shift, slope, mean, out):  # type: ignore[no-untyped-def]
    for part in prange(PARTS):
        end = (part + 1) * pixels // PARTS
        for first in range(part * pixels // PARTS, end, 256):
            _norm_sums_part(x, g, first, min(first + 256, end), scale, shift, slope, mean, out[part])


def _norm_gradient(x, g, pixels, scale, shift, slope, of_x, constant, y):  # type: ignore[no-untyped-def]
    zero = x.dtype.type(0)
    for p in prange(pixels):
        xs, gs, ys = x[p * C : (p + 1) * C], g[p * C : (p + 1) * C], y[p * C : (p + 1) * C]
        for c in range(C):
            d = gs[c] if xs[c] * scale[c] + shift[c] > zero else slope * gs[c]
            ys[c] = d * scale[c] + of_x[c] * xs[c] + constant[c]


@cache
def reducer(size: int) -> Any:
    """Function for convolutions to a few channels, ``size`` being ``padded(taps * 9 * few)``.

    Returns:
        ``reduce(x, n, d, h, w, channels, taps, few, weight, pad, z, y)``: the cross-correlation of ``x`` with ``pad``
        zeros on every side by ``weight`` (channels, size), into ``y``, through the products of every pixel with every
        weight, ``z`` (pixels, size).
    """
    constants = {"C": size, "tile": tile_of(size)}
    return specialize(globals(), constants, ["product", "_add_up"], ["_reduce"], suffix=str(size))["_reduce"]


def _add_up(z, d, h, w, taps, few, pad, plane, row, y):  # type: ignore[no-untyped-def]
    # a row of results; C is the number of products of a pixel
    deep, wo = pad if taps == 3 else 0, w + 2 * pad - 2
    ys = y[: wo * few]
    ys[:] = 0
    for q in range(max(0, deep - plane), min(taps, d + deep - plane)):
        for i in range(max(0, pad - row), min(3, h + pad - row)):
            at = ((plane + q - deep) * h + row + i - pad) * w
            for j in range(3):
                for f in range(few):
                    k = ((q * 3 + i) * 3 + j) * few + f
                    for s in range(max(0, pad - j), min(wo, w + pad - j)):
                        ys[s * few + f] += z[(at + s + j - pad) * C + k]


def _reduce(x, n, d, h, w, channels, taps, few, weight, pad, z, y):  # type: ignore[no-untyped-def]
    pixels = n * d * h * w // 4
    chunks = (pixels + 15) // 16
    z[pixels * 4 * C :] = 0
    for chunk in prange(chunks):
        first, count = chunk * 64, min(16, pixels - chunk * 16) * 4
        z[first * C : (first + count) * C] = 0
        product(x[first * channels :], channels, 1, weight, z[first * C :], count, channels)
    for p in range(pixels * 4, n * d * h * w):
        for k in range(channels):
            for o in range(C):
                z[p * C + o] += x[p * channels + k] * weight[k * C + o]
    ho, wo = h + 2 * pad - 2, w + 2 * pad - 2
    rows = (d + 2 * pad - 2 if taps == 3 else d) * ho
    for item in prange(n * rows):
        image, plane, row = z[item // rows * d * h * w * C :], item % rows // ho, item % ho
        _add_up(image, d, h, w, taps, few, pad, plane, row, y[item * wo * few :])


@cache
def resample() -> Any:
    """Function for sparse matrices along an axis.

    Returns:
        ``resample(x, outer, size, inner, new_size, starts, index, weight, y)``: multiplies the middle axis of ``x``
        (outer, size, inner) by a matrix in compressed rows, into ``y`` (outer, new_size, inner): row ``k`` has
        ``weight[p]`` in column ``index[p]`` for ``p`` from ``starts[k]`` to below ``starts[k + 1]``.
    """
    return specialize(globals(), {}, ["_resample_row"], ["_resample"], suffix="any")["_resample"]


def _resample_row(x, inner, start, end, index, weight, y):  # type: ignore[no-untyped-def]
    y[:inner] = 0
    for p in range(start, end):
        value, xs = weight[p], x[index[p] * inner : (index[p] + 1) * inner]
        for c in range(inner):
            y[c] += value * xs[c]


def _resample(x, outer, size, inner, new_size, starts, index, weight, y):  # type: ignore[no-untyped-def]
    for item in prange(outer * new_size):
        image, k = x[item // new_size * size * inner :], item % new_size
        _resample_row(image, inner, starts[k], starts[k + 1], index, weight, y[item * inner : (item + 1) * inner])
