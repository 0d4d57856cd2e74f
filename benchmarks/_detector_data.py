"""Patches that a detector is trained on: what the arms of the experiment have in common, and what not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from _detector_pastes import ShrunkPaste
from _lesion_shapes import cut, random_of
from _methods import Method
from _patients import Patient
from monai.transforms import (
    Compose,
    RandAdjustContrastd,
    RandAffined,
    RandFlipd,
    RandGaussianNoised,
    RandGaussianSmoothd,
    RandScaleIntensityd,
    RandShiftIntensityd,
)
from scipy import ndimage

from monai_consingan.errors import ConSinGANError

__all__ = ["SIZE_LIMITS_MM", "Arm", "BatchSettings", "Patch", "Patches", "augmentation", "input_of"]

SIZE_LIMITS_MM = (5.0, 10.0, 20.0)
"""Diameters, in the slice, that divide lesions into classes."""
_CLIP = 5.0
_TRIES = 1000


@dataclass(frozen=True)
class Arm:
    """What a detector is trained on.

    Args:
        name: what to call it.
        augment: with the standard augmentation.
        balanced: real lesions are drawn by patient, then by class of size, instead of as they occur.
        method: half of the lesions are synthetic, put in by this.
    """

    name: str
    augment: bool = True
    balanced: bool = False
    method: Method | None = None


@dataclass(frozen=True)
class BatchSettings:
    """A batch.

    Args:
        side: pixels of a patch.
        lesions: patches with a lesion; as many have none.
        jitter: pixels that a lesion may be away from the middle of its patch, either way.
    """

    side: int = 64
    lesions: int = 4
    jitter: int = 16


@dataclass(frozen=True)
class Patch:
    """A patch.

    Args:
        image: as the network sees it, (side, side), or (C, side, side, side) in space, float32.
        label: where there is a lesion, boolean, without channels.
    """

    image: np.ndarray
    label: np.ndarray


@dataclass(frozen=True)
class _Lesion:
    """The lesion of a slice: pixels that touch each other, (n, 2)."""

    patient: int
    slice: int
    pixels: np.ndarray
    size: int


def input_of(image: np.ndarray, patient: Patient) -> np.ndarray:
    """Intensities as the network sees them: the brain's median is 0 and its standard deviation 1, within -5 and 5."""
    median, spread = patient.brain_level
    return np.clip((image - median) / spread, -_CLIP, _CLIP).astype(np.float32)


def augmentation(seed: int, dims: int = 2) -> Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]:
    """The standard augmentation: MONAI's flips, turns, zooms, noise, blur, brightness and contrast."""
    both, image = ["image", "label"], ["image"]
    turns = np.pi if dims == 2 else (np.pi / 6,) * 3
    blurs = {f"sigma_{axis}": (0.3, 1.0) for axis in "xyz"[:dims]}
    given = Compose(
        [
            *(RandFlipd(both, prob=0.5, spatial_axis=axis) for axis in range(dims)),
            RandAffined(
                both,
                prob=0.7,
                rotate_range=turns,
                scale_range=(0.2,) * dims,  # one number would zoom the first axis only
                mode=["bilinear", "nearest"],
                padding_mode="border",
            ),
            RandGaussianNoised(image, prob=0.2, std=0.1),
            RandGaussianSmoothd(image, prob=0.2, **blurs),
            RandScaleIntensityd(image, prob=0.3, factors=0.25),
            RandShiftIntensityd(image, prob=0.3, offsets=0.25),
            RandAdjustContrastd(image, prob=0.2, gamma=(0.7, 1.5)),
        ]
    )
    given.set_random_state(seed)
    return given


class Patches:
    """Where a fold's patches come from: its training patients and, among these, pastes.

    Args:
        patients: whom the fold trains on.
        pastes: synthetic lesions, hosts and donors among ``patients``.
        results: image of every paste, by arm's method.
        settings: of a batch.

    Raises:
        ConSinGANError: no patient has a lesion, or a paste comes from someone else.
    """

    def __init__(self, patients: Sequence[Patient], pastes: Sequence[ShrunkPaste], settings: BatchSettings) -> None:
        names = {patient.name for patient in patients}
        if any(not {paste.window.patient.name, paste.donor} <= names for paste in pastes):
            raise ConSinGANError("A synthetic lesion comes from a patient that is not trained on.")
        self.patients, self.pastes, self.settings = patients, pastes, settings
        self.lesions = [lesion for number in range(len(patients)) for lesion in _lesions(patients[number], number)]
        if not self.lesions:
            raise ConSinGANError(f"None of {', '.join(sorted(names))} has a lesion to learn from.")

    def batches(self, arm: Arm, images: Sequence[np.ndarray], steps: int, seed: int) -> Iterator[list[Patch]]:
        """Batches: patches with lesions, synthetic ones last, then as many without.

        Every arm draws its real lesions and its patches without lesions from the same random numbers.

        Args:
            arm: what is drawn.
            images: for an arm with a method: the image of every paste.
            steps: batches.
            seed: decides everything.
        """
        count = self.settings.lesions
        synthetic = count // 2 if arm.method is not None else 0
        real, healthy, made = (random_of(seed, word) for word in ("real", "healthy", "synthetic"))
        for _ in range(steps):
            drawn = [self._real(arm.balanced, real) for _ in range(count)][: count - synthetic]
            drawn += [self._synthetic(images, made) for _ in range(synthetic)]
            yield drawn + [self._healthy(healthy) for _ in range(count)]

    def _real(self, balanced: bool, random: np.random.Generator) -> Patch:
        lesions = self.lesions
        for group in ("patient", "size") if balanced else ():
            values = sorted({getattr(lesion, group) for lesion in lesions})
            value = values[random.integers(len(values))]
            lesions = [lesion for lesion in lesions if getattr(lesion, group) == value]
        lesion = lesions[random.integers(len(lesions))]
        patient = self.patients[lesion.patient]
        planes = patient.image[..., lesion.slice], patient.core[..., lesion.slice]
        return self._patch(*planes, patient, self._corner(lesion.pixels, random))

    def _synthetic(self, images: Sequence[np.ndarray], random: np.random.Generator) -> Patch:
        number = int(random.integers(len(self.pastes)))
        paste, image = self.pastes[number], images[number]
        row, column = self._corner(np.argwhere(paste.insertion.mask), random)
        room = [size - self.settings.side for size in image.shape]
        corner = min(max(row, 0), room[0]), min(max(column, 0), room[1])
        return self._patch(image, paste.label, paste.window.patient, corner)

    def _healthy(self, random: np.random.Generator) -> Patch:
        """A patch around a random pixel of a random patient's brain, without a lesion."""
        side = self.settings.side
        for _ in range(_TRIES):
            patient = self.patients[random.integers(len(self.patients))]
            index = int(random.integers(patient.image.shape[-1]))
            row, column = (int(random.integers(size)) for size in patient.image.shape[:2])
            corner = row - side // 2, column - side // 2
            if patient.brain[row, column, index] and not cut(patient.core[..., index], corner, side).any():
                return self._patch(patient.image[..., index], patient.core[..., index], patient, corner)
        raise ConSinGANError(f"No patch of {side} pixels without a lesion was found: give a smaller side.")

    def _corner(self, pixels: np.ndarray, random: np.random.Generator) -> tuple[int, int]:
        """First row and column of a patch around one of a lesion's pixels."""
        jitter = self.settings.jitter
        middle = pixels[random.integers(len(pixels))] + random.integers(-jitter, jitter + 1, 2)
        return int(middle[0]) - self.settings.side // 2, int(middle[1]) - self.settings.side // 2

    def _patch(self, image: np.ndarray, label: np.ndarray, patient: Patient, corner: tuple[int, int]) -> Patch:
        side = self.settings.side
        return Patch(input_of(cut(image, corner, side), patient), cut(label, corner, side))


def _lesions(patient: Patient, number: int) -> list[_Lesion]:
    """The lesions of a patient's slices that have 2 pixels or more."""
    found = []
    for index in np.flatnonzero(patient.core.any(axis=(0, 1))):
        parts, count = ndimage.label(patient.core[..., index], np.ones((3, 3)))
        for part in range(1, count + 1):
            pixels = np.argwhere(parts == part)
            if len(pixels) >= 2:
                diameter = 2 * float(np.sqrt(len(pixels) * np.prod(patient.spacing) / np.pi))
                found.append(
                    _Lesion(number, int(index), pixels, int(np.searchsorted(SIZE_LIMITS_MM, diameter, "right")))
                )
    return found
