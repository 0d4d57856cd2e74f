"""Data sets that are lists of files: the datalists of MONAI, in the form of the Medical Segmentation Decathlon."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai_consingan.errors import ConSinGANError
from monai_consingan.workflows.augmentation.records import SPLITS, ScanRecord, ScanSet, name_records, pick_channel

__all__ = ["read_datalist", "read_json"]

_TEST = ("test", "testing")


def read_json(path: Path, what: str) -> dict[str, Any]:
    """A JSON file that holds a dictionary.

    Raises:
        ConSinGANError: missing, not readable, or something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConSinGANError(f"{what} {path} cannot be read ({error}): give a JSON file.") from error
    if not isinstance(found, dict):
        raise ConSinGANError(f"{what} {path} holds no dictionary: give a JSON file with the list 'training'.")
    return found


def read_datalist(path: str | Path, channel: int | None = None) -> ScanSet:
    """Read a datalist: a JSON file with the lists ``training`` and, if there are such, ``validation`` and ``test``.

    The entries are dictionaries with ``image``, ``label`` and, for a cross-validation, ``fold``; those of the test may
    be mere paths. Paths are relative to the file. An entry may have a ``case``, its name.

    Args:
        path: the file.
        channel: number of the image to work on where an entry has a list of images.

    Raises:
        ConSinGANError: the file cannot be read, or holds no such lists.

    Example::

        read_datalist("datalist.json").of("training")
    """
    path = Path(path)
    content = read_json(path, "datalist")
    if not isinstance(content.get("training"), list) or not content["training"]:
        raise ConSinGANError(f"datalist {path} has no list 'training': list there the scans to learn from.")
    root, records = path.absolute().parent, []
    for section, entries in content.items():
        split = "test" if section in _TEST else section
        if split in SPLITS and isinstance(entries, list):
            records += [
                _record(entry, split, root, channel, f"entry {number} of {section!r} in {path}")
                for number, entry in enumerate(entries)
            ]
    head = {key: value for key, value in content.items() if key not in (*SPLITS, *_TEST)}
    return ScanSet("datalist", root, name_records(records), head)


def _record(entry: Any, split: str, root: Path, channel: int | None, what: str) -> ScanRecord:
    entry = {"image": entry} if isinstance(entry, str) else entry
    if not isinstance(entry, Mapping) or "image" not in entry:
        raise ConSinGANError(f"{what} names no image: give a dictionary with 'image' and 'label'.")
    images = entry["image"] if isinstance(entry["image"], list) else [entry["image"]]
    fold = entry.get("fold")
    if fold is not None and (isinstance(fold, bool) or not isinstance(fold, int)):
        raise ConSinGANError(f"{what} has the fold {fold!r}: give a whole number.")
    label = entry.get("label")
    if label is not None and not isinstance(label, str):
        raise ConSinGANError(f"{what} has the label {label!r}: give one file.")
    return ScanRecord(
        name=str(entry.get("case") or ""),
        image=root / pick_channel([str(image) for image in images], channel, what),
        label=root / label if label else None,
        split=split,
        fold=fold,
        entry=dict(entry),
    )
