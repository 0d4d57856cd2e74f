"""A new lesion, its measures, and the ways to make one, by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor

from monai_consingan.errors import ConSinGANError
from monai_consingan.lesion_settings import LesionSettings
from monai_consingan.metrics import Surroundings, contrast, contrast_to_noise, seam
from monai_consingan.models.bank import ModelBank
from monai_consingan.models.lesion_painter import LesionPainter
from monai_consingan.transforms.generation.examples import Example
from monai_consingan.transforms.generation.shapes import Outline
from monai_consingan.transforms.generation.textured import patch_lesion, procedural_lesion
from monai_consingan.transforms.generation.warped import warp_lesion
from monai_consingan.transforms.insertion.donor import Donor, DonorCrop

_FEWEST_VOXELS = 4


@dataclass(frozen=True)
class NewLesion:
    """A lesion that never was.

    Attributes:
        crop: image (C, \\*spatial), label, valid and spacing, in RAS.
        source: which of the donors' lesions gave its intensities, from 0.
        about: ``kind``, ``diameter_mm``, ``volume_mm3``, ``spacing``, ``cnr`` by sequence, ``value`` (the label value
            that stands out most in the leading sequence), its ``value_cnr`` and ``contrast``, the border's ``seam``,
            ``level``, the ``likeness`` to the most alike donor, and the ``attempt`` that passed.
    """

    crop: DonorCrop
    source: int
    about: dict[str, Any]

    @property
    def donor(self) -> Donor:
        """The lesion as a donor, which can be pasted like any other."""
        affine = torch.diag(torch.tensor([*self.crop.spacing, 1.0]))
        label, valid = (MetaTensor(part[None].copy(), affine=affine) for part in (self.crop.label, self.crop.valid))
        image, labels = MetaTensor(self.crop.image, affine=affine), self.crop.lesion_labels or None
        return Donor(image, label, valid.to(torch.uint8), self.crop.level, labels, self.crop.lead)


def lesion_measures(made: Example, sequences: Sequence[str], lead: int) -> dict[str, Any]:
    """Measures of a lesion, which the survey of a scan has of its lesions, too.

    Args:
        made: the lesion.
        sequences: names of its channels.
        lead: the channel in which it is measured.

    Returns:
        What :attr:`NewLesion.about` says, but for the likeness and the attempt.

    Raises:
        ConSinGANError: the border or the contrast cannot be measured.
    """
    crop = made.crop
    affine = torch.diag(torch.tensor([*crop.spacing, 1.0]))
    case = [
        Surroundings(
            MetaTensor(channel[None].copy(), affine=affine),
            (crop.label > 0)[None],
            tissue=(crop.valid | (crop.label > 0))[None],
        )
        for channel in crop.image
    ]
    leading = case[lead]
    values = [int(value) for value in np.unique(crop.label[made.core])]
    parts = {value: made.core & (crop.label == value) for value in values}
    ratios = {v: contrast_to_noise(leading, part=p) for v, p in parts.items() if p.sum() >= _FEWEST_VOXELS}
    if not ratios:
        raise ConSinGANError("its contrast cannot be measured, as no label value has enough voxels.")
    value = max(ratios, key=lambda name: abs(ratios[name]))
    about: dict[str, Any] = {
        "kind": made.kind,
        "diameter_mm": made.diameter,
        "volume_mm3": float(made.core.sum() * math.prod(crop.spacing)),
        "spacing": list(crop.spacing),
        "cnr": {name: contrast_to_noise(one, part=made.core) for name, one in zip(sequences, case, strict=True)},
        "value": value,
        "value_cnr": ratios[value],
        "contrast": None,
        "seam": seam(leading),
        "level": crop.level,
    }
    if not all(math.isfinite(number) for number in (about["seam"], *ratios.values())):
        raise ConSinGANError("its border or contrast cannot be measured.")
    with suppress(ConSinGANError):  # intensities around 0
        about["contrast"] = contrast(leading, part=parts[value])
    return about


@dataclass
class KnownDonors:
    """What is known of the donors together.

    Args:
        examples: their lesions.
        settings: what is asked for.
        bank: models of earlier trainings, which are not repeated.
        device: where to train.
        progress: whether to show a training's progress.
    """

    examples: Sequence[Example]
    settings: LesionSettings = field(default_factory=LesionSettings)
    bank: ModelBank | None = None
    device: str = "cpu"
    progress: bool = False

    @cached_property
    def outlines(self) -> list[Outline]:
        """Their outlines."""
        return [Outline.of(example) for example in self.examples]

    @cached_property
    def painter(self) -> LesionPainter:
        """A network of them, which is trained when it is used."""
        sizes = self.settings.diameter or [example.diameter for example in self.examples]
        how: dict[str, Any] = {name: getattr(self, name) for name in ("bank", "device", "progress")}
        return LesionPainter(self.examples, (min(sizes), max(sizes)), self.settings.preset, self.settings.seed, **how)


Maker = Callable[[Example, KnownDonors, float, np.random.RandomState], DonorCrop]

MAKERS: Mapping[str, Maker] = MappingProxyType(
    {
        "warped": lambda example, donors, diameter, rng: warp_lesion(example, diameter, rng),
        "procedural": lambda example, donors, diameter, rng: procedural_lesion(example, donors.outlines, diameter, rng),
        "patches": lambda example, donors, diameter, rng: patch_lesion(example, donors.outlines, diameter, rng),
        "painted": lambda example, donors, diameter, rng: donors.painter(example, donors.outlines, diameter, rng),
    }
)
"""For each of :data:`monai_consingan.lesion_settings.GENERATION_METHODS` what makes a lesion of one donor's
intensities, of all donors, of a diameter in mm, and by chance."""
