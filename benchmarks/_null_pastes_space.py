"""Pastes of healthy tissue of one patient into another, in the shape of whole lesions: what is seen is artefact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from _lesion_shapes import largest, random_of
from _sequences import Volume
from scipy import ndimage

from monai_consingan.errors import ConSinGANError

SIDE = 64
"""Voxels of a crop's side."""
REACH = 9
"""Voxels of healthy brain that every border has around it."""
DIAMETERS_MM = (8.0, 20.0)
_LONGEST = SIDE - 2 * REACH - 8
_PLACES = 8
_TRIES = 20_000


@dataclass(frozen=True)
class SpacePaste:
    """Tissue to be pasted, of all sequences.

    Args:
        pair: names of host and donor.
        scan: the host.
        place: the voxel of it that is pasted about.
        tissue: a crop of the donor, moved so that what is to be pasted lies where it goes, (C, SIDE, SIDE, SIDE).
        mask: where it goes, in the middle, boolean, (SIDE, SIDE, SIDE).
    """

    pair: tuple[str, str]
    scan: Volume
    place: np.ndarray
    tissue: np.ndarray
    mask: np.ndarray

    @cached_property
    def host(self) -> np.ndarray:
        """The host's crop, of the tissue's shape, float32."""
        return crop_of(self.scan, self.place)


def space_pastes(
    volumes: Sequence[Volume], *, per_pair: int, seed: int, donors: int | None = None, one_place: bool = False
) -> Iterator[SpacePaste]:
    """Pastes for every ordered pair of patients.

    The shape is that of a lesion of the donor's, turned, flipped, and scaled to a diameter drawn from 8 to 20 mm; it is
    put into a random place of healthy brain and filled with that of 8 random places of the donor whose surroundings are
    most like those of the host's place, by their means on the scale of each brain in all sequences.

    Args:
        volumes: two or more.
        per_pair: pastes of a pair.
        seed: decides everything.
        donors: how many of the patients that follow a host in a circle are its donors, in that order; None for all.
        one_place: whether all pastes of a host go where its first one does: shapes are drawn until one fits there.
    """
    for number, host in enumerate(volumes):
        following = [*volumes[number + 1 :], *volumes[:number]][:donors]
        place = None
        for donor in [other for other in volumes if other is not host] if donors is None else following:
            for count in range(per_pair):
                paste = _paste(host, donor, random_of(seed, "space", host.name, donor.name, count), place)
                place = paste.place if one_place else None
                yield paste


def _paste(host: Volume, donor: Volume, random: np.random.Generator, place: np.ndarray | None) -> SpacePaste:
    mask, near = _drawn(host, donor, random, place)
    where = healthy_place(host, near, random) if place is None else place
    away = ndimage.distance_transform_edt(~mask)
    around = (away > 0) & (away <= REACH)
    here = standing_of(host, crop_of(host, where), around)
    options = [crop_of(donor, healthy_place(donor, near, random)) for _ in range(_PLACES)]
    tissue = min(options, key=lambda part: float(np.abs(standing_of(donor, part, around) - here).sum()))
    return SpacePaste((host.name, donor.name), host, where, tissue, mask)


def _drawn(
    host: Volume, donor: Volume, random: np.random.Generator, place: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """A mask of random size in the middle of a crop, in the shape of a lesion of the donor's, and the voxels around it
    that have to be healthy, from the middle; if a place is given, one that fits there.
    """
    for _ in range(_TRIES):
        shape = _shape(donor, float(random.uniform(*DIAMETERS_MM)), random)
        mask = np.zeros((SIDE,) * 3, bool)
        low = [(SIDE - n) // 2 for n in shape.shape]
        mask[tuple(slice(a, a + n) for a, n in zip(low, shape.shape, strict=True))] = shape
        near = np.argwhere(ndimage.distance_transform_edt(~mask) <= REACH) - SIDE // 2
        if place is None or _is_healthy(host, place, near):
            return mask, near
    raise ConSinGANError(f"No lesion of {donor.name} fits the place {place} of {host.name}: leave one out.")


def _shape(donor: Volume, diameter: float, random: np.random.Generator) -> np.ndarray:
    """A lesion's outline, turned, flipped and scaled to the volume of a ball, as far as it fits."""
    outline = largest(donor.core)
    (box,) = ndimage.find_objects(outline.astype(np.uint8))
    outline = np.pad(outline[box], 2)
    volume = np.pi / 6 * diameter**3
    outline = np.flip(outline, [axis for axis in range(3) if random.random() < 0.5])
    outline = np.rot90(outline, int(random.integers(4)), random.choice(3, 2, replace=False))
    scale = float((volume / outline.sum()) ** (1 / 3))
    scale = min(scale, _LONGEST / max(outline.shape))
    soft = ndimage.gaussian_filter(outline.astype(np.float32), 0.4 / min(scale, 1))
    made = largest(ndimage.zoom(soft, scale, order=1) > 0.5)
    (box,) = ndimage.find_objects(made.astype(np.uint8))
    return np.asarray(made[box])


def healthy_place(volume: Volume, near: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A random voxel of healthy brain around which all of ``near`` is healthy too."""
    voxels = np.argwhere(volume.healthy)
    ends = near[random.permutation(len(near))]
    for _ in range(_TRIES):
        centre = voxels[random.integers(len(voxels))]
        if _is_healthy(volume, centre, ends):
            return np.asarray(centre)
    raise ConSinGANError(f"There is no healthy place of this size in {volume.name}: leave it out.")


def _is_healthy(volume: Volume, centre: np.ndarray, near: np.ndarray) -> bool:
    """Whether all of ``near`` about a voxel is healthy brain."""
    for part in (near[:64], near):
        where = centre + part
        outside = (where < 0) | (where >= volume.healthy.shape)
        if outside.any() or not volume.healthy[tuple(where.T)].all():
            return False
    return True


def crop_of(volume: Volume, centre: np.ndarray, side: int = SIDE) -> np.ndarray:
    """All sequences around a voxel, 0 beyond the volume."""
    out = np.zeros((len(volume.image), *(side,) * 3), np.float32)
    start = centre - side // 2
    low, high = np.maximum(start, 0), np.minimum(start + side, volume.healthy.shape)
    target = tuple(slice(a - c, b - c) for a, b, c in zip(low, high, start, strict=True))
    out[(slice(None), *target)] = volume.image[(slice(None), *(slice(a, b) for a, b in zip(low, high, strict=True)))]
    return out


def standing_of(volume: Volume, image: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Mean of a part of an image on the scale of its brain, of every sequence."""
    pairs = zip(image, volume.levels, strict=True)
    return np.array([(float(channel[where].mean()) - median) / spread for channel, (median, spread) in pairs])
