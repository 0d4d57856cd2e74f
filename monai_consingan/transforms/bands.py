"""What is coarse of an image, as gaussian means of what is known of it, and what is fine, and how strong that is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from scipy.ndimage import gaussian_filter

from monai_consingan.arrays import in_all
from monai_consingan.distance import bounding_box
from monai_consingan.transforms.quick import along

CUT = 4.0
"""Standard deviations at which a gaussian ends."""
_LEAST_KNOWN = 1e-3  # share of a gaussian's weight


def mean_of_known(values: np.ndarray, known: np.ndarray, sigma: Sequence[float], mode: str = "reflect") -> np.ndarray:
    """The gaussian mean of those voxels that are known.

    Args:
        values: (C, \\*spatial).
        known: where values count, boolean (\\*spatial).
        sigma: the gaussian's standard deviations in voxels, one for each axis.
        mode: how the image goes on beyond its faces, as SciPy names it.

    Returns:
        Array of the shape of ``values``, which goes to 0 where less than a thousandth of the weight is known.
    """
    share = gaussian_filter(known.astype(np.float64), sigma, mode=mode)
    total = gaussian_filter(np.where(known, values, 0.0), [0, *sigma], mode=mode)
    return np.asarray(total / np.maximum(share, _LEAST_KNOWN))


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
    gaussians = [_line_gaussian(fine_mm / step, part.start, part.stop, size) for step, part, size in sizes]
    near = tuple(slice(first, last) for first, last, _ in gaussians)
    image, known = image[in_all(near)], known[near]
    whole = bool(known.all())
    parts = image
    if not whole:
        parts = np.zeros((len(image) + 1, *known.shape))
        np.copyto(parts[:-1], image, where=known)
        parts[-1] = known
    for axis, (_, _, weights) in enumerate(gaussians, start=1):
        parts = along(weights, parts, axis)
    return parts if whole else np.divide(parts[:-1], parts[-1], out=np.zeros_like(parts[:-1]), where=parts[-1] > 0)


@lru_cache(64)
def _line_gaussian(sigma: float, start: int, stop: int, size: int) -> tuple[int, int, np.ndarray]:
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


def alike(first: np.ndarray, second: np.ndarray, where: np.ndarray) -> np.ndarray:
    """How alike two fine parts are, channel by channel: their correlation, 0 where it is below.

    Args:
        first: (C, \\*spatial).
        second: of the same shape.
        where: the voxels that count, boolean (\\*spatial).

    Returns:
        Array of shape (C, 1, ...), from 0 to 1.
    """
    one, other = first[:, where], second[:, where]
    power = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    found = np.clip((one * other).sum(axis=1) / np.where(power > 0, power, 1.0), 0.0, 1.0)
    return np.asarray(found.reshape(-1, *[1] * where.ndim))


class Means:
    """Gaussian means of the voxels of a mask only.

    Args:
        where: the mask, boolean.
        sigma: standard deviations along every axis, in voxels.
        box: the part of an image, with limits, in which means are wanted; None for all of it.
    """

    def __init__(self, where: np.ndarray, sigma: Sequence[float], box: tuple[slice, ...] | None = None) -> None:
        self.where, self.sigma = where, tuple(sigma)
        self.box = (slice(None),) * where.ndim if box is None else box
        self.weight = np.maximum(_gaussian(where.astype(np.float64), self.sigma, self.box), 1e-9)
        self.any = bool(where.any())

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """The means around every voxel of the box of an image; the image itself where the mask is empty."""
        if not self.any:
            return image[self.box]
        middle = image[self.where].mean()
        near = _gaussian(np.where(self.where, image - middle, 0.0), self.sigma, self.box)
        return np.asarray(middle + near / self.weight)


def _gaussian(image: np.ndarray, sigma: Sequence[float], box: tuple[slice, ...]) -> np.ndarray:
    """A box of an image after a gaussian filter, cut at three standard deviations, beyond the image 0.

    What :func:`scipy.ndimage.gaussian_filter` gives up to rounding, by products of matrices, which are quicker for
    images of this size.
    """
    for axis, (width, part) in enumerate(zip(sigma, box, strict=True)):
        if width > 0:
            image = along(_filter_matrix(image.shape[axis], width)[part], image, axis)
        else:
            image = image[(slice(None),) * axis + (part,)]
    return image


@lru_cache(64)
def _filter_matrix(count: int, sigma: float) -> np.ndarray:
    """The matrix that filters a line of voxels."""
    return np.asarray(gaussian_filter(np.eye(count), (sigma, 0), mode="constant", truncate=3.0))


def pixel_widths(axis: int | None, ndim: int) -> list[float]:
    """Standard deviations, in voxels, of the means which the finest part of an image is what differs from."""
    return [0.0 if other == axis else 1.0 for other in range(ndim)]


def finest(image: np.ndarray, where: np.ndarray, axis: int | None) -> np.ndarray:
    """The finest part of an image, of a mask's voxels."""
    return np.asarray(image - Means(where, pixel_widths(axis, image.ndim))(image))


def energy(fine: np.ndarray, where: np.ndarray) -> float:
    """Mean square over a mask, 0 if that is empty."""
    return float((fine[where] ** 2).mean()) if where.any() else 0.0


def strength(
    smooth: np.ndarray, rough: np.ndarray, region: np.ndarray, wanted: float, most: float, axis: int | None
) -> float:
    """How many times a rough part has to be added to a smooth one so that the region's finest part has an energy.

    Args:
        smooth, rough: the two parts, (\\*spatial).
        region: boolean (\\*spatial), not empty.
        wanted: the energy; 0 leaves the rough part as it is.
        most: it is made at most so many times stronger or weaker.
        axis: the spatial axis perpendicular to the slices along which nothing is averaged, or None.
    """
    box = bounding_box(region)
    base, more = (finest(part[box], region[box], axis)[region[box]] for part in (smooth, rough))
    square, mixed, rest = float((more**2).mean()), float((base * more).mean()), float((base**2).mean()) - wanted
    if not (wanted > 0 and square > 0):
        return 1.0
    found = (np.sqrt(max(mixed**2 - square * rest, 0.0)) - mixed) / square
    return float(np.clip(found, 1 / most, most))
