"""The workflows that the command line, the bundles and Python users start."""

from __future__ import annotations

from .harmonize import LesionSource, harmonize, paste
from .model import TrainedModel, new_networks
from .model_bank import ModelBank
from .progress import TrainingProgress
from .redraw import BlendSettings
from .remove import LesionTarget, remove
from .sample import sample
from .settings import PRESETS, TrainingSettings, preset_settings
from .train import fingerprint, train_model
from .training_run import train_run

__all__ = [
    "PRESETS",
    "BlendSettings",
    "LesionSource",
    "LesionTarget",
    "ModelBank",
    "TrainedModel",
    "TrainingProgress",
    "TrainingSettings",
    "fingerprint",
    "harmonize",
    "new_networks",
    "paste",
    "preset_settings",
    "remove",
    "sample",
    "train_model",
    "train_run",
]
