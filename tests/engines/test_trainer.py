from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ignite.engine import Events
from monai.data import DataLoader, Dataset, MetaTensor
from monai.engines.utils import IterationEvents

from monai_consingan.engines import ConSinGANTrainer
from monai_consingan.tasks import TASKS

Make = Callable[..., ConSinGANTrainer]
Fingerprint = Callable[[ConSinGANTrainer], str]


def weights(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor], prefix: str = "") -> bool:
    names = [name for name in before if name.startswith(prefix)]
    assert names
    return all(torch.equal(before[name], after[name]) for name in names)


@pytest.mark.parametrize("task", sorted(TASKS))
def test_a_stage_is_an_epoch(make_trainer: Make, task: str) -> None:
    trainer = make_trainer(task=task)
    seen: list[tuple[int, int, tuple[int, ...]]] = []
    keys = list(trainer.generator.state_dict())

    @trainer.on(Events.ITERATION_COMPLETED)
    def look(engine: ConSinGANTrainer) -> None:
        output = engine.state.output[0]
        assert output["image"].shape == output["pred"].shape == output["reconstruction"].shape
        assert all(
            math.isfinite(output[name])
            for name in ("loss", "adversarial", "reconstruction_loss", "critic_real", "critic_fake", "penalty")
        )
        assert not any(output[name].requires_grad for name in ("image", "pred", "reconstruction"))
        assert engine.stage == int(engine.generator.stage)
        assert list(engine.generator.state_dict()) == keys
        seen.append((engine.state.epoch, engine.stage, tuple(output["image"].shape[1:])))

    trainer.run()
    sizes = [tuple(size) for size in trainer.generator.stage_sizes]
    assert seen == [(stage + 1, stage, sizes[stage]) for stage in range(3) for _ in range(3)]
    assert trainer.state.iteration == 9
    generator = trainer.generator
    assert float(generator.body[0].noise_amplitude) == 1
    assert all(0 < float(body.noise_amplitude) < 0.2 for body in list(generator.body)[1:])
    assert all(body.fixed_noise.std() > 0.5 for body in generator.body)


@pytest.mark.filterwarnings("ignore:`torch.jit")
@pytest.mark.parametrize("task", ["harmonization", "generation"])
def test_3d(make_trainer: Make, fingerprint: Fingerprint, task: str) -> None:
    trainer = make_trainer(dims=3, task=task, stages=2)
    trainer.run()
    assert trainer.state.output[0]["pred"].shape == (1, 14, 12, 11)
    other = make_trainer(dims=3, task=task, stages=2)
    other.run()
    assert fingerprint(other) == fingerprint(trainer)
    coarse = trainer.pyramid[0]
    with torch.no_grad():
        scripted = torch.jit.script(trainer.generator)
        assert torch.equal(scripted(coarse), trainer.generator(coarse))


def test_reconstruction_is_learned(make_trainer: Make) -> None:
    ramp = torch.linspace(-0.8, 0.8, 14)[:, None].expand(14, 12)[None, None]
    trainer = make_trainer(ramp, iterations=60, stages=2, learning_rate=5e-3)
    errors: list[float] = []
    trainer.add_event_handler(
        Events.ITERATION_COMPLETED, lambda engine: errors.append(engine.state.output[0]["reconstruction_loss"])
    )
    trainer.run()
    assert errors[-1] < 0.2 * errors[0]
    with torch.no_grad():
        assert torch.nn.functional.mse_loss(trainer.generator(trainer.pyramid[0]), ramp) < 0.2 * ramp.square().mean()


@pytest.mark.parametrize(("iterations", "full"), [(1, 1), (4, 4), (5, 4), (10, 8), (7, 6)])
def test_rates_fall_at_80_percent(make_trainer: Make, iterations: int, full: int) -> None:
    trainer = make_trainer(iterations=iterations, stages=2)
    rates: list[tuple[float, float]] = []

    @trainer.on(Events.ITERATION_COMPLETED)
    def look(engine: ConSinGANTrainer) -> None:
        tail, critic = engine.generator_optimizer.param_groups[-1], engine.discriminator_optimizer.param_groups[0]
        rates.append((tail["lr"], critic["lr"]))

    trainer.run()
    expected = [5e-4] * full + [5e-5] * (iterations - full)
    for column in zip(*rates, strict=True):
        assert list(column) == pytest.approx(expected * 2)


@pytest.mark.parametrize("concurrent", [1, 2, 3])
def test_what_is_frozen_stays_bit_identical(make_trainer: Make, concurrent: int) -> None:
    trainer = make_trainer(concurrent_stages=concurrent)
    before: dict[str, torch.Tensor] = {}

    @trainer.on(Events.EPOCH_STARTED)
    def keep(engine: ConSinGANTrainer) -> None:
        before.clear()
        before.update(weights(engine.generator))

    @trainer.on(Events.EPOCH_COMPLETED)
    def compare(engine: ConSinGANTrainer) -> None:
        after, stage = engine.generator.state_dict(), engine.stage
        for index in range(engine.generator.num_stages):
            trained = stage - concurrent < index <= stage
            assert same(before, after, f"body.{index}.layers") is not trained
            assert same(before, after, f"body.{index}.fixed_noise")
        assert same(before, after, "head") is (stage >= concurrent)
        assert not same(before, after, "tail")

    trainer.run()


def test_a_new_stage_is_a_copy_and_its_noise_is_measured(make_trainer: Make) -> None:
    trainer = make_trainer(3, concurrent_stages=1)
    checked: list[int] = []

    @trainer.on(Events.EPOCH_STARTED)
    def look(engine: ConSinGANTrainer) -> None:
        generator, stage = engine.generator, engine.stage
        if stage == 0:
            return
        assert same(generator.body[stage].layers.state_dict(), generator.body[stage - 1].layers.state_dict())
        amplitude = float(generator.body[stage].noise_amplitude)
        generator.body[stage].noise_amplitude.zero_()
        with torch.no_grad():
            errors = [
                torch.nn.functional.mse_loss(generator(engine.pyramid[0][i : i + 1]), engine.pyramid[stage][i : i + 1])
                for i in range(3)
            ]
        generator.body[stage].noise_amplitude.fill_(amplitude)
        assert amplitude == pytest.approx(0.1 * float(torch.stack(errors).mean().sqrt()), rel=1e-5)
        checked.append(stage)

    trainer.run()
    assert checked == [1, 2]


@pytest.mark.parametrize("task", ["harmonization", "editing"])
def test_reconstruction_target_is_the_drawn_slice(make_trainer: Make, task: str) -> None:
    trainer = make_trainer(3, task=task, concurrent_stages=1, iterations=6, seed=5)
    drawn: list[int] = []
    expected: list[torch.Tensor] = []

    @trainer.on(IterationEvents.LOSS_COMPLETED)
    def reconstruct(engine: ConSinGANTrainer) -> None:
        index = engine.draws.slice_index(5, engine.state.iteration, 3)
        drawn.append(index)
        x = engine.task.fixed_input(engine.pyramid[0][index : index + 1], engine.generator.body[0].fixed_noise)
        with torch.no_grad():
            expected.append(engine.generator(x))

    @trainer.on(Events.ITERATION_COMPLETED)
    def compare(engine: ConSinGANTrainer) -> None:
        output = engine.state.output[0]
        assert torch.equal(output["image"], engine.pyramid[engine.stage][drawn[-1]])
        torch.testing.assert_close(output["reconstruction"], expected[-1][0], rtol=0, atol=1e-6)
        error = 10 * torch.nn.functional.mse_loss(expected[-1][0], output["image"])
        assert output["reconstruction_loss"] == pytest.approx(error.item(), rel=1e-4)

    trainer.run()
    assert set(drawn) == {0, 1, 2}


@pytest.mark.parametrize(
    ("slices", "task"),
    [(1, "harmonization"), (3, "editing"), (3, "generation"), (1, "animation"), (10, "harmonization")],
)
def test_kept_features_change_no_byte(make_trainer: Make, fingerprint: Fingerprint, slices: int, task: str) -> None:
    results = []
    for anew in (False, True):  # all stages anew in every pass, frozen or not
        run = make_trainer(slices, task=task, concurrent_stages=1, iterations=4 if slices < 9 else 12)
        if anew:
            run.steps.generate = lambda x, noise, stage, index=None, run=run: run.generator(x, noise, stage=stage)
        run.run()
        results.append(fingerprint(run))
    assert results[0] == results[1]


def test_plain_is_the_same_up_to_rounding(make_trainer: Make) -> None:
    results = []
    for plain in (True, False):
        trainer = make_trainer(2, task="generation", plain=plain, concurrent_stages=1)
        trainer.run()
        results.append(trainer.generator.state_dict())
    for name, value in results[0].items():
        torch.testing.assert_close(results[1][name], value, rtol=0, atol=1e-4, msg=name)


def test_seed_alone_decides(make_trainer: Make, fingerprint: Fingerprint) -> None:
    results = []
    for seed, global_seed in ((0, 1), (0, 2), (1, 1)):
        trainer = make_trainer(2, seed=seed, augment=True)
        torch.manual_seed(global_seed)
        np.random.seed(global_seed)
        random.seed(global_seed)
        before = torch.get_rng_state(), np.random.get_state(legacy=False), random.getstate()
        trainer.run()
        assert torch.equal(torch.get_rng_state(), before[0])
        np.testing.assert_equal(np.random.get_state(legacy=False), before[1])
        assert random.getstate() == before[2]
        results.append(fingerprint(trainer))
    assert results[0] == results[1] != results[2]


def test_slices_from_loaders_of_all_kinds(make_trainer: Make, fingerprint: Fingerprint) -> None:
    trainer = make_trainer(3)
    images = trainer.train_data_loader[0]["image"]  # type: ignore[index]
    trainer.run()
    loaders: list[Any] = [
        [images],
        list(images[:, None]),
        [{"image": MetaTensor(images)}],
        DataLoader(Dataset([{"image": image} for image in images]), batch_size=2),
    ]
    for loader in loaders:
        other = make_trainer(3)
        other.train_data_loader = loader
        other.run()
        assert type(other.slices) is torch.Tensor
        assert fingerprint(other) == fingerprint(trainer)


def test_larger_slices_are_scaled_down_to_the_generator(make_trainer: Make) -> None:
    trainer = make_trainer()
    trainer.train_data_loader = [torch.rand(1, 1, 28, 23)]
    trainer.run()
    assert trainer.pyramid[-1].shape == (1, 1, 14, 12)


def test_quiet_logs_and_no_files(make_trainer: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    level = logging.getLogger().level
    make_trainer(stages=2, iterations=1).run()
    assert list(tmp_path.iterdir()) == []
    assert logging.getLogger().level == level
