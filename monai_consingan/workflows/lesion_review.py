"""The page on which the new lesions of a bank are looked at."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_consingan.arrays import as_array, wrap_like
from monai_consingan.data.lesion_bank import BANK_FILE, KEPT, LesionBank
from monai_consingan.errors import ConSinGANError
from monai_consingan.figures.lesion_card import save_cards
from monai_consingan.folder_lock import locked
from monai_consingan.transforms.insertion.donor import DonorCrop
from monai_consingan.transforms.whole_voxels import move
from monai_consingan.workflows.resumable_folder import write_json
from monai_consingan.workflows.review import CARDS, MADE, ReviewEntry, read_decisions, write_review

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
        shown = {"before": wrap_like(before, image), "after": image, "mask": label}
        save_cards(bank.folder / CARDS, entry.case, entry.lesion, **shown)
        entries.append(entry)
    write_review(bank.folder, _run(bank), entries, title=f"{len(entries)} new lesions to look at")


def _run(bank: LesionBank) -> str:
    """What tells a bank's page from others."""
    return hashlib.sha256(json.dumps(bank.whole).encode()).hexdigest()


def keep_lesions(
    folder: str | Path, decisions: str | Path, *, unsure: str = "drop", rest: str = "error"
) -> dict[str, Any]:
    """Leave lesions that were rejected out of a bank, for all that take it.

    Nothing is deleted: ``bank.json`` then tells of the rejected lesions under ``kept``, and other decisions on the same
    page take the place of these.

    Args:
        folder: the bank.
        decisions: the ``decisions.json`` that was saved on its ``review.html``.
        unsure, rest: see :py:func:`monai_consingan.workflows.augmentation.keep`.

    Returns:
        What ``bank.json`` then holds under ``kept``.

    Raises:
        ConSinGANError: there is no bank, it is in use, no lesion would be left, or the decisions cannot be used:
            damaged, of another bank, or, unless ``rest`` tells what becomes of the others, not on all lesions.
    """
    given = read_decisions(decisions)
    bank = LesionBank(folder)
    with locked(bank.folder):
        bank = LesionBank(folder)
        lesions = {ReviewEntry(told["kind"], told["number"], MADE).key: told for told in bank.whole["lesions"]}
        told, dropped = given.outcome(_run(bank), lesions.keys(), unsure=unsure, rest=rest)
        if dropped == lesions.keys():
            raise ConSinGANError(f"decisions {decisions} leave no lesion of bank {folder}: accept one, or make more.")
        kept = {**told, "left_out": [lesion for key, lesion in lesions.items() if key in dropped]}
        index = {**bank.whole, "lesions": [lesion for key, lesion in lesions.items() if key not in dropped], KEPT: kept}
        write_json(bank.folder / BANK_FILE, index)
    return kept


def _middle(label: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.argwhere(label > 0).mean(axis=0))


def _in_the_middle(donor: DonorCrop, middle: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[Any]:
    """A donor's image on another grid of the same spacing, with its lesion's middle at a given voxel."""
    offset = np.round(middle - _middle(donor.label)).astype(int)
    moved: NDArray[Any] = move(donor.image, offset.tolist(), shape=shape)
    return moved
