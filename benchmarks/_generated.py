"""Generated lesions and copies of real ones, pasted at the same places of other patients, and what tells them apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _border_features import border_features
from _patients import Patient
from monai.data import MetaTensor
from scipy import ndimage

from monai_consingan.arrays import as_array
from monai_consingan.data import load_scan
from monai_consingan.errors import ConSinGANError, NoPlaceError
from monai_consingan.lesion_settings import LesionSettings
from monai_consingan.methods import DEFAULT_INSERTION, insertion_method
from monai_consingan.models import ModelBank
from monai_consingan.transforms import PasteLesion
from monai_consingan.transforms.generation.examples import Example
from monai_consingan.transforms.generation.warped import warp_lesion
from monai_consingan.transforms.insertion.donor import Donor, crop_lesions
from monai_consingan.transforms.whole_voxels import move
from monai_consingan.workflows.new_lesion import MAKERS as OF_PACKAGE
from monai_consingan.workflows.new_lesion import KnownDonors, Maker

SEQUENCES = ("t1ce", "t1", "t2", "flair")
"""The first leads."""

CORE = (1, 4)
_WINDOW = 32
_PATCH = 32

MAKERS: Mapping[str, Maker] = {
    "copies": lambda example, donors, diameter, rng: warp_lesion(example, diameter, rng, strength=0.0),
    **OF_PACKAGE,
}
"""Copies are real lesions, turned and scaled."""


class Subject:
    """A patient: all sequences, and the lesion as it is learnt from."""

    def __init__(self, patient: Patient) -> None:
        self.name = patient.name
        names = [patient.image_file.name.replace("t1ce", sequence) for sequence in SEQUENCES]
        scans = [load_scan(patient.image_file.with_name(name)) for name in names]
        label = load_scan(patient.label_file)
        image = MetaTensor(torch.cat([torch.as_tensor(as_array(scan)) for scan in scans]), affine=scans[0].affine)
        values = as_array(label).astype(np.int16)
        host = MetaTensor(torch.zeros(len(scans), 1, 1, 1))
        donor = Donor(image, MetaTensor(torch.from_numpy(values), affine=image.affine), None, 0.0)
        self.example = Example.of(crop_lesions(donor, host, lesion_labels=CORE)[0], CORE)
        self.image, self.ill = as_array(image), values[0] > 0
        self.spacing = tuple(map(float, image.pixdim))

    @cached_property
    def depth(self) -> np.ndarray:
        """Distance in mm of every healthy voxel to the nearest that is none, and to the edge of the array."""
        brain = (self.image > 0).all(axis=0) & ~ndimage.binary_dilation(self.ill, iterations=3)
        return np.asarray(ndimage.distance_transform_edt(brain, sampling=self.spacing), np.float32)

    def window(self, diameter: float, rng: np.random.RandomState) -> np.ndarray:
        """A part of the image around a healthy place for a lesion, (C, 64, 64, 64).

        Raises:
            ConSinGANError: there is none.
        """
        inner = self.depth.copy()
        for axis, length in enumerate(inner.shape):
            for part in (slice(0, _WINDOW), slice(length - _WINDOW, None)):
                inner[tuple(part if at == axis else slice(None) for at in range(3))] = 0
        places = np.argwhere(inner > 0.6 * diameter + 3)
        if not len(places):
            raise ConSinGANError(f"{self.name} has no place for {diameter:.0f} mm")
        at = places[rng.randint(len(places))]
        box = tuple(slice(int(a) - _WINDOW, int(a) + _WINDOW) for a in at)
        return self.image[(slice(None), *box)].copy()


@dataclass(frozen=True)
class Case:
    """One place of a host with a lesion of a donor by every maker.

    Attributes:
        host, donor: names of the patients.
        made: image (C, 64, 64, 64) and label by maker.
    """

    host: str
    donor: str
    made: Mapping[str, tuple[np.ndarray, np.ndarray]]


def donors_without(subjects: Sequence[Subject], settings: LesionSettings, bank: Path) -> list[KnownDonors]:
    """For each patient all others as donors; one network of all of them serves them all.

    Args:
        subjects: all.
        settings: sizes and seed.
        bank: folder that keeps the network.
    """
    painter = KnownDonors([subject.example for subject in subjects], settings, ModelBank(bank)).painter
    known = []
    for left_out in subjects:
        known.append(KnownDonors([other.example for other in subjects if other is not left_out], settings))
        known[-1].painter = painter
    return known


def cases_of(
    subjects: Sequence[Subject], makers: Sequence[str], draws: int, known: Sequence[KnownDonors], seed: int
) -> Iterator[Case]:
    """Cases of all ordered pairs of patients, ``draws`` for each, of the donors that are known for each host."""
    how = insertion_method(DEFAULT_INSERTION)
    paste = PasteLesion(how.paste_blend, match=how.match, spacing=1.0)
    for host, donors in zip(subjects, known, strict=True):
        for donor in subjects:
            if host is donor:
                continue
            for draw in range(draws):
                entropy = [seed, draw, subjects.index(host), subjects.index(donor)]
                rng = np.random.RandomState(np.random.SeedSequence(entropy).generate_state(1)[0])
                size = float(np.exp(rng.uniform(*np.log(donors.settings.diameter))))
                crops = {name: MAKERS[name](donor.example, donors, size, _own(entropy, name)) for name in makers}
                made: dict[str, tuple[np.ndarray, np.ndarray]] = {}
                while len(made) < len(makers):
                    window, made = host.window(size, rng), {}
                    with suppress(NoPlaceError):
                        for name, crop in crops.items():
                            middle = np.round(np.argwhere(crop.label > 0).mean(axis=0)).astype(int)
                            parts = (crop.image, crop.label[None], crop.valid[None])
                            image, label, valid = (
                                move(part, _WINDOW - middle, shape=window.shape[1:]) for part in parts
                            )
                            pasted = paste(window, image, label, donor_valid=valid)
                            made[name] = (as_array(pasted.image), as_array(pasted.label)[0])
                yield Case(host.name, donor.name, made)


def _own(entropy: Sequence[int], name: str) -> np.random.RandomState:
    """What a maker draws by, whichever other makers there are."""
    return np.random.RandomState(np.random.SeedSequence([*entropy, list(MAKERS).index(name)]).generate_state(1)[0])


def lesion_features(image: np.ndarray, label: np.ndarray) -> dict[str, float]:
    """Shape, and intensities and texture of every sequence, relative to the tissue around the lesion.

    Args:
        image: (C, H, W, D).
        label: values above 0 are the lesion.
    """
    inside = label > 0
    depth, away = ndimage.distance_transform_edt(inside), ndimage.distance_transform_edt(~inside)
    around = (away > 2) & (away <= 8)
    points = np.argwhere(inside)
    lengths = np.sqrt(np.linalg.eigvalsh(np.cov(points.T)))
    border = (inside & ~ndimage.binary_erosion(inside)).sum()
    found = {
        "size": float(np.log(inside.sum())),
        "long": float(lengths[2] / lengths[1]),
        "flat": float(lengths[1] / lengths[0]),
        "surface": float(border / inside.sum() ** (2 / 3)),
        "first value": float((label == 1).sum() / inside.sum()),
    }
    whole = []
    for name, channel in zip(SEQUENCES, image.astype(np.float64), strict=True):
        values = channel[around]
        level = np.median(values)
        relative = (channel - level) / max(1.4826 * float(np.median(np.abs(values - level))), 1e-6)
        fine = relative - ndimage.gaussian_filter(relative, 1.0)
        coarse = ndimage.gaussian_filter(relative, 1.0) - ndimage.gaussian_filter(relative, 2.5)
        rim, middle = inside & (depth <= 2), inside & (depth > 0.5 * depth.max())
        part = {
            "mean": relative[inside].mean(),
            "spread": relative[inside].std(),
            "low": np.percentile(relative[inside], 5),
            "high": np.percentile(relative[inside], 95),
            "rim": relative[rim].mean(),
            "middle": relative[middle].mean(),
            "fine": fine[inside].std(),
            "fine around": fine[(away > 0) & (away <= 4)].std(),
            "coarse": coarse[inside].std(),
            "coarse around": coarse[(away > 0) & (away <= 4)].std(),
            "neighbours": np.corrcoef(relative[:-1][inside[1:]], relative[1:][inside[1:]])[0, 1],
            "skewness": ((relative[inside] - relative[inside].mean()) ** 3).mean() / relative[inside].std() ** 3,
        }
        found |= {f"{name} {key}": float(value) for key, value in part.items()}
        whole.append(relative[inside])
    ties = np.corrcoef(np.stack(whole))
    for first in range(len(SEQUENCES)):
        for second in range(first):
            found[f"{SEQUENCES[first]} with {SEQUENCES[second]}"] = float(ties[first, second])
    return {name: value if np.isfinite(value) else 0.0 for name, value in found.items()}


def case_features(image: np.ndarray, label: np.ndarray) -> dict[str, float]:
    """Features of a lesion and of its border in the middle slice of the leading sequence."""
    middle = int(np.argmax((label > 0).sum(axis=(0, 1))))
    border = border_features(image[0, :, :, middle].astype(np.float64), label[:, :, middle] > 0)
    return {**lesion_features(image, label), **{f"border {name}": value for name, value in border.items()}}


def case_patches(image: np.ndarray, label: np.ndarray) -> np.ndarray:
    """The three planes through the lesion in every sequence, (planes x C, 32, 32), float32."""
    away = ndimage.distance_transform_edt(label == 0)
    around = (away > 2) & (away <= 8)
    middle = np.round(np.argwhere(label > 0).mean(axis=0)).astype(int)
    half, patches = _PATCH // 2, []
    for channel in image.astype(np.float64):
        relative = (channel - channel[around].mean()) / max(float(channel[around].std()), 1e-6)
        box = relative[tuple(slice(m - half, m + half) for m in middle)]
        patches += [np.take(box, half, axis) for axis in range(3)]
    return np.stack(patches).astype(np.float32)


def picture(cases: Sequence[Case], path: Path, channel: int = 0) -> None:
    """Cases side by side: a row for each, three planes by every maker."""
    from PIL import Image

    rows = []
    for case in cases:
        row: list[Any] = []
        for image, label in case.made.values():
            middle = np.round(np.argwhere(label > 0).mean(axis=0)).astype(int)
            low, high = np.percentile(image[channel], [1, 99.7])
            grey = np.clip((image[channel] - low) / max(float(high - low), 1e-6), 0, 1) * 255
            row += [np.pad(np.take(grey, middle[axis], axis).T[::-1], 1) for axis in (2, 1, 0)]
        rows.append(np.concatenate(row, axis=1))
    Image.fromarray(np.concatenate(rows).astype(np.uint8)).save(path)
