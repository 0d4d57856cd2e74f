from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

numba = pytest.importorskip("numba")

from monai_consingan.networks import FastNetworks  # noqa: E402
from monai_consingan.networks.blocks import conv_block, pad_zeros  # noqa: E402
from monai_consingan.networks.fast import layers as fast_layers  # noqa: E402
from monai_consingan.networks.fast.layers import convolve, filters, upsample, weight_gradient  # noqa: E402

C = 8
SLOPE = 0.2


def images(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).to(dtype)


def last(x: torch.Tensor) -> torch.Tensor:
    return x.movedim(1, -1).contiguous()


def first(x: torch.Tensor) -> torch.Tensor:
    return x.movedim(-1, 1)


def direct(x: torch.Tensor, weight: torch.Tensor, pad: int) -> torch.Tensor:
    dims = x.dim() - 2
    x = nn.functional.pad(x, [pad] * (2 * dims))  # which crops if negative
    return nn.functional.conv2d(x, weight) if dims == 2 else nn.functional.conv3d(x, weight)


def assert_close(found: torch.Tensor, expected: torch.Tensor, tolerance: float) -> None:
    assert found.shape == expected.shape
    scale = max(1e-30, float(expected.abs().max()))
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance * scale)


WIDTHS = st.sampled_from([(C, C), (1, C), (2, C), (C, 1), (C, 3)])


@settings(max_examples=60, deadline=None)
@given(
    widths=WIDTHS,
    n=st.integers(1, 3),
    size=st.lists(st.integers(3, 14), min_size=1, max_size=2),
    w=st.one_of(st.integers(3, 14), st.integers(60, 70), st.integers(125, 140)),
    pad=st.integers(-1, 3),
    seed=st.integers(0, 2**31),
)
def test_convolution_and_gradients_of_every_size(
    widths: tuple[int, int], n: int, size: list[int], w: int, pad: int, seed: int
) -> None:
    if min(*size, w) + 2 * pad < 3:
        return
    x = images(seed, n, widths[0], *size, w).requires_grad_(True)
    weight = images(seed + 1, widths[1], widths[0], *[3] * (len(size) + 1)).requires_grad_(True)
    expected = direct(x, weight, pad)
    assert_close(first(convolve(last(x.detach()), filters(weight), pad)), expected.detach(), 1e-13)
    g = images(seed + 2, *expected.shape)
    for_x, for_weight = torch.autograd.grad(expected, (x, weight), g)
    assert_close(first(convolve(last(g), filters(weight, transposed=True), 2 - pad)), for_x, 1e-13)
    assert_close(weight_gradient(last(x.detach()), last(g), pad), for_weight, 1e-12)


@pytest.mark.parametrize("into", [1, C])
@pytest.mark.parametrize("size", [(9, 11), (5, 9, 11)])
def test_what_follows_a_convolution(into: int, size: tuple[int, ...]) -> None:
    x, weight = images(0, 2, into, *size), images(1, C, into, *[3] * len(size))
    bias, like = images(2, C), images(3, 2, C, *size)
    with_bias = nn.functional.leaky_relu(direct(x, weight, 1) + bias.view(-1, *[1] * len(size)), SLOPE)
    assert_close(first(convolve(last(x), filters(weight), 1, bias=bias, slope=SLOPE)), with_bias, 1e-13)
    sloped = direct(x, weight, 1)
    sloped = torch.where(like > 0, sloped, SLOPE * sloped)
    assert_close(first(convolve(last(x), filters(weight), 1, like=last(like), slope=SLOPE)), sloped, 1e-13)
    in_place = last(like)
    assert convolve(last(x), filters(weight), 1, like=in_place, slope=SLOPE, out=in_place) is in_place
    assert_close(first(in_place), sloped, 1e-13)


@pytest.mark.parametrize("size", [(45, 70), (11, 17, 70)])
def test_single_precision_is_near_the_direct_form(size: tuple[int, ...]) -> None:
    x = images(0, 1, C, *size, dtype=torch.float32)
    weight = images(1, C, C, *[3] * len(size), dtype=torch.float32)
    expected = direct(x.double(), weight.double(), 0)
    found = first(convolve(last(x), filters(weight), 0))
    assert found.dtype == torch.float32
    assert_close(found.double(), expected, 5e-6)
    g = images(2, *expected.shape, dtype=torch.float32)
    gradient_of = torch.nn.grad.conv2d_weight if len(size) == 2 else torch.nn.grad.conv3d_weight
    reference = gradient_of(x.double(), weight.shape, g.double())
    assert_close(weight_gradient(last(x), last(g), 0).double(), reference, 5e-6)


@pytest.mark.parametrize("size", [(61, 150), (14, 15, 70)])
def test_same_bytes_whatever_ran_before_and_for_every_number_of_threads(size: tuple[int, ...]) -> None:
    x, weight = images(0, 2, C, *size), images(2, C, C, *[3] * len(size))
    g = images(1, 2, C, *[side - 2 for side in size])
    results = []
    for threads in (1, 2, 2):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        with FastNetworks.one_pool():
            assert torch.get_num_threads() == 1
            results.append([convolve(last(x), filters(weight), 0), weight_gradient(last(x), last(g), 0)])
        assert torch.get_num_threads() == threads
        torch.set_num_threads(before)
        convolve(torch.full((1, *[30] * len(size), C), float("nan"), dtype=torch.float64), filters(weight), 0)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@settings(max_examples=20, deadline=None)
@given(
    into=st.sampled_from([1, C]),
    norm=st.booleans(),
    pad=st.integers(0, 3),
    size=st.lists(st.integers(5, 12), min_size=2, max_size=3),
    offset=st.sampled_from([0.0, 30.0]),
    seed=st.integers(0, 2**31),
)
def test_block_is_the_module(into: int, norm: bool, pad: int, size: list[int], offset: float, seed: int) -> None:
    torch.manual_seed(seed)
    module = conv_block(len(size), into, C, SLOPE, norm).double()
    x = (images(seed, 1, into, *size) + offset).requires_grad_(True)
    expected = module(pad_zeros(x, pad))
    found = first(fast_layers.block(last(x) if into == C else last(x.detach()), module, SLOPE, pad))
    assert_close(found.detach(), expected.detach(), 1e-11)
    g = images(seed + 1, *expected.shape)
    names = [name for name, _ in module.named_parameters() if not (norm and name == "conv.bias")]
    wanted: list[Any] = [value for name, value in module.named_parameters() if name in names]
    wanted += [x] if into == C else []
    for name, ours, theirs in zip(
        [*names, "x"],
        torch.autograd.grad(found, wanted, g),
        torch.autograd.grad(expected, wanted, g),
        strict=False,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-8 * (1 + float(theirs.abs().max())), msg=name)


@settings(max_examples=25, deadline=None)
@given(h=st.integers(1, 12), w=st.integers(2, 12), to=st.tuples(st.integers(1, 30), st.integers(1, 30)))
def test_upsample_is_bicubic(h: int, w: int, to: tuple[int, int]) -> None:
    x = images(h * 100 + w, 1, C, h, w).requires_grad_(True)
    expected = nn.functional.interpolate(x, to, mode="bicubic", align_corners=True)
    found = first(upsample(last(x), list(to)))
    assert_close(found.detach(), expected.detach(), 1e-12)
    g = images(1, *expected.shape)
    ours, theirs = (torch.autograd.grad(y, x, g, retain_graph=True)[0] for y in (found, expected))
    assert_close(ours, theirs, 1e-12)


def test_filter_matrix_makes_a_convolution() -> None:
    """By definition: output transform of (transformed filter x transformed tile) is the correlation."""
    from monai_consingan.networks.fast.winograd import filter_matrix

    filters_36 = np.arange(9.0) @ filter_matrix()
    assert filters_36[0] == 0.0 and filters_36[35] == 8.0  # the corner points take the corner values
    np.testing.assert_allclose(np.ones(9) @ filter_matrix()[:, 7], 1 / 4)  # (1/6 * 3) squared
