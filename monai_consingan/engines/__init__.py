"""Training of ConSinGAN."""

from __future__ import annotations

from .draws import TrainingDraws
from .handlers import LockedFolderHandler, StageSettling, TrainingCheckpoint
from .optimizers import discriminator_optimizer, generator_optimizer
from .steps import TrainingSteps
from .trainer import ConSinGANTrainer

__all__ = [
    "ConSinGANTrainer",
    "LockedFolderHandler",
    "StageSettling",
    "TrainingCheckpoint",
    "TrainingDraws",
    "TrainingSteps",
    "discriminator_optimizer",
    "generator_optimizer",
]
