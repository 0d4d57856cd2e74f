"""The one building block of both networks."""

from __future__ import annotations

from functools import lru_cache

import torch
from monai.networks.blocks import Convolution
from torch import nn


def conv_block(
    spatial_dims: int, in_channels: int, out_channels: int, negative_slope: float, norm: bool
) -> Convolution:
    """A 3-wide convolution without padding, an optional norm, and a LeakyReLU.

    The norm is an instance norm with affine parameters: the batch norm of the published network, which always sees a
    batch of one image and never uses running statistics.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the input.
        out_channels: channels of the output.
        negative_slope: slope of the LeakyReLU below zero.
        norm: whether to normalize.
    """
    return Convolution(
        spatial_dims=spatial_dims,
        in_channels=in_channels,
        out_channels=out_channels,
        kernel_size=3,
        padding=0,
        adn_ordering="NA",
        act=("leakyrelu", {"negative_slope": negative_slope}),
        norm=("instance", {"affine": True, "eps": 1e-5}) if norm else None,
    )


def init_weights(network: nn.Module) -> None:
    """Initialize as published: convolutions N(0, 0.02), norm weights N(1, 0.02), norm biases 0.

    Biases of convolutions keep PyTorch's own initialization.
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Conv3d)):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, (nn.InstanceNorm2d, nn.InstanceNorm3d)):
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.zeros_(module.bias)


def pad_zeros(x: torch.Tensor, width: int) -> torch.Tensor:
    """Pad every spatial side of a batch with ``width`` zeros."""
    return nn.functional.pad(x, [width] * (2 * (x.dim() - 2)))


def upsample(x: torch.Tensor, size: list[int]) -> torch.Tensor:
    """Resize features with aligned corners: bicubic in 2D, and cubic along every axis in 3D.

    A training on a GPU multiplies by matrices: PyTorch's own gradient adds in an order that changes from run to run.

    Args:
        x: (N, C, H, W) or (N, C, H, W, D).
        size: the new spatial size.
    """
    if not torch.jit.is_scripting() and x.is_cuda and x.requires_grad:
        return upsample_by_matrices(x, size)
    if x.dim() == 4:
        return _bicubic(x, size)
    n, c, h, w, d = x.shape
    planes = _bicubic(x.permute(0, 1, 4, 2, 3).reshape(n, c * d, h, w), size[:2])
    pixels = size[0] * size[1]
    columns = _bicubic(planes.reshape(n, c, d, pixels), [size[2], pixels])
    return columns.reshape(n, c, size[2], size[0], size[1]).permute(0, 1, 3, 4, 2).contiguous()


def _bicubic(x: torch.Tensor, size: list[int]) -> torch.Tensor:
    return nn.functional.interpolate(x, size=size, mode="bicubic", align_corners=True)


@torch.jit.unused
def upsample_by_matrices(x: torch.Tensor, size: list[int]) -> torch.Tensor:
    """:py:func:`upsample` as one product of matrices along every axis, the gradient too."""
    with torch.autocast(x.device.type, enabled=False):
        y = x if x.dtype == torch.float64 else x.float()
        for axis, new_size in enumerate(size, start=2):
            matrix = cubic_matrix(y.shape[axis], new_size, y.dtype, y.device)
            y = (y.transpose(axis, -1) @ matrix).transpose(axis, -1)
        return y.to(x.dtype).contiguous()


@lru_cache(maxsize=256)
def cubic_matrix(size: int, new_size: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Matrix (size, new_size) that resizes an axis as :py:func:`upsample` does, from its left."""
    columns = torch.eye(size, dtype=torch.float64).view(1, size, size, 1)
    return _bicubic(columns, [new_size, 1])[0, :, :, 0].to(device, dtype)
