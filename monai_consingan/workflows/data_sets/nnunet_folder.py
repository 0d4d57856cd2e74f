"""Data sets that are folders of nnU-Net's raw data."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from monai_consingan.errors import ConSinGANError
from monai_consingan.text_files import read_json, read_json_dictionary
from monai_consingan.workflows.data_sets.entries import (
    ignored_labels,
    listed_names,
    name_records,
    not_empty,
    pick_sequences,
    public_head,
    without_empty,
)
from monai_consingan.workflows.data_sets.records import ScanRecord, ScanSet

SPLITS_FILE = "splits_final.json"
"""nnU-Net's list of folds."""


def read_nnunet(folder: str | Path, channel: int | None = None, sequences: Sequence[str] | None = None) -> ScanSet:
    """Read a folder of nnU-Net's raw data: ``dataset.json``, ``imagesTr``, ``labelsTr``, ``imagesTs``.

    If ``splits_final.json`` lies beside them, its splits are the folds. A case that none of them uses belongs to
    the test.

    Args:
        folder: the folder.
        channel: number of the only sequence to work on, from 0, where a case has several.
        sequences: names of the sequences to work on, of ``channel_names``; ``None`` for all.

    Raises:
        ConSinGANError: files of it cannot be read, a case has no label or lacks a sequence, is in the validation of
            several folds, or in the training of some of them only.
    """
    folder = Path(folder).absolute()
    path = folder / "dataset.json"
    head = read_json_dictionary(path, "data set", remedy="give that of nnU-Net")
    ending, names = head.get("file_ending", ".nii.gz"), listed_names(head)
    if not isinstance(ending, str) or not ending.startswith("."):
        raise ConSinGANError(f"data set {path} has the file_ending {ending!r}: give one such as '.nii.gz'.")
    ignored = ignored_labels(head, f"data set {path}")
    records = []
    for split, part in (("training", "Tr"), ("test", "Ts")):
        cases: dict[str, dict[str, str]] = {}
        for path in sorted((folder / f"images{part}").glob("*")):
            if name := re.fullmatch(rf"(.+)_(\d{{4}}){re.escape(ending)}", path.name):
                cases.setdefault(name[1], {})[name[2]] = f"images{part}/{path.name}"
        for case, numbered in cases.items():
            wanted, images = [f"{number:04d}" for number in range(len(numbered))], list(numbered.values())
            if list(numbered) != wanted:
                raise ConSinGANError(
                    f"case {case} of {folder} has images of the numbers {', '.join(numbered)}, where nnU-Net counts "
                    "sequences from 0000 without a gap: add what is missing."
                )
            label = f"labels{part}/{case}{ending}"
            if not (folder / label).is_file():
                if split == "training":
                    raise ConSinGANError(f"case {case} of {folder} has no label {label}: give one.")
                label = ""
            entry: dict[str, Any] = {"image": images[0] if len(images) == 1 else images, "label": label}
            chosen = pick_sequences(images, names, f"case {case} of {folder}", channel, sequences)
            image, *more = (folder / file for file in chosen.files)
            mask = folder / label if label else None
            others: dict[str, Any] = {"more": tuple(more), "volumes": chosen.volumes, "sequences": chosen.names}
            records.append(ScanRecord(case, image, mask, split, None, without_empty(entry), ignored, **others))
    records = _split(records, folder / SPLITS_FILE)
    head = public_head(head, records[0].sequences if names and records else ())
    return not_empty(ScanSet("nnunet", folder, name_records(records), head), "imagesTr/CASE_0000" + ending)


def _split(records: Sequence[ScanRecord], path: Path) -> list[ScanRecord]:
    """Cases with the folds of a file, if it is there; those that no fold uses belong to the test."""
    splits, known = _read_splits(path), {record.name for record in records if record.split == "training"}
    folds, used = _folds(path, splits, known), _used(path, splits, known)
    return [
        record
        if record.split == "test"
        else replace(record, fold=folds.get(record.name), split="training" if record.name in used else "test")
        for record in records
    ]


def _read_splits(path: Path) -> list[tuple[list[str] | None, list[str]]]:
    """The cases that each fold trains with, if it tells, and validates with."""
    if not path.is_file():
        return []
    found = read_json(path, "splits", remedy="give those of nnU-Net")
    try:
        return [
            (None if split.get("train") is None else list(map(str, split["train"])), list(map(str, split["val"])))
            for split in found
        ]
    except (TypeError, KeyError, AttributeError) as error:
        raise ConSinGANError(f"splits {path} cannot be read ({error!r}): give those of nnU-Net.") from error


def _folds(path: Path, splits: Sequence[tuple[list[str] | None, list[str]]], known: Collection[str]) -> dict[str, int]:
    """The fold whose validation a case belongs to.

    Raises:
        ConSinGANError: as of :py:func:`read_nnunet`.
    """
    folds: dict[str, int] = {}
    for number, (_, val) in enumerate(splits):
        for case in val:
            if case in folds:
                raise ConSinGANError(
                    f"case {case} is in the validation of the folds {folds[case]} and {number} of {path}: give "
                    "splits that hold out each case once."
                )
            folds[case] = number
    if folds and not set(known) & set(folds):
        raise ConSinGANError(f"splits {path} name no case of the data set, but such as {min(folds)}: give its own.")
    return folds


def _used(path: Path, splits: Sequence[tuple[list[str] | None, list[str]]], known: Collection[str]) -> Collection[str]:
    """The cases that are trained or validated with, in each fold the same ones.

    Raises:
        ConSinGANError: a fold trains without a case that another one uses, or with one that it validates with.
    """
    told = [(train, val) for train, val in splits if train is not None]
    if not told or len(told) < len(splits):
        return known
    used = {case for train, val in told for case in (*train, *val)} & set(known)
    for number, (train, val) in enumerate(told):
        if odd := (used - set(val)) ^ (set(train) & used):
            raise ConSinGANError(
                f"fold {number} of {path} trains {'with' if min(odd) in train else 'without'} case {min(odd)}, "
                "but synthetic scans need folds that train with all cases but those that they validate with: give such "
                "splits, or take the case out of all of them, and it is left alone."
            )
    return used
