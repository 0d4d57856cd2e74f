"""The scans of a data set, whatever the form in which its files lie."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from monai_consingan.data.stored import file_format
from monai_consingan.errors import ConSinGANError
from monai_consingan.names import safe_name, unique_names

__all__ = [
    "SPLITS",
    "ScanRecord",
    "ScanSet",
    "ignored_labels",
    "name_records",
    "pick_channel",
    "public_entry",
    "public_head",
    "without_paths",
]

SPLITS = ("training", "validation", "test")
_STEM = re.compile(r"\.(nii\.gz|nii|nrrd|nhdr|mha|mhd|dcm|png|jpe?g)$", re.IGNORECASE)
_ENTRY = ("image", "label", "fold", "case")
_HEAD = (
    *("name", "description", "reference", "licence", "license", "release", "tensorImageSize", "modality", "labels"),
    *("numTraining", "numValidation", "numTest", "channel_names", "file_ending", "regions_class_order"),
    *("overwrite_image_reader_writer",),
)


@dataclass(frozen=True)
class ScanRecord:
    """One scan of a data set.

    Args:
        name: its name, unlike that of every other scan of the data set; letters, digits, dots, dashes, underscores.
        image: its file, or the folder of a DICOM series.
        label: the label of its lesions; ``None`` if there is none.
        split: ``"training"``, ``"validation"`` or ``"test"``.
        fold: the fold of a cross-validation whose validation it belongs to; ``None`` if it belongs to none.
        entry: what the data set says of it, with paths as they are written there (``public_entry``).
        ignored: label values that mark what nobody annotated: neither a lesion nor free.
    """

    name: str
    image: Path
    label: Path | None
    split: str = "training"
    fold: int | None = None
    entry: dict[str, Any] = field(default_factory=dict)
    ignored: tuple[int, ...] = ()


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

    A name that is there already is kept. Else it is that of the file; where several scans have the same, all but the
    first get a number. Names of folders and of DICOM files, which may be those of people, are left out.
    """
    names = []
    for number, record in enumerate(records):
        instead = f"scan-{number:04d}"
        stem = record.name or (instead if _is_dicom(record.image) else _stem(record.image))
        names.append(safe_name(stem, instead))
    return tuple(replace(record, name=name) for record, name in zip(records, unique_names(names), strict=True))


def public_entry(entry: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """What may be passed on of a scan's entry in a list: its files, its fold and the name that it is given.

    All else, such as names, numbers and dates of patients, is left out.

    Args:
        entry: the entry.
        root: the folder that paths are relative to.
    """

    def is_file(value: Any) -> bool:
        return isinstance(value, str) and bool(value) and (bool(_STEM.search(value)) or (root / value).exists())

    return {key: value for key, value in entry.items() if key in _ENTRY or is_file(value)}


def public_head(head: Mapping[str, Any]) -> dict[str, Any]:
    """What may be passed on of a data set's own description: the entries of the Decathlon and of nnU-Net."""
    return {key: value for key, value in head.items() if key in _HEAD}


def ignored_labels(head: Mapping[str, Any], what: str) -> tuple[int, ...]:
    """The values of the label that nnU-Net reserves for what nobody annotated, ``ignore``.

    Args:
        head: what the data set says of itself.
        what: the data set, for errors.

    Raises:
        ConSinGANError: ``labels`` is no dictionary, or the value no whole number above 0.
    """
    labels = head.get("labels") or {}
    if not isinstance(labels, Mapping):
        raise ConSinGANError(f"{what} has the labels {labels!r}: give a dictionary of their names.")
    value = labels.get("ignore")
    if value is None:
        return ()
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConSinGANError(f"{what} has the label {value!r} for 'ignore': give a whole number above 0.")
    return (value,)


def _stem(path: Path) -> str:
    return _STEM.sub("", path.name)


def _is_dicom(path: Path) -> bool:
    try:
        return file_format(path) == "dicom"
    except ConSinGANError:  # a file that is not there, which is told when it is read
        return not _STEM.search(path.name)


def without_paths(text: str, records: Iterable[ScanRecord]) -> str:
    """A text in which the files of scans, whose paths may name people, are replaced by the scans' names.

    Of other files in the same folders the names are left.
    """
    paths = {path: record.name for record in records for path in (record.image, record.label) if path is not None}
    for path, name in paths.items():
        text = text.replace(str(path), name)
    for path in paths:  # only now, as they are parts of the other scans' paths
        text = text.replace(f"{path.parent}/", "")
    return text
