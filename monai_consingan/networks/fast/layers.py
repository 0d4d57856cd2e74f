"""Layers of both networks on the compiled functions for the CPU.

Images are contiguous and (N, H, W, C) or (N, D, H, W, C) here, unlike in the rest of the package.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numba
import numpy as np
import torch
from torch.autograd.function import Function, once_differentiable

from monai_consingan.networks.blocks import cubic_matrix
from monai_consingan.networks.fast.few_channels import expander, padded, reducer, row_scratch
from monai_consingan.networks.fast.norm import norm
from monai_consingan.networks.fast.resample import resample
from monai_consingan.networks.fast.specialize import bits
from monai_consingan.networks.fast.winograd import SCRATCH, filter_matrix, winograd

Tensor = torch.Tensor

PARTS = 8
"""Parts of a sum, whatever the number of threads."""


def _or_empty(x: Tensor | None, like: Tensor) -> Tensor:
    return like.new_empty(0) if x is None else x.detach().contiguous()


@lru_cache
def _matrix(dtype: torch.dtype) -> Tensor:
    return torch.from_numpy(filter_matrix()).to(dtype)


class Filters(NamedTuple):
    """What :py:func:`convolve` multiplies by, and the channels in and out and planes of the filters."""

    values: Tensor
    into: int
    out: int
    taps: int


def filters(weight: Tensor, *, transposed: bool = False) -> Filters:
    """What :py:func:`convolve` multiplies by.

    Args:
        weight: of a convolution, (C out, C in, 3, 3) or (C out, C in, 3, 3, 3), where one C is a few channels or both
            are the same.
        transposed: for the gradient by the input, which is the convolution with ``pad`` zeros less than two.
    """
    weight = weight.detach()
    if transposed:
        weight = weight.flip(list(range(2, weight.dim()))).transpose(0, 1)
    out, into = weight.shape[:2]
    weight = weight.reshape(out, into, -1, 3, 3)
    taps = weight.shape[2]
    if out == into:
        values = (weight.reshape(-1, 9) @ _matrix(weight.dtype)).view(out, into, taps, 36).permute(2, 3, 1, 0)
    else:  # a row for every value that goes into a result, or comes from a pixel
        many = max(out, into)
        values = weight.movedim((1, 0) if out > into else (0, 1), (-2, -1)).reshape(-1, many)
        values = torch.nn.functional.pad(values, (0, 0, 0, padded(len(values)) - len(values)))
        values = values if out > into else values.t()
    return Filters(values.contiguous(), into, out, taps)


def _deep(x: Tensor) -> tuple[int, int, int, int, int]:
    """Images, planes, rows, columns and channels; an image in the plane has one plane."""
    if x.dim() == 5:
        n, d, h, w, c = x.shape
        return n, d, h, w, c
    n, h, w, c = x.shape
    return n, 1, h, w, c


def convolve(
    x: Tensor,
    u: Filters,
    pad: int,
    *,
    bias: Tensor | None = None,
    like: Tensor | None = None,
    slope: float = 0.0,
    out: Tensor | None = None,
) -> Tensor:
    """Convolve 3 wide.

    Args:
        x: (N, H, W, C in) or (N, D, H, W, C in).
        u: of :py:func:`filters`.
        pad: zeros on every side; may be negative, which crops.
        bias: if given, is added, and LeakyReLU follows.
        like: if given, results of a LeakyReLU, whose slopes there the result is multiplied by.
        slope: of the LeakyReLU below zero.
        out: where to put the result; may be ``like``.
    """
    size = [side + 2 * pad - 2 for side in x.shape[1:-1]]
    y = x.new_empty(x.shape[0], *size, u.out) if out is None else out
    x, after = x.detach().contiguous(), (_or_empty(bias, x), _or_empty(like, x), y)
    shape, parts = _deep(x)[:4], numba.get_num_threads()
    if u.into == u.out:
        scratch = x.new_empty(parts, SCRATCH * u.out)
        convolution = winograd(u.out, x.dtype).convolve
        convolution(parts, x, u.values, *after, scratch, *shape, u.taps, pad, bits(slope))
    elif u.into < u.out:
        scratch = x.new_empty(parts, row_scratch(u.out, len(u.values), shape[3], u.into, pad))
        expand = expander(u.out, x.dtype).expand
        expand(parts, x, u.values, *after, scratch, *shape, u.taps, u.into, pad, bits(slope))
    else:
        products, pixels = u.values.shape[1], math.prod(shape)
        z, reduce = x.new_empty(pixels, products), reducer(products, x.dtype)
        reduce.multiply(parts, x, u.values, z, pixels, u.into)
        reduce.add_up(parts, z, y, *shape, u.taps, u.out, pad)
    return y


def weight_gradient(x: Tensor, g: Tensor, pad: int) -> Tensor:
    """Gradient by a convolution's weight, summed over the batch.

    Args:
        x: the convolution's input.
        g: the gradient by its result.
        pad: the convolution's.
    """
    (n, d, h, w, into), out = _deep(x), g.shape[-1]
    taps = 3 if x.dim() == 5 else 1
    kernel = (3,) * (x.dim() - 2)
    if into == out:
        slots = 1 if d * h * w < 2048 else 4
        du, scratch = x.new_zeros(slots, taps, 36, into, out), x.new_empty(slots, SCRATCH * out)
        gradient = winograd(out, x.dtype).weight_gradient
        gradient(slots, x.detach().contiguous(), g.contiguous(), du, scratch, n, d, h, w, taps, pad)
        spread = du.sum(0).permute(3, 2, 0, 1).reshape(-1, 36)
        return (spread @ _matrix(x.dtype).t()).view(out, into, *kernel)
    # with fewer channels out than in, the same with the roles of x and g exchanged
    less, more = (x, g) if into < out else (g, x)
    few, many = less.shape[-1], more.shape[-1]
    rows = taps * 9 * few
    parts = x.new_zeros(PARTS, padded(rows), many, dtype=torch.float64)
    shape, pads = _deep(less)[:4], pad if into < out else 2 - pad
    scratch = x.new_empty(PARTS, row_scratch(many, padded(rows), shape[3], few, pads))
    given = (less.detach().contiguous(), more.detach().contiguous(), parts, scratch)
    expander(many, x.dtype).outer(PARTS, *given, *shape, taps, few, pads)
    spread = parts.to(x.dtype).sum(0)[:rows].view(*kernel, few, many)
    axes = list(range(len(kernel)))
    if into > out:
        spread = spread.flip(axes)
    order = (-1, -2) if into < out else (-2, -1)
    return spread.permute(*[axis % spread.dim() for axis in order], *axes).contiguous()


class _Block(Function):
    """A convolution, an instance norm if it has weights, and LeakyReLU, of one image."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, gamma: Tensor | None, beta: Tensor, slope: float, pad: int
    ) -> Tensor:
        """The block's result; without ``gamma`` there is no norm, and ``beta`` is not used."""
        ctx.slope, ctx.pad = slope, pad
        if gamma is None:
            y = convolve(x, filters(weight), pad, bias=bias.detach(), slope=slope)
            ctx.save_for_backward(x, weight, y)
            return y
        raw = convolve(x, filters(weight), pad)  # a bias would not change what is normalized
        channels, pixels = raw.shape[-1], raw.shape[1:-1].numel()
        sums = np.zeros((PARTS, 2 * channels))
        kernels = norm(channels, x.dtype)
        kernels.moments(PARTS, raw, sums, raw.new_empty(sums.shape), pixels)
        shifted, squares = torch.from_numpy(sums.sum(0) / pixels).view(2, channels)
        mean = raw.view(pixels, channels)[0].double() + shifted
        deviation = (squares - shifted.square()).clamp(min=0).add(1e-5).rsqrt()
        scale = gamma.detach() * deviation
        shift = beta.detach() - mean * scale
        numbers = torch.stack([scale, shift, mean, deviation]).to(x.dtype)
        y = torch.empty_like(raw)
        kernels.activate(numba.get_num_threads(), raw, numbers[0], numbers[1], y, pixels, bits(slope))
        ctx.save_for_backward(x, weight, raw, numbers)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients by the input and the weights; the bias has none where a norm follows."""
        g = g.contiguous()
        grad_gamma = grad_beta = grad_bias = None
        if len(ctx.saved_tensors) == 3:
            x, weight, y = ctx.saved_tensors
            d = torch.where(y > 0, g, ctx.slope * g)
            grad_bias = d.flatten(0, -2).sum(0)
        else:
            x, weight, raw, numbers = ctx.saved_tensors
            channels, pixels = raw.shape[-1], raw.shape[1:-1].numel()
            scale, shift, mean, deviation = numbers.numpy()
            given, kernels = (raw, g, scale, shift), norm(channels, x.dtype)
            parts = np.zeros((PARTS, 2 * channels))
            kernels.sums(PARTS, *given, mean, parts, raw.new_empty(parts.shape), pixels, bits(ctx.slope))
            plain, moment = parts.sum(0).reshape(2, channels)
            of_x = -scale * (deviation.astype(np.float64) ** 2 * moment / pixels)
            constant = -scale * plain / pixels - of_x * mean
            d = torch.empty_like(raw)
            of_x, constant = of_x.astype(scale.dtype), constant.astype(scale.dtype)
            kernels.gradient(numba.get_num_threads(), *given, of_x, constant, d, pixels, bits(ctx.slope))
            grad_beta, grad_gamma = (torch.from_numpy(sums).to(x.dtype) for sums in (plain, moment * deviation))
        grad_x = convolve(d, filters(weight, transposed=True), 2 - ctx.pad) if ctx.needs_input_grad[0] else None
        grad_weight = weight_gradient(x, d, ctx.pad) if ctx.needs_input_grad[1] else None
        return grad_x, grad_weight, grad_bias, grad_gamma, grad_beta, None, None


def block(x: Tensor, module: Any, slope: float, pad: int) -> Tensor:
    """A block of :py:func:`monai_consingan.networks.blocks.conv_block` on one image, with ``pad`` zeros around."""
    affine = getattr(getattr(module, "adn", None), "N", None)
    gamma, beta = (None, None) if affine is None else (affine.weight, affine.bias)
    y: Tensor = _Block.apply(x, module.conv.weight, module.conv.bias, gamma, beta, slope, pad)
    return y


class _Tail(Function):
    """The convolution to the image's channels, with one zero around."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """The convolution's result."""
        ctx.save_for_backward(x, weight)
        return convolve(x, filters(weight), 1) + bias

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients by the input, the weight and the bias."""
        x, weight = ctx.saved_tensors
        g = g.contiguous()
        return convolve(g, filters(weight, transposed=True), 1), weight_gradient(x, g, 1), g.flatten(0, -2).sum(0)


def tail(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The generator's last convolution: (N, ..., C) to (N, ..., image channels)."""
    y: Tensor = _Tail.apply(x, weight, bias)
    return y


@lru_cache(maxsize=256)
def _bicubic(size: int, new_size: int, dtype: torch.dtype, adjoint: bool) -> tuple[Tensor, ...]:
    dense = cubic_matrix(size, new_size, torch.float64, torch.device("cpu"))
    matrix = dense if adjoint else dense.t()
    rows, index = matrix.nonzero(as_tuple=True)
    starts = torch.searchsorted(rows, torch.arange(len(matrix) + 1))
    return starts, index.contiguous(), matrix[rows, index].to(dtype)


def _resize(x: Tensor, axis: int, new_size: int, adjoint: bool) -> Tensor:
    shape = list(x.shape)
    size, shape[axis] = shape[axis], new_size
    y = x.new_empty(shape)
    starts, index, weight = _bicubic(*((new_size, size) if adjoint else (size, new_size)), x.dtype, adjoint)
    outer, inner = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    given = (x.detach().contiguous(), weight, y, starts, index)
    resample(x.dtype)(numba.get_num_threads(), *given, outer, size, inner, new_size)
    return y


class _Upsample(Function):
    """Cubic resizing along every axis, whose gradient is its adjoint."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, size: list[int]) -> Tensor:
        """The image of another size."""
        ctx.size = x.shape[1:-1]
        for axis in range(x.dim() - 2, 0, -1):
            x = _resize(x, axis, size[axis - 1], False)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        """Gradient by the image."""
        g = g.contiguous()
        for axis, side in enumerate(ctx.size, start=1):
            g = _resize(g, axis, side, True)
        return g, None


def upsample(x: Tensor, size: list[int]) -> Tensor:
    """Resize (N, H, W, C) or (N, D, H, W, C), cubic along every axis, with aligned corners."""
    y: Tensor = _Upsample.apply(x, size)
    return y
