"""Where in a source the tissue is that a region is filled with: where its surroundings are most like the region's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monai_consingan.errors import NoPlaceError
from monai_consingan.transforms.removal.moves import overlaps, unlikeness

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
        usable: where the source may be taken.
        source_head: where it shows the head.
        apart: where tissue is of its own kind: what is not takes nothing of it, if there is another place.
        axis: the spatial axis perpendicular to the slices to stay within a slice, or None.
        mm: mm per spatial axis.
        reach_mm, unusable, strange: see :class:`monai_consingan.transforms.MatchedFill`.

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
    cost = unlikeness(host, source, usable, ring, steps) * (1 + _FAR * far)
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
