"""Data sets that are lists of files: the datalists of MONAI, in the form of the Medical Segmentation Decathlon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from monai_consingan.errors import ConSinGANError
from monai_consingan.text_files import read_json_dictionary
from monai_consingan.workflows.data_sets.entries import (
    ignored_labels,
    listed_names,
    name_records,
    pick_sequences,
    public_entry,
    public_head,
)
from monai_consingan.workflows.data_sets.records import SPLITS, ScanRecord, ScanSet

_TEST = ("test", "testing")


def read_datalist(path: str | Path, channel: int | None = None, sequences: Sequence[str] | None = None) -> ScanSet:
    """Read a datalist: a JSON file with the lists ``training`` and, if there are such, ``validation`` and ``test``.

    The entries are dictionaries with ``image``, ``label`` and, for a cross-validation, ``fold``; those of the test may
    be mere paths. Paths are relative to the file. An entry may have a ``case``, its name. The ``image`` is a file, of
    one sequence or, in 4D, of several, or a list with a file for each; their names are those of the list's
    ``modality`` or ``channel_names``, or what tells the files apart.

    Args:
        path: the file.
        channel: number of the only sequence to work on, from 0.
        sequences: names of the sequences to work on; ``None`` for all.

    Raises:
        ConSinGANError: the file cannot be read, or holds no such lists.

    Example::

        read_datalist("datalist.json").of("training")
    """
    path = Path(path)
    content = read_json_dictionary(path, "datalist", remedy="give a JSON file with the list 'training'")
    if not isinstance(content.get("training"), list) or not content["training"]:
        raise ConSinGANError(f"datalist {path} has no list 'training': list there the scans to learn from.")
    root, records = path.absolute().parent, []
    names = listed_names(content)
    for section, entries in content.items():
        split = "test" if section in _TEST else section
        if split in SPLITS and isinstance(entries, list):
            records += [
                _record(entry, split, root, f"entry {number} of {section!r} in {path}", names, channel, sequences)
                for number, entry in enumerate(entries)
            ]
    ignored = ignored_labels(content, f"datalist {path}")
    records = [replace(record, ignored=ignored) for record in records]
    return ScanSet("datalist", root, name_records(records), public_head(content, records[0].sequences if names else ()))


def _record(
    entry: Any,
    split: str,
    root: Path,
    what: str,
    names: Sequence[str],
    channel: int | None,
    sequences: Sequence[str] | None,
) -> ScanRecord:
    entry = {"image": entry} if isinstance(entry, str) else entry
    if not isinstance(entry, Mapping) or "image" not in entry:
        raise ConSinGANError(f"{what} names no image: give a dictionary with 'image' and 'label'.")
    images = entry["image"] if isinstance(entry["image"], list) else [entry["image"]]
    if not all(isinstance(image, str) and image for image in images):
        raise ConSinGANError(f"{what} has the image {entry['image']!r}: give the path of a file, or a list of paths.")
    fold = entry.get("fold")
    if (isinstance(fold, str) and fold.strip().isdecimal()) or (isinstance(fold, float) and fold.is_integer()):
        fold = int(fold)
    if fold is not None and (isinstance(fold, bool) or not isinstance(fold, int) or fold < 0):
        raise ConSinGANError(f"{what} has the fold {fold!r}: give a whole number.")
    label = entry.get("label")
    if isinstance(label, list) and len(label) == 1:
        label = label[0]
    if label is not None and not isinstance(label, str):
        raise ConSinGANError(f"{what} has the label {label!r}: give one file.")
    chosen = pick_sequences(images, names, what, channel, sequences)
    return ScanRecord(
        name=str(entry.get("case") or ""),
        image=root / chosen.files[0],
        label=root / label if label else None,
        split=split,
        fold=fold,
        entry=public_entry(entry, root),
        more=tuple(root / file for file in chosen.files[1:]),
        volumes=chosen.volumes,
        sequences=chosen.names,
    )
