"""Whole lesions of one patient, shrunk, put where they fit into another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations

import numpy as np
from _lesion_shapes import largest, random_of
from _null_pastes_space import DIAMETERS_MM, REACH, SIDE, SpacePaste, crop_of, healthy_place, standing_of
from _sequences import Volume
from scipy import ndimage

_PLACES = 8


def space_lesions(volumes: Sequence[Volume], *, per_pair: int, seed: int) -> Iterator[SpacePaste]:
    """Lesions for every ordered pair of patients, where they lie in their donor's crop and go in the host's.

    The donor's largest lesion without oedema is shrunk with what is around it to a diameter drawn from 8 to 20 mm. Of 8
    random places of the host that have healthy brain up to 9 mm around, it goes to the one whose surroundings are most
    like the lesion's, by their means on the scale of each brain in all sequences.

    Args:
        volumes: two or more.
        per_pair: lesions of a pair.
        seed: decides everything.
    """
    for host, donor in permutations(volumes, 2):
        for number in range(per_pair):
            random = random_of(seed, "lesion in space", host.name, donor.name, number)
            image, lesion = _shrunk(donor, float(random.uniform(*DIAMETERS_MM)))
            away = ndimage.distance_transform_edt(~lesion)
            near = np.argwhere(away <= REACH) - SIDE // 2
            around = (away > 2) & (away <= REACH) & (image != 0).all(axis=0)
            there = standing_of(donor, image, around)
            places = [healthy_place(host, near, random) for _ in range(_PLACES)]
            ring = (away > 2) & (away <= REACH)
            place = min(
                places, key=lambda one: float(np.abs(standing_of(host, crop_of(host, one), ring) - there).sum())
            )
            yield SpacePaste((host.name, donor.name), host, place, image, lesion)


def _shrunk(donor: Volume, diameter: float) -> tuple[np.ndarray, np.ndarray]:
    """A donor's largest lesion in the middle of a crop, at most as large as it was."""
    outline = ndimage.binary_fill_holes(largest(donor.core))
    (box,) = ndimage.find_objects(outline.astype(np.uint8))
    scale = min(1.0, diameter / float((6 * outline.sum() / np.pi) ** (1 / 3)))
    scale = min(scale, (SIDE - 2 * REACH - 8) / max(part.stop - part.start for part in box))
    centre = np.array([(part.start + part.stop - 1) / 2 for part in box])
    start = centre - (SIDE // 2) / scale
    soft = 0.5 * max(1 / scale - 1, 0)

    def taken(values: np.ndarray, sigma: float) -> np.ndarray:
        smooth = ndimage.gaussian_filter(values.astype(np.float32), sigma)
        return ndimage.affine_transform(smooth, np.full(3, 1 / scale), start, (SIDE,) * 3, order=1)

    shown = np.stack([taken(channel, soft) for channel in donor.image])
    whole = taken(donor.brain, 0.0) > 0.999
    lesion = (taken(outline, soft) > 0.5) & whole
    return np.where(whole, shown, 0.0).astype(np.float32), largest(lesion)
