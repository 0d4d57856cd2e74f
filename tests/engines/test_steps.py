"""The ways to compute a training: the same numbers, or a clear refusal."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from monai_consingan.engines import ConSinGANTrainer
from monai_consingan.engines.steps import TrainingSteps
from monai_consingan.errors import ConSinGANError


def run(make_trainer: Any, **kwargs: Any) -> ConSinGANTrainer:
    trainer: ConSinGANTrainer = make_trainer(2, concurrent_stages=2, iterations=2, **kwargs)
    trainer.run()
    return trainer


def distance(first: ConSinGANTrainer, second: ConSinGANTrainer) -> float:
    """Largest difference of weights that have an effect."""
    ours, theirs = first.generator.state_dict(), second.generator.state_dict()
    names = [name for name in ours if "adn" in name or not name.endswith("conv.bias")]
    return max(float((ours[name] - theirs[name]).abs().max()) for name in names)


def test_compiled_passes_train_alike(make_trainer: Any) -> None:
    plain = run(make_trainer)
    compiled = run(make_trainer, compile={"backend": "eager", "dynamic": False})
    assert distance(plain, compiled) < 1e-5
    assert list(compiled.generator.state_dict()) == list(plain.generator.state_dict())


def test_bf16_trains_nearly_alike_with_single_precision_weights(make_trainer: Any) -> None:
    exact, rough = run(make_trainer), run(make_trainer, precision="bf16")
    assert 0 < distance(exact, rough) < 0.02
    assert all(weight.dtype == torch.float32 for weight in rough.generator.parameters())
    assert math.isfinite(rough.state.output[0]["loss"])


def test_tf32_is_for_gpus_and_changes_nothing_here(make_trainer: Any) -> None:
    assert distance(run(make_trainer), run(make_trainer, precision="tf32")) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "fp8"}, "precision is 'fp8', but must be one of float32, tf32, bf16"),
        ({"plain": True, "compile": {}}, "plain path differentiates twice"),
        ({"plain": True, "fast": True}, "fast and plain are two ways to compute"),
        ({"precision": "bf16", "fast": True}, "fast and precision are two ways to compute"),
    ],
)
def test_ways_that_exclude_each_other(make_trainer: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConSinGANError, match=message):
        make_trainer(**options)


def test_discriminator_gets_no_gradient_from_the_generators_step(make_trainer: Any) -> None:
    trainer = make_trainer()
    steps = TrainingSteps(trainer.generator, trainer.discriminator, concurrent_stages=3)
    fake = torch.rand(1, 1, 14, 12, requires_grad=True)
    steps.adversarial_loss(fake).backward()
    assert fake.grad is not None and fake.grad.abs().max() > 0
    assert all(weight.grad is None and weight.requires_grad for weight in trainer.discriminator.parameters())
