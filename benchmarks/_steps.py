"""Iterations to be measured: the package's and the baseline's, on the same image with the same random numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from _plain import PlainTraining

from monai_consingan.data import image_pyramid
from monai_consingan.engines import ConSinGANTrainer, TrainingDraws
from monai_consingan.networks import ConSinGANDiscriminator, ConSinGANGenerator
from monai_consingan.settings import TrainingSettings, preset_settings
from monai_consingan.tasks import get_task

Step = Callable[[], dict[str, float]]
AMPLITUDE = 0.1


@dataclass(frozen=True)
class Setting:
    """The last stage of some sizes.

    Args:
        name: what to call it.
        sizes: of the stages, up to the one in training, in the plane or in space.
        filters: of every layer.
        concurrent: stages trained together.
        slope: of the LeakyReLUs.
        layers: of a stage.
    """

    name: str
    sizes: tuple[tuple[int, ...], ...]
    filters: int = 64
    concurrent: int = 3
    slope: float = 0.3
    layers: int = 3

    @property
    def gigaflops(self) -> float:
        """Direct arithmetic of the convolutions that an iteration needs, without those it can do without."""
        taps = 3 ** len(self.sizes[0])
        body, ends = 2 * taps * self.filters**2 / 1e9, 2 * taps * self.filters / 1e9
        stage, total = len(self.sizes) - 1, 0.0
        for index, size in enumerate(self.sizes):
            trained = index > stage - self.concurrent
            passes = 6 if trained else 1  # fake and reconstruction, forward and two gradients; frozen: the fake only
            shrink = range(2 * self.layers - 2, -1, -2)
            total += passes * body * sum(_voxels(size, rim) for rim in shrink)
        areas = [_voxels(self.sizes[-1], -2 * k) for k in range(1, self.layers + 2)]
        # three steps: 3 forward, 3 gradients by features, 1 forward of the penalty's gradient, 3 by weights; then 2
        total += body * sum(areas[1:]) * (3 * 10 + 2)
        total += ends * (areas[0] + areas[-1]) * (3 * 10 + 2) + ends * _voxels(self.sizes[-1], 0) * 6
        return total


def setting_of(
    name: str, preset: str, task: str, side: int, stage: int | None = None, filters: int | None = None
) -> Setting:
    """Stage ``stage`` (by default the last) of a preset for square images, or for cubes."""
    settings = preset_settings(preset, task, channels=filters)
    sizes = settings.sizes((side,) * settings.spatial_dims)
    sizes = sizes if stage is None else sizes[: stage + 1]
    return Setting(name, tuple(sizes), settings.channels, settings.concurrent_stages, settings.slope)


def _voxels(size: tuple[int, ...], rim: int) -> int:
    return math.prod(side + rim for side in size)


def smooth_image(size: tuple[int, ...], device: str = "cpu") -> torch.Tensor:
    """A smooth random image (1, 1, *size) in [-1, 1]."""
    generator = torch.Generator().manual_seed(1)
    smooth = torch.rand(1, 1, *[12] * len(size), generator=generator) * 2 - 1
    mode = "bicubic" if len(size) == 2 else "trilinear"
    return torch.nn.functional.interpolate(smooth, size, mode=mode).clamp(-1, 1).to(device)


def networks(setting: Setting) -> tuple[ConSinGANGenerator, ConSinGANDiscriminator]:
    """Untrained networks with noise, on the CPU."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        sizes = list(setting.sizes) if len(setting.sizes) > 1 else [*setting.sizes, *setting.sizes]
        shape: dict[str, Any] = {"spatial_dims": len(sizes[0]), "channels": setting.filters}
        shape |= {"num_layers": setting.layers, "negative_slope": setting.slope}
        generator, discriminator = ConSinGANGenerator(sizes, **shape), ConSinGANDiscriminator(**shape)
        noise = torch.Generator().manual_seed(2)
        for body in generator.body:
            body.fixed_noise.copy_(torch.randn(body.fixed_noise.shape, generator=noise))
            body.noise_amplitude.fill_(AMPLITUDE)
    return generator, discriminator


def package_step(
    setting: Setting,
    *,
    fast: bool | None = None,
    device: str = "cpu",
    channels_last: bool = False,
    precision: str = "float32",
    compile: dict[str, Any] | None = None,
) -> Step:
    """An iteration of the package's trainer.

    Args:
        setting: what is trained.
        fast: of the trainer.
        device: where to train.
        channels_last: whether the weights have the memory format that keeps the channels of a voxel together.
        precision: of the settings.
        compile: of the trainer.
    """
    generator, discriminator = networks(setting)
    stage = len(setting.sizes) - 1
    image = smooth_image(setting.sizes[-1])
    if channels_last:
        memory = torch.channels_last if image.ndim == 4 else torch.channels_last_3d
        generator, discriminator = generator.to(memory_format=memory), discriminator.to(memory_format=memory)
    settings = TrainingSettings(
        "harmonization",
        iterations=10**9,
        concurrent_stages=setting.concurrent,
        augment=False,
        precision=precision,
    )
    trainer = ConSinGANTrainer(
        device,
        [image],
        generator,
        discriminator,
        settings,
        first_stage=stage,
        warm_start=True,
        fast=fast,
        compile=compile,
    )
    state = trainer.state
    state.epoch, state.epoch_length, state.iteration, state.output = 1, 10**9, 0, {}
    trainer._read_slices()
    trainer.pyramid = image_pyramid(image.to(device), setting.sizes)
    trainer.inputs = trainer.pyramid[0]
    trainer._start_stage()

    def step() -> dict[str, float]:
        state.iteration += 1
        trainer._iteration(trainer, {"index": torch.tensor([0])})
        output = state.output[0] if isinstance(state.output, list) else state.output
        names = ("critic_real", "critic_fake", "penalty", "adversarial", "reconstruction_loss")
        return {name: float(output[name]) for name in names}

    return step


def baseline_step(setting: Setting, *, device: str = "cpu") -> Step:
    """The textbook's iteration."""
    generator, discriminator = networks(setting)
    stages, image = len(setting.sizes), smooth_image(setting.sizes[-1], device)
    fixed = [generator.body[index].fixed_noise.to(device) for index in range(1, stages)]
    pyramid = image_pyramid(image, setting.sizes)
    training = PlainTraining(
        setting.sizes,
        setting.filters,
        setting.layers,
        setting.slope,
        True,
        setting.concurrent,
        AMPLITUDE,
        pyramid,
        fixed,
    )
    training.take_weights(generator, discriminator, stages)
    draws, iteration = TrainingDraws(get_task("harmonization")), 0

    def step() -> dict[str, float]:
        nonlocal iteration
        iteration += 1
        noise = [draws.noise(0, iteration, stage, fixed[stage - 1]) for stage in range(1, stages)]
        alphas = [draws.alpha(0, iteration, k, image) for k in range(3)]
        return training.iterate(draws.stage_input(0, iteration, pyramid[0]), noise, alphas)

    return step
