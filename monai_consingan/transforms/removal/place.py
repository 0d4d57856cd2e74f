"""Where in a source the tissue is that a region is filled with: where its surroundings are most like the region's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy.fft import irfftn, next_fast_len, rfftn
from scipy.ndimage import find_objects

from monai_consingan.errors import NoPlaceError

_ORDINARY = 4.0  # robust standard deviations from the median of the surroundings
_LIKE = 3.0  # the same, of what is like the surroundings
_FAR = 0.01  # a place 1 mm farther away has to fit so much better
OUTSIDE = 0.05
"""Fraction of the voxels taken that may lie outside the head: heads are not symmetric."""


def best_place(
    host: np.ndarray,
    source: np.ndarray,
    region: np.ndarray,
    ring: np.ndarray,
    usable: np.ndarray,
    source_head: np.ndarray,
    apart: np.ndarray,
    axis: int | None,
    mm: Sequence[float],
    *,
    reach_mm: float,
    unusable: float,
    strange: float,
) -> tuple[int, ...]:
    """How far along every axis the place lies in the source whose surroundings are most like the host's.

    Args:
        host, source: (C, \\*spatial).
        region: what is filled, boolean (\\*spatial), as the next four.
        ring: its surroundings.
        usable, source_head, apart, axis: see :class:`monai_consingan.transforms.MatchedFill`, when it is called.
        mm: mm per spatial axis.
        reach_mm, unusable, strange: see the same.

    Raises:
        NoPlaceError: there is no place within reach that is usable.
    """
    steps = [0 if along == axis else int(reach_mm / size) for along, size in enumerate(mm)]
    count, masks = int(region.sum()), [~usable, ~source_head]
    if strange > 1 and ring.any():
        pairs = zip(host, source, strict=True)
        masks.append(~np.all([ordinary(other, ring, of=channel, most=_LIKE) for channel, other in pairs], axis=0))
    lost, beyond, *unlike = overlaps(masks, region, steps)
    open_ = (np.rint(lost) <= unusable * count) & (beyond <= OUTSIDE * count + 0.5)
    if not open_.any():
        raise NoPlaceError(f"within {reach_mm:g} mm there is no place with healthy tissue for its {count} voxels.")
    if apart.any() and (others := region & ~apart).any():
        better = open_ & (np.rint(overlaps([apart], others, steps)[0]) == 0)
        open_ = better if better.any() else open_
    shifts = np.ix_(*(np.arange(-step, step + 1) for step in steps))
    far = np.sqrt(sum((shift * size) ** 2 for shift, size in zip(shifts, mm, strict=True)))
    cost = ring_mismatch(host, source, usable, ring, steps) * (1 + _FAR * far)
    for part in unlike:
        cost *= 1 + (strange - 1) * part / count
    cost = np.where(open_, cost, np.inf)
    equal = np.flatnonzero(cost == cost.min())
    nearest = equal[np.argmin(far.ravel()[equal])]
    return tuple(int(index) - step for index, step in zip(np.unravel_index(nearest, cost.shape), steps, strict=True))


def ordinary(
    image: np.ndarray, ring: np.ndarray, *, of: np.ndarray | None = None, most: float = _ORDINARY
) -> np.ndarray:
    """Where an image is as bright as the tissue of its ring, or of another image's; skull and large vessels are not."""
    around = (image if of is None else of)[ring]
    if not around.size:
        return np.ones(image.shape, bool)
    middle = np.median(around)
    spread = 1.4826 * np.median(np.abs(around - middle))
    return np.asarray(np.abs(image - middle) <= most * spread) if spread > 0 else np.ones(image.shape, bool)


def ring_mismatch(
    hosts: np.ndarray, sources: np.ndarray, usable: np.ndarray, ring: np.ndarray, steps: Sequence[int]
) -> np.ndarray:
    """How unlike a ring of a host is to that of a source, for every move of it.

    It is the standard deviation of their difference. Those of several channels are added, each in robust standard
    deviations of the host's ring; where that is 0, as more than half of the ring has one value, in standard deviations.
    A channel that is flat there says nothing.

    Args:
        hosts, sources: (C, \\*spatial).
        usable: where the source may be taken, boolean (\\*spatial); elsewhere it counts as the ring's mean.
        ring: boolean (\\*spatial).
        steps: how many voxels the ring may be moved along every axis, to both sides.

    Returns:
        Array with 2 * steps + 1 numbers along every axis; 0 if the ring is empty.
    """
    total = np.zeros([2 * step + 1 for step in steps])
    if not ring.any():
        return total
    (box,) = find_objects(ring.view(np.uint8))
    sums, size = _Sums([side.stop - side.start for side in box], steps), int(ring.sum())
    around = sums.weights(ring[box])
    for host, source in zip(hosts, sources, strict=True):
        level = float(host[ring].mean())
        here = np.where(ring[box], host[box] - level, 0.0)
        wide = _widened(np.where(usable, source - level, 0.0), box, steps, 0.0)
        found, square = sums.values(wide), sums.values(wide**2)
        squares = (here**2).sum() + sums.of(square * around - 2 * found * sums.weights(here))
        spread = squares / size - ((here.sum() - sums.of(found * around)) / size) ** 2
        total += np.sqrt(np.maximum(spread, 0.0)) / (1.0 if len(hosts) == 1 else _unit(host[ring]))
    return total


def overlaps(masks: Sequence[np.ndarray], region: np.ndarray, steps: Sequence[int]) -> list[np.ndarray]:
    """How many voxels of a region lie in each mask, for every move of it; what is beyond the array is in the mask."""
    (box,) = find_objects(region.view(np.uint8))
    sums, found = _Sums([side.stop - side.start for side in box], steps), []
    moving = cache(lambda: sums.weights(region[box]))
    for mask in masks:
        wide = _widened(mask, box, steps, True)
        there = wide.any()
        found.append(sums.of(sums.values(wide) * moving()) if there else np.zeros([2 * step + 1 for step in steps]))
    return found


def _widened(array: np.ndarray, box: Sequence[slice], steps: Sequence[int], beyond: float) -> np.ndarray:
    """A box of an array and what is some steps around it, with a value for what is beyond the array."""
    wide = np.pad(array, [(step, step) for step in steps], constant_values=beyond)
    return np.asarray(
        wide[tuple(slice(side.start, side.stop + 2 * step) for side, step in zip(box, steps, strict=True))]
    )


def _unit(values: np.ndarray) -> float:
    """What differences of a channel are measured in; infinite for a flat one."""
    return float(1.4826 * np.median(np.abs(values - np.median(values))) or values.std() or np.inf)


class _Sums:
    """Weighted sums of an array for every move of the weights by some steps, by Fourier transforms.

    Args:
        shape: of the weights.
        steps: how far they are moved along every axis, to both sides; the array is larger by that.
    """

    def __init__(self, shape: Sequence[int], steps: Sequence[int]) -> None:
        self.size = [next_fast_len(side + 2 * step, real=True) for side, step in zip(shape, steps, strict=True)]
        self.moves = tuple(slice(2 * step + 1) for step in steps)

    def values(self, wide: np.ndarray) -> np.ndarray:
        """The transform of an array."""
        return np.asarray(rfftn(wide.astype(np.float64), self.size))

    def weights(self, weights: np.ndarray) -> np.ndarray:
        """The transform of weights."""
        return np.conj(self.values(weights))

    def of(self, product: np.ndarray) -> np.ndarray:
        """The sums, of a product of an array's transform and weights', or of a sum of such products."""
        return np.asarray(irfftn(product, self.size)[self.moves])
