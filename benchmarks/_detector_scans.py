"""Scans in space for the detector experiment: coarse, with all sequences, and synthetic lesions in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _kept import kept
from _lesion_shapes import random_of
from _sequences import Volume
from monai.data import MetaTensor

from monai_consingan.arrays import as_array
from monai_consingan.data import file_sha256
from monai_consingan.errors import NoPlaceError
from monai_consingan.lesion_settings import GENERATION_METHODS, LesionSettings
from monai_consingan.methods import USUAL_FILLINGS
from monai_consingan.transforms import HostKnowledge, RandLesion, RemoveLesion
from monai_consingan.transforms.insertion.donor import Donor
from monai_consingan.workflows.lesion_generator import LesionGenerator

CORE, AROUND = 1, 2
"""Label values: the lesion, and what else is labelled (oedema)."""
KINDS = ("copies", "blank", *GENERATION_METHODS)
"""Real lesions, turned and scaled; flat blobs of their shape; or new ones of a bank (``monai-consingan lesions``)."""
_SCALES = (0.3, 0.7)
_NEW = 6
_TRIES = 5
_CLIP = 5.0


@dataclass(frozen=True)
class CoarseScan:
    """A patient's sequences on coarse voxels.

    Args:
        volume: in voxels of 1 mm.
        factor: voxels of it, along each axis, for one.
    """

    volume: Volume
    factor: int = 2

    @property
    def name(self) -> str:
        """The patient."""
        return self.volume.name

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Checksums of what it is read from."""
        return tuple(file_sha256(path) for path in (*self.volume.files, self.volume.label_file))

    def _means(self, array: np.ndarray) -> np.ndarray:
        n = self.factor
        padded = np.pad(array, [*[(0, 0)] * (array.ndim - 3), *[(0, -size % n) for size in array.shape[-3:]]])
        parts = [part for size in padded.shape[-3:] for part in (size // n, n)]
        return np.asarray(padded.reshape(*array.shape[:-3], *parts).mean(axis=(-5, -3, -1), dtype=np.float32))

    @cached_property
    def brain(self) -> np.ndarray:
        """Where all sequences show the brain in half of the voxels, (X, Y, Z)."""
        return self._means(self.volume.brain) >= 0.5

    @cached_property
    def image(self) -> np.ndarray:
        """(C, X, Y, Z), float32, 0 outside the brain."""
        return self._means(self.volume.image) * self.brain

    @cached_property
    def label(self) -> np.ndarray:
        """(X, Y, Z), int16."""
        core = self._means(self.volume.core) >= 0.5
        ill = self._means(self.volume.label > 0) >= 0.5
        return np.where(core, CORE, np.where(ill, AROUND, 0)).astype(np.int16)

    @property
    def core(self) -> np.ndarray:
        """The lesion without oedema."""
        return self.label == CORE

    @cached_property
    def levels(self) -> tuple[np.ndarray, np.ndarray]:
        """Median and standard deviation of the whole brain, (C, 1, 1, 1) each."""
        values = self.image[:, self.brain]
        return np.median(values, axis=1)[:, None, None, None], values.std(axis=1)[:, None, None, None]

    def tensor(self, array: np.ndarray) -> MetaTensor:
        """With the spacing; (C, X, Y, Z)."""
        return MetaTensor(
            torch.from_numpy(np.ascontiguousarray(array)), affine=np.diag([*[float(self.factor)] * 3, 1.0])
        )

    @cached_property
    def pair(self) -> tuple[MetaTensor, MetaTensor]:
        """Image and label."""
        return self.tensor(self.image), self.tensor(self.label[None])

    @cached_property
    def known(self) -> HostKnowledge:
        """What is known of it as a host."""
        return HostKnowledge.of(self.pair[0])

    @cached_property
    def twin(self) -> np.ndarray | None:
        """The image with the lesion removed; None where no filling can."""
        try:
            return as_array(RemoveLesion(USUAL_FILLINGS)(*self.pair, [CORE], self.known).image)
        except NoPlaceError:
            return None

    def input_of(self, image: np.ndarray) -> np.ndarray:
        """Intensities as the network sees them: the brain's median is 0, its standard deviation 1, within -5 and 5."""
        median, spread = self.levels
        return np.clip((image - median) / spread, -_CLIP, _CLIP).astype(np.float32)


@dataclass(frozen=True)
class Made:
    """A synthetic lesion in a scan: the voxels that differ.

    Args:
        host, donor: names of the patients.
        where: indices of the first axis, the second and the third, (3, n).
        values: of the image there, (C, n).
        labels: there, (n,).
    """

    host: str
    donor: str
    where: np.ndarray
    values: np.ndarray
    labels: np.ndarray

    def into(self, scan: CoarseScan) -> tuple[np.ndarray, np.ndarray]:
        """The host's image and core with it."""
        image, label = scan.image.copy(), scan.label.copy()
        image[(slice(None), *self.where)] = self.values
        label[tuple(self.where)] = self.labels
        return image, label == CORE

    @property
    def centres(self) -> np.ndarray:
        """Voxels of the lesion, (n, 3)."""
        return self.where.T[self.labels == CORE]


@dataclass(frozen=True)
class Lesions:
    """What synthetic lesions are.

    Args:
        kind: one of :data:`KINDS`.
        oedema: whether new lesions are made with the oedema around them, or as if their donors' labels had none; copies
            have theirs, and blobs none.
        mass_effect: share of a lesion's volume by which it pushes tissue aside.
    """

    kind: str
    oedema: bool = True
    mass_effect: float = 0.0


def painter(lesions: Lesions, donors: Sequence[CoarseScan], folder: Path | None = None) -> tuple[RandLesion, list[str]]:
    """Puts lesions into scans, and whose each of its donors is.

    Args:
        lesions: what they are.
        donors: patients whose lesions are taken; new lesions are made of each by itself.
        folder: keeps the networks of those that are painted, if given.
    """
    kind = lesions.kind
    turns: dict[str, Any] = {
        "mass_effect": lesions.mass_effect,
        "lesion_labels": (CORE,),
        "rotate_range": 180.0,
        "clearance_mm": 4.0,
        "min_cnr": 0.0,
        "scale_range": _SCALES,
    }
    entries: list[tuple[str, Any]] = []
    for donor in donors:
        if kind == "copies":
            entries.append((donor.name, donor.pair))
        elif kind == "blank":
            turns |= {"blend": "feather", "match": "gain"}
            flat = donor.image.copy()
            flat[:, donor.core] = flat[:, donor.core].mean(axis=1, keepdims=True)
            entries.append((donor.name, (donor.tensor(flat), donor.tensor(donor.core[None].astype(np.int16)))))
        else:
            turns["scale_range"] = (1.0, 1.0)
            entries += [(donor.name, lesion) for lesion in _bank(lesions, donor, folder)]
    return RandLesion([entry for _, entry in entries], **turns), [name for name, _ in entries]


def _bank(lesions: Lesions, donor: CoarseScan, folder: Path | None) -> list[Donor]:
    """New lesions of the donor's, of the sizes that its copies have."""
    pair = donor.pair if lesions.oedema else (donor.pair[0], donor.tensor(donor.core[None].astype(np.int16)))
    plain = LesionSettings(lesions.kind, lesion_labels=(CORE,), oedema=True, min_cnr=0.0)
    size = max(example.diameter for example in LesionGenerator([pair], plain).examples.values())
    low, high = (scale * size for scale in _SCALES)
    generate = LesionGenerator([pair], replace(plain, diameter=(low, high)), folder)
    return [generate(number).donor for number in range(_NEW)]


def fresh(paint: RandLesion, owners: Sequence[str], host: CoarseScan) -> Made | None:
    """One lesion more, drawn anew where it finds no place; None where several find none."""
    for _ in range(_TRIES):
        pasted = paint(*host.pair, known=host.known)
        if "reason" not in paint.log[0]:
            label = as_array(pasted.label)[0]
            image = as_array(pasted.image)
            where = np.argwhere((image != host.image).any(axis=0) | (label != host.label)).T
            donor = owners[int(paint.log[0]["donor"])]
            return Made(host.name, donor, where, image[(slice(None), *where)], label[tuple(where)])
    return None


def library(lesions: Lesions, scans: Sequence[CoarseScan], count: int, folder: Path) -> list[Made]:
    """Lesions of every patient in every one, the patient's own too, ``count`` for each; kept in a folder."""
    return [made for donor in scans for made in _of_donor(lesions, donor, scans, count, folder)]


def _of_donor(
    lesions: Lesions, donor: CoarseScan, hosts: Sequence[CoarseScan], count: int, folder: Path
) -> Iterator[Made]:
    paint: tuple[RandLesion, list[str]] | None = None

    def made(host: CoarseScan, number: int) -> np.ndarray:
        """One lesion as a table of voxels, which is empty where there is no room."""
        nonlocal paint
        paint = paint or painter(lesions, [donor], folder)
        paint[0].set_random_state(int(random_of(number, f"{lesions.kind} {host.name} {donor.name}").integers(2**31)))
        lesion = fresh(*paint, host)
        if lesion is None:
            return np.empty((0, 4 + len(host.image)))
        return np.concatenate([lesion.where.T, lesion.labels[:, None], lesion.values.T], axis=1)

    for host in hosts:
        for number in range(count):
            given = (lesions, host.files, donor.files, host.factor, number)
            array = kept(folder, given, (), lambda host=host, number=number: made(host, number))  # type: ignore[misc]
            if len(array):
                where, labels = array[:, :3].T.astype(int), array[:, 3].astype(np.int16)
                yield Made(host.name, donor.name, where, array[:, 4:].T.astype(np.float32), labels)
