"""Pastes of healthy tissue of one patient into another, in the shape of real lesions: what is seen is artefact."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from _patients import Patient
from scipy import ndimage
from scipy.signal import fftconvolve

from monai_consingan.errors import ConSinGANError

__all__ = ["NullPaste", "Window", "host_windows", "null_pastes"]

SIDE = 96
"""Pixels of the window of a host that its pastes lie in: the crop that the preset ``quick`` trains on."""
DIAMETERS_MM = (8.0, 25.0)
REACH = 10
"""Pixels of healthy brain that every border has around it, in host and donor."""
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
        return _cut(volume[..., self.slice], self.corner)


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
    taken: dict[str, list[Window]] = {}
    for host, donor in list(permutations(patients, 2))[:limit]:
        if host.name not in taken:
            taken[host.name] = host_windows(host, windows, seed)
        for number in range(per_pair):
            window = taken[host.name][number % windows]
            yield _null_paste(window, donor, number, _random(seed, host.name, donor.name, number))


def host_windows(host: Patient, count: int, seed: int) -> list[Window]:
    """Windows of different slices that hold much healthy brain."""
    random = _random(seed, host.name, "windows")
    slices = _full_slices(host)
    drawn = []
    for _ in range(_TRIES):
        corner = [int(random.integers(0, max(1, size - SIDE + 1))) for size in host.image.shape[:2]]
        window = Window(host, 0, int(random.choice(slices)), (corner[0], corner[1]))
        drawn.append((float(window.take(host.healthy).mean()), window))
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
    slices = _full_slices(donor)
    for _ in range(_TRIES):
        diameter = float(random.uniform(*DIAMETERS_MM))
        shape = _lesion_shape(donor, diameter / float(np.sqrt(np.prod(host.spacing))), random)
        near = ndimage.distance_transform_edt(~np.pad(shape, REACH)) <= REACH
        places = _places(allowed, near)
        if not len(places):
            continue
        centre = places[random.integers(len(places))]
        mask = _put(np.pad(shape, REACH), centre, (SIDE, SIDE))
        around = _put(near, centre, (SIDE, SIDE)) & ~mask
        here = _standing(host, window.take(host.image), around)
        options = []
        for _ in range(_PLACES):
            index = int(random.choice(slices))
            places = _places(donor.healthy[..., index], near)
            if len(places):
                moved = tuple(int(n) for n in places[random.integers(len(places))] - centre)
                tissue = _cut(donor.image[..., index], (moved[0], moved[1]))
                options.append((abs(_standing(donor, tissue, around) - here), tissue))
        if options:
            tissue = min(options, key=lambda pair: pair[0])[1]
            return NullPaste(window, donor.name, number, window.take(host.image), tissue, mask, diameter)
    raise ConSinGANError(f"No healthy tissue of {donor.name} fits into {host.name}: leave one of them out.")


def _standing(patient: Patient, image: np.ndarray, where: np.ndarray) -> float:
    median, spread = patient.level
    return (float(image[where].mean()) - median) / spread


def _lesion_shape(patient: Patient, diameter: float, random: np.random.Generator) -> np.ndarray:
    """A slice of a lesion, turned, flipped and scaled to the area of a disk of a diameter in pixels."""
    areas = patient.core.sum(axis=(0, 1))
    if not areas.max() >= 50:
        raise ConSinGANError(f"{patient.name} shows no lesion of 50 pixels to take a shape from: leave it out.")
    index = int(random.choice(np.flatnonzero(areas >= 50)))
    outline = _largest(patient.core[..., index])
    scale = diameter / np.sqrt(4 * outline.sum() / np.pi)
    angle = random.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag(
        [1, random.choice([-1, 1])]
    )
    side = int(np.ceil(scale * np.hypot(*outline.shape))) + 4
    soft = ndimage.gaussian_filter(outline.astype(float), 0.4 / min(scale, 1))
    middle = np.array(ndimage.center_of_mass(outline)) - turn @ np.full(2, (side - 1) / 2) / scale
    shape = _largest(ndimage.affine_transform(soft, turn / scale, middle, (side, side), order=1) > 0.5)
    (box,) = ndimage.find_objects(shape.astype(np.uint8))
    return shape[box]


def _largest(mask: np.ndarray) -> np.ndarray:
    """The largest part, without holes."""
    parts, count = ndimage.label(mask)
    if count > 1:
        mask = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
    return np.asarray(ndimage.binary_fill_holes(mask))


def _full_slices(patient: Patient) -> np.ndarray:
    """Slices with more than half as much healthy brain as the best one."""
    areas = patient.healthy.sum(axis=(0, 1))
    return np.flatnonzero(areas > 0.5 * areas.max())


def _places(allowed: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Places (row, column) for the first voxel of ``near`` at which all of it is allowed."""
    if any(a < n for a, n in zip(allowed.shape, near.shape, strict=True)):
        return np.empty((0, 2), int)
    return np.argwhere(fftconvolve(~allowed, near[::-1, ::-1].astype(float), mode="valid") < 0.5)


def _put(part: np.ndarray, corner: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    out = np.zeros(shape, bool)
    out[corner[0] : corner[0] + part.shape[0], corner[1] : corner[1] + part.shape[1]] = part
    return out


def _cut(plane: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
    """A square of SIDE pixels, 0 beyond the plane."""
    out = np.zeros((SIDE, SIDE), plane.dtype)
    low = [max(c, 0) for c in corner]
    high = [min(c + SIDE, n) for c, n in zip(corner, plane.shape, strict=True)]
    target = tuple(slice(a - c, b - c) for a, b, c in zip(low, high, corner, strict=True))
    out[target] = plane[low[0] : high[0], low[1] : high[1]]
    return out


def _random(seed: int, *words: object) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32("/".join(map(str, words)).encode())])
