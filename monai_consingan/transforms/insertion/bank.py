"""The lesions of a bank as donors."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from monai_consingan.data.lesion_bank import LesionBank
from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.insertion.donor import Donor


def bank_donor(bank: LesionBank, lesion: dict[str, Any]) -> Donor:
    """A lesion of a bank as a donor.

    Args:
        bank: the bank.
        lesion: one of :attr:`LesionBank.lesions`.

    Raises:
        ConSinGANError: a file of it is gone or damaged.
    """
    image, label, valid = bank.load(lesion)
    return Donor(image, label, valid, float(lesion["level"]), bank.lesion_labels or None)


def load_bank(folder: str | Path, *, held_out: int | None = None, without: Collection[str] = ()) -> list[Donor]:
    """The lesions of a bank, to be taken wherever donors are, as in :class:`RandLesion`.

    Args:
        folder: the bank, as ``monai-consingan lesions`` writes it.
        held_out: the fold that a network is validated with: lesions made of its scans are left out.
        without: names or SHA-256 of images of scans, such as those of a validation: lesions made of them are left out.

    Raises:
        ConSinGANError: there is no bank, it is damaged or of another version, or no lesion is left.

    Example::

        RandLesiond(["image", "label"], donors=load_bank("bank", held_out=0))
    """
    bank = LesionBank(folder)
    barred = {
        number
        for number, donor in enumerate(bank.donors)
        if (held_out is not None and donor["fold"] == held_out)
        or donor["scan"] in without
        or donor["image_sha256"] in without
    }
    kept = [lesion for lesion in bank.lesions if not barred & set(lesion["donors"])]
    if not kept:
        raise ConSinGANError(
            f"bank {folder} has no lesion that is made without the scans held out: give a bank of other donors."
        )
    return [bank_donor(bank, lesion) for lesion in kept]
