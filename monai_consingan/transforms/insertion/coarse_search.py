"""The search for a place on a host's coarse grid, the best few looked at closely."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monai_consingan.distance import bounding_box, outside_distance
from monai_consingan.transforms.coarse_grid import LEVELS, CoarseGrid, block_means
from monai_consingan.transforms.insertion.convolution import valid_convolution
from monai_consingan.transforms.insertion.search_space import BEST_SHARE, RING_MM, SearchSpace

_OVERLAP = 0.08  # of a template of one block with what is blocked, up to which a coarse place may be one
_TRIES = 64
_LOOKS = 2


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
    cover = _covered(template, grid.size)
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
    _clear(fits, place, grid, _covered(kept, grid.size), pads)
    corners = np.argwhere(fits)
    if not len(corners):
        return None
    around = _covered(_trimmed(beside, wide, margins) <= RING_MM, grid.size)
    unlike = np.pad(_between(maps, place.level), [(r, r) for r in reach], mode="edge")
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


def _covered(template: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Which share of every block a template covers that begins with a block."""
    padded = np.pad(template, [(0, -n % step) for n, step in zip(template.shape, size, strict=True)])
    return block_means(padded, size)


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
    overlap = valid_convolution(np.pad(shares, [(n, n) for n in more]), np.flip(kept))
    first = [low + pad - n for (low, _), pad, n in zip(blocks, pads, more, strict=True)]
    window, part = _within(np.asarray(first), overlap.shape, fits.shape)
    fits[window] &= overlap[part] <= _OVERLAP


def _between(maps: np.ndarray, level: float) -> np.ndarray:
    """The map of a level, by the parabola through those of three levels."""
    level, total = float(np.clip(level, LEVELS[0], LEVELS[-1])), np.zeros(maps.shape[1:], np.float32)
    for own, values in zip(LEVELS, maps, strict=True):
        others = [other for other in LEVELS if other != own]
        total += values * np.prod([(level - other) / (own - other) for other in others])
    return total


def _fits(place: SearchSpace, template: np.ndarray, start: np.ndarray, edge_mm: float) -> bool:
    """Whether every voxel of a template is allowed."""
    low = start - place.known.start
    if (low < 0).any() or (low + template.shape > place.known.depth.shape).any():
        return False
    window = tuple(slice(a, a + n) for a, n in zip(low, template.shape, strict=True))
    return bool((place.known.depth[window][template] > edge_mm).all())


def _near_others(place: SearchSpace, kept: np.ndarray, start: np.ndarray) -> bool:
    """Whether other lesions lie in what has to be kept clear of them."""
    window, part = _within(start, kept.shape, place.values.shape)
    return bool((place.others[window][kept[part]] > 0).any())


def _unlikeness_at(place: SearchSpace, footprint: np.ndarray, start: np.ndarray) -> float:
    """Mean unlikeness of the host inside and around a template, whose footprint is given, at one corner."""
    window, part = _within(start - np.asarray(place.reach), footprint.shape, place.values.shape)
    return round(float(place.unlike(window)[footprint[part]].mean()), 4)


def _within(
    start: np.ndarray, size: Sequence[int], shape: Sequence[int]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """What of an array a box covers, and which part of the box does."""
    window = tuple(
        slice(max(0, low), max(0, min(low + n, end))) for low, n, end in zip(start, size, shape, strict=True)
    )
    return window, tuple(slice(w.start - low, w.stop - low) for w, low in zip(window, start, strict=True))
