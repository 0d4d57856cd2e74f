"""A ConSinGAN that makes painted lesions real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from monai_consingan.distance import reach_box
from monai_consingan.inferers import painted
from monai_consingan.models.bank import ModelBank
from monai_consingan.models.model import TrainedModel
from monai_consingan.models.training import train_model
from monai_consingan.settings import TrainingSettings, preset_settings
from monai_consingan.transforms.generation.examples import Example
from monai_consingan.transforms.generation.shapes import Outline
from monai_consingan.transforms.generation.textured import draw_guide, in_tissue, paint_profile, within_range
from monai_consingan.transforms.generation.warped import tissue_around, warp_lesion
from monai_consingan.transforms.insertion.donor import DonorCrop

_TASK = "harmonization"
_SIDE = 32
_PAIRS = 24
_REACH_MM = 8.0  # of what the network sees around a lesion
_REDRAWN_MM = 1.0  # how far its border is redrawn
_LEVEL_MM = 3.0  # what is coarser is the painting's, as a generator with norms does not keep it
_RANGE = 1.25


@dataclass
class LesionPainter:
    """One ConSinGAN of a few donors' lesions, in space, which makes painted lesions real.

    Its images have the sequences and, as more channels, where each label value is. It is trained on the donors'
    lesions, each warped again and again, in boxes of 32 voxels; the input of stage 0 is the same lesion painted without
    texture, amid its tissue. Then it is given lesions of new outlines, which are painted in the same way: what they are
    and where comes from the painting, what they look like from the network.

    Args:
        examples: the donors' lesions, of the same sequences.
        diameter: smallest and largest diameter in mm that it is trained for.
        preset: ``"quick"`` or ``"standard"``.
        seed: seed of the training.
        bank: models of earlier trainings, which are not repeated; a training that was killed goes on there.
        device: where to train.
        progress: whether to show the training's progress.

    Example::

        lesion = LesionPainter(examples, (10, 20))(examples[0], outlines, 15.0, np.random.RandomState(0))
    """

    examples: Sequence[Example]
    diameter: tuple[float, float]
    preset: str = "quick"
    seed: int = 0
    bank: ModelBank | None = None
    device: str = "cpu"
    progress: bool = False

    @cached_property
    def settings(self) -> TrainingSettings:
        """Settings of the training."""
        return preset_settings(self.preset, _TASK, spatial_dims=3)

    @cached_property
    def values(self) -> list[int]:
        """The label values, each of which has a channel."""
        return sorted({int(v) for example in self.examples for v in np.unique(example.crop.label) if v > 0})

    @cached_property
    def model(self) -> TrainedModel:
        """The trained model.

        Raises:
            ConSinGANError: the training fails, or the bank's folder cannot be written to.
        """
        pairs = [self._pair(number) for number in range(_PAIRS)]
        real, paintings = (torch.stack(images) for images in zip(*pairs, strict=True))
        how: dict[str, Any] = {
            "seed": self.seed,
            "device": self.device,
            "progress": self.progress,
            "stage_input": paintings,
        }
        if self.bank is None:
            return train_model(real, self.settings, **how)
        return self.bank.model_for(real, self.settings, content=[real, paintings], **how)

    def _pair(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """A donor's lesion, warped, and the same painted without texture, as the network sees them in a box."""
        rng = np.random.RandomState(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])
        example = self.examples[number % len(self.examples)]
        crop = warp_lesion(example, float(np.exp(rng.uniform(*np.log(self.diameter)))), rng)
        guide = paint_profile(example, crop.label)
        picture, _ = in_tissue(example, crop.label, guide, crop.image.astype(np.float64))
        inside = np.argwhere(crop.label > 0)
        fits = np.all(np.ptp(inside, axis=0) < _SIDE)
        middle = inside.mean(axis=0).round().astype(int) if fits else inside[rng.randint(len(inside))]
        real, painting = (_box(self._seen(example, image, crop.label), middle) for image in (crop.image, picture))
        return real, painting

    def _seen(self, example: Example, image: np.ndarray, label: np.ndarray) -> torch.Tensor:
        """Sequences and label as the network sees them, (C + values, \\*spatial) in [-1, 1]."""
        level, width = _scale(example)
        sequences = np.clip((image - level) / width, -1, 1)
        parts = np.stack([np.where(label == value, 1.0, -1.0) for value in self.values])
        return torch.from_numpy(np.concatenate([sequences, parts]).astype(np.float32))

    def __call__(
        self, example: Example, outlines: Sequence[Outline], diameter: float, rng: np.random.RandomState
    ) -> DonorCrop:
        """A new lesion of a new outline, with a donor's profile, that the network made real.

        Args:
            example, outlines, diameter, rng: see
                :py:func:`monai_consingan.transforms.generation.textured.procedural_lesion`.

        Raises:
            ConSinGANError: see :attr:`model`.
        """
        label, guide = draw_guide(example, outlines, diameter, rng)
        tissue, valid = tissue_around(example, label.shape, diameter, rng)
        picture, _ = in_tissue(example, label, guide, tissue)
        mm = example.crop.spacing
        box = reach_box(label > 0, mm, _REACH_MM)
        inside = (slice(None), *box)
        seen = self._seen(example, picture[inside], label[box])
        made = painted(self.model.generator, seen[None], _TASK, int(rng.randint(2**31)), number=1)
        level, width = _scale(example)
        redrawn = made[: len(picture)].numpy() * width + level
        redrawn += ndimage.gaussian_filter(picture[inside] - redrawn, [0, *(_LEVEL_MM / step for step in mm)])
        near = ndimage.distance_transform_edt(label[box] == 0, sampling=mm) <= _REDRAWN_MM
        weight = ndimage.gaussian_filter(near.astype(np.float64), [0.5 * _REDRAWN_MM / step for step in mm])
        picture[inside] += weight * (redrawn - picture[inside])
        return within_range(example, label, picture, valid)


def _scale(example: Example) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Intensities of a donor that are 0 to the network, and how far from them 1 is, (C, 1, 1, 1)."""
    level = example.level[:, None]
    away = np.abs(example.crop.image[:, example.core | example.around] - level)
    width = _RANGE * np.maximum(np.percentile(away, 99.5, axis=1), 1e-6)
    return level[..., None, None], width[:, None, None, None]


def _box(image: torch.Tensor, middle: np.ndarray) -> torch.Tensor:
    """32 voxels a side around a voxel; beyond the end the last voxel goes on."""
    for axis, (at, size) in enumerate(zip(middle, image.shape[1:], strict=True), start=1):
        places = (torch.arange(_SIDE) + int(at) - _SIDE // 2).clamp(0, size - 1)
        image = image.index_select(axis, places)
    return image
