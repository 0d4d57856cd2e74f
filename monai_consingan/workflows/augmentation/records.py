"""The scans of a data set, whatever the form in which its files lie."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from monai_consingan.data.stored import file_format
from monai_consingan.errors import ConSinGANError

__all__ = ["SPLITS", "ScanRecord", "ScanSet", "name_records", "pick_channel", "without_paths"]

SPLITS = ("training", "validation", "test")
_STEM = re.compile(r"\.(nii\.gz|nii|nrrd|nhdr|mha|mhd|dcm|png|jpe?g)$", re.IGNORECASE)


@dataclass(frozen=True)
class ScanRecord:
    """One scan of a data set.

    Args:
        name: its name, unlike that of every other scan of the data set; letters, digits, dots, dashes, underscores.
        image: its file, or the folder of a DICOM series.
        label: the label of its lesions; ``None`` if there is none.
        split: ``"training"``, ``"validation"`` or ``"test"``.
        fold: the fold of a cross-validation whose validation it belongs to; ``None`` if it belongs to none.
        entry: what the data set says of it, with paths as they are written there.
    """

    name: str
    image: Path
    label: Path | None
    split: str = "training"
    fold: int | None = None
    entry: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ScanSet:
    """A data set.

    Args:
        kind: ``"datalist"``, ``"bids"`` or ``"nnunet"``.
        root: the folder that paths are relative to.
        records: its scans, in its own order.
        head: what the data set says of itself, such as its description and the names of its labels.
    """

    kind: str
    root: Path
    records: tuple[ScanRecord, ...]
    head: dict[str, Any] = field(default_factory=dict)

    def of(self, split: str) -> list[ScanRecord]:
        """The scans of a split."""
        return [record for record in self.records if record.split == split]

    @property
    def folds(self) -> list[int]:
        """The folds of the training scans, sorted."""
        return sorted({record.fold for record in self.of("training") if record.fold is not None})


def pick_channel(files: Sequence[str], channel: int | None, what: str) -> str:
    """The file of a scan that is worked on, of one file for each of its sequences.

    Args:
        files: the files.
        channel: the number of the wanted one, from 0; needed where there are several.
        what: the scan, for errors.

    Raises:
        ConSinGANError: several files and no channel, or a channel that is not there.
    """
    if not files:
        raise ConSinGANError(f"{what} has no image: give one for each scan.")
    if channel is None and len(files) > 1:
        raise ConSinGANError(
            f"{what} has {len(files)} images, but lesions are put into one: give the number of its channel, "
            f"0 to {len(files) - 1} (--channel)."
        )
    number = 0 if channel is None else channel
    if not 0 <= number < len(files):
        raise ConSinGANError(f"channel is {number}, but {what} has the channels 0 to {len(files) - 1}.")
    return files[number]


def name_records(records: Sequence[ScanRecord]) -> tuple[ScanRecord, ...]:
    """Give every scan a name of its own.

    A name that is there already is kept. Else it is that of the file; where several scans have the same, that of the
    file and its folder. Names of DICOM files and folders, which may be those of people, are replaced by numbers.
    """
    stems = [record.name or _stem(record.image) for record in records]
    often = Counter(stems)
    taken: Counter[str] = Counter()
    named = []
    for number, (record, stem) in enumerate(zip(records, stems, strict=True)):
        if not record.name:
            if _is_dicom(record.image):
                stem = f"scan-{number:04d}"
            elif often[stem] > 1:
                stem = f"{record.image.parent.name}_{stem}"
        base = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip(".-") or f"scan-{number:04d}"
        taken[base] += 1
        named.append(replace(record, name=base if taken[base] == 1 else f"{base}_{taken[base]}"))
    return tuple(named)


def _stem(path: Path) -> str:
    return _STEM.sub("", path.name)


def _is_dicom(path: Path) -> bool:
    try:
        return file_format(path) == "dicom"
    except ConSinGANError:  # a file that is not there, which is told when it is read
        return not _STEM.search(path.name)


def without_paths(text: str, records: Iterable[ScanRecord]) -> str:
    """A text in which the files of scans, whose paths may name people, are replaced by the scans' names."""
    for record in records:
        for path in (record.image, record.label):
            text = text if path is None else text.replace(str(path), record.name)
    return text
