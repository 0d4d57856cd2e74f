"""Iterations to be measured: the package's and the baseline's, on the same image with the same random numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from _plain import PlainTraining

from monai_consingan.data import image_pyramid
from monai_consingan.engines import ConSinGANTrainer, TrainingDraws
from monai_consingan.networks import ConSinGANDiscriminator, ConSinGANGenerator
from monai_consingan.settings import TrainingSettings
from monai_consingan.tasks import get_task

Step = Callable[[], dict[str, float]]
AMPLITUDE = 0.1


@dataclass(frozen=True)
class Setting:
    """The last stage of some sizes.

    Args:
        name: what to call it.
        sizes: of the stages, up to the one in training.
        filters: of every layer.
        concurrent: stages trained together.
        slope: of the LeakyReLUs.
        layers: of a stage.
    """

    name: str
    sizes: tuple[tuple[int, int], ...]
    filters: int = 64
    concurrent: int = 3
    slope: float = 0.3
    layers: int = 3

    @property
    def gigaflops(self) -> float:
        """Direct arithmetic of the convolutions that an iteration needs, without those it can do without."""
        body, ends = 2 * 9 * self.filters**2 / 1e9, 2 * 9 * self.filters / 1e9
        stage, total = len(self.sizes) - 1, 0.0
        for index, (height, width) in enumerate(self.sizes):
            trained = index > stage - self.concurrent
            passes = 6 if trained else 1  # fake and reconstruction, forward and two gradients; frozen: the fake only
            shrink = range(2 * self.layers - 2, -1, -2)
            total += passes * body * sum((height + rim) * (width + rim) for rim in shrink)
        height, width = self.sizes[-1]
        areas = [(height - 2 * k) * (width - 2 * k) for k in range(1, self.layers + 2)]
        # three steps: 3 forward, 3 gradients by features, 1 forward of the penalty's gradient, 3 by weights; then 2
        total += body * sum(areas[1:]) * (3 * 10 + 2)
        total += ends * (areas[0] + areas[-1]) * (3 * 10 + 2) + ends * height * width * 6
        return total


def _image(setting: Setting) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    smooth = torch.rand(1, 1, 12, 12, generator=generator) * 2 - 1
    return torch.nn.functional.interpolate(smooth, setting.sizes[-1], mode="bicubic").clamp(-1, 1)


def _networks(setting: Setting) -> tuple[ConSinGANGenerator, ConSinGANDiscriminator]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        sizes = list(setting.sizes) if len(setting.sizes) > 1 else [*setting.sizes, *setting.sizes]
        shape = {"channels": setting.filters, "num_layers": setting.layers, "negative_slope": setting.slope}
        generator, discriminator = ConSinGANGenerator(sizes, **shape), ConSinGANDiscriminator(**shape)
        noise = torch.Generator().manual_seed(2)
        for body in generator.body:
            body.fixed_noise.copy_(torch.randn(body.fixed_noise.shape, generator=noise))
            body.noise_amplitude.fill_(AMPLITUDE)
    return generator, discriminator


def package_step(setting: Setting, *, fast: bool | None = None) -> Step:
    """An iteration of the package's trainer."""
    generator, discriminator = _networks(setting)
    stage = len(setting.sizes) - 1
    image = _image(setting)
    trainer = ConSinGANTrainer(
        "cpu",
        [image],
        generator,
        discriminator,
        TrainingSettings("harmonization", iterations=10**9, concurrent_stages=setting.concurrent, augment=False),
        first_stage=stage,
        warm_start=True,
        fast=fast,
    )
    state = trainer.state
    state.epoch, state.epoch_length, state.iteration, state.output = 1, 10**9, 0, {}
    trainer._read_slices()
    trainer.pyramid = image_pyramid(image, setting.sizes)
    trainer.inputs = trainer.pyramid[0]
    trainer._start_stage()

    def step() -> dict[str, float]:
        state.iteration += 1
        trainer._iteration(trainer, {"index": torch.tensor([0])})
        output = state.output[0] if isinstance(state.output, list) else state.output
        names = ("critic_real", "critic_fake", "penalty", "adversarial", "reconstruction_loss")
        return {name: float(output[name]) for name in names}

    return step


def baseline_step(setting: Setting) -> Step:
    """The textbook's iteration."""
    generator, discriminator = _networks(setting)
    stages, image = len(setting.sizes), _image(setting)
    fixed = [generator.body[index].fixed_noise for index in range(1, stages)]
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
