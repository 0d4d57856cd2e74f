from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from torch import nn

from monai_consingan.errors import ConSinGANError
from monai_consingan.losses import WassersteinLoss, gradient_penalty
from monai_consingan.networks import ConSinGANDiscriminator, ConSinGANGenerator, fast_networks

SIZES = [(9, 8), (13, 12), (18, 17)]
DEPTHS = (8, 11, 15)
C = 8


def networks(
    channels: int = C, norm: bool = True, border: str = "zero", dims: int = 2, in_channels: int = 1, scale: float = 0.15
) -> tuple[ConSinGANGenerator, ConSinGANDiscriminator]:
    torch.manual_seed(0)
    sizes = [(*size, depth)[:dims] for size, depth in zip(SIZES, DEPTHS, strict=True)]
    shape: dict[str, Any] = {"channels": channels, "num_layers": 2, "in_channels": in_channels, "spatial_dims": dims}
    generator = ConSinGANGenerator(sizes, negative_slope=0.3, norm=norm, border=border, **shape).double()
    discriminator = ConSinGANDiscriminator(negative_slope=0.3, **shape).double()
    for weight in [*generator.parameters(), *discriminator.parameters()]:
        nn.init.normal_(weight, 0, scale if dims == 2 else 0.6 * scale)
    for body in generator.body:
        body.fixed_noise.normal_()
        body.noise_amplitude.fill_(0.2)
    return generator, discriminator


@pytest.mark.parametrize("in_channels", [1, 3])
@pytest.mark.parametrize(("norm", "border"), [(True, "zero"), (False, "zero"), (False, "noise")])
@pytest.mark.parametrize("dims", [2, 3])
def test_generator_and_all_its_gradients(dims: int, norm: bool, border: str, in_channels: int) -> None:
    pytest.importorskip("numba")
    generator, discriminator = networks(norm=norm, border=border, in_channels=in_channels, dims=dims)
    fast = fast_networks(generator, discriminator, True)
    assert fast is not None
    x = torch.randn(1, in_channels, *generator.stage_sizes[0], dtype=torch.float64)
    noise = [torch.randn_like(body.fixed_noise) for body in list(generator.body)[1:]]
    for stage, given_noise in ((2, None), (2, noise), (1, noise), (0, None)):
        expected, found = generator(x, given_noise, stage=stage), fast.generator(x, given_noise, stage=stage)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-11)
        assert 0.01 < float(expected.abs().mean()) < 0.9
        g = torch.randn_like(expected)
        parameters = dict(generator.named_parameters())
        ours, theirs = (
            dict(zip(parameters, torch.autograd.grad(y, list(parameters.values()), g, allow_unused=True), strict=True))
            for y in (found, expected)
        )
        for name in parameters:
            if norm and name.endswith("conv.bias") and "tail" not in name:  # has no effect
                assert ours[name] is None
                continue
            if theirs[name] is None:
                assert ours[name] is None
                continue
            scale = 1e-9 * float(theirs[name].abs().max()) + 1e-12
            torch.testing.assert_close(ours[name], theirs[name], rtol=1e-7, atol=scale, msg=name)


@pytest.mark.parametrize("in_channels", [1, 3])
@pytest.mark.parametrize("dims", [2, 3])
def test_discriminator_step_and_score(dims: int, in_channels: int) -> None:
    pytest.importorskip("numba")
    generator, discriminator = networks(in_channels=in_channels, dims=dims)
    fast = fast_networks(generator, discriminator, True)
    assert fast is not None
    real, fake = torch.randn(2, 1, in_channels, *generator.stage_sizes[-1], dtype=torch.float64)
    alpha, critic = torch.tensor(0.3, dtype=torch.float64), WassersteinLoss()
    scores = discriminator(real).mean(), discriminator(fake).mean()
    penalty = gradient_penalty(discriminator, real, fake, alpha=alpha, weight=0.7, closed_form=False)
    (critic(scores[0], True) + critic(scores[1], False) + penalty).backward()
    expected = {name: weight.grad for name, weight in discriminator.named_parameters()}
    discriminator.zero_grad()
    step = fast.discriminator.step(real, fake, alpha * real + (1 - alpha) * fake, 0.7)
    for found, value in zip(step, (*scores, penalty), strict=True):
        torch.testing.assert_close(found, value.detach(), rtol=1e-11, atol=1e-12)
    for name, weight in discriminator.named_parameters():
        assert weight.grad is not None and expected[name] is not None
        torch.testing.assert_close(weight.grad, expected[name], rtol=1e-8, atol=1e-11, msg=name)

    image = fake.clone().requires_grad_(True)
    results = []
    for mean in (fast.discriminator.score(image), discriminator(image).mean()):
        results.append((mean.detach(), torch.autograd.grad(3 * mean, image)[0]))
    for found, value in zip(*results, strict=True):
        torch.testing.assert_close(found, value, rtol=1e-9, atol=1e-13)


def test_default_is_where_it_pays() -> None:
    pytest.importorskip("numba")
    small, large = [(16, 16), (32, 32)], [(32, 32), (64, 64)]
    for sizes, channels, dims, chosen in (
        (large, 32, 2, True),
        (large, 64, 2, True),
        (large, 16, 2, False),
        (large, 34, 2, False),
        (small, 32, 2, False),
        ([(*size, 64) for size in large], 16, 3, True),
        ([(16, 16, 16), (20, 40, 40)], 16, 3, False),
        ([(*size, 64) for size in large], 8, 3, False),
    ):
        generator = ConSinGANGenerator(sizes, spatial_dims=dims, channels=channels)
        discriminator = ConSinGANDiscriminator(dims, channels=channels)
        assert (fast_networks(generator, discriminator) is not None) is chosen
        assert fast_networks(generator, discriminator, False) is None
    assert fast_networks(generator.half(), discriminator.half()) is None


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"channels": 6}, "the filters, 6, cannot be divided by 4"),
        ({"in_channels": 5}, "the images have 5 channels, but 4 is the most"),
    ],
)
def test_why_not(shape: dict[str, Any], message: str) -> None:
    pytest.importorskip("numba")
    with pytest.raises(ConSinGANError, match=message):
        fast_networks(*networks(**shape), True)


def test_without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("monai_consingan.networks.fast.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "numba", None)
    pair = ConSinGANGenerator([(32, 32), (64, 64)], channels=32), ConSinGANDiscriminator(channels=32)
    assert fast_networks(*pair) is None
    with pytest.raises(ConSinGANError, match=r"Numba cannot be imported .*: pip install monai-consingan\[fast\]"):
        fast_networks(*pair, True)
