"""The workflows that the command line, the bundles and Python users start."""

from __future__ import annotations

from monai_consingan.methods import DEFAULT_INSERTION, INSERTION_METHODS, BlendSettings, InsertionMethod
from monai_consingan.models import (
    HostModels,
    ModelBank,
    SharedModel,
    TrainedModel,
    TrainingProgress,
    fingerprint,
    new_networks,
    prepare_bank,
    train_model,
)
from monai_consingan.settings import PRESETS, TrainingByScan, TrainingSettings, preset_settings, training_preset

from .cohort import cohort_folds, cohort_run
from .evaluate import evaluate
from .harmonize import LesionSource, harmonize, paste
from .remove import LesionTarget, remove
from .reproduction import reproduce
from .sample import sample
from .train import train_run

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
    "SharedModel",
    "TrainedModel",
    "TrainingByScan",
    "TrainingProgress",
    "TrainingSettings",
    "cohort_folds",
    "cohort_run",
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
    "training_preset",
]
