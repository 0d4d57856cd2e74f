"""Trainings that begin with what an earlier one left."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from ignite.engine import Events

from monai_consingan.engines import ConSinGANTrainer, TrainingDraws

Make = Callable[..., ConSinGANTrainer]


def weights(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor], prefix: str = "") -> bool:
    names = [name for name in before if name.startswith(prefix)]
    assert names
    return all(torch.equal(before[name], after[name]) for name in names)


def test_warm_start_keeps_what_the_networks_are(make_trainer: Make) -> None:
    first = make_trainer(iterations=5)
    first.run()
    trainer = make_trainer(seed=4, warm_start=True)
    for ours, theirs in ((trainer.generator, first.generator), (trainer.discriminator, first.discriminator)):
        ours.load_state_dict(theirs.state_dict())
    before = weights(first.generator)
    started: list[int] = []

    @trainer.on(Events.EPOCH_STARTED)
    def look(engine: ConSinGANTrainer) -> None:
        after = engine.generator.state_dict()
        assert same(before, after, f"body.{engine.stage}.layers")
        for index in range(3):
            assert same(before, after, f"body.{index}.fixed_noise")
            assert same(before, after, f"body.{index}.noise_amplitude")
        started.append(engine.stage)

    trainer.run()
    assert started == [0, 1, 2]
    assert not same(before, weights(trainer.generator), "body.2.layers")


@pytest.mark.parametrize("concurrent", [1, 2])
def test_fine_tuning_repeats_the_last_stage_on_naive_images(make_trainer: Make, concurrent: int) -> None:
    first = make_trainer(2, concurrent_stages=concurrent)
    first.run()
    before = weights(first.generator)
    naive = first.slices.clone()
    naive[..., 4:8, 4:8] = 0.9
    trainer = make_trainer(
        2,
        concurrent_stages=concurrent,
        first_stage=2,
        warm_start=True,
        stage_input=naive,
        draws=TrainingDraws(first.task, lambda image: image * 0 / 0),
    )
    for ours, theirs in ((trainer.generator, first.generator), (trainer.discriminator, first.discriminator)):
        ours.load_state_dict(theirs.state_dict())
    fakes: list[bool] = []
    expected: list[torch.Tensor] = []

    @trainer.on(Events.ITERATION_STARTED)
    def generate(engine: ConSinGANTrainer) -> None:
        iteration = engine.state.iteration
        index = engine.draws.slice_index(0, iteration, 2)
        bodies = list(engine.generator.body)
        noise = [engine.draws.noise(0, iteration, level, bodies[level].fixed_noise) for level in (1, 2)]
        with torch.no_grad():
            expected.append(engine.generator(engine.inputs[index : index + 1], noise)[0])

    @trainer.on(Events.ITERATION_COMPLETED)
    def compare(engine: ConSinGANTrainer) -> None:
        output = engine.state.output[0]
        fakes.append(torch.allclose(output["pred"], expected[-1], atol=1e-6))
        assert engine.stage == 2
        index = engine.draws.slice_index(0, engine.state.iteration, 2)
        assert torch.equal(output["image"], first.slices[index])

    trainer.run()
    assert fakes == [True, True, True]
    assert not torch.equal(trainer.inputs, trainer.pyramid[0])
    after = trainer.generator.state_dict()
    for index in range(3):
        assert same(before, after, f"body.{index}.layers") is (index <= 2 - concurrent)
        assert same(before, after, f"body.{index}.fixed_noise")
        assert same(before, after, f"body.{index}.noise_amplitude")
    assert same(before, after, "head")
    assert not same(before, after, "tail")
    assert trainer.state.max_epochs == trainer.state.epoch == 1
