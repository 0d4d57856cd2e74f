"""The two Adam optimizers of ConSinGAN and their rates at every stage."""

from __future__ import annotations

from typing import Any

import torch

from monai_consingan.networks import ConSinGANDiscriminator, ConSinGANGenerator
from monai_consingan.settings import TrainingSettings

_BETAS = (0.5, 0.999)


def generator_optimizer(generator: ConSinGANGenerator, learning_rate: float) -> torch.optim.Adam:
    """Adam with one parameter group for every stage, oldest first, then one for the head and one for the tail.

    The groups never change, so a handler or a checkpoint that holds the optimizer stays right at every stage.
    """
    groups: list[dict[str, Any]] = [
        {"params": list(body.parameters()), "name": f"stage {i}"} for i, body in enumerate(generator.body)
    ]
    groups.append({"params": list(generator.head.parameters()), "name": "head"})
    groups.append({"params": list(generator.tail.parameters()), "name": "tail"})
    return _adam(groups, learning_rate)


def discriminator_optimizer(discriminator: ConSinGANDiscriminator, learning_rate: float) -> torch.optim.Adam:
    """Adam with one parameter group."""
    return _adam([{"params": list(discriminator.parameters())}], learning_rate)


def _adam(groups: list[dict[str, Any]], learning_rate: float) -> torch.optim.Adam:
    on_gpu = groups[-1]["params"][0].is_cuda
    return torch.optim.Adam(groups, lr=learning_rate, betas=_BETAS, fused=True if on_gpu else None)


def start_stage(
    generator_adam: torch.optim.Optimizer,
    discriminator_adam: torch.optim.Optimizer,
    stage: int,
    settings: TrainingSettings,
    *,
    fresh: bool,
) -> None:
    """Set what is trained at a stage, and how fast.

    By the settings the newest ``concurrent_stages`` stages are trained, at ``learning_rate * lr_scale ** (stages below
    the newest)``, the head at ``learning_rate * lr_scale ** stage`` while ``stage < concurrent_stages``, and the tail
    at the full rate. Everything else is frozen.

    Args:
        generator_adam: of :py:func:`generator_optimizer`.
        discriminator_adam: of :py:func:`discriminator_optimizer`.
        stage: the newest stage.
        settings: settings of the training.
        fresh: whether the stage begins, so that rates are set and the moments forgotten; otherwise it is resumed.
    """
    *bodies, head, tail = generator_adam.param_groups
    learning_rate, lr_scale, concurrent = settings.learning_rate, settings.lr_scale, settings.concurrent_stages
    rates: list[float | None] = [
        learning_rate * lr_scale ** (stage - index) if stage - concurrent < index <= stage else None
        for index in range(len(bodies))
    ]
    rates.append(learning_rate * lr_scale**stage if stage < concurrent else None)
    rates.append(learning_rate)
    for group, rate in zip([*bodies, head, tail], rates, strict=True):
        for parameter in group["params"]:
            parameter.requires_grad_(rate is not None)
            parameter.grad = None
        if fresh:
            group["lr"] = 0.0 if rate is None else rate
    if fresh:
        for group in discriminator_adam.param_groups:
            group["lr"] = learning_rate
        generator_adam.state.clear()
        discriminator_adam.state.clear()


def decay_rates(*optimizers: torch.optim.Optimizer, factor: float = 0.1) -> None:
    """Multiply all rates by ``factor``."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] *= factor
