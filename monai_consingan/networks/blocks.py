"""The one building block of both networks."""

from __future__ import annotations

import torch
from monai.networks.blocks import Convolution
from torch import nn

__all__ = ["conv_block", "init_weights", "pad_zeros", "upsample"]


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
    """Resize features with aligned corners: bicubic in 2D, trilinear in 3D.

    Args:
        x: (N, C, H, W) or (N, C, H, W, D).
        size: the new spatial size.
    """
    mode = "bicubic" if x.dim() == 4 else "trilinear"
    return nn.functional.interpolate(x, size=size, mode=mode, align_corners=True)
