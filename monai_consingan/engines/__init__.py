"""Training of ConSinGAN."""

from __future__ import annotations

from .checkpoint import TrainingCheckpoint
from .draws import TrainingDraws
from .optimizers import discriminator_optimizer, generator_optimizer
from .trainer import ConSinGANTrainer

__all__ = [
    "ConSinGANTrainer",
    "TrainingCheckpoint",
    "TrainingDraws",
    "discriminator_optimizer",
    "generator_optimizer",
]
