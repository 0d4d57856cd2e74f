from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from monai_consingan.networks import ConSinGANDiscriminator, load_reference_discriminator

GOLDEN = Path(__file__).parents[1] / "fixtures" / "golden"


def test_golden_score_maps() -> None:
    arrays = np.load(GOLDEN / "discriminator.npz")
    weights = {key[8:]: torch.from_numpy(arrays[key]) for key in arrays.files if key.startswith("weights/")}
    discriminator = load_reference_discriminator(weights, negative_slope=0.05)
    with torch.no_grad():
        for name in ("real", "fake"):
            scores = discriminator(torch.from_numpy(arrays[name])).numpy()
            np.testing.assert_allclose(scores, arrays[f"d_{name}"], rtol=0, atol=1e-5)


@settings(max_examples=15)
@given(
    dims=st.sampled_from([2, 3]),
    layers=st.integers(1, 3),
    in_channels=st.integers(1, 3),
    batch=st.integers(1, 2),
    data=st.data(),
)
def test_a_score_for_every_patch(dims: int, layers: int, in_channels: int, batch: int, data: st.DataObject) -> None:
    patch = 2 * layers + 5
    size = data.draw(st.lists(st.integers(patch, patch + 4), min_size=dims, max_size=dims))
    discriminator = ConSinGANDiscriminator(dims, in_channels, channels=2, num_layers=layers)
    with torch.no_grad():
        scores = discriminator(torch.randn(batch, in_channels, *size))
    assert scores.shape == (batch, 1, *[side - patch + 1 for side in size])


def test_field_of_view() -> None:
    torch.manual_seed(0)
    discriminator = ConSinGANDiscriminator(channels=4, num_layers=2).requires_grad_(False)
    for parameter in discriminator.parameters():
        nn.init.normal_(parameter)
    image = torch.randn(1, 1, 29, 29)
    changed = image.clone()
    changed[0, 0, 14, 14] += 1
    seen = (discriminator(image) != discriminator(changed))[0, 0].nonzero()
    assert (seen.min(0).values.tolist(), seen.max(0).values.tolist()) == ([6, 6], [14, 14])  # 2 * 2 + 5 wide


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_torchscript_gives_the_same_numbers() -> None:
    for dims in (2, 3):
        discriminator = ConSinGANDiscriminator(dims, channels=2, num_layers=1)
        image = torch.randn(1, 1, *[9] * dims)
        assert torch.equal(torch.jit.script(discriminator)(image), discriminator(image))


@settings(max_examples=15)
@given(
    dims=st.sampled_from([2, 3]),
    layers=st.integers(1, 3),
    channels=st.integers(1, 4),
    in_channels=st.integers(1, 2),
    slope=st.floats(0.01, 0.5),
    seed=st.integers(0, 2**31),
)
def test_input_gradient_is_autograd(
    dims: int, layers: int, channels: int, in_channels: int, slope: float, seed: int
) -> None:
    torch.manual_seed(seed)
    discriminator = ConSinGANDiscriminator(dims, in_channels, channels, layers, slope).double()
    for parameter in discriminator.parameters():
        nn.init.normal_(parameter)
    image = torch.randn(2, in_channels, *[2 * layers + 6] * dims, dtype=torch.float64, requires_grad=True)
    expected = torch.autograd.grad(discriminator(image).sum(), image)[0]
    gradient = discriminator.input_gradient(image)
    assert gradient.dtype == torch.float64
    torch.testing.assert_close(gradient, expected, rtol=1e-10, atol=1e-10 * float(expected.abs().max()))
