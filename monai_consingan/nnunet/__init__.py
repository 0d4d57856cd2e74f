"""Lesions on the fly in the trainings of nnU-Net v2 (``pip install "monai-consingan[nnunet]"``)."""

from __future__ import annotations

from pathlib import Path

__all__ = ["trainer_folder"]


def trainer_folder() -> Path:
    """The folder for ``nnUNet_extTrainer``, in which nnU-Net finds ``nnUNetTrainerLesions``."""
    return Path(__file__).parent / "trainer"
