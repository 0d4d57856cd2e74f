"""Lesion-shaped voids in space: healthy tissue of a volume that is to be filled, and the ways to fill it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _patients import Patient
from monai.data import MetaTensor
from scipy import ndimage

from monai_consingan.arrays import as_array
from monai_consingan.data import load_scan
from monai_consingan.distance import ball_diameter
from monai_consingan.transforms import HostKnowledge, RemoveLesion, anatomical_mirror
from monai_consingan.transforms.poisson import poisson_blend
from monai_consingan.transforms.removal.symmetry import SymmetryPlane, estimate_symmetry

DIAMETERS_MM = (8.0, 25.0)
_CLEAR = 6  # voxels around a void that are healthy tissue in both hemispheres
_TRIES = 200


@dataclass(frozen=True)
class Volume:
    """The brain of a patient, and what is known of it.

    Attributes:
        patient: whose it is; its arrays are (H, W, slices).
    """

    patient: Patient

    @cached_property
    def affine(self) -> np.ndarray:
        """Voxel of the part with the brain to world, 4x4."""
        affine = self.patient.affine.copy()
        affine[:3, 3] = (affine @ [*(side.start for side in self.patient.box), 1])[:3]
        return affine

    def tensor(self, values: np.ndarray) -> MetaTensor:
        """(C, \\*spatial) with the geometry."""
        return MetaTensor(torch.as_tensor(np.ascontiguousarray(values)), affine=torch.as_tensor(self.affine))

    @cached_property
    def truth(self) -> np.ndarray:
        """The post-contrast T1 scan, float32."""
        return np.ascontiguousarray(self.patient.image[self.patient.box])

    @cached_property
    def brain(self) -> np.ndarray:
        """Where it is not 0."""
        return self.truth != 0

    def sequence(self, name: str) -> np.ndarray:
        """Another sequence of the patient."""
        path = Path(str(self.patient.image_file).replace("t1ce", name))
        values = as_array(load_scan(path))[0]
        return np.ascontiguousarray(np.moveaxis(values, self.patient._axis, -1)[self.patient.box])

    @cached_property
    def plane(self) -> SymmetryPlane:
        """The plane of symmetry in space."""
        return estimate_symmetry(self.truth[None], self.affine)

    @cached_property
    def known(self) -> HostKnowledge:
        """What is known of it as a host."""
        return HostKnowledge.of(self.tensor(self.truth[None]))

    @cached_property
    def healthy(self) -> np.ndarray:
        """Where both hemispheres are healthy."""
        here = self.patient.healthy[self.patient.box]
        other = anatomical_mirror(here[None], self.affine, symmetry=self.plane, mode="nearest").image[0]
        return here & as_array(other)


@dataclass(frozen=True)
class SpaceVoid:
    """Healthy tissue that is voided.

    Attributes:
        volume: where.
        number: which of the patient's.
        mask: what is voided, boolean (\\*spatial).
    """

    volume: Volume
    number: int
    mask: np.ndarray

    @property
    def group(self) -> str:
        """The patient's name."""
        return self.volume.patient.name

    @property
    def box(self) -> tuple[slice, ...]:
        """The void, and 16 voxels around it."""
        (found,) = ndimage.find_objects(self.mask.view(np.uint8))
        return tuple(slice(max(side.start - 16, 0), side.stop + 16) for side in found)

    def voided(self, values: np.ndarray) -> np.ndarray:
        """A sequence with its brightest value instead of what is voided, as an enhancing lesion is bright."""
        return np.where(self.mask, values.max(), values)

    def filled(self, method: str, values: np.ndarray | None = None, axis: int | None = None) -> np.ndarray:
        """Filled by a method of the package, without a margin: of the scan, or of (C, \\*spatial)."""
        images = self.volume.truth[None] if values is None else values
        host = self.volume.tensor(np.stack([self.voided(image) for image in images]))
        label = self.volume.tensor(self.mask[None].astype(np.int16))
        remove = RemoveLesion(method, self.volume.plane, 0.0, axis)
        done = as_array(remove(host, label, known=self.volume.known if values is None else None).image)
        return done[0] if values is None else done

    @property
    def membrane(self) -> np.ndarray:
        """Interpolated from the border by Laplace's equation."""
        truth = self.volume.truth
        smooth = poisson_blend(truth[self.box], np.zeros_like(truth[self.box]), self.mask[self.box])
        result = truth.copy()
        result[self.box] = smooth
        return result


SpaceMethod = Callable[[SpaceVoid], np.ndarray]
REFERENCE = "Poisson-corrected mirror, in space"
SPACE_METHODS: Mapping[str, SpaceMethod] = {
    REFERENCE: lambda void: void.filled("poisson_mirror"),
    "Poisson-corrected mirror, by slices": lambda void: void.filled("poisson_mirror", axis=2),
    "mirror": lambda void: void.filled("mirror"),
    "Laplace, in space": lambda void: void.membrane,
    "biharmonic, in space": lambda void: void.filled("biharmonic"),
    "biharmonic, by slices": lambda void: void.filled("biharmonic", axis=2),
    "matched mirror, by slices": lambda void: void.filled("matched_mirror", axis=2),
    "matched mirror, in space": lambda void: void.filled("matched_mirror"),
    "moved mirror, in space": lambda void: void.filled("moved_mirror"),
    "matched nearby, in space": lambda void: void.filled("matched_nearby"),
}
"""Ways to fill by name; the first is what the goal is relative to."""


def space_voids(patients: Sequence[Patient], per_patient: int, seed: int) -> Iterator[SpaceVoid]:
    """Voids of every patient.

    The shape is that of a lesion's core of any of the patients, turned by right angles, flipped, and scaled to a
    diameter (of a ball of its volume) drawn from 8 to 25 mm. It lies at a random place at which it and all within 6
    voxels are healthy brain in both hemispheres, and 2 voxels or more from its mirrored place.
    """
    cores = [core for patient in patients if (core := _largest(patient.core)) is not None]
    for patient in patients:
        volume, found = Volume(patient), 0
        random = np.random.RandomState([seed, *patient.name.encode()])
        depth = ndimage.distance_transform_edt(volume.healthy)
        for _ in range(_TRIES):
            if found == per_patient:
                break
            shape = _turned(cores[random.randint(len(cores))], float(random.uniform(*DIAMETERS_MM)), random)
            wide = ndimage.distance_transform_edt(~np.pad(shape, _CLEAR)) <= _CLEAR
            centres = np.argwhere(depth > min(shape.shape) / 2)
            if not len(centres):
                continue
            for _ in range(40):
                low = centres[random.randint(len(centres))] - np.array(wide.shape) // 2
                near = tuple(slice(at, at + side) for at, side in zip(low, wide.shape, strict=True))
                inside = (low >= 0).all() and (low + wide.shape <= depth.shape).all()
                if inside and volume.healthy[near][wide].all():
                    mask = np.zeros(depth.shape, bool)
                    mask[near] = np.pad(shape, _CLEAR)
                    grown = ndimage.binary_dilation(mask[near], iterations=2)
                    around = np.zeros(depth.shape, bool)
                    around[near] = grown
                    how: dict[str, Any] = {"symmetry": volume.plane, "mode": "nearest", "box": near}
                    if not (
                        as_array(anatomical_mirror(around[None], volume.affine, **how).image)[0] & mask[near]
                    ).any():
                        yield SpaceVoid(volume, found, mask)
                        found += 1
                        break


def _largest(core: np.ndarray) -> np.ndarray | None:
    """The largest connected part of a lesion's core."""
    parts, count = ndimage.label(core)
    if not count:
        return None
    part = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    return np.asarray(part[ndimage.find_objects(part.view(np.uint8))[0]])


def _turned(core: np.ndarray, diameter: float, random: np.random.RandomState) -> np.ndarray:
    """A shape turned, flipped and scaled."""
    turned = np.transpose(core, random.permutation(3))
    turned = np.flip(turned, [axis for axis in range(3) if random.rand() < 0.5])
    whole = ndimage.binary_fill_holes(turned)
    scale = diameter / ball_diameter(float(whole.sum()), 3)
    smooth = ndimage.gaussian_filter(np.pad(whole, 2).astype(float), 0.5 / min(scale, 1.0))
    return _largest(ndimage.zoom(smooth, scale, order=1) > 0.5)  # type: ignore[return-value]
