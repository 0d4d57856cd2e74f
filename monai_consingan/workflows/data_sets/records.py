"""The scans of a data set, whatever the form in which its files lie, and reading one: sequences, label, lesions."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from monai.data import MetaTensor

from monai_consingan.data import SequenceFiles, Stored, file_sha256, load_label, read_sequences
from monai_consingan.data.lesions import number_lesions
from monai_consingan.errors import ConSinGANError
from monai_consingan.names import real_path

SPLITS = ("training", "validation", "test")


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
        more: the files of its other sequences, where each has its own.
        volumes: the numbers of the sequences to take of a single file; empty for all.
        sequences: names of the sequences, if they are known.
    """

    name: str
    image: Path
    label: Path | None
    split: str = "training"
    fold: int | None = None
    entry: dict[str, Any] = field(default_factory=dict)
    ignored: tuple[int, ...] = ()
    more: tuple[Path, ...] = ()
    volumes: tuple[int, ...] = ()
    sequences: tuple[str, ...] = ()

    @property
    def images(self) -> tuple[Path, ...]:
        """The files of its sequences, or the one with all."""
        return (self.image, *self.more)

    @property
    def place(self) -> str:
        """Where it is in the data set, in words."""
        return self.split if self.fold is None else f"fold {self.fold} of {self.split}"


@dataclass(frozen=True)
class ScanSet:
    """A data set.

    Args:
        kind: ``"datalist"``, ``"bids"`` or ``"nnunet"``.
        root: the folder that paths are relative to.
        records: its scans, in its own order.
        head: what the data set says of itself, such as its description and the names of its labels.

    Raises:
        ConSinGANError: a file is that of two scans of different splits or folds, so that what is trained on would also
            be validated or tested with.
    """

    kind: str
    root: Path
    records: tuple[ScanRecord, ...]
    head: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        first: dict[Path, ScanRecord] = {}
        for record in self.records:
            for path in record.images:
                other = first.setdefault(real_path(self.root / path), record)
                if (other.split, other.fold) != (record.split, record.fold):
                    raise ConSinGANError(
                        f"scan {path} is in {other.place} and in {record.place} of the data set, and would leak from "
                        "one into the other: list it once."
                    )

    def of(self, split: str) -> list[ScanRecord]:
        """The scans of a split."""
        return [record for record in self.records if record.split == split]

    @property
    def folds(self) -> list[int]:
        """The folds of the training scans, sorted."""
        return sorted({record.fold for record in self.of("training") if record.fold is not None})

    def served(self, made_of: Iterable[ScanRecord]) -> tuple[int | None, ...]:
        """The folds whose synthetic scans may hold what was made of some scans, without a leak.

        Synthetic scans of a fold are trained on where its own scans are not validated with: so those that something was
        made of must be training scans of this fold, all of them. What was made of none of the data set's serves all.

        Args:
            made_of: scans of the data set.

        Returns:
            Of the folds of the training scans those that are served; ``None`` stands for scans without a fold.
        """
        folds = sorted({r.fold for r in self.of("training")}, key=lambda fold: -1 if fold is None else fold)
        made_of = list(made_of)
        return tuple(fold for fold in folds if all(r.split == "training" and r.fold == fold for r in made_of))

    def with_files(self, hashes: Collection[str]) -> list[ScanRecord]:
        """The scans of which a file has one of some SHA-256 hashes, as a model has those that it was trained on."""
        return [r for r in self.records if hashes and any(file_sha256(path) in hashes for path in r.images)]

    def leaks(self, seen: Sequence[ScanRecord], folds: Iterable[int | None]) -> list[str]:
        """What to warn of when a model redraws synthetic scans of some folds.

        Args:
            seen: the scans that the model was trained on.
            folds: the folds of the synthetic scans; ``None`` stands for scans without one.

        Returns:
            One sentence, or none.
        """
        served = self.served(seen)
        unserved = [fold for fold in dict.fromkeys(folds) if fold not in served]
        if not unserved:
            return []
        told = ", ".join("without a fold" if fold is None else f"of fold {fold}" for fold in unserved)
        return [
            f"The model was trained on {len(seen)} scans of this data set, some of which are validated or tested with "
            f"where synthetic scans {told} are trained on, so it carries them into that training: take a model of "
            "other scans."
        ]


def without_paths(text: str, records: Iterable[ScanRecord]) -> str:
    """A text in which the files of scans, and where links among them lead, are replaced by the scans' names.

    Their paths may name people. Of other files in the same folders the names are left.
    """
    paths = {path: record.name for record in records for path in (*record.images, record.label) if path}
    for path in sorted(paths, key=lambda path: len(str(path)), reverse=True):  # one may be the beginning of another
        name = paths[path]
        text = text.replace(f"{name} {path}", name).replace(str(path), name)
        if f"{name} is a link to " in text and path.is_symlink():
            text = text.replace(os.readlink(path), "another file")
    for path in paths:  # only now, as they are parts of the other scans' paths
        text = text.replace(f"{path.parent}/", "")
    return text


def load_files(record: ScanRecord) -> tuple[MetaTensor, SequenceFiles]:
    """Read the sequences of a scan.

    Returns:
        (C, \\*spatial), and what its files hold.

    Raises:
        ConSinGANError: a file that cannot be used.
    """
    files = read_sequences(record.images, name=f"scan {record.name}")
    if len(record.volumes) == 1:
        files = files.volume(record.volumes[0])
    elif record.volumes:
        parts = [files.volume(number) for number in record.volumes]
        files = replace(files, parts=tuple(part.parts[0] for part in parts), names=tuple(p.names[0] for p in parts))
    if len(files.parts) > 1 and len(record.sequences) == len(files.parts):
        files = replace(files, names=tuple(record.sequences), known=True)
    return files.image()


def load_pair(record: ScanRecord, lesion_labels: Iterable[int] = ()) -> tuple[MetaTensor, MetaTensor | None, Any]:
    """Read a scan.

    Args:
        record: the scan.
        lesion_labels: label values that are lesions; empty for all.

    Returns:
        Image, label (``None`` if there is none) and the numbers of its lesions, the largest first, whole numbers
        (\\*spatial).

    Raises:
        ConSinGANError: a file that cannot be used.
    """
    image, _ = load_files(record)
    return (image, *load_lesions(record, image, lesion_labels))


def load_lesions(
    record: ScanRecord, image: MetaTensor, lesion_labels: Iterable[int] = (), stored: Stored | None = None
) -> tuple[MetaTensor | None, Any]:
    """Label, from its file or from what was read of it, and numbers of the lesions, as of :py:func:`load_pair`."""
    if record.label is None:
        return None, np.zeros(image.shape[1:], np.int32)
    label = load_label(stored or record.label, image=image, name=f"label of {record.name}", allow_empty=True)
    values = label.numpy()[0]
    if record.ignored:
        values = np.where(np.isin(values, record.ignored), 0, values)
    numbers = number_lesions(values, tuple(lesion_labels) or None)
    return label, numbers.astype(np.uint16 if numbers.max(initial=0) < 2**16 - 2**10 else np.int32)
