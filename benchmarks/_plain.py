"""A textbook iteration of ConSinGAN, the baseline of ``speed.py``: plain modules, no trick, nothing of the package.

Three passes of the generator for the fake image of the discriminator's three steps and one more for its own, separate
passes of the discriminator for real and fake, the gradient penalty by differentiating twice, the discriminator's
gradients also in the generator's step, every stage computed anew, frozen or not, and the default memory format.

``python benchmarks/plain.py`` checks that its numbers are those of the package's trainer.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

Tensor = torch.Tensor


def convolution(dims: int, into: int, out: int) -> nn.Module:
    """3-wide convolution."""
    return nn.Conv2d(into, out, 3) if dims == 2 else nn.Conv3d(into, out, 3)


def conv_block(dims: int, into: int, out: int, slope: float, norm: bool) -> nn.Sequential:
    """Convolution, batch norm of the only image if ``norm``, LeakyReLU."""
    layers: list[nn.Module] = [convolution(dims, into, out)]
    if norm:
        layers.append(nn.BatchNorm2d(out) if dims == 2 else nn.BatchNorm3d(out))
    return nn.Sequential(*layers, nn.LeakyReLU(slope))


def pad(x: Tensor, width: int) -> Tensor:
    """Zeros on every side."""
    return functional.pad(x, [width] * (2 * (x.ndim - 2)))


def enlarge(x: Tensor, size: Sequence[int]) -> Tensor:
    """Bicubic with aligned corners; in space, cubic along the last axis after the plane."""
    if len(size) == 2:
        return functional.interpolate(x, tuple(size), mode="bicubic", align_corners=True)
    _, filters, height, width, depth = x.shape
    planes = x.movedim(-1, 2).reshape(1, filters * depth, height, width)
    planes = functional.interpolate(planes, tuple(size[:2]), mode="bicubic", align_corners=True)
    lines = planes.reshape(1, filters, depth, size[0] * size[1])
    lines = functional.interpolate(lines, (size[2], size[0] * size[1]), mode="bicubic", align_corners=True)
    return lines.reshape(1, filters, size[2], size[0], size[1]).movedim(2, -1)


class PlainGenerator(nn.Module):
    """The generator with a zero border, in train mode for ever."""

    def __init__(
        self, sizes: Sequence[tuple[int, ...]], filters: int, layers: int, slope: float, norm: bool, amplitude: float
    ) -> None:
        super().__init__()
        dims = len(sizes[0])
        self.sizes, self.layers, self.amplitude = sizes, layers, amplitude
        self.head = conv_block(dims, 1, filters, slope, norm)
        self.body = nn.ModuleList(
            nn.Sequential(*[conv_block(dims, filters, filters, slope, norm) for _ in range(layers)]) for _ in sizes
        )
        self.tail = nn.Sequential(convolution(dims, filters, 1), nn.Tanh())

    def forward(self, image: Tensor, noise: Sequence[Tensor]) -> Tensor:
        """The image of the last of ``sizes``; one noise for every stage above the first."""
        x = self.head(pad(image, 1))
        x = self.body[0](pad(x, self.layers))
        for body, size, z in zip(self.body[1:], self.sizes[1:], noise, strict=True):
            up = enlarge(x, size)
            x = body(pad(up + self.amplitude * z, self.layers)) + up
        return self.tail(pad(x, 1))


def plain_discriminator(dims: int, filters: int, layers: int, slope: float) -> nn.Sequential:
    """The discriminator."""
    body = [conv_block(dims, filters, filters, slope, False) for _ in range(layers)]
    return nn.Sequential(conv_block(dims, 1, filters, slope, False), *body, convolution(dims, filters, 1))


class PlainTraining:
    """A stage of a training in its course.

    Args:
        sizes: sizes of the stages up to the one in training.
        filters: filters of every layer.
        layers: layers of a stage.
        slope: of the LeakyReLUs.
        norm: whether the generator normalizes.
        concurrent: how many of the newest stages are trained.
        amplitude: of the noise.
        real: the image at every one of the sizes.
        fixed_noise: of the reconstruction, for every stage above the first.
        rate: full learning rate.
    """

    def __init__(
        self,
        sizes: Sequence[tuple[int, ...]],
        filters: int,
        layers: int,
        slope: float,
        norm: bool,
        concurrent: int,
        amplitude: float,
        real: Sequence[Tensor],
        fixed_noise: Sequence[Tensor],
        rate: float = 5e-4,
    ) -> None:
        self.real, self.fixed_noise = real, fixed_noise
        device = real[-1].device
        self.generator = PlainGenerator(sizes, filters, layers, slope, norm, amplitude).to(device)
        self.discriminator = plain_discriminator(len(sizes[0]), filters, layers, slope).to(device)
        stage = len(sizes) - 1
        groups = []
        for index, body in enumerate(self.generator.body):
            if index > stage - concurrent:
                groups.append({"params": list(body.parameters()), "lr": rate * 0.1 ** (stage - index)})
            else:
                body.requires_grad_(False)
        if stage < concurrent:
            groups.append({"params": list(self.generator.head.parameters()), "lr": rate * 0.1**stage})
        else:
            self.generator.head.requires_grad_(False)
        groups.append({"params": list(self.generator.tail.parameters()), "lr": rate})
        self.generator_adam = torch.optim.Adam(groups, betas=(0.5, 0.999))
        self.discriminator_adam = torch.optim.Adam(self.discriminator.parameters(), rate, betas=(0.5, 0.999))

    def take_weights(self, generator: nn.Module, discriminator: nn.Module, stages: int) -> None:
        """Copy the weights of the package's networks, which have their layers in the same order."""
        kept = [
            weight
            for name, weight in generator.named_parameters()
            if not name.startswith("body.") or int(name.split(".")[1]) < stages
        ]
        for mine, weights in ((self.generator, kept), (self.discriminator, list(discriminator.parameters()))):
            own = list(mine.parameters())
            if [weight.shape for weight in own] != [weight.shape for weight in weights]:
                raise ValueError("The networks of the package are built in another way.")
            for target, weight in zip(own, weights, strict=True):
                target.data.copy_(weight.detach())

    def iterate(self, image: Tensor, noise: Sequence[Tensor], alphas: Sequence[Tensor]) -> dict[str, float]:
        """One iteration; returns the losses as the package names them."""
        real, discriminator, generator = self.real[-1], self.discriminator, self.generator
        for alpha in alphas:
            fake = generator(image, noise)
            discriminator.zero_grad()
            on_real = -discriminator(real).mean()
            on_real.backward()
            on_fake = discriminator(fake.detach()).mean()
            on_fake.backward()
            mixed = (alpha * real + (1 - alpha) * fake.detach()).requires_grad_(True)
            gradient = torch.autograd.grad(discriminator(mixed).sum(), mixed, create_graph=True)[0]
            penalty = 0.1 * ((gradient.norm(2, dim=1) - 1) ** 2).mean()
            penalty.backward()
            self.discriminator_adam.step()
        generator.zero_grad()
        fake = generator(image, noise)
        adversarial = -discriminator(fake).mean()
        error = 10 * functional.mse_loss(generator(self.real[0], self.fixed_noise), real)
        (adversarial + error).backward()
        for _ in range(3):
            self.generator_adam.step()
        losses = {"critic_real": on_real, "critic_fake": on_fake, "penalty": penalty, "adversarial": adversarial}
        return {name: loss.item() for name, loss in {**losses, "reconstruction_loss": error}.items()}
