"""The page on which the new lesions of a bank are looked at."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_consingan.arrays import as_array, wrap_like
from monai_consingan.data.lesion_bank import LesionBank
from monai_consingan.transforms.insertion.donor_crop import DonorCrop
from monai_consingan.transforms.insertion.move import move
from monai_consingan.workflows.review import CARDS, MADE, ReviewEntry, save_cards, write_review

_NUMBERS = ("diameter_mm", "value_cnr", "seam", "likeness", "attempt")


def write_lesion_review(bank: LesionBank, donors: Mapping[tuple[str, int], DonorCrop]) -> None:
    """Write ``review.html`` and its pictures into a bank's folder: every lesion, and the one that it is made of.

    Args:
        bank: the bank, whose files are there.
        donors: the lesions that it is made of, by the name of their scan and their number there.

    Raises:
        ConSinGANError: a file of the bank is not what was written.
        OSError: the page cannot be written.
    """
    entries = []
    for lesion in bank.lesions:
        scan, number = lesion["source"]
        entry = ReviewEntry(
            lesion["kind"],  # what stands first in the list, and can be looked for
            lesion["number"],
            MADE,
            donor=f"{scan}, lesion {number}",
            sequences=bank.sequences,
            numbers={name: float(lesion[name]) for name in _NUMBERS},
        )
        image, label, _ = bank.load(lesion)
        shape = as_array(label).shape[1:]
        before = _in_the_middle(donors[scan, number], _middle(as_array(label)[0]), shape)
        mask = wrap_like((as_array(label) > 0).astype(np.uint8), label)
        save_cards(
            bank.folder / CARDS, entry.case, entry.lesion, before=wrap_like(before, image), after=image, mask=mask
        )
        entries.append(entry)
    run = hashlib.sha256(json.dumps(bank.index).encode()).hexdigest()
    write_review(bank.folder, run, entries, title=f"{len(entries)} new lesions to look at")


def _middle(label: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.argwhere(label > 0).mean(axis=0))


def _in_the_middle(donor: DonorCrop, middle: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[Any]:
    """A donor's image on another grid of the same spacing, with its lesion's middle at a given voxel."""
    offset = np.round(middle - _middle(donor.label)).astype(int)
    moved: NDArray[Any] = move(donor.image, offset.tolist(), shape=shape)
    return moved
