"""Real lesions of one patient put into healthy brain of another, at sizes that the donors seldom show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import permutations

import numpy as np
from _lesion_shapes import SIDE, largest, places, put, random_of
from _methods import Insertion, Paste
from _null_pastes import Window, host_windows
from _patients import Patient
from scipy import ndimage

__all__ = ["BlankLesion", "ShrunkPaste", "donor_slices", "shrunk_pastes"]

DIAMETERS_MM = (5.0, 25.0)
FEWEST_PIXELS = 20
"""Pixels that the lesion of a donor's slice has."""
MARGIN = 3
"""Pixels of healthy brain around a new lesion."""
_TRIES = 200


@dataclass(frozen=True)
class ShrunkPaste:
    """A lesion to be put into a window of a host.

    Args:
        window: of the host.
        donor: name of the patient whose lesion it is.
        insertion: what is put where.
        diameter_mm: of a disk of its area.
    """

    window: Window
    donor: str
    insertion: Insertion
    diameter_mm: float

    @property
    def label(self) -> np.ndarray:
        """Where there is a lesion, the new one or the host's own, boolean, (SIDE, SIDE)."""
        return self.insertion.mask | self.window.take(self.window.patient.core)


@dataclass(frozen=True)
class BlankLesion:
    """The control: a lesion without content. A blob of the lesion's shape, place and mean, flat, with a soft border.

    What a detector gains by it, it gains by a bright spot with a label, not by how lesions look.

    Args:
        paste: how the blob is put in.
    """

    paste: Paste = field(default_factory=lambda: Paste({"blend": "feather", "match": "gain"}))

    def __call__(self, case: Insertion) -> np.ndarray:
        """The image with the blob, (H, W)."""
        flat = np.where(case.mask, case.tissue[case.mask].mean(), case.tissue)
        return self.paste(Insertion(case.host, flat, case.mask, case.spacing))


def donor_slices(patient: Patient) -> np.ndarray:
    """Slices whose lesion is large enough for a donor."""
    return np.flatnonzero(patient.core.sum(axis=(0, 1)) >= FEWEST_PIXELS)


def shrunk_pastes(patients: Sequence[Patient], *, per_pair: int, windows: int, seed: int) -> Iterator[ShrunkPaste]:
    """Pastes for every ordered pair of patients; a patient without lesions is a host only.

    The lesion of a random slice of the donor is turned, flipped, shrunk to a diameter drawn from 5 to 25 mm (equally
    likely on a scale of ratios; never enlarged), scaled so that the medians of both brains agree, and put into a random
    place of a window of the host at which it and all within 3 pixels are healthy brain.

    Args:
        patients: two or more.
        per_pair: pastes for a pair; fewer where one has no room.
        windows: windows of a host, which share them.
        seed: decides everything; a pair's pastes do not depend on what other pairs there are.
    """
    taken: dict[str, list[Window]] = {}
    for host, donor in permutations(patients, 2):
        slices = donor_slices(donor)
        if not len(slices):
            continue
        if host.name not in taken:
            taken[host.name] = host_windows(host, windows, seed)
        for number in range(per_pair):
            random = random_of(seed, host.name, donor.name, "lesion", number)
            paste = _paste(taken[host.name][number % windows], donor, slices, random)
            if paste is not None:
                yield paste


@dataclass(frozen=True)
class _Turned:
    """The lesion of a donor's slice, turned, flipped and shrunk.

    Args:
        image: the donor's slice, without what is finer than the host's pixels.
        matrix: from steps in the host's slice to steps in the donor's.
        middle: of the lesion in the donor's slice.
        shape: the lesion in the host's pixels, with the margin around it.
    """

    image: np.ndarray
    matrix: np.ndarray
    middle: np.ndarray
    shape: np.ndarray

    def tissue(self, corner: np.ndarray) -> np.ndarray:
        """The donor in a window of the host, (SIDE, SIDE), if the shape's first pixel lies there."""
        centre = corner + (np.array(self.shape.shape) - 1) / 2
        offset = self.middle - self.matrix @ centre
        return np.asarray(ndimage.affine_transform(self.image, self.matrix, offset, (SIDE, SIDE), order=3))


def _turned(donor: Patient, host: Patient, slices: np.ndarray, random: np.random.Generator) -> _Turned | None:
    """A random lesion of a donor, for a host; None if nothing is left of it."""
    pixel, donor_pixel = (float(np.sqrt(np.prod(patient.spacing))) for patient in (host, donor))
    index = int(random.choice(slices))
    outline = largest(donor.core[..., index])
    real = 2 * float(np.sqrt(outline.sum() / np.pi)) * donor_pixel
    diameter = min(float(np.exp(random.uniform(*np.log(DIAMETERS_MM)))), real)
    step = real / diameter * pixel / donor_pixel  # pixels of the donor for a pixel of the host
    angle = random.uniform(0, 2 * np.pi)
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix = step * np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([1, random.choice([-1, 1])])
    middle = np.array(ndimage.center_of_mass(outline))
    extent = np.hypot(*(np.ptp(axis) + 1 for axis in np.nonzero(outline)))
    side = int(np.ceil(2 * extent / step)) + 2
    blur = 0.4 * max(step**2 - 1, 0.0) ** 0.5
    soft = ndimage.gaussian_filter(outline.astype(float), blur)
    offset = middle - matrix @ np.full(2, (side - 1) / 2)
    shape = ndimage.affine_transform(soft, matrix, offset, (side, side), order=1) > 0.5
    if not shape.any():
        return None
    image = donor.image[..., index] * (host.brain_level[0] / donor.brain_level[0])
    return _Turned(ndimage.gaussian_filter(image, blur), matrix, middle, np.pad(largest(shape), MARGIN))


def _paste(window: Window, donor: Patient, slices: np.ndarray, random: np.random.Generator) -> ShrunkPaste | None:
    """A paste into a window; None where nothing fits."""
    host = window.patient
    allowed = window.take(host.healthy)
    for _ in range(_TRIES):
        turned = _turned(donor, host, slices, random)
        if turned is None:
            continue
        free = places(allowed, ndimage.distance_transform_edt(~turned.shape) <= MARGIN)
        if not len(free):
            continue
        corner = free[random.integers(len(free))]
        mask = put(turned.shape, corner, (SIDE, SIDE))
        tissue = turned.tissue(corner).astype(np.float32)
        diameter = 2 * float(np.sqrt(mask.sum() * np.prod(host.spacing) / np.pi))
        return ShrunkPaste(window, donor.name, Insertion(window.take(host.image), tissue, mask, host.spacing), diameter)
    return None
