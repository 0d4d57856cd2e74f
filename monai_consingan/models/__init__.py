"""Trained models: training one, keeping many, finding a host's own, and letting it redraw."""

from __future__ import annotations

from .bank import ModelBank
from .hosts import HostModels, prepare_bank
from .model import TrainedModel, new_networks
from .redraw import SharedModel
from .training import TrainingProgress, fingerprint, train_model

__all__ = [
    "HostModels",
    "ModelBank",
    "SharedModel",
    "TrainedModel",
    "TrainingProgress",
    "fingerprint",
    "new_networks",
    "prepare_bank",
    "train_model",
]
