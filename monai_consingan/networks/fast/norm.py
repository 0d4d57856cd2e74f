"""Instance norm with LeakyReLU, and its gradient, compiled by Numba for the CPU.

Arrays are flat and contiguous, one image (D, H, W, C) of ``pixels`` voxels, all of one type.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import torch

from monai_consingan.networks.fast.specialize import Kernel, own, specialize

# Every function below is compiled for one number of channels, the constant C, and one type of numbers.
C = 0
floats: Any = None
doubles: Any = None
number: Any = None


class Norm(NamedTuple):
    """Compiled functions for one number of channels."""

    moments: Kernel
    activate: Kernel
    sums: Kernel
    gradient: Kernel


@cache
def norm(channels: int, dtype: torch.dtype) -> Norm:
    """Functions for instance norm with LeakyReLU.

    Their first argument is the number of parts that the work is split in.

    Returns:
        ``moments(parts, x, out, scratch, pixels)``: sums of the differences to the first pixel and of their squares, in
        parts, ``out`` (parts, 2, C).

        ``activate(parts, x, scale, shift, y, pixels, slope)``: LeakyReLU of ``x * scale + shift``.

        ``sums(parts, x, g, scale, shift, mean, out, scratch, pixels, slope)``: for the gradient ``g`` by the result of
        ``activate``, sums of the gradient ``d`` in front of LeakyReLU and of ``d * (x - mean)``, in parts as above.

        ``gradient(parts, x, g, scale, shift, of_x, constant, y, pixels, slope)``: ``d * scale + of_x * x + constant``.

        ``out`` is double, and filled with zeros. ``scratch`` is as large as ``out``. ``slope`` is given by
        :py:func:`~monai_consingan.networks.fast.specialize.bits`.
    """
    functions, kernels = ["own", "_moments_part", "_sums_part"], [f"_{name}" for name in Norm._fields]
    compiled = specialize(globals(), {"C": channels}, functions, kernels, dtype=dtype, suffix=f"{channels}_")
    return Norm(*compiled.values())


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
    out, sums = own(doubles(table, 1), part, parts), own(floats(table, 2), part, parts)
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


def _sums_part(x, g, first, last, scale, shift, slope, mean, sums, out):  # type: ignore[no-untyped-def]
    zero = x.dtype.type(0)
    sums[:] = 0
    for p in range(first, last):
        xs, gs = x[p * C : (p + 1) * C], g[p * C : (p + 1) * C]
        for c in range(C):
            d = gs[c] if xs[c] * scale[c] + shift[c] > zero else slope * gs[c]
            sums[c] += d
            sums[C + c] += d * (xs[c] - mean[c])
    out += sums


def _sums(part, parts, table):  # type: ignore[no-untyped-def]
    x, g, scale, shift = floats(table, 0), floats(table, 1), floats(table, 2), floats(table, 3)
    mean, out, sums = floats(table, 4), own(doubles(table, 5), part, parts), own(floats(table, 6), part, parts)
    pixels, slope = table[14], number(table, 15)
    end = (part + 1) * pixels // parts
    for first in range(part * pixels // parts, end, 256):
        _sums_part(x, g, first, min(first + 256, end), scale, shift, slope, mean, sums, out)


def _gradient(part, parts, table):  # type: ignore[no-untyped-def]
    x, g, scale, shift = floats(table, 0), floats(table, 1), floats(table, 2), floats(table, 3)
    of_x, constant, y = floats(table, 4), floats(table, 5), floats(table, 6)
    pixels, slope = table[14], number(table, 15)
    zero = x.dtype.type(0)
    for p in range(part * pixels // parts, (part + 1) * pixels // parts):
        xs, gs, ys = x[p * C : (p + 1) * C], g[p * C : (p + 1) * C], y[p * C : (p + 1) * C]
        for c in range(C):
            d = gs[c] if xs[c] * scale[c] + shift[c] > zero else slope * gs[c]
            ys[c] = d * scale[c] + of_x[c] * xs[c] + constant[c]
