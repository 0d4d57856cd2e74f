"""Real lesions of one patient put where they fit into another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from _lesion_shapes import SIDE, cut, random_of
from _methods import Insertion
from _null_pastes import Window, host_places
from _patients import Patient
from scipy import ndimage

from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms import find_placement
from monai_consingan.transforms.insertion.placement import level_around
from monai_consingan.transforms.whole_voxels import move

DIAMETERS_MM = (6.0, 30.0)
_TRIES = 40


@dataclass(frozen=True)
class LesionPaste:
    """A lesion and where it goes.

    Args:
        window: of the host.
        donor_name: the patient that it comes from.
        host: (SIDE, SIDE), float32.
        donor: the donor's slice around the lesion, (SIDE, SIDE).
        lesion: where it is there, boolean.
        offset: rows and columns by which it moves.
        diameter_mm: of a disk of its area.
    """

    window: Window
    donor_name: str
    host: np.ndarray
    donor: np.ndarray
    lesion: np.ndarray
    offset: tuple[int, int]
    diameter_mm: float

    @property
    def pair(self) -> tuple[str, str]:
        """Names of host and donor."""
        return self.window.patient.name, self.donor_name

    @property
    def insertion(self) -> Insertion:
        """What a method is given."""
        tissue, mask = move(self.donor, self.offset), move(self.lesion, self.offset)
        return Insertion(self.host, tissue, mask, self.window.patient.spacing)


def lesion_pastes(
    patients: Sequence[Patient], *, per_pair: int, windows: int, seed: int, limit: int | None = None
) -> Iterator[LesionPaste]:
    """Lesions of every patient in every other.

    A cross-section of a lesion's core (no oedema) of 6 to 30 mm is drawn; its place in one of the host's windows is the
    one that :func:`monai_consingan.transforms.find_placement` finds in healthy tissue.

    Args:
        patients: two or more, on pixels of the same size.
        per_pair: lesions for an ordered pair; fewer where none fits.
        windows: windows of a host.
        seed: decides everything; a pair's lesions do not depend on what other pairs there are.
        limit: only so many pairs.
    """
    for window, donor, number in host_places(patients, per_pair, windows, seed, limit):
        random = random_of(seed, "lesion", window.patient.name, donor.name, number)
        placed = (_placed(window, donor, random) for _ in range(_TRIES))
        yield from islice((paste for paste in placed if paste is not None), 1)


def _placed(window: Window, donor: Patient, random: np.random.Generator) -> LesionPaste | None:
    """A lesion drawn at random where it fits best, if it fits."""
    index = int(random.choice(np.flatnonzero(donor.core.any(axis=(0, 1)))))
    parts, count = ndimage.label(donor.core[..., index])
    part = ndimage.binary_fill_holes(parts == random.integers(1, count + 1))
    diameter = float(np.sqrt(4 * part.sum() * np.prod(donor.spacing) / np.pi))
    if not DIAMETERS_MM[0] <= diameter <= DIAMETERS_MM[1]:
        return None
    corner = [round(centre) - SIDE // 2 for centre in ndimage.center_of_mass(part)]
    image, lesion = (cut(plane, (corner[0], corner[1])) for plane in (donor.image[..., index], part))
    host = window.take(window.patient.image)
    try:
        placement = find_placement(
            host,
            image,
            lesion,
            spacing=window.patient.spacing,
            rng=np.random.RandomState(int(random.integers(2**31))),
            brain_mask=window.take(window.patient.healthy),
            level=level_around(donor.image[..., index], part, spacing=donor.spacing),
        )
    except ConSinGANError:
        return None
    offset = placement.offset
    return LesionPaste(window, donor.name, host, image, lesion, (offset[0], offset[1]), diameter)
