"""What surrounds the convolutions of :py:mod:`monai_consingan.networks.fast.winograd`, compiled by Numba for the CPU.

Arrays are flat and contiguous, images (N, H, W, C), all of one type. Sums are split in a fixed number of parts, so
results do not depend on the number of threads.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import prange

from monai_consingan.networks.fast.specialize import specialize

__all__ = ["PARTS", "Layers", "layers", "resample"]

PARTS = 8
"""Parts of a sum."""


# Every function below is compiled for one number of channels, the constant C.
C = 0


class Layers(NamedTuple):
    """Compiled functions for one number of channels."""

    expand: Any
    reduce: Any
    outer: Any
    moments: Any
    activate: Any
    norm_sums: Any
    norm_gradient: Any


@cache
def layers(channels: int) -> Layers:
    """Functions for convolutions between a few channels and ``channels``, and for instance norm with LeakyReLU.

    Returns:
        ``expand(x, n, h, w, few, weight, bias, like, slope, pad, y)``: the cross-correlation of ``x``, of ``few``
        channels, with ``pad`` zeros on every side, by ``weight`` (3, 3, few, C); ``bias``, ``like`` and ``slope`` are
        as in :py:func:`~monai_consingan.networks.fast.winograd.winograd`.

        ``reduce(x, n, h, w, few, weight, pad, y)``: the same from C to ``few`` channels, ``weight`` (3, 3, few, C).

        ``outer(x, n, h, w, few, g, pad, out)``: the gradient by the ``weight`` of ``expand``, for the gradient ``g``
        by its result, in parts, ``out`` (PARTS, 3, 3, few, C).

        ``moments(x, pixels, out)``: sums of the differences to the first pixel and of their squares, in parts
        (PARTS, 2, C).

        ``activate(x, pixels, scale, shift, slope, y)``: LeakyReLU of ``x * scale + shift``.

        ``norm_sums(x, g, pixels, scale, shift, slope, mean, out)``: for the gradient ``g`` by the result of
        ``activate``, sums of the gradient ``d`` in front of LeakyReLU and of ``d * (x - mean)``, in parts.

        ``norm_gradient(x, g, pixels, scale, shift, slope, of_x, constant, y)``: ``d * scale + of_x * x + constant``.
    """
    parallel = ["_expand", "_reduce", "_outer", "_moments", "_activate", "_norm_sums", "_norm_gradient"]
    compiled = specialize(
        globals(),
        {"C": channels},
        ["_expand_row", "_reduce_row", "_outer_row", "_moments_part", "_norm_sums_part"],
        parallel,
        suffix=str(channels),
    )
    return Layers(*[compiled[name] for name in parallel])


def _expand_row(x, h, w, few, weight, bias, like, slope, pad, row, y, like_row):  # type: ignore[no-untyped-def]
    zero = x.dtype.type(0)
    for s in range(w + 2 * pad - 2):
        ys = y[s * C : (s + 1) * C]
        part = np.zeros(C, x.dtype) if not bias.size else bias.copy()
        for i in range(max(0, pad - row), min(3, h + pad - row)):
            for j in range(max(0, pad - s), min(3, w + pad - s)):
                for f in range(few):
                    value = x[((row + i - pad) * w + s + j - pad) * few + f]
                    k = ((i * 3 + j) * few + f) * C
                    ws = weight[k : k + C]
                    for c in range(C):
                        part[c] += value * ws[c]
        if bias.size:
            for c in range(C):
                ys[c] = part[c] if part[c] > zero else slope * part[c]
        elif like.size:
            ls = like_row[s * C : (s + 1) * C]
            for c in range(C):
                ys[c] = part[c] if ls[c] > zero else slope * part[c]
        else:
            ys[:] = part


def _expand(x, n, h, w, few, weight, bias, like, slope, pad, y):  # type: ignore[no-untyped-def]
    ho, wide = h + 2 * pad - 2, (w + 2 * pad - 2) * C
    for item in prange(n * ho):
        image, at = x[item // ho * h * w * few :], item * wide
        _expand_row(image, h, w, few, weight, bias, like, slope, pad, item % ho, y[at:], like[at:])


def _reduce_row(x, h, w, few, weight, pad, row, y):  # type: ignore[no-untyped-def]
    for s in range(w + 2 * pad - 2):
        for f in range(few):
            total = x.dtype.type(0)
            for i in range(max(0, pad - row), min(3, h + pad - row)):
                for j in range(max(0, pad - s), min(3, w + pad - s)):
                    at, k = ((row + i - pad) * w + s + j - pad) * C, ((i * 3 + j) * few + f) * C
                    xs, ws = x[at : at + C], weight[k : k + C]
                    for c in range(C):
                        total += xs[c] * ws[c]
            y[s * few + f] = total


def _reduce(x, n, h, w, few, weight, pad, y):  # type: ignore[no-untyped-def]
    ho, wo = h + 2 * pad - 2, w + 2 * pad - 2
    for item in prange(n * ho):
        _reduce_row(x[item // ho * h * w * C :], h, w, few, weight, pad, item % ho, y[item * wo * few :])


def _outer_row(x, h, w, few, g, pad, row, out):  # type: ignore[no-untyped-def]
    for s in range(w + 2 * pad - 2):
        gs = g[s * C : (s + 1) * C]
        for i in range(max(0, pad - row), min(3, h + pad - row)):
            for j in range(max(0, pad - s), min(3, w + pad - s)):
                for f in range(few):
                    value = x[((row + i - pad) * w + s + j - pad) * few + f]
                    k = ((i * 3 + j) * few + f) * C
                    os = out[k : k + C]
                    for c in range(C):
                        os[c] += value * gs[c]


def _outer(x, n, h, w, few, g, pad, out):  # type: ignore[no-untyped-def]
    ho, wide = h + 2 * pad - 2, (w + 2 * pad - 2) * C
    for part in prange(PARTS):
        line = np.empty(9 * few * C, x.dtype)
        total = np.zeros(9 * few * C, np.float64)
        for item in range(part * n * ho // PARTS, (part + 1) * n * ho // PARTS):
            line[:] = 0
            _outer_row(x[item // ho * h * w * few :], h, w, few, g[item * wide :], pad, item % ho, line)
            total += line
        out[part] = total


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
