"""Training of ConSinGAN."""

from __future__ import annotations

from .checkpoint import TrainingCheckpoint
from .draws import TrainingDraws
from .optimizers import discriminator_optimizer, generator_optimizer
from .settling import StageSettling
from .steps import TrainingSteps
from .trainer import ConSinGANTrainer

__all__ = [
    "ConSinGANTrainer",
    "StageSettling",
    "TrainingCheckpoint",
    "TrainingDraws",
    "TrainingSteps",
    "discriminator_optimizer",
    "generator_optimizer",
]
