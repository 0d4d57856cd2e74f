"""A bank of lesions: a folder of plain NIfTI files and one JSON file, written whole and checked when read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from monai.data import MetaTensor

from monai_consingan.data.save import save_label_like, save_volumes_like
from monai_consingan.data.sequences import SEQUENCES
from monai_consingan.data.stored import Stored, file_sha256, read_stored
from monai_consingan.errors import ConSinGANError
from monai_consingan.text_files import read_json_dictionary

BANK_FILE = "bank.json"
BANK_FORMAT, BANK_VERSION = "monai-consingan lesions", 1
KEPT = "kept"
"""What the JSON file tells of lesions that were rejected, which it lists no longer."""
_PARTS = ("image", "label", "valid")
_NAME = re.compile(r"lesions/\d{4,}_(image|label|valid)\.nii\.gz")


def is_lesion_bank(path: str | Path) -> bool:
    """Whether a path is a folder with the file of a bank of lesions."""
    return (Path(path) / BANK_FILE).is_file()


def save_lesion(
    folder: Path, number: int, image: np.ndarray, label: np.ndarray, valid: np.ndarray, spacing: Sequence[float]
) -> dict[str, str]:
    """Write the three files of a lesion; the same values give the same bytes.

    Args:
        folder: the bank's.
        number: the lesion's.
        image: float32 (C, \\*spatial).
        label: label values, (\\*spatial).
        valid: where there is tissue to take, boolean (\\*spatial).
        spacing: mm per spatial axis.

    Returns:
        The files' hashes, by their paths in the folder.
    """
    affine = np.diag([*spacing, 1.0])
    paths = {part: f"lesions/{number:04d}_{part}.nii.gz" for part in _PARTS}
    (folder / "lesions").mkdir(parents=True, exist_ok=True)
    grid = MetaTensor(np.zeros((1, *label.shape), np.float32), affine=torch.from_numpy(affine))
    volumes = [Stored("itk", channel.astype(np.float32), affine) for channel in image]
    save_volumes_like(folder / paths["image"], image.astype(np.float32), volumes)
    save_label_like(folder / paths["label"], label, grid)
    save_label_like(folder / paths["valid"], valid.astype(np.uint8), grid)
    return {path: file_sha256(folder / path) for path in paths.values()}


class BankLesion(NamedTuple):
    """A lesion of a bank as it lies on the disk."""

    image: Path
    """Its file of all sequences."""
    label: Path
    """That of its label."""
    valid: Path
    """That of where there is tissue to take."""
    sequences: tuple[str, ...] | None
    """The names of its sequences; ``None`` where they are not known, or there is one."""
    lead: str
    """The sequence in which it was measured."""
    level: float
    """Intensity of the tissue around it in the whole scan that it is made of."""


class LesionBank:
    """A bank of lesions.

    Args:
        folder: its folder.
        index: what its JSON file says; ``None`` reads it.

    Raises:
        ConSinGANError: there is no bank, it is of another version, or its JSON file is damaged.
    """

    def __init__(self, folder: str | Path, index: Mapping[str, Any] | None = None) -> None:
        self.folder = Path(folder)
        if index is None:
            if not is_lesion_bank(folder):
                raise ConSinGANError(f"bank {folder} has no {BANK_FILE}: give a folder that `lesions` has written.")
            index = read_json_dictionary(self.folder / BANK_FILE, "bank", remedy="make the bank anew")
        self.index = dict(index)
        self._check()

    @property
    def lesions(self) -> list[dict[str, Any]]:
        """Number, files, donors, fold, kind, sizes and measures of each lesion."""
        return list(self.index["lesions"])

    @property
    def whole(self) -> dict[str, Any]:
        """What its JSON file said when it was made, before lesions were rejected."""
        index = {name: value for name, value in self.index.items() if name != KEPT}
        rejected = self.index.get(KEPT, {}).get("left_out", [])
        return {**index, "lesions": sorted([*self.lesions, *rejected], key=lambda told: int(told["number"]))}

    @property
    def donors(self) -> list[dict[str, Any]]:
        """Scan, hashes of image and label, number and fold of the lesions that it was made of."""
        return list(self.index["donors"])

    @property
    def sequences(self) -> tuple[str, ...]:
        """The names of the sequences."""
        return tuple(self.index["sequences"])

    @property
    def lesion_labels(self) -> tuple[int, ...]:
        """Label values that are lesion itself, others being oedema; empty for all."""
        return tuple(self.index.get("asked", {}).get("settings", {}).get("lesion_labels", ()))

    def load(self, lesion: Mapping[str, Any]) -> tuple[MetaTensor, MetaTensor, MetaTensor]:
        """Image (C, \\*spatial), label and valid (1, \\*spatial) of a lesion, in RAS.

        Raises:
            ConSinGANError: a file is gone or is not what was written, or has other sequences than the bank.
        """
        found = {}
        for path, sha256 in lesion["files"].items():
            part = _part(path)
            stored = read_stored(self.folder / path, name="lesion", several=part == "image")
            if stored.sha256 != sha256:
                raise ConSinGANError(f"lesion {self.folder / path} is damaged: make the bank anew.")
            found[part] = _channels(stored)
        image, label, valid = (found[part] for part in _PARTS)
        if image.shape[0] != len(self.sequences) or not image.shape[1:] == label.shape[1:] == valid.shape[1:]:
            raise self._damaged(f"lesion {lesion['number']} has the shape {tuple(image.shape)}")
        image.meta[SEQUENCES] = list(self.sequences)
        return image, label, valid

    def chosen(self, lesion: int | str, seed: int = 0) -> BankLesion:
        """A lesion, whose files are as they were written.

        Args:
            lesion: its number, ``"largest"`` or ``"random"``.
            seed: seed of a random choice.

        Raises:
            ConSinGANError: there is no such lesion, or a file of it is damaged.
        """
        if lesion == "random":
            chosen = self.lesions[np.random.RandomState(seed).randint(len(self.lesions))]
        elif lesion == "largest":
            chosen = max(self.lesions, key=lambda told: float(told["diameter_mm"]))
        else:
            found = [told for told in self.lesions if told["number"] == lesion]
            if not found:
                all_of_them = [told["number"] for told in self.whole["lesions"]]
                why = f"was rejected in bank {self.folder}: give another number"
                if lesion not in all_of_them:
                    why = f"is not in bank {self.folder}: give a number from 1 to {max(all_of_them)}"
                raise ConSinGANError(f"lesion {lesion} {why}.")
            chosen = found[0]
        self.load(chosen)
        paths = {_part(path): self.folder / path for path in chosen["files"]}
        numbers = tuple(str(number + 1) for number in range(len(self.sequences)))
        names = None if len(numbers) == 1 or self.sequences == numbers else self.sequences
        image, label, valid = (paths[part] for part in _PARTS)
        return BankLesion(image, label, valid, names, str(self.index["lead"]), float(chosen["level"]))

    def _check(self) -> None:
        """Refuse what is no bank of this version."""
        index = self.index
        if index.get("format") != BANK_FORMAT:
            raise ConSinGANError(f"{self.folder / BANK_FILE} is of no bank of lesions: give one that `lesions` wrote.")
        if index.get("version") != BANK_VERSION:
            raise ConSinGANError(
                f"bank {self.folder} has the version {index.get('version')!r}, but this package reads "
                f"{BANK_VERSION}: make the bank anew."
            )
        try:
            if not index["lesions"] or not index["sequences"]:
                raise ValueError("it has no lesions or no sequences")
            names = [(d["scan"], d["lesion"], d["fold"], d["image_sha256"], d["label_sha256"]) for d in index["donors"]]
            for lesion in index["lesions"]:
                files = list(lesion["files"])
                if sorted(_part(path) for path in files) != sorted(_PARTS):
                    raise ValueError(f"lesion {lesion['number']} has the files {files}")
                if not lesion["donors"] or not all(0 <= int(number) < len(names) for number in lesion["donors"]):
                    raise ValueError(f"lesion {lesion['number']} names donors that are not there")
                (
                    str(index["lead"]),
                    float(lesion["level"]),
                    float(lesion["diameter_mm"]),
                    str(lesion["kind"]),
                    lesion["fold"],
                )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._damaged(f"{error}") from error

    def _damaged(self, why: str) -> ConSinGANError:
        return ConSinGANError(f"bank {self.folder / BANK_FILE} is damaged ({why}): make the bank anew.")


def _channels(stored: Stored) -> MetaTensor:
    """All volumes of a file, channel first."""
    values = stored.raw if stored.volumes > 1 else stored.raw.reshape(*stored.raw.shape[:3], 1)
    return MetaTensor(np.moveaxis(values, -1, 0).copy(), affine=torch.from_numpy(stored.affine))


def _part(path: str) -> str:
    """Which part of a lesion a file is; nothing but files of the bank has one."""
    found = _NAME.fullmatch(path)
    if found is None:
        raise ValueError(f"{path!r} is no file of a bank")
    return found[1]
