"""The search behind automatic placement."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from scipy import ndimage

from monai_consingan.errors import NoPlaceError
from monai_consingan.transforms.insertion.coarse_search import search_coarsely
from monai_consingan.transforms.insertion.convolution import valid_convolution
from monai_consingan.transforms.insertion.search_space import BEST_SHARE, SearchSpace

_AT_ONCE = 2**22  # voxels


def search_place(
    place: SearchSpace,
    lesion: np.ndarray,
    rng: np.random.RandomState,
    edges: Sequence[float],
    slice_offset: int | None,
    prior: np.ndarray | None = None,
) -> tuple[tuple[int, ...], int, float, float]:
    """Shift, number of candidates, distance kept from the edge and unlikeness of one of the best places.

    In a large head they are looked for on a coarse grid, and the few that chance takes of the best are looked at
    closely; where there are none, and in others, every shift is looked at.

    With a prior it is a place drawn by the prior at the lesion's centre instead, and candidates are those above 0.
    """
    box = ndimage.find_objects(lesion.astype(np.uint8))[0]
    template = lesion[box]
    if place.known.coarse is not None and slice_offset is None and prior is None:
        for edge in edges:
            found = search_coarsely(place, template, rng, edge)
            if found is not None:
                start, count, unlike = found
                return tuple(int(s) - b.start for s, b in zip(start, box, strict=True)), count, edge, unlike
    for edge in edges:
        allowed = place.allowed(edge)
        if slice_offset is not None and place.axis is not None:
            low = place.known.start[place.axis]
            band = slice(*(max(0, end + slice_offset - low) for end in (box[place.axis].start, box[place.axis].stop)))
            other = np.ones(allowed.shape[place.axis], bool)
            other[band] = False
            np.moveaxis(allowed, place.axis, 0)[other] = False
        starts = _fitting(allowed, template) + np.asarray(place.known.start, np.int32)
        if prior is not None and len(starts):
            chances = prior[tuple((starts + _centre(template)).T)]
            starts, chances = starts[chances > 0], chances[chances > 0]
        if len(starts):
            break
    else:
        size = " x ".join(f"{n * mm:.0f}" for n, mm in zip(template.shape, place.mm, strict=True))
        raise NoPlaceError(
            f"the lesion of {size} mm fits nowhere in the {place.known.name} at least {edges[-1]:g} mm from its edge "
            f"and {place.clearance_mm:g} mm from other lesions"
            f"{'' if prior is None else ' where the prior is above 0'}; give at or offset, or a smaller lesion."
        )
    scores = _unlikeness(place, template, starts)
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
        fits[corners] = valid_convolution(np.float32(blocked[covered]), kernel) < 0.5
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


def _unlikeness(place: SearchSpace, template: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Mean unlikeness of the host inside and around the template at every corner."""
    reach, padded = place.reach, place.footprint(template)
    footprint = np.float32(np.flip(padded))
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
        unlike = np.pad(place.unlike(window), margins)
        inside = np.pad(np.ones([w.stop - w.start for w in window], np.float32), margins)
        total = valid_convolution(unlike, footprint) / valid_convolution(inside, footprint)
        # rounded, so that the order of equal places does not hang on the last bits of a Fourier transform
        scores[here] = total[tuple((starts[here] - first).T)].round(4)
    return scores
