"""Donors of lesions: those of a bank, and those that chance chooses, read when first needed and kept as small crops."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cachetools import LRUCache
from monai.data import MetaTensor

from monai_consingan.arrays import spacing_of
from monai_consingan.data import sequence_names
from monai_consingan.data.lesion_bank import LesionBank
from monai_consingan.data.slices import axis_codes
from monai_consingan.errors import ConSinGANError, NoPlaceError
from monai_consingan.transforms.insertion.donor import Donor, DonorCrop, crop_lesions, turn_donor


class NoLesionError(NoPlaceError):
    """A donor has no lesion that may be taken."""


@dataclass(frozen=True)
class LesionDraw:
    """What chance decided for one lesion.

    Attributes:
        donor: the donor that is taken, by its key.
        flips: whether it is flipped, for each spatial axis.
        degrees: angle that it is turned by.
        scale: factor of its size.
        seed: seed of its place.
    """

    donor: Any
    flips: tuple[bool, ...]
    degrees: float
    scale: float
    seed: int

    @classmethod
    def random(
        cls,
        donors: Sequence[Any],
        rng: np.random.RandomState,
        *,
        flip_prob: float,
        rotate_range: float,
        scale_range: Sequence[float],
    ) -> LesionDraw:
        """Draw a lesion, every donor with the same chance.

        Args:
            donors: keys of the donors.
            rng: random state that is drawn from.
            flip_prob: probability of a flip, for each axis by itself.
            rotate_range: largest angle in degrees, to both sides.
            scale_range: smallest and largest factor of the size.
        """
        return cls(
            donor=donors[int(rng.randint(len(donors)))],
            flips=tuple(bool(flip) for flip in rng.uniform(size=3) < flip_prob),
            degrees=float(rng.uniform(-rotate_range, rotate_range)),
            scale=float(rng.uniform(scale_range[0], scale_range[1])),
            seed=int(rng.randint(2**31 - 1)),
        )

    def as_dict(self) -> dict[str, Any]:
        """How the donor is changed and what its place is drawn by, as plain values."""
        return {"flips": list(self.flips), "degrees": self.degrees, "scale": self.scale, "seed": self.seed}


@dataclass(eq=False)
class Donors:
    """Donors by their keys: read when first needed, and kept as their lesions and 12 mm around each.

    Args:
        read: reads the donor of a key, or makes one.
        lesion_labels: label values that make a part of a donor's label a lesion; None for all.
        spacing: mm per spatial axis of hosts, and of donors without an affine; None takes it from a MetaTensor's
            affine, and 1 mm for other arrays.
        keep: how many donors are kept in memory; None for all.
        min_volume: volume in mm3 (in 2D, area in mm2) that a lesion has at least without oedema, also after it was
            scaled.
        min_cnr: how far a lesion stands out in its donor at least, brighter or darker.
        lead: name or number of the channel in which lesions are looked at; None takes that in which each stands out
            most.
    """

    read: Callable[[Any], Donor]
    spacing: Sequence[float] | float | None = None
    keep: int | None = None
    lesion_labels: Iterable[int] | None = None
    min_volume: float = 0.0
    min_cnr: float = 0.0
    lead: int | str | None = None

    def __post_init__(self) -> None:
        self.lesion_labels = None if self.lesion_labels is None else tuple(self.lesion_labels)
        self._crops: LRUCache[Hashable, list[DonorCrop]] = LRUCache(math.inf if self.keep is None else self.keep)

    def turned(self, draw: LesionDraw, host: Any, axis: int | None) -> DonorCrop:
        """The lesion of a draw, flipped, turned and scaled on the host's spacing.

        Of a donor with several lesions the draw's seed takes one, all with the same chance.

        Args:
            draw: what chance decided.
            host: the image that it is for, (C, \\*spatial).
            axis: the host's axis perpendicular to the slices, in which nothing is flipped, turned or scaled; None for
                work in space.

        Raises:
            ConSinGANError: the donor cannot be read, or has other axes or channels than the host.
            NoPlaceError: the lesion is too small.
            NoLesionError: all of the donor's lesions are, or do not stand out.
        """
        axes = axis_codes(host.affine) if isinstance(host, MetaTensor) else ""
        key = (draw.donor, axes, axis, host.ndim, sequence_names(host))
        crops = self._crops.get(key)
        if crops is None:
            crops = crop_lesions(self.read(draw.donor), host, axis, self.spacing, self.lesion_labels, self.lead)
            self._crops[key] = crops = [crop for crop in crops if self._fit(crop)]
        if not crops:
            raise NoLesionError(
                f"no lesion of the donor has {self.min_volume:g} mm3 or more and stands out from the tissue around it "
                f"by {self.min_cnr:g} times its noise."
            )
        crop = crops[np.random.RandomState(draw.seed).randint(len(crops))]
        ndim = host.ndim - 1
        flips = [flip and not (ndim == 3 and i == axis) for i, flip in enumerate(draw.flips[:ndim])]
        spacing = spacing_of(host, self.spacing)
        turned = turn_donor(crop, spacing, flips=flips, degrees=draw.degrees, scale=draw.scale, axis=axis)
        if not turned.core.any():
            raise NoPlaceError(f"no voxel of the lesion is left at {draw.scale:.2f} times its size on this grid.")
        if turned.volume_mm3 < self.min_volume:
            raise NoPlaceError(
                f"the lesion has {turned.volume_mm3:.1f} mm3 at {draw.scale:.2f} times its size, below "
                f"{self.min_volume:g}."
            )
        return turned

    def _fit(self, crop: DonorCrop) -> bool:
        """Whether a lesion is large and visible enough; what cannot be measured does not count against it."""
        return crop.volume_mm3 >= self.min_volume and not crop.visibility < self.min_cnr


def bank_donor(bank: LesionBank, lesion: dict[str, Any]) -> Donor:
    """A lesion of a bank as a donor.

    Args:
        bank: the bank.
        lesion: one of :attr:`LesionBank.lesions`.

    Raises:
        ConSinGANError: a file of it is gone or damaged.
    """
    image, label, valid = bank.load(lesion)
    lead = str(bank.index["lead"]) if len(bank.sequences) > 1 else None
    return Donor(image, label, valid, float(lesion["level"]), bank.lesion_labels or None, lead)


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
