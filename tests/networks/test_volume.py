"""In space the networks do along every axis what they do in the plane.

A network in 3D whose kernels are zero outside their middle plane treats every plane of a volume by itself, as a network
in 2D does. Volumes that are the same in every plane therefore have to give the numbers of 2D.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from monai_consingan.engines.steps import TrainingSteps
from monai_consingan.losses import gradient_penalty
from monai_consingan.networks import ConSinGANDiscriminator, ConSinGANGenerator
from monai_consingan.networks.blocks import upsample, upsample_by_matrices

SIZES = [(9, 8), (11, 10), (14, 13)]
DEPTHS = (9, 10, 13)
LAYERS = 2
LOST = 2 * LAYERS + 4  # planes that the discriminator takes off


def _planar(volume: nn.Module, plane: nn.Module) -> None:
    """Give a network in 3D the weights of one in 2D, in the middle planes of its kernels, and keep the rest zero."""
    flat = plane.state_dict()
    with torch.no_grad():
        for name, weight in volume.named_parameters():
            if weight.dim() == 5:
                weight.zero_()
                weight[..., 1] = flat[name]
                middle = torch.zeros_like(weight)
                middle[..., 1] = 1
                weight.register_hook(lambda gradient, middle=middle: gradient * middle)
            else:
                weight.copy_(flat[name])


def _deep(x: torch.Tensor, depth: int) -> torch.Tensor:
    """The same in every plane."""
    return x.unsqueeze(-1).expand(*x.shape, depth).contiguous()


def _networks(dims: int, norm: bool, border: str) -> tuple[ConSinGANGenerator, ConSinGANDiscriminator]:
    sizes = SIZES if dims == 2 else [(*size, depth) for size, depth in zip(SIZES, DEPTHS, strict=True)]
    shape: dict[str, Any] = {"spatial_dims": dims, "channels": 4, "num_layers": LAYERS, "in_channels": 2}
    torch.manual_seed(3)
    networks = ConSinGANGenerator(sizes, norm=norm, border=border, **shape), ConSinGANDiscriminator(**shape)
    for network in networks:
        network.double()
        for parameter in network.parameters():
            nn.init.normal_(parameter, 0.05, 0.3)
    return networks


def _pair(border: str = "zero") -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Generators and discriminators in 2D and in 3D that compute the same.

    They have no norm, whose statistics would also see the planes of zeros around a volume.
    """
    flat, deep = _networks(2, False, border), _networks(3, False, border)
    for plane, volume in zip(flat, deep, strict=True):
        _planar(volume, plane)
    for index, (one, other) in enumerate(zip(flat[0].body, deep[0].body, strict=True)):
        one.fixed_noise.normal_()
        one.noise_amplitude.fill_(0.5 if index else 1.0)
        other.fixed_noise.copy_(_deep(one.fixed_noise, other.fixed_noise.shape[-1]))
        other.noise_amplitude.copy_(one.noise_amplitude)
    return flat, deep


def test_upsampling_is_cubic_along_every_axis() -> None:
    torch.manual_seed(0)
    x, size = torch.randn(2, 3, 5, 6, 7, dtype=torch.float64), [8, 9, 11]
    expected = x
    for axis, new in enumerate(size, start=2):
        lines = expected.movedim(axis, -1)
        rows = nn.functional.interpolate(
            lines.flatten(0, -2)[:, None, :, None], (new, 1), mode="bicubic", align_corners=True
        )
        expected = rows[:, 0, :, 0].unflatten(0, lines.shape[:-1]).movedim(-1, axis)
    torch.testing.assert_close(upsample(x, size), expected)
    turned = upsample(x.transpose(2, 4), size[::-1]).transpose(2, 4)
    torch.testing.assert_close(upsample(x, size), turned)  # no axis is another's


@pytest.mark.parametrize(("shape", "size"), [((5, 6), [8, 4]), ((5, 6, 7), [8, 9, 11]), ((4, 4, 4), [4, 6, 5])])
def test_upsampling_by_matrices_and_its_gradient(shape: tuple[int, ...], size: list[int]) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, *shape, dtype=torch.float64, requires_grad=True)
    found, expected = upsample_by_matrices(x, size), upsample(x, size)
    torch.testing.assert_close(found, expected)
    g = torch.randn_like(expected)
    torch.testing.assert_close(*(torch.autograd.grad(y, x, g)[0] for y in (found, expected)))
    half = upsample_by_matrices(x.detach().bfloat16(), size)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.double(), expected.detach(), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("border", ["zero", "noise"])
@pytest.mark.parametrize("stage", [0, 1, 2])
def test_generator_of_planes_is_the_generator_in_2d(border: str, stage: int) -> None:
    (flat, _), (deep, _) = _pair(border)
    x = torch.randn(1, 2, *SIZES[0], dtype=torch.float64)
    with torch.no_grad():
        expected = flat(x, stage=stage)
        found = deep(_deep(x, DEPTHS[0]), stage=stage)
    torch.testing.assert_close(found, _deep(expected, DEPTHS[stage]))


@pytest.mark.parametrize(("norm", "border"), [(True, "zero"), (False, "noise")])
def test_no_axis_is_another_than_the_others(norm: bool, border: str) -> None:
    generator, discriminator = _networks(3, norm, border)
    turned = ConSinGANGenerator(
        [size[::-1] for size in generator.stage_sizes], 3, 2, 4, LAYERS, generator.negative_slope, norm, border
    ).double()
    state = {key: w.transpose(2, 4) if w.dim() == 5 else w for key, w in generator.state_dict().items()}
    turned.load_state_dict(state | {"sizes": turned.sizes})
    x = torch.randn(1, 2, *SIZES[0], DEPTHS[0], dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(turned(x.transpose(2, 4)), generator(x).transpose(2, 4))
    real, fake = torch.randn(2, 1, 2, *generator.stage_sizes[-1], dtype=torch.float64)
    penalties = []
    for closed_form in (False, True):
        discriminator.zero_grad()
        alpha = torch.tensor([0.4], dtype=torch.float64)
        penalty = gradient_penalty(discriminator, real, fake, alpha=alpha, closed_form=closed_form)
        penalty.backward()
        penalties.append([penalty.detach(), *(w.grad for w in discriminator.parameters() if w.dim() == 5)])
    for one, other in zip(*penalties, strict=True):
        torch.testing.assert_close(one, other)


def test_discriminator_and_penalty_of_planes_are_those_in_2d() -> None:
    (_, flat), (_, deep) = _pair()
    real, fake = torch.randn(2, 1, 2, *SIZES[2], dtype=torch.float64)
    depth = DEPTHS[2]
    inner = depth - LOST
    scores = deep(_deep(real, depth))
    torch.testing.assert_close(scores, _deep(flat(real), inner))
    for closed_form in (False, True):
        how: dict[str, Any] = {"alpha": torch.tensor([0.3], dtype=torch.float64), "closed_form": closed_form}
        plane = gradient_penalty(flat, real, fake, weight=1.0, **how)
        volume = gradient_penalty(deep, _deep(real, depth), _deep(fake, depth), weight=1.0, **how)
        # planes that no score looks at through a middle plane have the gradient 0
        torch.testing.assert_close(volume, (inner * plane + (depth - inner)) / depth)


def test_training_of_planes_is_the_training_in_2d() -> None:
    depth = DEPTHS[2]
    inner = depth - LOST
    weights = []
    for dims, (generator, discriminator) in zip((2, 3), _pair(), strict=True):
        torch.manual_seed(5)
        steps = TrainingSteps(
            generator, discriminator, concurrent_stages=3, penalty_weight=0.1 * (depth / inner if dims == 3 else 1)
        )
        networks = (generator, discriminator)
        rates = [torch.optim.Adam(network.parameters(), lr=1e-3, betas=(0.5, 0.999)) for network in networks]

        def image(size: tuple[int, ...], depth: int, dims: int = dims) -> torch.Tensor:
            flat = torch.rand(1, 2, *size, dtype=torch.float64) * 2 - 1
            return flat if dims == 2 else _deep(flat, depth)

        real, start = image(SIZES[2], DEPTHS[2]), image(SIZES[0], DEPTHS[0])
        for _ in range(5):
            x, alpha = image(SIZES[0], DEPTHS[0]), torch.rand(1, 1, dtype=torch.float64)
            alpha = alpha.reshape(1, 1, *[1] * dims)
            with torch.no_grad():
                fake = steps.generate(x, None, 2)
            rates[1].zero_grad()
            steps.critic_losses(real, fake, alpha)
            rates[1].step()
            rates[0].zero_grad()
            loss = steps.adversarial_loss(steps.generate(x, None, 2))
            loss = loss + 10 * nn.functional.mse_loss(steps.generate(start, None, 2), real)
            loss.backward()
            rates[0].step()
        weights.append({name: w.detach() for network in networks for name, w in network.named_parameters()})
    flat, deep = weights
    for name, weight in flat.items():
        other = deep[name]
        if other.dim() == 5:
            assert not other[..., (0, 2)].any()
            other = other[..., 1]
        torch.testing.assert_close(other, weight, rtol=1e-6, atol=1e-9)
