"""The workflows that the command line, the bundles and Python users start."""

from __future__ import annotations

from .evaluate import evaluate
from .harmonize import LesionSource, harmonize, paste
from .host_models import HostModels, prepare_bank
from .insertion_methods import DEFAULT_INSERTION, INSERTION_METHODS, InsertionMethod
from .model import TrainedModel, new_networks
from .model_bank import ModelBank
from .progress import TrainingProgress
from .redraw import BlendSettings
from .remove import LesionTarget, remove
from .reproduction import reproduce
from .sample import sample
from .settings import PRESETS, TrainingSettings, preset_settings
from .train import fingerprint, train_model
from .training_run import train_run

__all__ = [
    "DEFAULT_INSERTION",
    "INSERTION_METHODS",
    "PRESETS",
    "BlendSettings",
    "HostModels",
    "InsertionMethod",
    "LesionSource",
    "LesionTarget",
    "ModelBank",
    "TrainedModel",
    "TrainingProgress",
    "TrainingSettings",
    "evaluate",
    "fingerprint",
    "harmonize",
    "new_networks",
    "paste",
    "prepare_bank",
    "preset_settings",
    "remove",
    "reproduce",
    "sample",
    "train_model",
    "train_run",
]
