"""Patients with several sequences, as whole volumes: T1, T1 with contrast, T2 and FLAIR, as BraTS gives them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from _patients import CORE_LABELS, Patient, find_patients
from scipy import ndimage

from monai_consingan.arrays import as_array
from monai_consingan.data import load_label, load_scan
from monai_consingan.errors import ConSinGANError

SEQUENCES = ("t1", "t1ce", "t2", "flair")
"""What a patient has, in the order of the channels."""
_MARGIN_MM = 5.0


@dataclass(frozen=True)
class Volume:
    """A patient's sequences and label, cut to the brain.

    Args:
        name: the patient.
        files: one of each sequence.
        label_file: expert's label, BraTS's values.
        sequences: their names.
    """

    name: str
    files: tuple[Path, ...]
    label_file: Path
    sequences: tuple[str, ...]

    @cached_property
    def _loaded(self) -> tuple[np.ndarray, np.ndarray]:
        scans = [load_scan(file) for file in self.files]
        label = load_label(self.label_file, image=scans[0], allow_empty=True)
        image = np.concatenate([as_array(scan) for scan in scans]).astype(np.float32)
        (box,) = ndimage.find_objects((image != 0).any(axis=0).astype(np.uint8))
        return image[(slice(None), *box)], as_array(label)[0][box]

    @property
    def image(self) -> np.ndarray:
        """(C, X, Y, Z), float32, 0 outside the brain."""
        return self._loaded[0]

    @property
    def label(self) -> np.ndarray:
        """(X, Y, Z)."""
        return self._loaded[1]

    @cached_property
    def brain(self) -> np.ndarray:
        """Where all sequences show the brain."""
        return np.asarray((self.image != 0).all(axis=0))

    @cached_property
    def core(self) -> np.ndarray:
        """Lesion without oedema."""
        return np.isin(self.label, CORE_LABELS)

    @cached_property
    def healthy(self) -> np.ndarray:
        """Brain farther than 5 mm from everything that is labelled."""
        return self.brain & (ndimage.distance_transform_edt(self.label == 0) > _MARGIN_MM)

    @cached_property
    def levels(self) -> list[tuple[float, float]]:
        """Median and standard deviation of the healthy brain, of every sequence."""
        parts = [channel[self.healthy] for channel in self.image]
        return [(float(np.median(part)), float(part.std())) for part in parts]


def read_volumes(
    folder: str | Path | None = None, sequences: Sequence[str] = SEQUENCES, names: Sequence[str] = ()
) -> list[Volume]:
    """Patients of a folder (:func:`_patients.find_patients`) with these sequences, in voxels of 1 mm.

    Args:
        folder: the folder, or ``None``.
        sequences: what is read of each.
        names: parts of names of the patients that are wanted; none for all.

    Raises:
        ConSinGANError: a sequence is missing, or no patient is left.
    """
    patients = [one for one in find_patients(folder) if not names or any(name in one.name for name in names)]
    if not patients:
        raise ConSinGANError(f"No patient is called {', '.join(names)}: give parts of names that there are.")
    return [Volume(one.name, _files(one, sequences), one.label_file, tuple(sequences)) for one in patients]


def _files(patient: Patient, sequences: Sequence[str]) -> tuple[Path, ...]:
    path = patient.image_file
    files = [path.with_name(re.sub(r"(t1ce|t1c|t1gd)(?=\.nii)", name, path.name)) for name in sequences]
    files = [path if name in ("t1ce", "t1c", "t1gd") else file for name, file in zip(sequences, files, strict=True)]
    for file in files:
        if not file.exists():
            raise ConSinGANError(f"{file} is not there: choose the sequences that all patients have by --sequences.")
    return tuple(files)
