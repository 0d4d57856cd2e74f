"""The ways to make a new lesion, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from monai_consingan.lesion_settings import LesionSettings
from monai_consingan.models.bank import ModelBank
from monai_consingan.models.lesion_painter import LesionPainter
from monai_consingan.transforms.generation.examples import Example
from monai_consingan.transforms.generation.shapes import Outline
from monai_consingan.transforms.generation.textured import patch_lesion, procedural_lesion
from monai_consingan.transforms.generation.warped import warp_lesion
from monai_consingan.transforms.insertion.donor import DonorCrop


@dataclass
class Donors:
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


Maker = Callable[[Example, Donors, float, np.random.RandomState], DonorCrop]

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
