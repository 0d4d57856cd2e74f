"""The passes of one training iteration and their gradients, in the ways that they can be computed."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from typing import Any, NamedTuple

import torch

from monai_consingan.errors import ConSinGANError, check_choice
from monai_consingan.losses import WassersteinLoss, gradient_penalty
from monai_consingan.networks import (
    ConSinGANDiscriminator,
    ConSinGANGenerator,
    FastNetworks,
    fast_networks,
)
from monai_consingan.tasks import PRECISIONS

_KEPT_SLICES = 8


class CriticLosses(NamedTuple):
    """Losses of a discriminator's step, whose sum is minimized."""

    real: torch.Tensor
    fake: torch.Tensor
    penalty: torch.Tensor


class TrainingSteps:
    """What a training computes in an iteration, by autograd.

    Without ``plain``, what is always the same or of no effect is left out, which changes nothing but rounding: stages
    that are frozen make no graph, and what they make of a slice is kept for its reconstruction; the penalty's gradient
    is a chain of convolutions instead of a second differentiation; the generator's step takes no gradient by the
    discriminator's weights.

    Args:
        generator: the generator.
        discriminator: the discriminator.
        concurrent_stages: how many of the newest stages are trained together.
        penalty_weight: factor of the gradient penalty.
        plain: whether to take the textbook's path.
        precision: one of :py:data:`monai_consingan.tasks.PRECISIONS`: ``"float32"``, ``"tf32"`` (GPUs: inputs of
            products have 10 bits) or ``"bf16"`` (autocast).
        compile: arguments of :py:func:`torch.compile` for the passes; ``None`` does not compile. On a GPU
            ``{"mode": "reduce-overhead"}`` replays them as CUDA graphs, which pays for small stages.

    Raises:
        ConSinGANError: an unknown precision, or both ``plain`` and ``compile``.
    """

    def __init__(
        self,
        generator: ConSinGANGenerator,
        discriminator: ConSinGANDiscriminator,
        *,
        concurrent_stages: int,
        penalty_weight: float = 0.1,
        plain: bool = False,
        precision: str = "float32",
        compile: dict[str, Any] | None = None,
    ) -> None:
        check_choice(PRECISIONS, precision=precision)
        if plain and compile is not None:
            raise ConSinGANError("The plain path differentiates twice and cannot be compiled: choose one of the two.")
        self.generator, self.discriminator = generator, discriminator
        self.concurrent_stages = concurrent_stages
        self.penalty_weight = penalty_weight
        self.plain = plain
        self.precision = precision
        self.critic_loss = WassersteinLoss()
        self._generate: Any = generator
        self._passes: Any = generator
        self._refine: Any = self._refine_and_render
        self._scores: Any = discriminator
        if compile is not None:
            self._generate, self._refine, self._scores = (
                torch.compile(passes, **compile) for passes in (self._generate, self._refine, self._scores)
            )
        self._kept: dict[int, torch.Tensor] = {}

    def arithmetic(self) -> AbstractContextManager[Any]:
        """The context that all of an iteration is computed in."""
        stack, device = ExitStack(), next(self.generator.parameters()).device.type
        if device == "cuda":
            stack.enter_context(
                torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=self.precision == "tf32")
            )
        if self.precision == "bf16":
            stack.enter_context(torch.autocast(device, dtype=torch.bfloat16))
        return stack

    def forget(self) -> None:
        """Forget what is kept of frozen stages: a stage begins."""
        self._kept.clear()

    def generate(
        self, x: torch.Tensor, noise: list[torch.Tensor] | None, stage: int, index: int | None = None
    ) -> torch.Tensor:
        """The generator's image, differentiable by the weights in training.

        Args:
            x: the stage-0 input, (1, C, H, W) or (1, C, H, W, D).
            noise: noise of the stages above; ``None`` for the fixed one.
            stage: the stage in training.
            index: the slice of ``x``, if ``x`` and the noise are always the same for it.
        """
        frozen = stage - self.concurrent_stages
        if self.plain or frozen < 0:
            return self._generate(x, noise, stage=stage)
        features = None if index is None else self._kept.get(index)
        if features is None:
            with torch.no_grad():
                features = self._passes.features(x, noise, None, frozen)
            if index is not None and len(self._kept) < _KEPT_SLICES:
                self._kept[index] = features
        return self._refine(features, noise, frozen + 1, stage)

    def _refine_and_render(
        self, features: torch.Tensor, noise: list[torch.Tensor] | None, first: int, last: int
    ) -> Any:
        return self._passes.render(self._passes.refine(features, noise, None, first, last))

    def adversarial_loss(self, fake: torch.Tensor) -> torch.Tensor:
        """The generator's loss of an image; no gradient flows to the discriminator's weights."""
        self.discriminator.requires_grad_(False)
        loss = self.critic_loss(self._scores(fake), target_is_real=True)
        self.discriminator.requires_grad_(True)
        return loss

    def critic_losses(self, real: torch.Tensor, fake: torch.Tensor, alpha: torch.Tensor) -> CriticLosses:
        """The discriminator's losses, whose gradients are set.

        Args:
            real: the real image.
            fake: the generated one.
            alpha: weight of the real image in the mixture where the penalty is taken.
        """
        on_real = self.critic_loss(self._scores(real), target_is_real=True)
        on_fake = self.critic_loss(self._scores(fake), target_is_real=False)
        penalty = gradient_penalty(
            self.discriminator, real, fake, alpha=alpha, weight=self.penalty_weight, closed_form=not self.plain
        )
        (on_real + on_fake + penalty).backward()
        return CriticLosses(on_real.detach(), on_fake.detach(), penalty.detach())


class CompiledSteps(TrainingSteps):
    """The same with functions compiled for the CPU (:py:func:`monai_consingan.networks.fast_networks`).

    Args:
        networks: both networks on these functions.
        **kwargs: of :py:class:`TrainingSteps`.
    """

    def __init__(self, networks: FastNetworks, **kwargs: Any) -> None:
        super().__init__(networks.generator.generator, networks.discriminator.network, **kwargs)
        self.networks = networks
        self._generate = self._passes = networks.generator

    def arithmetic(self) -> AbstractContextManager[Any]:
        """The context that all of an iteration is computed in."""
        return self.networks.one_pool()

    def adversarial_loss(self, fake: torch.Tensor) -> torch.Tensor:
        """The generator's loss of an image; no gradient flows to the discriminator's weights."""
        return self.critic_loss(self.networks.discriminator.score(fake), target_is_real=True)

    def critic_losses(self, real: torch.Tensor, fake: torch.Tensor, alpha: torch.Tensor) -> CriticLosses:
        """The discriminator's losses, whose gradients are set; see :py:meth:`TrainingSteps.critic_losses`."""
        mixed = alpha * real + (1 - alpha) * fake
        step = self.networks.discriminator.step(real, fake, mixed, self.penalty_weight)
        on_real = self.critic_loss(step.real, target_is_real=True)
        return CriticLosses(on_real, self.critic_loss(step.fake, target_is_real=False), step.penalty)


def training_steps(
    generator: ConSinGANGenerator,
    discriminator: ConSinGANDiscriminator,
    *,
    fast: bool | None = None,
    **kwargs: Any,
) -> TrainingSteps:
    """The steps that fit networks and options best.

    Args:
        generator: the generator.
        discriminator: the discriminator.
        fast: whether to compute with the functions compiled for the CPU: ``None`` where they can and pay, and no other
            way to compute is asked for.
        **kwargs: of :py:class:`TrainingSteps`.

    Raises:
        ConSinGANError: ``fast`` is ``True``, but cannot be had.
    """
    other = [name for name in ("plain", "compile") if kwargs.get(name) not in (None, False)]
    other += ["precision"] if kwargs.get("precision") == "bf16" else []
    if fast and other:
        raise ConSinGANError(f"fast and {other[0]} are two ways to compute: choose one of the two.")
    networks = None if other else fast_networks(generator, discriminator, fast)
    if networks is not None:
        return CompiledSteps(networks, **kwargs)
    return TrainingSteps(generator, discriminator, **kwargs)
