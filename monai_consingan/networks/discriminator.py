"""The discriminator of ConSinGAN."""

from __future__ import annotations

from typing import Any

import torch
from monai.networks.layers.factories import Conv
from torch import nn

from monai_consingan.networks.blocks import conv_block, init_weights


class ConSinGANDiscriminator(nn.Module):
    """Patch critic: a score for every patch of an image, to be averaged.

    A head, ``num_layers`` blocks of convolution and LeakyReLU, and a convolution to one channel, all 3 wide, without
    norm and padding (Hinz et al., WACV 2021). The field of view is ``2 * num_layers + 5`` pixels wide.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        channels: filters of every layer.
        num_layers: layers between head and tail.
        negative_slope: slope of the LeakyReLUs below zero.

    Example::

        >>> ConSinGANDiscriminator(2, channels=8)(torch.zeros(1, 1, 31, 27)).shape
        torch.Size([1, 1, 21, 17])
    """

    def __init__(
        self,
        spatial_dims: int = 2,
        in_channels: int = 1,
        channels: int = 64,
        num_layers: int = 3,
        negative_slope: float = 0.05,
    ) -> None:
        super().__init__()
        self.spatial_dims = spatial_dims
        self.in_channels = in_channels
        self.channels = channels
        self.negative_slope = negative_slope
        self.head = conv_block(spatial_dims, in_channels, channels, negative_slope, norm=False)
        self.body = nn.Sequential(
            *[conv_block(spatial_dims, channels, channels, negative_slope, norm=False) for _ in range(num_layers)]
        )
        self.tail = Conv[Conv.CONV, spatial_dims](channels, 1, kernel_size=3)
        init_weights(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Score an image.

        Args:
            x: (N, C, H, W) or (N, C, H, W, D) in [-1, 1].

        Returns:
            Map of scores of every patch, (N, 1, ...), smaller than ``x`` by ``2 * num_layers + 4`` on every axis.
        """
        return self.tail(self.body(self.head(x)))

    @torch.jit.unused
    def input_gradient(self, x: torch.Tensor) -> torch.Tensor:
        """Gradient of the summed scores by the image, as a function of the weights.

        The network is piecewise linear, so its gradient is a chain of transposed convolutions and of the slopes that
        the activations have at ``x``; the slopes are constant almost everywhere. The result can be differentiated by
        the weights (once), as the gradient penalty needs it, without a second pass through autograd's graph of the
        first derivative.

        Args:
            x: (N, C, H, W) or (N, C, H, W, D).

        Returns:
            A tensor like ``x``; no gradient flows to ``x`` itself.
        """
        convolutions: list[Any] = [self.head.conv, *[block.conv for block in self.body]]
        slopes = []
        with torch.no_grad():
            for convolution in convolutions:
                x = convolution(x)
                slopes.append(torch.where(x > 0, x.new_ones(()), x.new_tensor(self.negative_slope)))
                x = x * slopes[-1]
            shape = self.tail(x).shape
        transposed = nn.functional.conv_transpose2d if self.spatial_dims == 2 else nn.functional.conv_transpose3d
        gradient = transposed(torch.ones(shape, dtype=x.dtype, device=x.device), self.tail.weight)
        for convolution, slope in zip(reversed(convolutions), reversed(slopes), strict=True):
            gradient = transposed(gradient * slope, convolution.weight)
        return gradient
