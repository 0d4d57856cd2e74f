"""Reading a scan of a data set: its sequences, its label and the numbers of its lesions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from monai.data import MetaTensor

from monai_consingan.data import SequenceFiles, Stored, load_label, read_sequences
from monai_consingan.data.lesions import number_lesions
from monai_consingan.workflows.data_sets.records import ScanRecord


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
