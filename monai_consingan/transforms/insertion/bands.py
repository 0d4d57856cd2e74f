"""Bands of frequency: what is coarse of an image in a box, and what is fine of it made as strong as a host's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from scipy.ndimage import gaussian_filter

from monai_consingan.arrays import in_all
from monai_consingan.transforms.along import along

CUT = 4.0
"""Standard deviations at which a gaussian ends."""


def without_fine(
    image: np.ndarray, box: tuple[slice, ...], mm: Sequence[float], fine_mm: float, known: np.ndarray
) -> np.ndarray:
    """What is coarser than a gaussian of an image, in a box.

    Args:
        image: (C, \\*spatial).
        box: the part that is wanted.
        mm: mm per spatial axis.
        fine_mm: the gaussian's standard deviation.
        known: where the image's values count, boolean (\\*spatial); others do not mix with them.

    Returns:
        Array (C, \\*box), 0 where nothing near is known.
    """
    sizes = zip(mm, box, image.shape[1:], strict=True)
    gaussians = [_gaussian(fine_mm / step, part.start, part.stop, size) for step, part, size in sizes]
    near = tuple(slice(first, last) for first, last, _ in gaussians)
    image, known = image[in_all(near)], known[near]
    whole = bool(known.all())
    parts = image if whole else np.concatenate([np.where(known, image, 0.0), known[None]])
    for axis, (_, _, weights) in enumerate(gaussians, start=1):
        parts = along(weights, parts, axis)
    return parts if whole else np.divide(parts[:-1], parts[-1], out=np.zeros_like(parts[:-1]), where=parts[-1] > 0)


@lru_cache(64)
def _gaussian(sigma: float, start: int, stop: int, size: int) -> tuple[int, int, np.ndarray]:
    """What a gaussian makes of a line of voxels, from start to stop: which part of it counts, and a matrix for that."""
    reach = int(CUT * sigma + 0.5)
    first, last = max(0, start - reach), min(size, stop + reach)
    whole = gaussian_filter(np.eye(last - first), (sigma, 0), truncate=CUT)
    return first, last, whole[start - first : stop - first]


def as_strong(levels: Sequence[Sequence[np.ndarray]], ring: np.ndarray, most: float) -> np.ndarray:
    """A source's fine part in bands, each as strong as the host's in a ring, channel by channel.

    Args:
        levels: host and source, (C, \\*spatial), as they are, and then the coarser the later.
        ring: where strengths are compared, boolean (\\*spatial).
        most: a band is made at most so many times stronger or weaker.

    Returns:
        Array of the source's shape.
    """
    result = np.zeros(levels[0][1].shape)
    for upper, lower in pairwise(levels):
        for total, *parts in zip(result, *upper, *lower, strict=True):
            here, there = parts[0] - parts[2], parts[1] - parts[3]
            wanted, found = (float(np.median(np.abs(part[ring]))) if ring.any() else 0.0 for part in (here, there))
            total += (np.clip(wanted / found, 1 / most, most) if found > 0 else 1.0) * there
    return result
