from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from monai_consingan.losses import WassersteinLoss, gradient_penalty
from monai_consingan.networks import ConSinGANDiscriminator, load_reference_discriminator

GOLDEN = np.load(Path(__file__).parents[1] / "fixtures" / "golden" / "discriminator.npz")


def golden(name: str) -> torch.Tensor:
    return torch.from_numpy(GOLDEN[name])


def make(dims: int = 2, in_channels: int = 1, layers: int = 2, slope: float = 0.2) -> Any:
    discriminator = ConSinGANDiscriminator(dims, in_channels, channels=3, num_layers=layers, negative_slope=slope)
    for parameter in discriminator.parameters():
        nn.init.normal_(parameter, 0, 0.5)
    return discriminator.double()


@pytest.mark.parametrize("closed_form", [True, False])
def test_golden_penalty_loss_and_gradients(closed_form: bool) -> None:
    weights = {key[8:]: golden(key) for key in GOLDEN.files if key.startswith("weights/")}
    discriminator = load_reference_discriminator(weights, negative_slope=0.05)
    real, fake = golden("real"), golden("fake")
    penalty = gradient_penalty(discriminator, real, fake, alpha=golden("alpha"), closed_form=closed_form)
    np.testing.assert_allclose(penalty.item(), GOLDEN["gradient_penalty"], rtol=1e-4)
    critic = WassersteinLoss()
    loss = critic(discriminator(real), True) + critic(discriminator(fake), False) + penalty
    np.testing.assert_allclose(loss.item(), GOLDEN["loss"], rtol=1e-4)
    loss.backward()
    compared = 0
    for key, parameter in discriminator.named_parameters():
        expected = GOLDEN["grad/" + re.sub(r"body\.(\d)", r"body.block\1", key)]
        assert parameter.grad is not None
        scale = 1e-4 * np.abs(expected).max() + 1e-9
        np.testing.assert_allclose(parameter.grad.numpy(), expected, rtol=1e-4, atol=scale, err_msg=key)
        compared += 1
    assert compared == len([key for key in GOLDEN.files if key.startswith("grad/")]) == 10


def test_wasserstein_loss() -> None:
    scores = torch.tensor([[1.0, 3.0], [5.0, -1.0]])
    assert WassersteinLoss()(scores, target_is_real=True) == -2
    assert WassersteinLoss()(scores, target_is_real=False) == 2


@settings(max_examples=20)
@given(
    dims=st.sampled_from([2, 3]),
    in_channels=st.integers(1, 3),
    layers=st.integers(1, 3),
    batch=st.integers(1, 2),
    extra=st.lists(st.integers(0, 4), min_size=3, max_size=3),
    alpha=st.floats(0, 1),
    slope=st.sampled_from([0.05, 0.3]),
    seed=st.integers(0, 2**31),
)
def test_closed_form_is_autograd(
    dims: int, in_channels: int, layers: int, batch: int, extra: list[int], alpha: float, slope: float, seed: int
) -> None:
    torch.manual_seed(seed)
    discriminator = make(dims, in_channels, layers, slope)
    shape = (batch, in_channels, *[2 * layers + 5 + more for more in extra[:dims]])
    real, fake = torch.randn(shape, dtype=torch.float64), torch.randn(shape, dtype=torch.float64)
    results = []
    for closed_form in (True, False):
        penalty = gradient_penalty(
            discriminator, real, fake, alpha=torch.tensor(alpha, dtype=torch.float64), closed_form=closed_form
        )
        gradients = torch.autograd.grad(penalty, list(discriminator.parameters()), allow_unused=True)
        results.append([penalty.detach(), *[g for g in gradients if g is not None and bool(g.any())]])
    assert len(results[0]) == len(results[1]) == layers + 3  # the penalty, and the weights of every convolution
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9 * float(theirs.abs().max()))


@pytest.mark.parametrize("dims", [2, 3])
def test_gradient_by_finite_differences(dims: int) -> None:
    torch.manual_seed(0)
    discriminator = make(dims, layers=1)
    real, fake = torch.randn(2, 1, 1, *[8] * dims, dtype=torch.float64)
    penalty = gradient_penalty(discriminator, real, fake, alpha=torch.tensor(0.3))
    weight = discriminator.head.conv.weight
    gradient = torch.autograd.grad(penalty, weight)[0]
    step = 1e-6
    for place in [(0, 0, *[0] * dims), (1, 0, *[2] * dims), (2, 0, *[1] * dims)]:
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                weight[place] += sign * step
            values.append(gradient_penalty(discriminator, real, fake, alpha=torch.tensor(0.3)).item())
            with torch.no_grad():
                weight[place] -= sign * step
        assert gradient[place].item() == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-4)


def test_formula_over_channels() -> None:
    """The norm is over channels at every pixel, and the mean over pixels."""
    torch.manual_seed(1)
    discriminator = make(in_channels=3)
    real, fake = torch.randn(2, 2, 3, 12, 11, dtype=torch.float64)
    mixed = (0.25 * real + 0.75 * fake).requires_grad_(True)
    gradient = torch.autograd.grad(discriminator(mixed).sum(), mixed)[0]
    expected = 7.0 * ((gradient.square().sum(1).sqrt() - 1) ** 2).mean()
    for closed_form in (True, False):
        penalty = gradient_penalty(
            discriminator, real, fake, alpha=torch.tensor(0.25), weight=7.0, closed_form=closed_form
        )
        torch.testing.assert_close(penalty, expected)


def test_alpha_of_every_form() -> None:
    torch.manual_seed(2)
    discriminator = make()
    real, fake = torch.randn(2, 2, 1, 12, 12, dtype=torch.float64)
    alphas = torch.tensor([0.2, 0.9], dtype=torch.float64)
    single = [
        gradient_penalty(discriminator, real[i : i + 1], fake[i : i + 1], alpha=alphas[i]).item() for i in range(2)
    ]
    for alpha in (alphas, alphas[:, None], alphas[:, None, None, None], alphas.float()):
        penalty = gradient_penalty(discriminator, real, fake, alpha=alpha)
        assert penalty.item() == pytest.approx(sum(single) / 2, rel=1e-6)
    same = [gradient_penalty(discriminator, real, fake, alpha=torch.full(s, 0.4)).item() for s in ((), (1,), (1, 1))]
    assert len(set(same)) == 1


def test_default_alpha_is_drawn() -> None:
    torch.manual_seed(3)
    discriminator = make()
    real, fake = torch.randn(2, 1, 1, 12, 12, dtype=torch.float64)
    torch.manual_seed(4)
    drawn = gradient_penalty(discriminator, real, fake)
    torch.manual_seed(4)
    alpha = torch.rand(1, dtype=torch.float64)
    torch.testing.assert_close(drawn, gradient_penalty(discriminator, real, fake, alpha=alpha))
    assert gradient_penalty(discriminator, real, fake) != drawn


def test_no_gradient_flows_into_the_images() -> None:
    discriminator = make()
    fake = torch.randn(1, 1, 12, 12, dtype=torch.float64, requires_grad=True)
    for closed_form in (True, False):
        penalty = gradient_penalty(discriminator, torch.zeros_like(fake), fake, closed_form=closed_form)
        assert torch.autograd.grad(penalty, fake, allow_unused=True)[0] is None


def test_another_discriminator_is_differentiated() -> None:
    """A linear critic has the same gradient everywhere: its weights."""
    critic = nn.Conv2d(1, 1, 1, bias=False)
    nn.init.constant_(critic.weight, 3.0)
    real, fake = torch.randn(2, 1, 1, 6, 5)
    penalty = gradient_penalty(critic, real, fake, weight=0.5)
    assert penalty.item() == pytest.approx(0.5 * (3 - 1) ** 2)
    penalty.backward()
    assert critic.weight.grad is not None
    assert critic.weight.grad.item() == pytest.approx(0.5 * 2 * (3 - 1))
