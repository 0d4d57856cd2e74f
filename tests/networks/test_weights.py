from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from monai_consingan.errors import ConSinGANError
from monai_consingan.networks import load_reference_discriminator, load_reference_generator

GOLDEN = Path(__file__).parents[1] / "fixtures" / "golden"


def weights_of(name: str) -> dict[str, torch.Tensor]:
    arrays = np.load(GOLDEN / f"{name}.npz")
    return {key[8:]: torch.from_numpy(arrays[key]) for key in arrays.files if key.startswith("weights/")}


def small_generator(**kwargs: Any) -> dict[str, torch.Tensor]:
    """A state dict under the published names, of 2 stages of 1 layer, with 2 filters."""
    dims, norm = kwargs.get("dims", 2), kwargs.get("norm", True)
    kernel = (3,) * dims
    state = {}
    for block in ("head", "body.0.block0", "body.1.block0"):
        state[f"{block}.conv.weight"] = torch.randn(2, 1 if block == "head" else 2, *kernel)
        state[f"{block}.conv.bias"] = torch.randn(2)
        if norm:
            state.update({f"{block}.norm.weight": torch.randn(2), f"{block}.norm.bias": torch.randn(2)})
            state.update({f"{block}.norm.running_mean": torch.randn(2), f"{block}.norm.running_var": torch.rand(2)})
            state[f"{block}.norm.num_batches_tracked"] = torch.tensor(7)
    return {**state, "tail.0.weight": torch.randn(1, 2, *kernel), "tail.0.bias": torch.randn(1)}


def load_small(state: dict[str, torch.Tensor], **changes: Any) -> Any:
    settings: dict[str, Any] = {
        "task": "harmonization",
        "sizes": [(8, 7), (12, 11)],
        "noise_amplitudes": [1.0, 0.25],
        "negative_slope": 0.3,
    }
    return load_reference_generator(state, **{**settings, **changes})


def test_generator_is_read_off_the_weights(tmp_path: Path) -> None:
    torch.save(weights_of("generator_harmonization"), tmp_path / "netG.pth")
    arrays = np.load(GOLDEN / "generator_harmonization.npz")
    generator = load_reference_generator(
        torch.load(tmp_path / "netG.pth", weights_only=True),
        task="harmonization",
        sizes=arrays["shapes"],
        noise_amplitudes=torch.from_numpy(arrays["noise_amp"]),
        negative_slope=0.3,
    )
    assert generator.stage_sizes == arrays["shapes"].tolist()
    assert (generator.in_channels, generator.num_layers, generator.num_stages) == (1, 3, len(arrays["shapes"]))
    amplitudes = torch.stack([body.noise_amplitude for body in generator.body])
    assert torch.equal(amplitudes, torch.from_numpy(arrays["noise_amp"]))
    assert all(not body.fixed_noise.any() for body in generator.body)


def test_running_statistics_are_never_used() -> None:
    state = small_generator()
    without = {key: value for key, value in state.items() if "running" not in key and "batches" not in key}
    x = torch.randn(1, 1, 8, 7)
    assert torch.equal(load_small(state)(x), load_small(without)(x))


def test_sizes_of_whole_images() -> None:
    sizes = [(1, 1, 8, 7), (1, 1, 12, 11)]  # as the published pyramid prints them: N, C, H, W
    assert load_small(small_generator(), sizes=sizes).stage_sizes == [[8, 7], [12, 11]]


def test_generator_in_3d() -> None:
    generator = load_small(small_generator(dims=3), sizes=[(8, 7, 6), (10, 9, 8)])
    assert generator(torch.zeros(1, 1, 8, 7, 6)).shape == (1, 1, 10, 9, 8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "generation"}, "has a norm, but a generator for task 'generation' has none"),
        ({"task": "painting"}, "task is 'painting'"),
        ({"sizes": [(8, 7)]}, "has 2 stages, but 1 sizes and 2 noise amplitudes"),
        ({"noise_amplitudes": [1.0, 0.1, 0.1]}, "2 sizes and 3 noise amplitudes"),
    ],
)
def test_generator_that_does_not_fit_the_arguments(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConSinGANError, match=message):
        load_small(small_generator(), **changes)


def test_generator_without_norm_is_not_for_harmonization() -> None:
    with pytest.raises(ConSinGANError, match="has no norm, but a generator for task 'harmonization' has one"):
        load_small(small_generator(norm=False))


def test_generator_of_something_else() -> None:
    for state in ({}, {"weight": torch.zeros(1)}, weights_of("discriminator")):
        with pytest.raises(ConSinGANError, match="not of a ConSinGAN generator"):
            load_small(state)
    missing = small_generator()
    del missing["body.1.block0.conv.bias"]
    with pytest.raises(ConSinGANError, match=r"missing or unknown weights.*body\.1\.layers\.0\.conv\.bias"):
        load_small(missing)
    with pytest.raises(ConSinGANError, match=r"missing or unknown weights.*extra"):
        load_small({**small_generator(), "extra": torch.zeros(1)})
    with pytest.raises(ConSinGANError, match="weights of the generator do not fit each other"):
        load_small({**small_generator(), "body.1.block0.conv.weight": torch.zeros(5, 2, 3, 3)})


def test_discriminator_is_read_off_the_weights() -> None:
    discriminator: Any = load_reference_discriminator(weights_of("discriminator"), negative_slope=0.05)
    assert len(discriminator.body) == 3
    assert discriminator.head.conv.weight.shape == (8, 1, 3, 3)


def test_discriminator_of_something_else() -> None:
    state = weights_of("discriminator")
    for wrong in ({}, weights_of("generator_generation")):
        with pytest.raises(ConSinGANError, match="not of a ConSinGAN discriminator"):
            load_reference_discriminator(wrong, negative_slope=0.05)
    with pytest.raises(ConSinGANError, match=r"missing or unknown weights.*extra"):
        load_reference_discriminator({**state, "extra": torch.zeros(1)}, negative_slope=0.05)
    with pytest.raises(ConSinGANError, match="weights of the discriminator do not fit each other"):
        load_reference_discriminator({**state, "tail.weight": torch.zeros(2, 8, 3, 3)}, negative_slope=0.05)
