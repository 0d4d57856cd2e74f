from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from monai_consingan.engines.optimizers import (
    decay_rates,
    discriminator_optimizer,
    generator_optimizer,
    start_stage,
)
from monai_consingan.networks import ConSinGANDiscriminator, ConSinGANGenerator
from monai_consingan.settings import TrainingSettings


def make(stages: int = 4) -> tuple[ConSinGANGenerator, torch.optim.Adam, torch.optim.Adam]:
    generator = ConSinGANGenerator([(7, 7)] * stages, channels=2, num_layers=1)
    return (
        generator,
        generator_optimizer(generator, 5e-4),
        discriminator_optimizer(ConSinGANDiscriminator(channels=2, num_layers=1), 5e-4),
    )


def settings(concurrent: int, rate: float, scale: float = 0.1) -> TrainingSettings:
    return TrainingSettings("harmonization", concurrent_stages=concurrent, learning_rate=rate, lr_scale=scale)


def test_groups_are_stages_then_head_then_tail() -> None:
    generator, adam, _ = make(3)
    assert [group["name"] for group in adam.param_groups] == ["stage 0", "stage 1", "stage 2", "head", "tail"]
    held = [parameter for group in adam.param_groups for parameter in group["params"]]
    assert {id(parameter) for parameter in held} == {id(parameter) for parameter in generator.parameters()}
    assert len(held) == len(list(generator.parameters()))
    assert adam.defaults["betas"] == (0.5, 0.999)
    assert all(group["betas"] == (0.5, 0.999) for group in adam.param_groups)


@given(
    stage=st.integers(0, 3),
    concurrent=st.integers(1, 5),
    rate=st.floats(1e-5, 1e-1),
    scale=st.floats(0, 1),
)
def test_rates(stage: int, concurrent: int, rate: float, scale: float) -> None:
    generator, adam, critic_adam = make()
    start_stage(adam, critic_adam, stage, settings(concurrent, rate, scale), fresh=True)
    names = {group["name"]: group for group in adam.param_groups}
    for index, body in enumerate(generator.body):
        trained = 0 <= stage - index < concurrent
        assert {parameter.requires_grad for parameter in body.parameters()} == {trained}
        assert names[f"stage {index}"]["lr"] == pytest.approx(rate * scale ** (stage - index) if trained else 0)
    head_trained = stage < concurrent
    assert {parameter.requires_grad for parameter in generator.head.parameters()} == {head_trained}
    assert names["head"]["lr"] == pytest.approx(rate * scale**stage if head_trained else 0)
    assert names["tail"]["lr"] == rate
    assert all(parameter.requires_grad for parameter in generator.tail.parameters())
    assert [group["lr"] for group in critic_adam.param_groups] == [rate]


@pytest.mark.parametrize("fresh", [True, False])
def test_only_a_fresh_stage_forgets_moments_and_rates(fresh: bool) -> None:
    generator, adam, critic_adam = make(2)
    start_stage(adam, critic_adam, 1, settings(2, 1e-2), fresh=True)
    generator(torch.randn(1, 1, 7, 7)).sum().backward()
    adam.step()
    decay_rates(adam, critic_adam)
    assert adam.state
    start_stage(adam, critic_adam, 1, settings(1, 1e-2), fresh=fresh)
    assert bool(adam.state) is not fresh
    tail = adam.param_groups[-1]
    assert tail["lr"] == pytest.approx(1e-2 if fresh else 1e-3)
    assert critic_adam.param_groups[0]["lr"] == pytest.approx(1e-2 if fresh else 1e-3)
    assert not any(parameter.requires_grad for parameter in generator.body[0].parameters())
    assert all(parameter.grad is None for parameter in generator.parameters())


def test_decay() -> None:
    _, adam, critic_adam = make(2)
    decay_rates(adam, critic_adam)
    decay_rates(critic_adam, factor=0.5)
    assert [group["lr"] for group in adam.param_groups] == pytest.approx([5e-5] * 4)
    assert critic_adam.param_groups[0]["lr"] == pytest.approx(2.5e-5)
