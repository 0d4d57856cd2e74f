"""Ways to put tissue of a donor into a host, behind one interface: host, tissue and mask in, image out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor

from monai_consingan.arrays import as_array
from monai_consingan.data import IntensityScale, find_region
from monai_consingan.inferers import ConSinGANRegionInferer
from monai_consingan.methods import INSERTION_METHODS, BlendSettings
from monai_consingan.models import ModelBank, TrainedModel
from monai_consingan.settings import TrainingSettings, preset_settings
from monai_consingan.transforms import LesionAlteration, PasteLesion


@dataclass(frozen=True)
class Insertion:
    """What is put where, in a slice.

    Args:
        host: (H, W), float32.
        tissue: the donor on the host's grid, moved to where it goes.
        mask: where it goes, boolean.
        spacing: mm of a pixel.
    """

    host: np.ndarray
    tissue: np.ndarray
    mask: np.ndarray
    spacing: tuple[float, float] = (1.0, 1.0)

    def tensor(self, array: np.ndarray) -> MetaTensor:
        """(1, H, W) with the spacing."""
        affine = torch.diag(torch.tensor([*self.spacing, 1.0, 1.0], dtype=torch.float64))
        return MetaTensor(torch.as_tensor(np.ascontiguousarray(array))[None], affine=affine)


@dataclass(frozen=True)
class Models:
    """Models of hosts' slices, trained when first asked for, and kept in a bank.

    Args:
        folder: the bank's.
        seed: seed of the trainings.
        start: a model that all trainings start from; none for first weights.
        as_it_is: take that model for all hosts, and train none.
    """

    folder: Path = field(repr=False)
    seed: int = 0
    start: Path | None = None
    as_it_is: bool = False

    def get(self, host: np.ndarray, settings: TrainingSettings) -> TrainedModel:
        """The model of a slice, (H, W)."""
        start = None if self.start is None else TrainedModel.load(self.start)
        if start is not None and self.as_it_is:
            return start
        image = torch.as_tensor(host, dtype=torch.float32)[None, None]
        scaled = IntensityScale.fit(image).apply(image)
        return ModelBank(self.folder).model_for(scaled, settings, seed=self.seed, start=start)


Method = Callable[[Insertion], np.ndarray]


@dataclass(frozen=True)
class Paste:
    """A paste without a network.

    Args:
        options: of :class:`monai_consingan.transforms.PasteLesion`.
    """

    options: Mapping[str, Any] = field(default_factory=dict)

    def naive(self, case: Insertion) -> tuple[MetaTensor, MetaTensor, MetaTensor]:
        """Host, pasted image and mask as tensors."""
        host, mask = case.tensor(case.host), case.tensor(case.mask.astype(np.uint8))
        pasted = PasteLesion(**self.options)(host, case.tensor(case.tissue), mask)
        return host, pasted.image, mask

    def __call__(self, case: Insertion) -> np.ndarray:
        """The image with the tissue, (H, W)."""
        return np.asarray(as_array(self.naive(case)[1])[0])


@dataclass(frozen=True)
class ConSinGAN:
    """A paste that a ConSinGAN of the host's slice redraws.

    Args:
        models: where its models come from.
        paste: what it starts from.
        blend: where the redrawn image is used, and at which level.
        training: changes to the preset ``quick``.
        difference: take over what the network makes of the paste less what it makes of the host there, so that what it
            loses of the host's own texture (it blurs) is not lost.
        strength: how much of the change is made, up to 1.
    """

    models: Models
    paste: Paste = field(default_factory=lambda: Paste({"match": "gain"}))
    blend: BlendSettings = field(default_factory=BlendSettings)
    training: Mapping[str, Any] = field(default_factory=lambda: {"iterations": 100, "channels": 16})
    difference: bool = False
    strength: float = 1.0

    def __call__(self, case: Insertion) -> np.ndarray:
        """The image with the tissue, (H, W)."""
        settings = preset_settings("quick", "harmonization", **self.training)
        host, naive, mask = self.paste.naive(case)
        model = self.models.get(case.host, settings)
        weight, altered = LesionAlteration(self.blend.mode, self.blend.dilation_mm, self.blend.softness_mm)(mask)
        region = find_region(altered, axis=None, size=model.image_size)
        kept = {"level_mm": self.blend.level_mm, "detail_mm": self.blend.detail_mm}
        inferer = ConSinGANRegionInferer(settings.task, **kept)

        def redrawn(image: MetaTensor) -> np.ndarray:
            scale = IntensityScale.fit(host)  # that of the training
            result = inferer.redraw(image, model.generator, region, scale)
            return np.asarray(as_array(result)[0])

        pasted, result = np.asarray(as_array(naive)[0]), redrawn(naive)
        if self.difference:
            result = case.host + result - redrawn(host)
        return pasted + self.strength * as_array(weight)[0] * (result - pasted)


def _named(name: str, **given: Any) -> Callable[[Models], Method]:
    """A method of the package (:py:data:`monai_consingan.workflows.INSERTION_METHODS`); more for :class:`ConSinGAN`."""
    method = INSERTION_METHODS[name]
    paste = Paste({"blend": method.paste_blend, "match": method.match})
    redrawn = method.redrawn
    return (lambda _: paste) if redrawn is None else (lambda models: ConSinGAN(models, paste, redrawn, **given))


POISSON, TISSUE = Paste({"blend": "poisson"}), Paste({"blend": "tissue", "match": "gain"})
METHODS: dict[str, Callable[[Models], Method]] = {
    "naive": lambda _: Paste(),
    "gain matched": _named("naive"),
    "feathered": lambda _: Paste({"blend": "feather"}),
    "mean/std matched": lambda _: Paste({"match": "mean_std"}),
    "matched + feathered": lambda _: Paste({"match": "mean_std", "blend": "feather"}),
    "gain matched + feathered": _named("feather"),
    "poisson": lambda _: POISSON,
    "gain matched + poisson": _named("poisson"),
    "crossfade": _named("crossfade"),
    "tissue": _named("tissue"),
    "tissue-consingan": _named("tissue-consingan"),
    "tissue-consingan, preset quick": _named("tissue-consingan", training={}),
    "consingan-band": _named("consingan-band"),
    "consingan": _named("consingan"),
    "consingan on poisson": lambda models: ConSinGAN(models, POISSON),
    "consingan's difference on poisson": lambda models: ConSinGAN(models, POISSON, difference=True),
    "consingan on tissue": lambda models: ConSinGAN(models, TISSUE),
    "consingan's difference on tissue": lambda models: ConSinGAN(models, TISSUE, difference=True),
    "half of consingan's difference on tissue": lambda models: ConSinGAN(models, TISSUE, difference=True, strength=0.5),
}
"""Methods by name."""
NETWORK_FREE = tuple(name for name in METHODS if "consingan" not in name)
"""Those that train nothing."""


def methods(names: list[str], folder: Path, seed: int = 0) -> dict[str, Method]:
    """Methods by name, whose models are kept in a folder."""
    models = Models(folder, seed)
    return {name: METHODS[name](models) for name in names}
