"""The search behind automatic placement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np
from scipy import ndimage
from scipy.signal import fftconvolve

from monai_consingan.background import find_background
from monai_consingan.distance import outside_distance, reach_box
from monai_consingan.errors import NoPlaceError
from monai_consingan.transforms.head import edge_distance, head_mask, is_skull_stripped, tissue_level

__all__ = ["RING_MM", "Room", "SearchSpace", "search_place"]

WHOLE_HEAD_EDGES_MM = (15.0, 12.0, 9.0, 6.0, 3.0)
BRAIN_EDGE_MM = 3.0
RING_MM = 6.0
BEST_SHARE = 0.05
_AT_ONCE = 2**22  # voxels


@dataclass(frozen=True)
class Room:
    """Where in a host there may be lesions: found once, it serves many searches, also when some have been put in.

    Attributes:
        mask: the head or brain, boolean (\\*spatial).
        name: what errors call it.
        distance: depth in mm below its surface, (\\*spatial).
        edges: distances from the edge to try, largest first.
    """

    mask: np.ndarray
    name: str
    distance: np.ndarray
    edges: tuple[float, ...] = (BRAIN_EDGE_MM,)

    @classmethod
    def of(cls, image: np.ndarray, spacing: Sequence[float], brain: np.ndarray | None = None) -> Room:
        """The room of a host: all of its head or brain."""
        mask = head_mask(image, spacing=spacing) if brain is None else brain & ~find_background(image).outside(image)
        return cls(mask, "head" if brain is None else "brain mask", edge_distance(mask, spacing))

    def narrowed(self, image: np.ndarray, spacing: Sequence[float]) -> Room:
        """The room for automatic placement, that of a whole head narrowed to the skull; takes this one's place."""
        if self.name != "head" or is_skull_stripped(image, self.mask, self.distance):
            return self
        deepest = np.unravel_index(int(np.argmax(self.distance)), self.distance.shape)
        grid = np.ogrid[tuple(slice(n) for n in image.shape)]
        first, *others = (((g - d) * mm) ** 2 for g, d, mm in zip(grid, deepest, spacing, strict=True))
        reach = self.distance.max() ** 2
        for plane, away in zip(self.distance, first, strict=True):  # one by one, to spare memory
            plane[sum((other[0] for other in others), away) > reach] = 0.0
        return replace(self, edges=WHOLE_HEAD_EDGES_MM)


@dataclass
class SearchSpace:
    """What a search has to know of the host.

    Attributes:
        values: intensities of shape (\\*spatial).
        mm: spacing.
        axis: spatial axis perpendicular to the slices, or None for a search in space.
        room: where there may be lesions.
        others: labels of lesions that are there already.
    """

    values: np.ndarray
    mm: tuple[float, ...]
    axis: int | None
    room: Room
    others: np.ndarray

    @cached_property
    def tissue(self) -> tuple[float, float]:
        """Median and spread of the head's intensities."""
        return tissue_level(self.values, self.room.mask, self.room.distance)

    def unlike(self, level: float, window: tuple[slice, ...] = ()) -> np.ndarray:
        """Per voxel: 0 where the intensity is that wanted, towards 1 where it is far from it (fluid, vessel, bone).

        Surroundings of the donor that are darker or brighter than half a standard deviation, such as oedema, count as
        that much: healthy tissue of a host has no such places but near fluid. A window gives a part of all.
        """
        median, spread = self.tissue
        wanted = median + np.clip(level, -0.5, 0.5) * spread
        far = (self.values[window] - wanted) / (2.0 * spread)
        return np.where(self.others[window] > 0, 1.0, 1.0 - np.exp(-0.5 * far**2))


def search_place(
    place: SearchSpace,
    lesion: np.ndarray,
    rng: np.random.RandomState,
    level: float,
    edges: Sequence[float],
    clearance_mm: float,
    slice_offset: int | None,
    prior: np.ndarray | None = None,
) -> tuple[tuple[int, ...], int, float, float]:
    """Shift, number of candidates, distance kept from the edge and unlikeness of one of the best places.

    With a prior it is a place drawn by the prior at the lesion's centre instead, and candidates are those above 0.
    """
    box = ndimage.find_objects(lesion.astype(np.uint8))[0]
    template = lesion[box]
    clear, others = np.ones(place.values.shape, bool), place.others > 0
    if others.any():
        near = reach_box(others, place.mm, clearance_mm)
        clear[near] = outside_distance(others[near], place.mm) > clearance_mm
    for edge in edges:
        allowed = (place.room.distance > edge) & clear
        if slice_offset is not None and place.axis is not None:
            band = slice(max(0, box[place.axis].start + slice_offset), max(0, box[place.axis].stop + slice_offset))
            other = np.ones(place.values.shape[place.axis], bool)
            other[band] = False
            np.moveaxis(allowed, place.axis, 0)[other] = False
        starts = _fitting(allowed, template)
        if prior is not None and len(starts):
            chances = prior[tuple((starts + _centre(template)).T)]
            starts, chances = starts[chances > 0], chances[chances > 0]
        if len(starts):
            break
    else:
        size = " x ".join(f"{n * mm:.0f}" for n, mm in zip(template.shape, place.mm, strict=True))
        raise NoPlaceError(
            f"the lesion of {size} mm fits nowhere in the {place.room.name} at least {edges[-1]:g} mm from its edge "
            f"and {clearance_mm:g} mm from other lesions{'' if prior is None else ' where the prior is above 0'}; give "
            "at or offset, or a smaller lesion."
        )
    scores = _unlikeness(place, template, starts, level)
    if prior is None:
        count = max(1, int(np.ceil(BEST_SHARE * len(starts))))
        good = np.flatnonzero(scores <= np.partition(scores, count - 1)[count - 1])
        best = good[np.argsort(scores[good], kind="stable")[:count]]
        chosen = int(best[rng.randint(len(best))])
    else:
        shares = np.cumsum(chances, dtype=np.float64)
        chosen = int(np.searchsorted(shares, rng.uniform(0, shares[-1]), side="right"))
    shift = tuple(int(s) - b.start for s, b in zip(starts[chosen], box, strict=True))
    return shift, len(starts), edge, float(scores[chosen])


def _centre(template: np.ndarray) -> np.ndarray:
    """The voxel of the centre of mass."""
    return np.floor(np.asarray(ndimage.center_of_mass(template)) + 0.5).astype(np.int64)


def _fitting(allowed: np.ndarray, template: np.ndarray) -> np.ndarray:
    """First corners (N, ndim) at which every voxel of the template is allowed, in the array's order."""
    boxes = ndimage.find_objects(allowed.view(np.uint8))
    if not boxes or any(b.stop - b.start < n for b, n in zip(boxes[0], template.shape, strict=True)):
        return np.zeros((0, template.ndim), np.int32)
    blocked, kernel = ~allowed[boxes[0]], np.float32(np.flip(template))
    fits = np.zeros([size - n + 1 for size, n in zip(blocked.shape, template.shape, strict=True)], bool)
    for corners in _blocks(fits.shape, template.shape):
        covered = tuple(slice(c.start, c.stop + n - 1) for c, n in zip(corners, template.shape, strict=True))
        fits[corners] = fftconvolve(np.float32(blocked[covered]), kernel, mode="valid") < 0.5
    starts = [b.start for b in boxes[0]]
    planes = [
        np.argwhere(plane[None]).astype(np.int32) + np.asarray([number, *starts[1:]], np.int32)
        for number, plane in enumerate(fits, starts[0])
    ]
    return np.concatenate(planes)


def _blocks(corners: Sequence[int], template: Sequence[int]) -> list[tuple[slice, ...]]:
    """Blocks of corners that a template is moved over one by one, so that a large volume takes little memory."""
    steps = list(corners)
    while np.prod([step + n - 1 for step, n in zip(steps, template, strict=True)]) > _AT_ONCE:
        along = int(np.argmax([step / n for step, n in zip(steps, template, strict=True)]))
        if steps[along] <= template[along]:
            break
        steps[along] = -(-steps[along] // 2)
    parts = [
        [slice(low, min(low + step, count)) for low in range(0, count, step)]
        for count, step in zip(corners, steps, strict=True)
    ]
    return list(product(*parts))


def _unlikeness(place: SearchSpace, template: np.ndarray, starts: np.ndarray, level: float) -> np.ndarray:
    """Mean unlikeness of the host inside and around the template at every corner."""
    reach = [0 if i == place.axis else int(RING_MM // mm) for i, mm in enumerate(place.mm)]
    padded = np.pad(template, [(r, r) for r in reach])
    footprint = np.float32(np.flip(outside_distance(padded, place.mm, place.axis) <= RING_MM))
    low = starts.min(axis=0)
    scores = np.empty(len(starts))
    for corners in _blocks((starts.max(axis=0) - low + 1).tolist(), padded.shape):
        first = np.asarray([c.start for c in corners], np.int32) + low
        last = np.asarray([c.stop for c in corners], np.int32) + low
        here = ((starts >= first) & (starts < last)).all(axis=1)
        if not here.any():
            continue
        begin, end = first - reach, last - 1 - reach + padded.shape
        window = tuple(slice(max(0, a), min(b, n)) for a, b, n in zip(begin, end, place.values.shape, strict=True))
        margins = [(w.start - a, b - w.stop) for w, a, b in zip(window, begin, end, strict=True)]
        unlike = np.pad(place.unlike(level, window), margins)
        inside = np.pad(np.ones([w.stop - w.start for w in window], np.float32), margins)
        total = fftconvolve(unlike, footprint, mode="valid") / fftconvolve(inside, footprint, mode="valid")
        # rounded, so that the order of equal places does not hang on the last bits of a Fourier transform
        scores[here] = total[tuple((starts[here] - first).T)].round(4)
    return scores
