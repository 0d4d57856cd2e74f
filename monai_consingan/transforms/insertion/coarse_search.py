"""The search for a place on a host's coarse grid, the best few looked at closely."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monai_consingan.distance import outside_distance
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
    pads = [int(np.ceil(place.clearance_mm / (n * mm))) for n, mm in zip(grid.size, place.mm, strict=True)]
    margin = [pad * n for pad, n in zip(pads, grid.size, strict=True)]
    kept = np.pad(template, [(more, more) for more in margin])
    kept = outside_distance(kept, place.mm) <= place.clearance_mm
    others = _others(place, grid)
    if others is not None:
        there = np.pad(others, [(pad, pad) for pad in pads])
        fits &= valid_convolution(there, np.flip(_covered(kept, grid.size))) <= _OVERLAP
    corners = np.argwhere(fits)
    if not len(corners):
        return None
    reach = [
        0 if axis == place.axis else int(np.ceil(RING_MM / (n * mm)))
        for axis, (n, mm) in enumerate(zip(grid.size, place.mm, strict=True))
    ]
    margins = [r * n for r, n in zip(reach, grid.size, strict=True)]
    around = _covered(place.footprint(template, margins), grid.size)
    unlike = np.pad(_between(maps, place.level), [(r, r) for r in reach], mode="edge")
    scores = valid_convolution(unlike, np.flip(around / around.sum()))[tuple(corners.T)]
    count = max(1, int(np.ceil(BEST_SHARE * len(corners))))
    best = corners[np.argpartition(scores, count - 1)[:count]]
    footprint = place.footprint(template)
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


def _others(place: SearchSpace, grid: CoarseGrid) -> np.ndarray | None:
    """Which share of every block is other lesions; None if there are none."""
    spans = [n * step for n, step in zip(grid.depth.shape, grid.size, strict=True)]
    marked = place.others[tuple(slice(low, low + n) for low, n in zip(grid.start, spans, strict=True))] > 0
    ends = []
    for axis in range(marked.ndim):
        held = np.flatnonzero(marked.any(axis=tuple(other for other in range(marked.ndim) if other != axis)))
        if not len(held):
            return None
        ends.append((int(held[0]) // grid.size[axis], int(held[-1]) // grid.size[axis] + 1))
    part = marked[tuple(slice(a * n, b * n) for (a, b), n in zip(ends, grid.size, strict=True))]
    shares = np.zeros(grid.depth.shape, np.float32)
    shares[tuple(slice(a, b) for a, b in ends)] = block_means(part, grid.size)
    return shares


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
