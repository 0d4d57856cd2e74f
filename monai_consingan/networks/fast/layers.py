"""Layers of both networks on the compiled functions for the CPU.

Images are contiguous and (N, H, W, C) here, unlike in the rest of the package.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numba
import numpy as np
import torch
from torch.autograd.function import Function, once_differentiable

from monai_consingan.networks.fast.kernels import PARTS, layers, resample
from monai_consingan.networks.fast.winograd import SCRATCH, filter_matrix, winograd

__all__ = ["block", "convolve", "filters", "one_pool", "tail", "upsample", "weight_gradient"]

Tensor = torch.Tensor


@contextmanager
def one_pool() -> Iterator[None]:
    """Let the compiled functions have PyTorch's threads, and PyTorch one: two pools would wait for each other."""
    threads = torch.get_num_threads()
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _flat(x: Tensor | None, like: Tensor) -> np.ndarray:
    x = like.new_empty(0) if x is None else x.detach()
    flat: np.ndarray = x.reshape(-1).numpy()
    return flat


def _scratch(x: Tensor, channels: int, slots: int) -> np.ndarray:
    scratch: np.ndarray = x.new_empty(slots, SCRATCH * channels).numpy()
    return scratch


@lru_cache
def _matrix(dtype: torch.dtype) -> Tensor:
    return torch.from_numpy(filter_matrix()).to(dtype)


def filters(weight: Tensor, *, transposed: bool = False) -> Tensor:
    """What :py:func:`convolve` multiplies by.

    Args:
        weight: of a convolution, (C out, C in, 3, 3), where one is a few channels or both are the same.
        transposed: for the gradient by the input, which is the convolution with ``pad`` zeros less than two.
    """
    weight = weight.detach()
    if transposed:
        weight = weight.flip(2, 3).transpose(0, 1)
    out, into = weight.shape[:2]
    if out != into:
        return weight.permute(2, 3, 1, 0).contiguous() if out > into else weight.permute(2, 3, 0, 1).contiguous()
    spread = weight.reshape(out * into, 9) @ _matrix(weight.dtype)
    return spread.view(out, into, 36).permute(2, 1, 0).contiguous()


def convolve(
    x: Tensor,
    u: Tensor,
    pad: int,
    *,
    bias: Tensor | None = None,
    like: Tensor | None = None,
    slope: float = 0.0,
    out: Tensor | None = None,
) -> Tensor:
    """Convolve 3 x 3.

    Args:
        x: (N, H, W, C in).
        u: of :py:func:`filters`.
        pad: zeros on every side; may be negative, which crops.
        bias: if given, is added, and LeakyReLU follows.
        like: if given, results of a LeakyReLU, whose slopes there the result is multiplied by.
        slope: of the LeakyReLU below zero.
        out: where to put the result; may be ``like``.
    """
    (n, h, w, into), wide = x.shape, u.shape[-1]
    shrinks = u.dim() == 4 and into == wide
    size = (n, h + 2 * pad - 2, w + 2 * pad - 2, u.shape[2] if shrinks else wide)
    y = x.new_empty(size) if out is None else out
    source, weight, target = _flat(x, x), _flat(u, x), _flat(y, x)
    scalar = source.dtype.type(slope)
    after = (_flat(bias, x), _flat(like, x), scalar)
    if u.dim() == 3:
        winograd(wide).convolve(
            source, n, h, w, weight, *after, pad, target, _scratch(x, wide, numba.get_num_threads())
        )
    elif shrinks:
        layers(wide).reduce(source, n, h, w, u.shape[2], weight, pad, target)
    else:
        layers(wide).expand(source, n, h, w, into, weight, *after, pad, target)
    return y


def weight_gradient(x: Tensor, g: Tensor, pad: int) -> Tensor:
    """Gradient by a convolution's weight, summed over the batch.

    Args:
        x: the convolution's input.
        g: the gradient by its result.
        pad: the convolution's.
    """
    (n, h, w, into), out = x.shape, g.shape[-1]
    if into == out:
        slots = 1 if h * w < 2048 else 4
        du = x.new_zeros(slots, 36, into, out)
        winograd(out).weight_gradient(
            _flat(x, x), n, h, w, _flat(g, x), pad, du.view(slots, -1).numpy(), _scratch(x, out, slots)
        )
        return (du.sum(0).permute(2, 1, 0).reshape(-1, 36) @ _matrix(x.dtype).t()).view(out, into, 3, 3)
    if into < out:
        parts = x.new_empty(PARTS, 3, 3, into, out)
        layers(out).outer(_flat(x, x), n, h, w, into, _flat(g, x), pad, parts.view(PARTS, -1).numpy())
        return parts.sum(0).permute(3, 2, 0, 1).contiguous()
    parts = x.new_empty(PARTS, 3, 3, out, into)  # the same with the roles of x and g exchanged
    layers(into).outer(_flat(g, x), n, *g.shape[1:3], out, _flat(x, x), 2 - pad, parts.view(PARTS, -1).numpy())
    return parts.sum(0).flip(0, 1).permute(2, 3, 0, 1).contiguous()


class _Block(Function):
    """A convolution, an instance norm if it has weights, and LeakyReLU, of one image."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, gamma: Tensor | None, beta: Tensor, slope: float, pad: int
    ) -> Tensor:
        ctx.slope, ctx.pad = slope, pad
        if gamma is None:
            y = convolve(x, filters(weight), pad, bias=bias.detach(), slope=slope)
            ctx.save_for_backward(x, weight, y)
            return y
        raw = convolve(x, filters(weight), pad)  # a bias would not change what is normalized
        channels, pixels = raw.shape[-1], raw.shape[1] * raw.shape[2]
        sums = np.zeros((PARTS, 2 * channels))
        layers(channels).moments(_flat(raw, x), pixels, sums)
        shifted, squares = torch.from_numpy(sums.sum(0) / pixels).view(2, channels)
        mean = raw[0, 0, 0].double() + shifted
        deviation = (squares - shifted.square()).clamp(min=0).add(1e-5).rsqrt()
        scale = gamma.detach() * deviation
        shift = beta.detach() - mean * scale
        numbers = torch.stack([scale, shift, mean, deviation]).to(x.dtype)
        y = torch.empty_like(raw)
        layers(channels).activate(
            _flat(raw, x), pixels, numbers[0].numpy(), numbers[1].numpy(), _scalar(x, slope), _flat(y, x)
        )
        ctx.save_for_backward(x, weight, raw, numbers)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        g = g.contiguous()
        grad_gamma = grad_beta = grad_bias = None
        if len(ctx.saved_tensors) == 3:
            x, weight, y = ctx.saved_tensors
            d = torch.where(y > 0, g, ctx.slope * g)
            grad_bias = d.sum((0, 1, 2))
        else:
            x, weight, raw, numbers = ctx.saved_tensors
            channels, pixels = raw.shape[-1], raw.shape[1] * raw.shape[2]
            scale, shift, mean, deviation = numbers.numpy()
            given = (_flat(raw, x), _flat(g, x), pixels, scale, shift, _scalar(x, ctx.slope))
            parts = np.zeros((PARTS, 2 * channels))
            layers(channels).norm_sums(*given, mean, parts)
            plain, moment = parts.sum(0).reshape(2, channels)
            of_x = -scale * (deviation.astype(np.float64) ** 2 * moment / pixels)
            constant = -scale * plain / pixels - of_x * mean
            d = torch.empty_like(raw)
            layers(channels).norm_gradient(*given, of_x.astype(scale.dtype), constant.astype(scale.dtype), _flat(d, x))
            grad_beta, grad_gamma = (torch.from_numpy(sums).to(x.dtype) for sums in (plain, moment * deviation))
        grad_x = convolve(d, filters(weight, transposed=True), 2 - ctx.pad) if ctx.needs_input_grad[0] else None
        grad_weight = weight_gradient(x, d, ctx.pad) if ctx.needs_input_grad[1] else None
        return grad_x, grad_weight, grad_bias, grad_gamma, grad_beta, None, None


def _scalar(x: Tensor, value: float) -> Any:
    return (np.float64 if x.dtype == torch.float64 else np.float32)(value)


def block(x: Tensor, module: Any, slope: float, pad: int) -> Tensor:
    """A block of :py:func:`monai_consingan.networks.blocks.conv_block` on one image, with ``pad`` zeros around."""
    norm = getattr(getattr(module, "adn", None), "N", None)
    gamma, beta = (None, None) if norm is None else (norm.weight, norm.bias)
    y: Tensor = _Block.apply(x, module.conv.weight, module.conv.bias, gamma, beta, slope, pad)
    return y


class _Tail(Function):
    """The convolution to the image's channels, with one zero around."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return convolve(x, filters(weight), 1) + bias

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        g = g.contiguous()
        return convolve(g, filters(weight, transposed=True), 1), weight_gradient(x, g, 1), g.sum((0, 1, 2))


def tail(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The generator's last convolution: (N, H, W, C) to (N, H, W, image channels)."""
    y: Tensor = _Tail.apply(x, weight, bias)
    return y


@lru_cache(maxsize=256)
def _bicubic(size: int, new_size: int, dtype: torch.dtype, adjoint: bool) -> tuple[np.ndarray, ...]:
    columns = torch.eye(size, dtype=torch.float64).view(1, size, size, 1)
    dense = torch.nn.functional.interpolate(columns, (new_size, 1), mode="bicubic", align_corners=True)[0, :, :, 0]
    matrix = dense if adjoint else dense.t()
    rows, index = matrix.nonzero(as_tuple=True)
    starts = torch.searchsorted(rows, torch.arange(len(matrix) + 1))
    return starts.numpy(), index.numpy(), matrix[rows, index].to(dtype).numpy()


def _resize(x: Tensor, axis: int, new_size: int, adjoint: bool) -> Tensor:
    shape = list(x.shape)
    size, shape[axis] = shape[axis], new_size
    y = x.new_empty(shape)
    matrix = _bicubic(*((new_size, size) if adjoint else (size, new_size)), x.dtype, adjoint)
    outer, inner = (shape[0], shape[2] * shape[3]) if axis == 1 else (shape[0] * shape[1], shape[3])
    resample()(_flat(x, x), outer, size, inner, new_size, *matrix, _flat(y, x))
    return y


class _Upsample(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, size: list[int]) -> Tensor:
        ctx.size = x.shape[1:3]
        return _resize(_resize(x, 2, size[1], False), 1, size[0], False)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        return _resize(_resize(g.contiguous(), 1, ctx.size[0], True), 2, ctx.size[1], True), None


def upsample(x: Tensor, size: list[int]) -> Tensor:
    """Resize (N, H, W, C), bicubic with aligned corners."""
    y: Tensor = _Upsample.apply(x, size)
    return y
