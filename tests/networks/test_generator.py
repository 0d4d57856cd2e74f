from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from monai_consingan.errors import ConSinGANError
from monai_consingan.networks import ConSinGANGenerator, load_reference_generator
from monai_consingan.state_file import save_state

GOLDEN = Path(__file__).parents[1] / "fixtures" / "golden"

SIZES: dict[int, list[tuple[int, ...]]] = {2: [(9, 8), (12, 11), (16, 14)], 3: [(7, 6, 8), (8, 7, 9), (10, 9, 11)]}


def make(dims: int = 2, border: str = "zero", norm: bool = True, seed: int = 0) -> ConSinGANGenerator:
    """A small generator with strong weights, fixed noise and amplitudes, so that every part of it shows."""
    torch.manual_seed(seed)
    generator = ConSinGANGenerator(
        SIZES[dims], spatial_dims=dims, channels=3, num_layers=2, negative_slope=0.3, norm=norm, border=border
    )
    for parameter in generator.parameters():
        nn.init.normal_(parameter, 0.1, 0.3)
    for body in generator.body:
        body.fixed_noise.normal_()
        body.noise_amplitude.fill_(0.5)
    return generator.requires_grad_(False)


def noise_for(generator: ConSinGANGenerator, seed: int = 1) -> list[torch.Tensor]:
    torch.manual_seed(seed)
    return [torch.randn_like(body.fixed_noise) for body in list(generator.body)[1:]]


@pytest.mark.parametrize(("task", "slope"), [("harmonization", 0.3), ("editing", 0.05), ("generation", 0.05)])
@pytest.mark.parametrize("mode", [True, False], ids=["train", "eval"])
def test_golden_forward(task: str, slope: float, mode: bool) -> None:
    arrays = np.load(GOLDEN / f"generator_{task}.npz")
    generator = load_reference_generator(
        {key[8:]: torch.from_numpy(arrays[key]) for key in arrays.files if key.startswith("weights/")},
        task=task,
        sizes=arrays["shapes"],
        noise_amplitudes=arrays["noise_amp"],
        negative_slope=slope,
    ).train(mode)
    first, *others = [torch.from_numpy(arrays[f"noise/{stage}"]) for stage in range(len(arrays["shapes"]))]
    with torch.no_grad():
        output = generator(first, others)
    np.testing.assert_allclose(output.numpy(), arrays["output"], rtol=0, atol=1e-5)
    with torch.no_grad():
        assert not np.allclose(generator(first).numpy(), arrays["output"], atol=1e-4), "the noise must matter"


@pytest.mark.filterwarnings("ignore:`torch.jit")
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize(("border", "norm"), [("zero", True), ("zero", False), ("noise", False)])
def test_torchscript_gives_the_same_numbers(dims: int, border: str, norm: bool) -> None:
    generator = make(dims, border, norm)
    noise, x = noise_for(generator), torch.randn(1, 1, *SIZES[dims][0])
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(generator), buffer)
    buffer.seek(0)
    scripted = torch.jit.load(buffer)
    assert torch.equal(scripted(x), generator(x))
    assert torch.equal(scripted(x, noise), generator(x, noise))
    assert torch.equal(scripted(x, noise, stage=1), generator(x, noise, stage=1))
    assert scripted(x, noise, stage=1).shape[2:] == SIZES[dims][1]


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("border", ["zero", "noise"])
def test_keys_never_change_and_load_with_weights_only(dims: int, border: str, tmp_path: Path) -> None:
    generator = make(dims, border)
    keys = list(generator.state_dict())
    x = torch.randn(1, 1, *SIZES[dims][0])
    for stage, size in enumerate(SIZES[dims]):
        generator.stage.fill_(stage)
        if stage:
            generator.start_stage(stage)
        assert list(generator.state_dict()) == keys
        torch.save(generator.state_dict(), tmp_path / "generator.pt")
        other = make(dims, border, seed=5)
        other.load_state_dict(torch.load(tmp_path / "generator.pt", weights_only=True))
        assert other(x).shape[2:] == size
        assert torch.equal(other(x), generator(x))
    assert {"stage", "sizes", "body.2.fixed_noise", "body.2.noise_amplitude"} <= set(keys)
    assert generator.state_dict()["sizes"].tolist() == [list(size) for size in SIZES[dims]]


@pytest.mark.parametrize("border", ["zero", "noise"])
def test_one_tensor_gives_a_deterministic_result(border: str) -> None:
    generator = make(border=border)
    x = torch.randn(1, 1, 9, 8)
    before = torch.get_rng_state()
    result = generator(x)
    assert torch.equal(result, generator(x))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(result, generator.train()(x))
    assert torch.equal(result, generator(x, [body.fixed_noise for body in list(generator.body)[1:]]))
    assert not torch.equal(result, generator(x, noise_for(generator)))


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("border", ["zero", "noise"])
def test_images_of_a_batch_do_not_mix(dims: int, border: str) -> None:
    generator = make(dims, border)
    x = torch.randn(3, 1, *SIZES[dims][0])
    single = torch.cat([generator(image[None]) for image in x])
    torch.testing.assert_close(generator(x), single, rtol=0, atol=1e-5)


@settings(max_examples=15)
@given(
    dims=st.sampled_from([2, 3]),
    border=st.sampled_from(["zero", "noise"]),
    layers=st.integers(1, 4),
    channels=st.integers(1, 4),
    in_channels=st.integers(1, 2),
    data=st.data(),
)
def test_shapes_and_range(
    dims: int, border: str, layers: int, channels: int, in_channels: int, data: st.DataObject
) -> None:
    side = st.integers(4, 10)
    sizes = [tuple(data.draw(st.lists(side, min_size=dims, max_size=dims))) for _ in range(2)]
    generator = ConSinGANGenerator(sizes, dims, in_channels, channels, layers, border=border)
    widen = 2 * layers if border == "noise" else 0
    assert generator.body[0].fixed_noise.shape == (1, in_channels, *sizes[0])
    assert generator.body[1].fixed_noise.shape == (1, channels, *[side + widen for side in sizes[1]])
    with torch.no_grad():
        result = generator(torch.randn(1, in_channels, *sizes[0]) * 5)
    assert result.shape == (1, in_channels, *sizes[1])
    assert result.abs().max() <= 1


@pytest.mark.parametrize("border", ["zero", "noise"])
def test_images_of_other_sizes(border: str) -> None:
    generator = make(border=border)
    sizes = [[11, 13], [15, 17], [19, 23]]
    widen = 2 * generator.num_layers if border == "noise" else 0
    noise = [torch.randn(1, 3, *[side + widen for side in size]) for size in sizes[1:]]
    assert generator(torch.randn(1, 1, 11, 13), noise, sizes).shape == (1, 1, 19, 23)


def test_stages_in_parts_are_the_whole() -> None:
    generator = make()
    x = torch.randn(1, 1, 9, 8)
    for noise in (None, noise_for(generator)):
        features = generator.features(x, noise, None, 0)
        features = generator.refine(features, noise, None, 1, 1)
        assert torch.equal(generator.render(generator.refine(features, noise, None, 2, 2)), generator(x, noise))


def test_a_stage_starts_as_the_one_before() -> None:
    generator = make()
    noise = generator.body[2].fixed_noise.clone()
    generator.start_stage(2)
    for key, value in generator.body[1].layers.state_dict().items():
        assert torch.equal(generator.body[2].layers.state_dict()[key], value)
    assert torch.equal(generator.body[2].fixed_noise, noise)
    first, second = (next(generator.body[stage].layers.parameters()) for stage in (1, 2))
    first.zero_()
    assert second.any(), "it is a copy, not the same weights"


def test_amplitude_scales_the_noise_of_upper_stages_only() -> None:
    generator = make()
    x, noise = torch.randn(1, 1, 9, 8), noise_for(generator)
    for body in generator.body:
        body.noise_amplitude.zero_()
    silent = generator(x, noise)
    assert torch.equal(silent, generator(x, [torch.zeros_like(z) for z in noise]))
    generator.body[0].noise_amplitude.fill_(3.0)
    assert torch.equal(generator(x, noise), silent)


def test_published_initialization() -> None:
    torch.manual_seed(0)
    generator = ConSinGANGenerator([(8, 8), (10, 10)], channels=32)
    block: Any = generator.body[0].layers[1]
    convolution, norm = block.conv, block.adn.N
    assert abs(convolution.weight.mean()) < 1e-3
    assert convolution.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert abs(norm.weight.mean().item() - 1) < 0.02 and 0.01 < norm.weight.std() < 0.03
    assert not norm.bias.any()
    assert norm.running_mean is None
    assert "adn.N.weight" not in "".join(ConSinGANGenerator([(8, 8), (9, 9)], channels=2, norm=False).state_dict())


@pytest.mark.parametrize(
    ("sizes", "dims", "border", "message"),
    [
        ([(8, 8)], 2, "zero", "names 1 stages, but a generator needs at least 2"),
        ([(8, 8), (9, 9, 9)], 2, "zero", "must have 2 numbers each"),
        ([(8,), (9,)], 1, "zero", "spatial_dims is 2 or 3"),
        ([(8, 8), (9, 9)], 2, "mirror", "border is 'mirror'"),
    ],
)
def test_errors(sizes: list[tuple[int, ...]], dims: int, border: str, message: str) -> None:
    with pytest.raises(ConSinGANError, match=message):
        ConSinGANGenerator(sizes, spatial_dims=dims, channels=2, border=border)


def test_weights_load_from_a_file_with_its_hash(tmp_path: Path) -> None:
    generator, other = (ConSinGANGenerator([(8, 8), (12, 12)], channels=2, num_layers=1) for _ in range(2))
    save_state(generator.state_dict(), tmp_path / "model.pt")
    stored = torch.load(tmp_path / "model.pt", weights_only=True)
    assert set(stored) - set(generator.state_dict()) == {"sha256"}
    other.load_state_dict(stored)
    assert all(torch.equal(one, same) for one, same in zip(generator.parameters(), other.parameters(), strict=True))
