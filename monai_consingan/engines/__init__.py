"""Training of ConSinGAN."""

from __future__ import annotations

from .checkpoint import TrainingCheckpoint
from .draws import TrainingDraws
from .locked_folder import LockedFolderHandler
from .optimizers import discriminator_optimizer, generator_optimizer
from .settling import StageSettling
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
