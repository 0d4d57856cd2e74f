"""What data sets of any form have alike: names of scans, their sequences, and what may be passed on."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from monai_consingan.data import in_common, told_apart
from monai_consingan.data.stored import file_format
from monai_consingan.errors import ConSinGANError
from monai_consingan.names import safe_name, unique_names
from monai_consingan.workflows.data_sets.records import ScanRecord, ScanSet

_STEM = re.compile(r"\.(nii\.gz|nii|nrrd|nhdr|mha|mhd|dcm|png|jpe?g)$", re.IGNORECASE)
_ENTRY = ("image", "label", "fold", "case")
_HEAD = (
    *("name", "description", "reference", "licence", "license", "release", "tensorImageSize", "modality", "labels"),
    *("numTraining", "numValidation", "numTest", "channel_names", "file_ending", "regions_class_order"),
    *("overwrite_image_reader_writer",),
)


class Choice(NamedTuple):
    """The sequences of a scan that are worked on."""

    files: tuple[str, ...]
    """Their files, or the one with all of them."""
    volumes: tuple[int, ...]
    """The numbers of those to take of a single file; empty for all."""
    names: tuple[str, ...]
    """Their names, if they are known."""


def pick_sequences(
    files: Sequence[str],
    names: Sequence[str],
    what: str,
    channel: int | None = None,
    wanted: Sequence[str] | None = None,
) -> Choice:
    """The sequences of a scan that are worked on: all, one by its number, or some by their names.

    Args:
        files: a file for each sequence, or one.
        names: their names, as the data set tells them; empty where it does not.
        what: the scan, for errors.
        channel: the number of the only one to take, from 0.
        wanted: names of those to take.

    Raises:
        ConSinGANError: no file, not as many as there are names, or a sequence that is not there.
    """
    if not files:
        raise ConSinGANError(f"{what} has no image: give one for each scan.")
    if channel is not None and wanted:
        raise ConSinGANError(f"channel is {channel} and sequences is {', '.join(wanted)}: leave one of them out.")
    several = len(files) > 1
    if several and names and len(names) != len(files) and channel is None:
        raise ConSinGANError(
            f"{what} has {len(files)} files of sequences, but the data set names {len(names)} ({', '.join(names)}): "
            "give each scan all of them, or mend the names."
        )
    names = tuple(names) if len(names) == len(files) or not several else ()
    numbers: Sequence[int]
    if channel is not None:
        if not 0 <= channel < (len(files) if several else channel + 1):
            raise ConSinGANError(f"channel is {channel}, but {what} has the channels 0 to {len(files) - 1}.")
        numbers = [channel]
    elif wanted:
        if several and not names:
            names = tuple(told_apart([Path(file) for file in files]) or ())
        folded = [name.casefold() for name in names]
        unknown = [name for name in wanted if name.casefold() not in folded]
        if unknown:
            there = f"has {', '.join(names)}" if names else "does not say what its sequences are"
            raise ConSinGANError(f"sequences is {', '.join(wanted)}, but {what} {there}: give some of these.")
        numbers = [folded.index(name.casefold()) for name in wanted]
    else:
        return Choice(tuple(files), (), names)
    chosen = tuple(names[number] for number in numbers) if names and max(numbers) < len(names) else ()
    if several:
        return Choice(tuple(files[number] for number in numbers), (), chosen)
    return Choice(tuple(files), tuple(numbers), chosen)


def listed_names(head: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of sequences that a list's head has by their numbers, as ``channel_names`` or ``modality``.

    Empty if it has no such table.
    """
    table = head.get("channel_names") or head.get("modality")
    if not isinstance(table, Mapping) or set(table) != {str(number) for number in range(len(table))}:
        return ()
    names = tuple(str(table[str(number)]) for number in range(len(table)))
    return names if len({name.casefold() for name in names}) == len(names) else ()


def name_records(records: Sequence[ScanRecord]) -> tuple[ScanRecord, ...]:
    """Give every scan a name of its own.

    A name that is there already is kept. Else it is that of the file, or what those of its sequences have in common;
    where several scans have the same, all but the first get a number. Names of folders and of DICOM files, which may be
    those of people, are left out.
    """
    names = []
    for number, record in enumerate(records):
        instead = f"scan-{number:04d}"
        common = in_common(record.images)
        file = _STEM.sub("", record.image.name) if common is None else common
        stem = record.name or (instead if _is_dicom(record.image) else file)
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
        """Whether a value names a file."""
        return isinstance(value, str) and bool(value) and (bool(_STEM.search(value)) or os.path.exists(root / value))

    return {key: value for key, value in entry.items() if key in _ENTRY or is_file(value)}


def public_head(head: Mapping[str, Any], sequences: Sequence[str] = ()) -> dict[str, Any]:
    """What may be passed on of a data set's own description: the entries of the Decathlon and of nnU-Net.

    Args:
        head: the description.
        sequences: names of the sequences that are taken, which it then names instead of its own; empty for all.
    """
    names = {str(number): name for number, name in enumerate(sequences)}
    return {
        key: names if names and key in ("channel_names", "modality") else value
        for key, value in head.items()
        if key in _HEAD
    }


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


def without_empty(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of a list without what is not there."""
    return {key: value for key, value in entry.items() if value}


def not_empty(scans: ScanSet, example: str) -> ScanSet:
    """A data set, if it has scans to learn from.

    Args:
        scans: the data set.
        example: how its images are named, for the error.

    Raises:
        ConSinGANError: it has none.
    """
    if not scans.of("training"):
        raise ConSinGANError(f"data set {scans.root} has no scans to learn from: they are named as {example}.")
    return scans


def _is_dicom(path: Path) -> bool:
    try:
        return file_format(path) == "dicom"
    except ConSinGANError:  # a file that is not there, which is told when it is read
        return not _STEM.search(path.name)
