"""Pastes of healthy tissue of one patient into another, in the shape of real lesions: what is seen is artefact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from _lesion_shapes import REACH, SIDE, cut, full_slices, lesion_shape, places, put, random_of
from _patients import Patient
from scipy import ndimage

from monai_consingan.errors import ConSinGANError

DIAMETERS_MM = (8.0, 25.0)
_PLACES = 8
_TRIES = 200


@dataclass(frozen=True)
class Window:
    """A square part of a slice.

    Args:
        patient: whose.
        number: which of the patient's.
        slice: the slice.
        corner: first row and column.
    """

    patient: Patient
    number: int
    slice: int
    corner: tuple[int, int]

    def take(self, volume: np.ndarray) -> np.ndarray:
        """The part of a volume, (SIDE, SIDE), 0 where it reaches beyond."""
        return cut(volume[..., self.slice], self.corner)

    def whole(self, part: np.ndarray) -> np.ndarray:
        """A slice, 0 but for the window, which holds a part."""
        out = np.zeros(self.patient.image.shape[:2], part.dtype)
        target = tuple(slice(low, low + SIDE) for low in self.corner)
        there = out[target]
        there[...] = part[: there.shape[0], : there.shape[1]]
        return out


@dataclass(frozen=True)
class NullPaste:
    """Healthy tissue to be pasted.

    Args:
        window: of the host.
        donor: name of the patient whose tissue it is.
        number: which of the pair's.
        host: (SIDE, SIDE), float32.
        tissue: the donor's slice, moved so that what is to be pasted lies where it goes.
        mask: where it goes.
        diameter_mm: of a disk of its area.
    """

    window: Window
    donor: str
    number: int
    host: np.ndarray
    tissue: np.ndarray
    mask: np.ndarray
    diameter_mm: float

    @property
    def pair(self) -> tuple[str, str]:
        """Names of host and donor."""
        return self.window.patient.name, self.donor


def null_pastes(
    patients: Sequence[Patient], *, per_pair: int, windows: int, seed: int, limit: int | None = None
) -> Iterator[NullPaste]:
    """Pastes for every ordered pair of patients.

    The shape is that of a slice of a lesion of the donor's, turned, flipped, and scaled to a diameter drawn from 8 to
    25 mm; it is put into a random place of a window of the host, and filled with that of 8 random places of the donor
    whose surroundings are most like those of the host's place, by their mean on the scale of each brain.

    Args:
        patients: two or more.
        per_pair: pastes for a pair.
        windows: windows of a host.
        seed: decides everything; a pair's pastes do not depend on what other pairs there are.
        limit: only so many pairs.
    """
    for window, donor, number in host_places(patients, per_pair, windows, seed, limit):
        random = random_of(seed, window.patient.name, donor.name, number)
        yield _null_paste(window, donor, number, random)


def host_places(
    patients: Sequence[Patient], per_pair: int, windows: int, seed: int, limit: int | None
) -> Iterator[tuple[Window, Patient, int]]:
    """A window of the host, the donor, and which of the pair's it is, of every ordered pair of patients."""
    taken: dict[str, list[Window]] = {}
    for host, donor in list(permutations(patients, 2))[:limit]:
        if host.name not in taken:
            taken[host.name] = host_windows(host, windows, seed)
        for number in range(per_pair):
            yield taken[host.name][number % windows], donor, number


def host_windows(host: Patient, count: int, seed: int, allowed: np.ndarray | None = None) -> list[Window]:
    """Windows of different slices that hold much of what is allowed; None allows healthy brain."""
    random = random_of(seed, host.name, "windows")
    allowed = host.healthy if allowed is None else allowed
    slices = full_slices(allowed)
    drawn = []
    for _ in range(_TRIES):
        corner = [int(random.integers(0, max(1, size - SIDE + 1))) for size in host.image.shape[:2]]
        window = Window(host, 0, int(random.choice(slices)), (corner[0], corner[1]))
        drawn.append((float(window.take(allowed).mean()), window))
    best: list[Window] = []
    for _, window in sorted(drawn, key=lambda pair: -pair[0]):
        if all(abs(window.slice - other.slice) > 3 for other in best):
            best.append(Window(host, len(best), window.slice, window.corner))
        if len(best) == count:
            return best
    raise ConSinGANError(f"{host.name} has only {len(best)} slices apart with healthy brain: ask for fewer windows.")


def _null_paste(window: Window, donor: Patient, number: int, random: np.random.Generator) -> NullPaste:
    host = window.patient
    allowed = window.take(host.healthy)
    slices = full_slices(donor.healthy)
    for _ in range(_TRIES):
        diameter = float(random.uniform(*DIAMETERS_MM))
        shape = lesion_shape(donor, diameter / float(np.sqrt(np.prod(host.spacing))), random)
        near = ndimage.distance_transform_edt(~np.pad(shape, REACH)) <= REACH
        free = places(allowed, near)
        if not len(free):
            continue
        centre = free[random.integers(len(free))]
        mask = put(np.pad(shape, REACH), centre, (SIDE, SIDE))
        around = put(near, centre, (SIDE, SIDE)) & ~mask
        here = _standing(host, window.take(host.image), around)
        options = []
        for _ in range(_PLACES):
            index = int(random.choice(slices))
            there = places(donor.healthy[..., index], near)
            if len(there):
                moved = tuple(int(n) for n in there[random.integers(len(there))] - centre)
                tissue = cut(donor.image[..., index], (moved[0], moved[1]))
                options.append((abs(_standing(donor, tissue, around) - here), tissue))
        if options:
            tissue = min(options, key=lambda pair: pair[0])[1]
            return NullPaste(window, donor.name, number, window.take(host.image), tissue, mask, diameter)
    raise ConSinGANError(f"No healthy tissue of {donor.name} fits into {host.name}: leave one of them out.")


def _standing(patient: Patient, image: np.ndarray, where: np.ndarray) -> float:
    median, spread = patient.level
    return (float(image[where].mean()) - median) / spread
