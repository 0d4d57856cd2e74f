"""New lesions made of those of 1 to 20 donors, each checked before it is given."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import InitVar, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from numpy.typing import NDArray
from scipy import ndimage

from monai_consingan.data.sequences import chosen_channel, lead_channel, sequence_names
from monai_consingan.errors import ConSinGANError
from monai_consingan.lesion_settings import LesionSettings
from monai_consingan.models.bank import ModelBank
from monai_consingan.transforms.generation.examples import Example, likeness, normal_view
from monai_consingan.transforms.insertion.donor import Donor, DonorCrop, crop_lesions, read_donor
from monai_consingan.workflows.new_lesion import MAKERS, KnownDonors, NewLesion, lesion_measures

COPY = 0.95
"""Likeness (:func:`monai_consingan.transforms.generation.examples.likeness`) from which a lesion counts as a copy."""

_SIZE_NOISE = 0.15  # of diameters that are the donors', on a scale of ratios
_SIZE_REACH = 0.6  # how far from its own size a donor is used, on a scale of ratios
_SIZE_MISSED = 1.15


class _NotPassed(Exception):
    """A lesion that does not pass a check."""


def crops_of(donor: Donor, lesion_labels: Sequence[int] = (), lead: int | None = None) -> list[DonorCrop]:
    """A donor's lesions, the largest first, with 12 mm around each, in RAS; see :func:`crop_lesions`.

    Raises:
        ConSinGANError: the donor is not in space, or has no lesion.
    """
    if donor.image.ndim != 4:
        raise ConSinGANError(f"a donor has the shape {tuple(donor.image.shape)}: give 3 spatial axes, after channels.")
    host = MetaTensor(torch.zeros(donor.image.shape[0], 1, 1, 1))
    return crop_lesions(donor, host, lesion_labels=tuple(lesion_labels) or None, lead=lead)


@dataclass
class LesionGenerator:
    """Makes new lesions with their labels, in space and in all sequences, of those of a few donors.

    Every lesion is checked: its label hangs together, it has the size and kind that were asked for, it stands out in
    the leading sequence, its intensities are within its donor's, and it is no copy of a donor
    (:func:`monai_consingan.transforms.generation.examples.likeness` below 0.95). What does not pass is drawn again.

    Args:
        donors: the donors, which are read one by one, each a pair of image (C, H, W, D) and label (1, H, W, D), or a
            dictionary with these keys; arrays, tensors or paths; or a
            :class:`monai_consingan.transforms.insertion.donor.Donor`. All have the same sequences in the same order.
            Every lesion of theirs is learnt from that has 8 voxels or more.
        settings: what is asked for.
        models: folder for models, of methods that train one: one that is there is not trained again, and a training
            that was killed goes on.
        device: where to train.
        progress: whether to show a training's progress.

    Attributes:
        crops: the donors' lesions.
        owners: which donor each is of, from 0.
        sequences: names of the sequences.
        lead: the number of the leading one.

    Raises:
        ConSinGANError: there are no donors, or they have other sequences than the first, or no lesion that can be
            learnt from, or none of the kind that is asked for.

    Example::

        generate = LesionGenerator([(image, label)], LesionSettings(diameter=(4, 12)))
        lesion = generate(0)  # and 1, 2, 3, ...
        pasted = RandLesion(donors=[lesion.donor])(host)
    """

    donors: InitVar[Iterable[Any]]
    settings: LesionSettings = field(default_factory=LesionSettings)
    models: str | Path | None = None
    device: str = "cpu"
    progress: bool = False

    def __post_init__(self, donors: Iterable[Any]) -> None:
        self.crops: list[DonorCrop] = []
        self.owners: list[int] = []
        self.sequences: tuple[str, ...] = ()
        leads: Counter[int] = Counter()
        for number, entry in enumerate(donors, start=1):
            donor = read_donor(entry)
            names = sequence_names(donor.image)
            if self.sequences and names != self.sequences:
                raise ConSinGANError(
                    f"donor {number} has the sequences {', '.join(names)}, but the first {', '.join(self.sequences)}: "
                    "give donors with the same ones in the same order."
                )
            self.sequences = names
            for crop in crops_of(donor, self.settings.lesion_labels):
                self.crops.append(crop)
                self.owners.append(number - 1)
                affine = torch.diag(torch.tensor([*crop.spacing, 1.0]))
                leads[lead_channel(MetaTensor(crop.image, affine=affine), crop.label[None] > 0)] += 1
        if not self.crops:
            raise ConSinGANError("There are no donors: give at least one image with its label.")
        lead = self.settings.lead
        self.lead = leads.most_common(1)[0][0] if lead is None else chosen_channel(self.sequences, lead, "the donors")
        self.crops = [self._led(crop) for crop in self.crops]

    def _led(self, crop: DonorCrop) -> DonorCrop:
        """A crop of a donor that is looked at in the leading sequence.

        A donor that came with the level of another sequence, as one of a bank does, is measured anew in its crop.
        """
        if crop.lead == self.lead:
            return crop
        if crop.levels:
            return replace(crop, lead=self.lead, level=crop.levels[self.lead])
        affine = torch.diag(torch.tensor([*crop.spacing, *[1.0] * (4 - len(crop.spacing))]))
        image, label, valid = (
            MetaTensor(torch.as_tensor(part), affine=affine)
            for part in (crop.image, crop.label[None], crop.valid[None])
        )
        (again,) = crops_of(Donor(image, label, valid), crop.lesion_labels, self.lead)
        return replace(again, number=crop.number)

    @cached_property
    def examples(self) -> dict[int, Example]:
        """What is known of the donors' lesions that can be learnt from, by their numbers in :attr:`crops`.

        Raises:
            ConSinGANError: there is none.
        """
        found, why = {}, ""
        labels = self.settings.lesion_labels or None
        for number, crop in enumerate(self.crops):
            try:
                found[number] = Example.of(crop, labels, lead=self.lead, oedema=self.settings.oedema)
            except ConSinGANError as error:
                why = str(error)
        if not found:
            raise ConSinGANError(f"There is no lesion to learn from: {why}")
        return found

    @cached_property
    def sources(self) -> list[int]:
        """The donors' lesions that give intensities: those of the kind that is asked for.

        Raises:
            ConSinGANError: there is none.
        """
        kind = self.settings.kind
        found = [number for number, example in self.examples.items() if kind in (None, example.kind)]
        if not found:
            seen = Counter(example.kind for example in self.examples.values())
            there = ", ".join(f"{count} x {name}" for name, count in sorted(seen.items()))
            raise ConSinGANError(f"kind is {kind!r}, but the donors' lesions are {there}: ask for one of these.")
        return found

    @cached_property
    def known(self) -> KnownDonors:
        """What is known of all of them together."""
        bank = None if self.models is None else ModelBank(self.models)
        return KnownDonors(list(self.examples.values()), self.settings, bank, self.device, self.progress)

    @cached_property
    def _views(self) -> list[NDArray[np.float64]]:
        return [normal_view(example) for example in self.examples.values()]

    def __call__(self, number: int) -> NewLesion:
        """A new lesion; the same number with the same donors and settings gives the same one.

        Args:
            number: its number, from 0.

        Raises:
            ConSinGANError: no draw passes the checks.
        """
        reasons: Counter[str] = Counter()
        for attempt in range(self.settings.attempts):
            digest = hashlib.sha256(f"{self.settings.seed} {number} {attempt}".encode()).digest()
            rng = np.random.RandomState(int.from_bytes(digest[:4], "little"))
            try:
                lesion = self._drawn(rng)
            except _NotPassed as error:
                reasons[str(error)] += 1
                continue
            lesion.about["attempt"] = attempt + 1
            return lesion
        why, count = reasons.most_common(1)[0]
        raise ConSinGANError(
            f"None of {self.settings.attempts} draws of lesion {number} passes its checks ({count} times {why}): ask "
            "for other sizes or another kind, give more donors, or allow more attempts."
        )

    def _drawn(self, rng: np.random.RandomState) -> NewLesion:
        sizes = {number: self.examples[number].diameter for number in self.sources}
        if self.settings.diameter is None:
            diameter = float(rng.choice(list(sizes.values())) * np.exp(rng.normal(0, _SIZE_NOISE)))
        else:
            low, high = self.settings.diameter
            diameter = float(np.exp(rng.uniform(np.log(low), np.log(high))))
        off = np.array([math.log(diameter / size) / _SIZE_REACH for size in sizes.values()])
        chances = np.exp(-0.5 * (off**2 - (off**2).min()))
        source = self.sources[int(rng.choice(len(off), p=chances / chances.sum()))]
        crop = MAKERS[self.settings.method](self.examples[source], self.known, diameter, rng)
        return NewLesion(crop, source, self._checked(crop, self.examples[source], diameter))

    def _checked(self, crop: DonorCrop, donor: Example, diameter: float) -> dict[str, Any]:
        """What is told of a lesion that passes all checks."""
        labels = self.settings.lesion_labels or None
        if ndimage.label(crop.label > 0, np.ones((3, 3, 3)))[1] != 1:
            raise _NotPassed("its label is in several parts")
        try:
            made = Example.of(crop, labels, lead=self.lead, oedema=self.settings.oedema)
            about = lesion_measures(made, self.sequences, self.lead)
        except ConSinGANError as error:
            raise _NotPassed(str(error).rstrip(".")) from error
        low, high = self.settings.diameter or (diameter, diameter)
        if not low / _SIZE_MISSED <= made.diameter <= high * _SIZE_MISSED:
            raise _NotPassed("its size is not the one asked for")
        if self.settings.kind not in (None, made.kind):
            raise _NotPassed(f"it is {made.kind}")
        if not abs(about["value_cnr"]) >= self.settings.min_cnr:
            raise _NotPassed("it does not stand out")
        for ours, theirs in zip(crop.image[:, made.core], donor.crop.image, strict=True):
            if not theirs.min() <= ours.min() <= ours.max() <= theirs.max():
                raise _NotPassed("its intensities are beyond its donor's")
        view = normal_view(made)
        about["likeness"] = max(likeness(view, other) for other in self._views)
        if about["likeness"] >= COPY:
            raise _NotPassed("it is a copy of a donor")
        return about

    def of_lesions(self, numbers: Sequence[int]) -> LesionGenerator:
        """A generator that learns from some of the donors' lesions only, by their numbers in :attr:`crops`."""
        other = copy(self)
        other.crops = [self.crops[number] for number in numbers]
        for name in ("examples", "sources", "known", "_views"):
            other.__dict__.pop(name, None)
        return other
