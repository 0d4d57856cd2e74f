"""Real scans of which a data set takes some sequences only, in files of their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from monai_consingan.data import read_stored, save_sequences
from monai_consingan.workflows.data_sets.load import load_files
from monai_consingan.workflows.data_sets.records import ScanRecord, ScanSet

REAL = "real"
"""The folder for these scans in the output."""


def with_own_files(scans: ScanSet, folder: Path) -> ScanSet:
    """A data set whose scans hold what is taken of them and no more, so that lists never mix unlike scans.

    A scan that holds all its sequences in one file is written to ``real`` where some of them are taken only, with its
    stored numbers; all others stay where they are. What is written already is not written again.

    Args:
        scans: the data set.
        folder: the output folder.

    Raises:
        ConSinGANError: a file cannot be read or written.
    """
    return replace(scans, records=tuple(_with_own_file(record, folder / REAL) for record in scans.records))


def _with_own_file(record: ScanRecord, folder: Path) -> ScanRecord:
    if not record.volumes:
        return record
    found = sorted(folder.glob(f"{record.name}.*"))
    if not found:
        stored = read_stored(record.image, name=f"scan {record.name}", several=True)
        if len(record.volumes) == stored.volumes and list(record.volumes) == sorted(record.volumes):
            return record
        image, files = load_files(record)
        folder.mkdir(parents=True, exist_ok=True)
        untouched = np.zeros((1, *image.shape[1:]), np.uint8)
        found = [folder / name for name in save_sequences(folder, record.name, image, files, alteration=untouched)]
    return replace(record, image=found[0], volumes=())
