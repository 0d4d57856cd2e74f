"""The search behind automatic placement: of all shifts, or on the coarse grid of a large head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import ndimage

from monai_consingan.distance import bounding_box, outside_distance, reach_box
from monai_consingan.errors import NoPlaceError
from monai_consingan.transforms.host_knowledge import HostKnowledge
from monai_consingan.transforms.quick import valid_convolution
from monai_consingan.transforms.room import CoarseGrid, block_means, block_shares, unlikeness, unlikeness_map
from monai_consingan.transforms.whole_voxels import box_in, overlap, wider

RING_MM = 6.0
BEST_SHARE = 0.05
_AT_ONCE = 2**22  # voxels
_OVERLAP = 0.08  # of a template of one block with what is blocked, up to which a coarse place may be one
_TRIES = 64
_LOOKS = 2


@dataclass
class SearchSpace:
    """What a search has to know of the host.

    Attributes:
        values: intensities of the channel that is looked at, (\\*spatial).
        known: what is known of the host.
        axis: spatial axis perpendicular to the slices, or None for a search in space.
        others: labels of lesions that are there already, (\\*spatial).
        level: intensity of what surrounded the lesion in its donor, in spreads from the median of the head.
        clearance_mm: distance to keep from other lesions.
        channel: which channel that is.
    """

    values: np.ndarray
    known: HostKnowledge
    axis: int | None
    others: np.ndarray
    level: float
    clearance_mm: float
    channel: int

    @property
    def mm(self) -> tuple[float, ...]:
        """Spacing."""
        return self.known.spacing

    def unlike(self, window: tuple[slice, ...] = ()) -> np.ndarray:
        """Per voxel how unlike the intensity is to that wanted; other lesions are 1. A window gives a part of all."""
        level = self.known.channels[self.channel].level
        return np.where(self.others[window] > 0, 1.0, unlikeness(self.values[window], level, self.level))

    def allowed(self, edge_mm: float) -> np.ndarray:
        """In the box around the head, where a lesion may have voxels: deep enough, and clear of other lesions."""
        allowed = self.known.depth > edge_mm
        pads = [int(np.ceil(self.clearance_mm / mm)) for mm in self.mm]
        near = wider(self.known.box, pads, self.known.shape)
        others = self.others[near] > 0
        if others.any():
            close, clear = reach_box(others, self.mm, self.clearance_mm), np.ones(others.shape, bool)
            clear[close] = outside_distance(others[close], self.mm, reach_mm=self.clearance_mm) > self.clearance_mm
            allowed &= clear[box_in(self.known.box, near)]
        return allowed

    @property
    def reach(self) -> list[int]:
        """How many voxels along every axis the surroundings of a lesion reach that are looked at."""
        return [0 if axis == self.axis else int(RING_MM // mm) for axis, mm in enumerate(self.mm)]

    def footprint(self, template: np.ndarray) -> np.ndarray:
        """A template and the 6 mm around it, boolean, in a box with margins of :attr:`reach`."""
        padded = np.pad(template, [(more, more) for more in self.reach])
        return np.asarray(outside_distance(padded, self.mm, self.axis, reach_mm=RING_MM) <= RING_MM)


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
            chances = prior[tuple((starts + np.asarray(centre_of(template), np.int64)).T)]
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


def centre_of(mask: np.ndarray) -> tuple[int, ...]:
    """The voxel of a mask's centre of mass, rounded."""
    box = bounding_box(mask)
    middle = ndimage.center_of_mass(mask[box])
    return tuple(side.start + int(np.floor(c + 0.5)) for side, c in zip(box, middle, strict=True))


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
        size = last - first - 1 + padded.shape
        window, part = overlap(first - reach, size, place.values.shape)
        known = place.unlike(window)
        unlike, inside = np.zeros(size, known.dtype), np.zeros(size, np.float32)
        unlike[part], inside[part] = known, 1.0
        total = valid_convolution(unlike, footprint) / valid_convolution(inside, footprint)
        # rounded, so that the order of equal places does not hang on the last bits of a Fourier transform
        scores[here] = total[tuple((starts[here] - first).T)].round(4)
    return scores


def search_coarsely(
    place: SearchSpace, template: np.ndarray, rng: np.random.RandomState, edge_mm: float
) -> tuple[tuple[int, ...], int, float] | None:
    """One of the best places, looked for on the host's coarse grid.

    Of the coarse places at which the template seems to fit, the best twentieth are taken in random order, each a little
    aside; of the first few that do fit, voxel by voxel, it is the one most alike.

    Args:
        place: the search.
        template: the lesion in its box, boolean.
        rng: random state that is drawn from.
        edge_mm: distance to keep from the edge of the head.

    Returns:
        First corner, about how many there are, and unlikeness; None where nothing was found.
    """
    grid = place.known.coarse
    maps = place.known.channels[place.channel].coarse
    if grid is None or maps is None:
        return None
    cover = block_shares(template, grid.size)
    if any(n < c for n, c in zip(grid.depth.shape, cover.shape, strict=True)):
        return None
    block = float(np.mean([n * mm for n, mm in zip(grid.size, place.mm, strict=True)]))
    blocked = np.clip(0.5 + (edge_mm - grid.depth) / block, 0, 1)
    fits = valid_convolution(blocked, np.flip(cover)) <= _OVERLAP * cover.sum() ** (2 / 3)
    pads, reach = (
        [int(np.ceil(far / (n * mm))) for n, mm in zip(grid.size, place.mm, strict=True)]
        for far in (place.clearance_mm, RING_MM)
    )
    if place.axis is not None:
        reach[place.axis] = 0
    margin, margins = ([pad * n for pad, n in zip(blocks, grid.size, strict=True)] for blocks in (pads, reach))
    wide = [max(pair) for pair in zip(margin, margins, strict=True)]
    padded = np.pad(template, [(more, more) for more in wide])
    away = outside_distance(padded, place.mm)
    beside = away if place.axis is None else outside_distance(padded, place.mm, place.axis)
    kept = _trimmed(away, wide, margin) <= place.clearance_mm
    _clear(fits, place, grid, block_shares(kept, grid.size), pads)
    corners = np.argwhere(fits)
    if not len(corners):
        return None
    around = block_shares(_trimmed(beside, wide, margins) <= RING_MM, grid.size)
    unlike = np.pad(unlikeness_map(maps, place.level), [(r, r) for r in reach], mode="edge")
    scores = valid_convolution(unlike, np.flip(around / around.sum()))[tuple(corners.T)]
    count = max(1, int(np.ceil(BEST_SHARE * len(corners))))
    best = corners[np.argpartition(scores, count - 1)[:count]]
    footprint = _trimmed(beside, wide, place.reach) <= RING_MM
    found: list[tuple[float, tuple[int, ...]]] = []
    for corner in best[rng.permutation(len(best))[:_TRIES]]:
        start = np.asarray(grid.start) + corner * grid.size + rng.randint(grid.size)
        if _fits(place, template, start, edge_mm) and not _near_others(place, kept, start - margin):
            found.append((_unlikeness_at(place, footprint, start), tuple(int(s) for s in start)))
            if len(found) == _LOOKS:
                break
    if not found:
        return None
    unlike_there, chosen = min(found)
    return chosen, len(corners) * int(np.prod(grid.size)), unlike_there


def _trimmed(array: np.ndarray, margins: Sequence[int], wanted: Sequence[int]) -> np.ndarray:
    """An array with narrower margins."""
    less = [have - want for have, want in zip(margins, wanted, strict=True)]
    return array[tuple(slice(n, size - n) for n, size in zip(less, array.shape, strict=True))]


def _clear(fits: np.ndarray, place: SearchSpace, grid: CoarseGrid, kept: np.ndarray, pads: Sequence[int]) -> None:
    """Take away those coarse places at which other lesions lie in what has to be kept clear of them.

    Args:
        fits: the places, which are changed.
        place: the search.
        grid: the host's.
        kept: what has to be kept clear, as a share of every block.
        pads: how many blocks that is more than the template on every side.
    """
    spans = [n * step for n, step in zip(grid.depth.shape, grid.size, strict=True)]
    marked = place.others[tuple(slice(low, low + n) for low, n in zip(grid.start, spans, strict=True))] > 0
    if not marked.any():
        return
    blocks = [(b.start // n, -(-b.stop // n)) for b, n in zip(bounding_box(marked), grid.size, strict=True)]
    shares = block_means(
        marked[tuple(slice(a * n, b * n) for (a, b), n in zip(blocks, grid.size, strict=True))], grid.size
    )
    more = [n - 1 for n in kept.shape]
    covered = valid_convolution(np.pad(shares, [(n, n) for n in more]), np.flip(kept))
    first = [low + pad - n for (low, _), pad, n in zip(blocks, pads, more, strict=True)]
    window, part = overlap(first, covered.shape, fits.shape)
    fits[window] &= covered[part] <= _OVERLAP


def _fits(place: SearchSpace, template: np.ndarray, start: np.ndarray, edge_mm: float) -> bool:
    """Whether every voxel of a template is allowed."""
    low = start - place.known.start
    if (low < 0).any() or (low + template.shape > place.known.depth.shape).any():
        return False
    window = tuple(slice(a, a + n) for a, n in zip(low, template.shape, strict=True))
    return bool((place.known.depth[window][template] > edge_mm).all())


def _near_others(place: SearchSpace, kept: np.ndarray, start: np.ndarray) -> bool:
    """Whether other lesions lie in what has to be kept clear of them."""
    window, part = overlap(start, kept.shape, place.values.shape)
    return bool((place.others[window][kept[part]] > 0).any())


def _unlikeness_at(place: SearchSpace, footprint: np.ndarray, start: np.ndarray) -> float:
    """Mean unlikeness of the host inside and around a template, whose footprint is given, at one corner."""
    window, part = overlap(start - np.asarray(place.reach), footprint.shape, place.values.shape)
    return round(float(place.unlike(window)[footprint[part]].mean()), 4)
