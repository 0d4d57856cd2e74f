"""Whether another device computes what the CPU computes in double precision."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from _steps import smooth_image

from monai_consingan.data import image_pyramid
from monai_consingan.engines import ConSinGANTrainer, TrainingDraws
from monai_consingan.engines.steps import TrainingSteps
from monai_consingan.inferers import ConSinGANInferer
from monai_consingan.models import TrainedModel, train_model
from monai_consingan.networks import ConSinGANDiscriminator, ConSinGANGenerator, draw_weights
from monai_consingan.settings import TrainingSettings
from monai_consingan.tasks import get_task

TOLERANCES = {"float64": 1e-9, "float32": 1e-3, "tf32": 0.05, "bf16": 0.25}
"""Largest relative error of images and gradients, of their norms, by precision."""
TRAINING_TOLERANCES = {"float64": 1e-6, "float32": 0.1}
"""The same of the reconstructions and weights that a short training ends with: rounding grows in Adam's first steps."""

Row = dict[str, Any]
Tensor = torch.Tensor


def _size(dims: int, quick: bool) -> tuple[int, ...]:
    return {2: (24, 22), 3: (16, 15, 14)}[dims] if quick else {2: (64, 60), 3: (28, 26, 24)}[dims]


def _networks(dims: int, task: str, size: tuple[int, ...], filters: int) -> tuple[Any, Any]:
    kind = get_task(task)
    sizes = [tuple(max(13, int(side * part)) for side in size) for part in (0.6, 0.8, 1.0)]
    shape: dict[str, Any] = {"spatial_dims": dims, "channels": filters, "negative_slope": kind.negative_slope}
    generator = ConSinGANGenerator(sizes, norm=kind.norm, border=kind.border, **shape)
    return draw_weights(generator, ConSinGANDiscriminator(**shape), 0)


def _row(what: str, dims: int, precision: str, errors: dict[str, float], tolerance: float) -> Row:
    worst = max(errors.values(), key=lambda error: (error != error, error))
    row = {"check": what, "dims": dims, "precision": precision, "error": worst, "tolerance": tolerance}
    return {**row, "passed": worst <= tolerance, "where": ", ".join(f"{k} {v:.1e}" for k, v in errors.items())}


def _error(found: list[Tensor], expected: list[Tensor]) -> float:
    ours, theirs = (torch.cat([x.detach().double().cpu().flatten() for x in group]) for group in (found, expected))
    return float((ours - theirs).norm() / theirs.norm())


def _passes(device: str, dims: int, precision: str, size: tuple[int, ...]) -> dict[str, list[Tensor]]:
    """Image and gradients of one iteration's passes."""
    generator, discriminator = _networks(dims, "harmonization", size, 16)
    dtype = torch.float64 if precision == "float64" else torch.float32
    random = torch.Generator().manual_seed(4)
    for weight in [*generator.parameters(), *discriminator.parameters()]:
        weight.data.copy_(torch.randn(weight.shape, generator=random) * (0.1 if weight.ndim > 1 else 0.5))
    for body in generator.body:
        body.fixed_noise.copy_(torch.randn(body.fixed_noise.shape, generator=random))
        body.noise_amplitude.fill_(0.1)
    generator, discriminator = generator.to(device, dtype), discriminator.to(device, dtype)
    known = {"float64": "float32"}.get(precision, precision)
    steps = TrainingSteps(generator, discriminator, concurrent_stages=3, precision=known)
    real = smooth_image(size, device).to(dtype)
    first = image_pyramid(real, generator.stage_sizes)[0]
    with steps.arithmetic():
        fake = steps.generate(first, None, 2)
        steps.critic_losses(real, fake.detach(), torch.tensor(0.3, dtype=dtype, device=device))
        critic = [weight.grad for weight in discriminator.parameters()]
        (steps.adversarial_loss(fake) + 10 * torch.nn.functional.mse_loss(fake, real)).backward()
    return {
        "image": [fake],
        "critic": critic,
        "generator": [p.grad for name, p in generator.named_parameters() if _matters(name)],
    }


def _matters(name: str) -> bool:
    """Whether a weight has an effect: the biases in front of a norm have none, and their gradients are rounding."""
    return "tail" in name or not name.endswith("conv.bias")


def network_checks(device: str, quick: bool, dims: int) -> list[Row]:
    """Images and gradients of both networks in all precisions."""
    size = _size(dims, quick)
    expected = _passes("cpu", dims, "float64", size)
    rows = []
    for precision, tolerance in TOLERANCES.items():
        found = _passes(device, dims, precision, size)
        errors = {name: _error(found[name], values) for name, values in expected.items()}
        rows.append(_row("passes and gradients", dims, precision, errors, tolerance))
    return rows


class _CpuDraws(TrainingDraws):
    """The CPU's random numbers for any device."""

    def fixed_noise(self, seed: int, stage: int, like: Tensor) -> Tensor:
        return super().fixed_noise(seed, stage, like.float().cpu()).to(like)

    def stage_input(self, seed: int, iteration: int, image: Tensor) -> Tensor:
        return super().stage_input(seed, iteration, image.float().cpu()).to(image)

    def noise(self, seed: int, iteration: int, stage: int, like: Tensor) -> Tensor:
        return super().noise(seed, iteration, stage, like.float().cpu()).to(like)


def _trained(
    device: str, dims: int, task: str, size: tuple[int, ...], dtype: torch.dtype, iterations: int, same_draws: bool
) -> ConSinGANTrainer:
    generator, discriminator = _networks(dims, task, size, 8)
    settings = TrainingSettings(task, iterations=iterations, channels=8, augment=False)
    trainer = ConSinGANTrainer(
        device,
        [smooth_image(size)],
        generator.to(dtype),
        discriminator.to(dtype),
        settings,
        draws=_CpuDraws(get_task(task)) if same_draws else None,
        fast=False,
    )
    trainer.run()
    return trainer


@torch.no_grad()
def _outcome(trainer: ConSinGANTrainer) -> dict[str, list[Tensor]]:
    generator = trainer.generator
    fixed = trainer.task.fixed_input(trainer.pyramid[0], generator.body[0].fixed_noise)
    norm = trainer.task.norm
    weights = [
        weight
        for network, skips in ((generator, norm), (trainer.discriminator, False))
        for name, weight in network.named_parameters()
        if not skips or _matters(name)
    ]
    return {"reconstruction": [generator(fixed)], "weights": weights}


def training_checks(device: str, quick: bool, dims: int) -> list[Row]:
    """Whole short trainings with the same random numbers, and one twice with the device's own."""
    size, iterations, rows = _size(dims, quick), 2 if quick else 5, []
    for task in ("harmonization", "generation"):
        expected = _outcome(_trained("cpu", dims, task, size, torch.float64, iterations, True))
        for precision, tolerance in TRAINING_TOLERANCES.items():
            found = _outcome(_trained(device, dims, task, size, getattr(torch, precision), iterations, True))
            errors = {name: _error(found[name], values) for name, values in expected.items()}
            rows.append(_row(f"training, {task}", dims, precision, errors, tolerance))
    twice = [_trained(device, dims, "harmonization", size, torch.float32, iterations, False) for _ in range(2)]
    states = [{**t.generator.state_dict(), **t.discriminator.state_dict(prefix="d.")} for t in twice]
    errors = {"weights": max(float((states[0][key] - value).abs().max()) for key, value in states[1].items())}
    rows.append(_row("same seed, same bytes", dims, "float32", errors, 0.0))
    return rows


def use_checks(device: str, quick: bool, dims: int) -> list[Row]:
    """A training as the commands do it, its file, its use on the device, and TorchScript there."""
    size = _size(dims, quick)
    settings = TrainingSettings("harmonization", iterations=2, channels=8, spatial_dims=dims)
    image = smooth_image(size)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.pt"
        train_model(image, settings, device=device).save(path)
        generator = TrainedModel.load(path).generator
    scripted = torch.jit.script(generator)
    use = ConSinGANInferer("harmonization")
    expected = use(image, generator)
    generator.to(device)
    first = image_pyramid(image, generator.stage_sizes)[0].to(device)
    with torch.no_grad():
        errors = {
            "inferer": _error([use(image, generator)], [expected]),
            "TorchScript": _error([scripted.to(device)(first)], [expected]),
        }
    return [_row("use of a trained model", dims, "float32", errors, 1e-3)]
