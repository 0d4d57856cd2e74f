"""The whole networks on the compiled functions for the CPU: the same numbers to rounding, in a fraction of the time."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch.autograd.function import Function, once_differentiable

from monai_consingan.networks.discriminator import ConSinGANDiscriminator
from monai_consingan.networks.fast.layers import Filters, block, convolve, filters, tail, upsample, weight_gradient
from monai_consingan.networks.generator import ConSinGANGenerator

Tensor = torch.Tensor


def _channels_last(x: Tensor) -> Tensor:
    return x.movedim(1, -1).contiguous()


def _per_image(factors: list[float], like: Tensor) -> Tensor:
    """A factor of every image at all results of the last convolution for features ``like``."""
    inner = [side - 2 for side in like.shape[1:-1]]
    shape = [1] * (len(inner) + 1)
    return like.new_tensor(factors).view(-1, *shape).expand(-1, *inner, 1)


def _patches(features: Tensor) -> int:
    """Results of the last convolution for features."""
    return math.prod(side - 2 for side in features.shape[1:-1])


class FastGenerator:
    """The passes of a :py:class:`~monai_consingan.networks.ConSinGANGenerator`, differentiable by its weights.

    Args:
        generator: whose weights to use, as they are when a pass is made.
    """

    def __init__(self, generator: ConSinGANGenerator) -> None:
        self.generator = generator
        self.slope = generator.negative_slope

    def __call__(self, x: Tensor, noise: list[Tensor] | None = None, *, stage: int) -> Tensor:
        """The image of stage ``stage`` for one input (1, C, ...); see the generator's ``forward``."""
        return self.render(self.features(x, noise, None, stage))

    def features(self, x: Tensor, noise: list[Tensor] | None, sizes: list[list[int]] | None, last: int) -> Tensor:
        """Features (1, ..., filters) after stage ``last``; see the generator's method."""
        generator = self.generator
        y = block(_channels_last(x), generator.head, self.slope, 1)
        layers, pad = generator.num_layers, generator.num_layers
        if generator.noise_border:
            y, pad = upsample(y, [side + 2 for side in y.shape[1:-1]]), layers - 1
        y = self._layers(y, 0, pad)
        return self.refine(y, noise, sizes, 1, last)

    def refine(
        self, y: Tensor, noise: list[Tensor] | None, sizes: list[list[int]] | None, first: int, last: int
    ) -> Tensor:
        """Apply stages ``first`` (1 or more) to ``last``; see the generator's method."""
        generator = self.generator
        for index in range(first, last + 1):
            body: Any = generator.body[index]
            size = generator.stage_sizes[index] if sizes is None else sizes[index]
            z = body.fixed_noise if noise is None else noise[index - 1]
            z = _channels_last(body.noise_amplitude * z)
            enlarged = upsample(y, size)
            if generator.noise_border:
                wide, pad = upsample(y, [side + 2 * generator.num_layers for side in size]) + z, 0
            else:
                wide, pad = enlarged + z, generator.num_layers
            y = self._layers(wide, index, pad) + enlarged
        return y

    def render(self, features: Tensor) -> Tensor:
        """The image (1, C, ...) of features (1, ..., filters)."""
        last: Any = self.generator.tail[0]
        return torch.tanh(tail(features, last.weight, last.bias)).movedim(-1, 1)

    def _layers(self, y: Tensor, index: int, pad: int) -> Tensor:
        body: Any = self.generator.body[index]
        for module in body.layers:
            y, pad = block(y, module, self.slope, pad), 0
        return y


class CriticStep(NamedTuple):
    """Values of a step of the discriminator: mean scores, and the penalty."""

    real: Tensor
    fake: Tensor
    penalty: Tensor


class FastDiscriminator:
    """A :py:class:`~monai_consingan.networks.ConSinGANDiscriminator` with its gradients in closed form.

    Scores enter as means only, and a mean of the last convolution follows from sums over the features before it. The
    network is piecewise linear: all gradients are chains of convolutions and of the slopes of its activations.

    Args:
        discriminator: whose weights to use, as they are when a method is called.
    """

    def __init__(self, discriminator: ConSinGANDiscriminator) -> None:
        self.network = discriminator
        self.slope = discriminator.negative_slope
        blocks: list[Any] = [discriminator.head, *discriminator.body]
        self.convolutions: list[Any] = [module.conv for module in blocks]

    def _activations(self, x: Tensor, there: list[Filters]) -> list[Tensor]:
        activations = []
        for convolution, u in zip(self.convolutions, there, strict=True):
            x = convolve(x, u, 0, bias=convolution.bias, slope=self.slope)
            activations.append(x)
        return activations

    def _windows(self, features: Tensor, factors: list[float]) -> Tensor:
        """Sum over the images of their mean patch of features, weighted: the gradient by the tail's weight."""
        patches = _patches(features)
        return weight_gradient(features, _per_image([factor / patches for factor in factors], features).contiguous(), 0)

    def _start(self, factors: list[float], last: Tensor) -> Tensor:
        """The gradient by the last activations' input, for a factor of every image's summed scores; takes ``last``."""
        u = filters(self.network.tail.weight, transposed=True)
        return convolve(_per_image(factors, last).contiguous(), u, 2, like=last, slope=self.slope, out=last)

    @torch.no_grad()
    def step(self, real: Tensor, fake: Tensor, mixed: Tensor, penalty_weight: float) -> CriticStep:
        """Set the gradients of ``-mean D(real) + mean D(fake) + penalty`` for images (1, C, ...).

        Args:
            real: the real image.
            fake: the generated one.
            mixed: where the penalty is taken.
            penalty_weight: factor of the penalty.
        """
        weights = [convolution.weight for convolution in self.convolutions]
        there = [filters(weight) for weight in weights]
        back = [filters(weight, transposed=True) for weight in weights]
        last, tail_conv = len(weights) - 1, self.network.tail
        pair, middle = _channels_last(torch.cat([real, fake])), _channels_last(mixed)

        activations = self._activations(pair, there)
        windows = [self._windows(activations[-1][k : k + 1], [1.0]) for k in (0, 1)]
        means = [(window * tail_conv.weight).sum() + tail_conv.bias.sum() for window in windows]
        gradients = {tail_conv.weight: windows[1] - windows[0], tail_conv.bias: torch.zeros_like(tail_conv.bias)}
        patches = _patches(activations[-1])
        g = self._start([-1 / patches, 1 / patches], activations[-1])
        for k in range(last, -1, -1):
            below = activations[k - 1] if k else pair
            sums = [of_image.flatten(0, -2).sum(0) for of_image in g]
            gradients[self.convolutions[k].bias] = sums[0] + sums[1]  # which may cancel to 0
            gradients[weights[k]] = weight_gradient(below, g, 0)
            if k:
                g = convolve(g, back[k], 2, like=below, slope=self.slope, out=below)
        del activations, g

        # The penalty: down the chain to the gradient by the image, and up again with the gradient by that.
        activations = self._activations(middle, there)
        g = self._start([1.0], activations[-1].clone())
        chain = [g]
        for k in range(last, 0, -1):
            g = convolve(g, back[k], 2, like=activations[k - 1], slope=self.slope)
            chain.append(g)
        chain.reverse()
        slope_of_image = convolve(g, back[0], 2)
        length = slope_of_image.norm(2, dim=-1, keepdim=True)
        penalty = penalty_weight * ((length - 1) ** 2).mean()
        factor = (2 * penalty_weight / length.numel()) * (length - 1)
        q = torch.where(length > 0, slope_of_image / length, 0) * factor
        for k in range(last + 1):
            gradients[weights[k]] += weight_gradient(q, chain[k], 0)
            q = convolve(q, there[k], 0, like=activations[k], slope=self.slope, out=activations[k])
        gradients[tail_conv.weight] += self._windows(q, [float(_patches(q))])
        for parameter, gradient in gradients.items():
            parameter.grad = gradient
        return CriticStep(means[0], means[1], penalty)

    def score(self, image: Tensor) -> Tensor:
        """Mean score of an image (1, C, ...), differentiable by the image only."""
        result: Tensor = _Score.apply(image, self)
        return result

    @torch.no_grad()
    def score_and_gradient(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Mean score of an image (1, C, ...), and its gradient by the image."""
        weights = [convolution.weight for convolution in self.convolutions]
        activations = self._activations(_channels_last(image), [filters(weight) for weight in weights])
        window = self._windows(activations[-1], [1.0])
        mean = (window * self.network.tail.weight).sum() + self.network.tail.bias.sum()
        patches = _patches(activations[-1])
        g = self._start([1 / patches], activations[-1])
        for k in range(len(weights) - 1, 0, -1):
            below = activations[k - 1]
            g = convolve(g, filters(weights[k], transposed=True), 2, like=below, slope=self.slope, out=below)
        return mean, convolve(g, filters(weights[0], transposed=True), 2).movedim(-1, 1)


class _Score(Function):
    """The mean score of an image, of which the gradient by the image is worked out with it."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, discriminator: FastDiscriminator) -> Tensor:
        """The mean score."""
        mean, gradient = discriminator.score_and_gradient(image)
        ctx.save_for_backward(gradient)
        return mean

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        """Gradient by the image."""
        return g * ctx.saved_tensors[0], None
