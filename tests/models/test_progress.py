from __future__ import annotations

import pytest
import torch
from ignite.engine import Events

from monai_consingan.engines import ConSinGANTrainer
from monai_consingan.errors import ConSinGANError
from monai_consingan.models.training import TrainingProgress
from monai_consingan.networks import ConSinGANDiscriminator, ConSinGANGenerator
from monai_consingan.settings import TrainingSettings


def trainer() -> ConSinGANTrainer:
    torch.manual_seed(0)
    generator = ConSinGANGenerator([(12, 12), (16, 16)], channels=2)
    slices = [torch.zeros(1, 1, 16, 16)]
    settings = TrainingSettings("editing", stages=2, iterations=3)
    return ConSinGANTrainer("cpu", slices, generator, ConSinGANDiscriminator(channels=2), settings)


def test_one_bar_for_all_stages_in_few_lines(capsys: pytest.CaptureFixture[str]) -> None:
    training = trainer()
    TrainingProgress().attach(training)
    training.run()
    lines = [line for line in capsys.readouterr().err.replace("\r", "\n").splitlines() if line.strip()]
    assert len(lines) == 2
    assert "training 100%" in lines[-1] and "6/6, stage 2 of 2" in lines[-1]


def test_an_error_in_training_still_ends_it() -> None:
    training = trainer()
    TrainingProgress().attach(training)

    @training.on(Events.ITERATION_COMPLETED(once=2))
    def fail(engine: ConSinGANTrainer) -> None:
        raise ConSinGANError("stop")

    with pytest.raises(ConSinGANError, match="stop"):
        training.run()
