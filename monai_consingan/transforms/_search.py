"""The search behind automatic placement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage
from scipy.signal import fftconvolve

from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.alteration import outside_distance
from monai_consingan.transforms.head import edge_distance, is_skull_stripped, tissue_level

__all__ = ["RING_MM", "SearchSpace", "edges_to_try", "search_place"]

WHOLE_HEAD_EDGES_MM = (15.0, 12.0, 9.0, 6.0, 3.0)
BRAIN_EDGE_MM = 3.0
RING_MM = 6.0
BEST_SHARE = 0.05


@dataclass
class SearchSpace:
    """What a search has to know of the host.

    Attributes:
        values: intensities of shape (\\*spatial).
        mm: spacing.
        axis: spatial axis perpendicular to the slices, or None for a search in space.
        head: mask of the head or brain.
        head_name: what errors call it.
        others: labels of lesions that are there already.
        distance: depth in mm below the surface of the head.
    """

    values: np.ndarray
    mm: tuple[float, ...]
    axis: int | None
    head: np.ndarray
    head_name: str
    others: np.ndarray
    distance: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.distance = edge_distance(self.head, self.mm)

    def unlike(self, level: float) -> np.ndarray:
        """Per voxel: 0 where the intensity is that wanted, towards 1 where it is far from it (fluid, vessel, bone).

        Surroundings of the donor that are darker or brighter than half a standard deviation, such as oedema, count as
        that much: healthy tissue of a host has no such places but near fluid.
        """
        median, spread = tissue_level(self.values, self.head, self.distance)
        wanted = median + np.clip(level, -0.5, 0.5) * spread
        return np.where(self.others > 0, 1.0, 1.0 - np.exp(-0.5 * ((self.values - wanted) / (2.0 * spread)) ** 2))


def edges_to_try(place: SearchSpace, edge_mm: float | None, brain_given: bool) -> tuple[float, ...]:
    """Distances from the edge to try, largest first; a whole head's places are narrowed to the skull."""
    stripped = brain_given or is_skull_stripped(place.values, place.head, place.distance)
    if not stripped:
        deepest = np.unravel_index(int(np.argmax(place.distance)), place.distance.shape)
        grid = np.ogrid[tuple(slice(n) for n in place.values.shape)]
        away = sum(((g - d) * mm) ** 2 for g, d, mm in zip(grid, deepest, place.mm, strict=True))
        place.distance = np.where(away <= place.distance.max() ** 2, place.distance, 0.0)
    if edge_mm is not None:
        return (float(edge_mm),)
    return (BRAIN_EDGE_MM,) if stripped else WHOLE_HEAD_EDGES_MM


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
    clear = outside_distance(place.others > 0, place.mm, reach_mm=clearance_mm) > clearance_mm
    for edge in edges:
        allowed = (place.distance > edge) & clear
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
        raise ConSinGANError(
            f"the lesion of {size} mm fits nowhere in the {place.head_name} at least {edges[-1]:g} mm from its edge "
            f"and {clearance_mm:g} mm from other lesions{'' if prior is None else ' where the prior is above 0'}; give "
            "at or offset, or a smaller lesion."
        )
    scores = _unlikeness(place, template, starts, level)
    if prior is None:
        best = np.argsort(scores, kind="stable")[: max(1, int(np.ceil(BEST_SHARE * len(starts))))]
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
    """First corners (N, ndim) at which every voxel of the template is allowed."""
    boxes = ndimage.find_objects(allowed.astype(np.uint8))
    if not boxes or any(b.stop - b.start < n for b, n in zip(boxes[0], template.shape, strict=True)):
        return np.zeros((0, template.ndim), np.int64)
    blocked = fftconvolve(np.float32(~allowed[boxes[0]]), np.float32(np.flip(template)), mode="valid")
    return np.argwhere(blocked < 0.5) + np.asarray([b.start for b in boxes[0]])


def _unlikeness(place: SearchSpace, template: np.ndarray, starts: np.ndarray, level: float) -> np.ndarray:
    """Mean unlikeness of the host inside and around the template at every corner."""
    reach = [0 if i == place.axis else int(RING_MM // mm) for i, mm in enumerate(place.mm)]
    padded = np.pad(template, [(r, r) for r in reach])
    footprint = np.float32(np.flip(outside_distance(padded, place.mm, place.axis) <= RING_MM))
    low, high = starts.min(axis=0), starts.max(axis=0)
    window = tuple(slice(a, b + n) for a, b, n in zip(low, high, padded.shape, strict=True))
    margins = [(r, r) for r in reach]
    unlike = np.pad(place.unlike(level), margins)[window]
    inside = np.pad(np.ones(place.values.shape, np.float32), margins)[window]
    total = fftconvolve(unlike, footprint, mode="valid") / fftconvolve(inside, footprint, mode="valid")
    # rounded, so that the order of equal places does not hang on the last bits of a Fourier transform
    return np.asarray(total[tuple((starts - low).T)].round(4))
