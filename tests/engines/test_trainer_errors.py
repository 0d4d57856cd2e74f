"""Trainings that cannot be carried out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from monai.engines.utils import IterationEvents

from monai_consingan.engines import ConSinGANTrainer
from monai_consingan.errors import ConSinGANError

Make = Callable[..., ConSinGANTrainer]


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("noise", "stage 1, iteration 5: the .* loss is nan"),
        ("infinite", "stage 1, iteration 5: the .* loss is (nan|-?inf)"),
        ("weights", "stage 1, iteration 6: weights are NaN or infinite"),
    ],
)
def test_nan_ends_the_training(make_trainer: Make, what: str, message: str) -> None:
    trainer = make_trainer()

    @trainer.on(IterationEvents.MODEL_COMPLETED)
    def spoil(engine: ConSinGANTrainer) -> None:
        if engine.state.iteration == 4 and what != "weights":
            value = float("nan") if what == "noise" else 3e38
            engine.generator.body[1].fixed_noise.fill_(value)
            if what == "infinite":
                engine.generator.body[1].noise_amplitude.fill_(1e30)
        if engine.state.iteration == 6 and what == "weights":
            with torch.no_grad():
                engine.discriminator.tail.weight[0, 0, 0, 0] = float("nan")

    with pytest.raises(ConSinGANError, match=message) as caught:
        trainer.run()
    assert "lower the learning rate (0.0005)" in str(caught.value)
    if what == "noise":
        assert trainer.is_finite, "the loss is looked at before it reaches the generator's weights"


def test_slices_with_nan_end_at_once(make_trainer: Make) -> None:
    trainer = make_trainer(torch.full((1, 1, 14, 12), float("nan")))
    with pytest.raises(ConSinGANError, match="stage 0, iteration 1: the discriminator loss is nan"):
        trainer.run()
    assert trainer.is_finite


def test_rare_checks_still_find_nan_by_the_end_of_a_stage(make_trainer: Make) -> None:
    trainer = make_trainer(torch.full((1, 1, 14, 12), float("nan")), check_every=100)
    with pytest.raises(ConSinGANError, match="stage 0, iteration 3: weights are NaN"):
        trainer.run()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"iterations": 0}, "iterations is 0, but must be 1 or more"),
        ({"concurrent_stages": 0}, "concurrent stages is 0"),
        ({"discriminator_steps": 0}, "discriminator steps is 0"),
        ({"check_every": 0}, "check every is 0"),
        ({"first_stage": 3}, "first stage is 3, but the stages are 0 to 2"),
        ({"first_stage": -1}, "first stage is -1"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_settings_out_of_range(make_trainer: Make, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConSinGANError, match=message):
        make_trainer(**changes)


@pytest.mark.parametrize(
    ("loader", "message"),
    [
        ([], "gives no slice"),
        ([torch.zeros(1, 1, 14, 12), torch.zeros(1, 1, 14, 13)], r"different shapes, \(1, 14, 12\), \(1, 14, 13\)"),
        ([torch.zeros(1, 1, 12, 14)], r"shape \(1, 12, 14\), but the generator is for \(1, 14, 12\)"),
        ([torch.zeros(1, 1, 13, 11)], r"shape \(1, 13, 11\)"),
        ([torch.zeros(1, 3, 14, 12)], r"shape \(3, 14, 12\)"),
        ([torch.zeros(1, 1, 14, 12, 11)], r"shape \(1, 14, 12, 11\)"),
        ([torch.zeros(1, 14)], r"shape \(14,\)"),
    ],
)
def test_wrong_slices(make_trainer: Make, loader: list[torch.Tensor], message: str) -> None:
    trainer = make_trainer()
    trainer.train_data_loader = loader
    with pytest.raises(ConSinGANError, match=message):
        trainer.run()


def test_wrong_stage_input(make_trainer: Make) -> None:
    trainer = make_trainer(2, stage_input=torch.zeros(1, 1, 14, 12))
    with pytest.raises(ConSinGANError, match=r"stage_input has shape \(1, 1, 14, 12\), but the slices have \(2, 1, 14"):
        trainer.run()
