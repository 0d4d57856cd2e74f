"""Pastes of healthy tissue of one patient into another, in the shape of whole lesions: what is seen is artefact."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import permutations

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
        around: the host about the place as a crop of so many voxels' side, (C, side, side, side), float32.
        tissue: the donor, of the same shape, moved so that what is to be pasted lies where it goes.
        mask: where it goes, in the middle, boolean.
        diameter_mm: of a ball of its volume.
    """

    pair: tuple[str, str]
    around: Callable[[int], np.ndarray]
    tissue: np.ndarray
    mask: np.ndarray
    diameter_mm: float

    @cached_property
    def host(self) -> np.ndarray:
        """The host's crop, (C, SIDE, SIDE, SIDE), float32."""
        return self.around(SIDE)


def space_pastes(
    volumes: Sequence[Volume], *, per_pair: int, seed: int, donors: int | None = None
) -> Iterator[SpacePaste]:
    """Pastes for every ordered pair of patients, or of so many donors for every host: those that follow it in a circle.

    The shape is that of a lesion of the donor's, turned, flipped, and scaled to a diameter drawn from 8 to 20 mm; it is
    put into a random place of healthy brain and filled with that of 8 random places of the donor whose surroundings are
    most like those of the host's place, by their means on the scale of each brain in all sequences.
    """
    for (one, host), (other, donor) in permutations(enumerate(volumes), 2):
        if donors is None or (other - one) % len(volumes) <= donors:
            for number in range(per_pair):
                yield _paste(host, donor, random_of(seed, "space", host.name, donor.name, number))


def _paste(host: Volume, donor: Volume, random: np.random.Generator) -> SpacePaste:
    diameter = float(random.uniform(*DIAMETERS_MM))
    mask = np.zeros((SIDE,) * 3, bool)
    shape = _shape(donor, diameter, random)
    low = [(SIDE - n) // 2 for n in shape.shape]
    mask[tuple(slice(a, a + n) for a, n in zip(low, shape.shape, strict=True))] = shape
    away = ndimage.distance_transform_edt(~mask)
    near = np.argwhere(away <= REACH) - SIDE // 2
    around = (away > 0) & (away <= REACH)
    where = healthy_place(host, near, random)
    here = standing_of(host, crop_of(host, where), around)
    options = [crop_of(donor, healthy_place(donor, near, random)) for _ in range(_PLACES)]
    tissue = min(options, key=lambda part: float(np.abs(standing_of(donor, part, around) - here).sum()))
    return SpacePaste((host.name, donor.name), partial(crop_of, host, where), tissue, mask, diameter)


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
    low, high = near.min(axis=0), near.max(axis=0)
    ends = near[random.permutation(len(near))]
    for _ in range(_TRIES):
        centre = voxels[random.integers(len(voxels))]
        if (centre + low < 0).any() or (centre + high >= volume.healthy.shape).any():
            continue
        if volume.healthy[tuple((centre + ends[:64]).T)].all() and volume.healthy[tuple((centre + ends).T)].all():
            return np.asarray(centre)
    raise ConSinGANError(f"There is no healthy place of this size in {volume.name}: leave it out.")


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
