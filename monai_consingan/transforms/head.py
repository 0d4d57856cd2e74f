"""The head in an MR scan: where it is, how deep below its surface a voxel lies, how bright its tissue is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import RLock
from typing import Any, Protocol

import numpy as np
from cachetools import LRUCache, cached
from numpy.typing import NDArray

from monai_consingan.arrays import all_finite, as_array, as_spacing, image_identity
from monai_consingan.background import Background, find_background
from monai_consingan.darkness import darkness
from monai_consingan.distance import bounding_box, depth_within
from monai_consingan.errors import ConSinGANError
from monai_consingan.ranks import median, percentiles
from monai_consingan.transforms.quick import ball, dilated, eroded, filled, largest_part

AIR_FRACTION = 0.1
OPENING_MM = 2.0
WHOLE_HEAD_MM = 15.0
_KEPT = 64  # images of which the level of air and the head are kept in memory


def _told(image: Any, *given: Any) -> tuple[Any, ...]:
    """What tells an image, and what else is given, from others."""
    return *image_identity(image), repr(given)


@cached(LRUCache(_KEPT), key=_told, lock=RLock())
def air_level(image: Any, background: Background | None = None) -> float:
    """Intensity that separates air (and other places without signal) from tissue.

    Otsu's threshold of the image, bright outliers such as fat and vessels cut off, lowered towards twice less where
    the air is free of noise: cerebrospinal fluid then counts as tissue (:func:`~monai_consingan.darkness.darkness`).
    The constant that fills the border of an image is taken for its darkest value, wherever it lies; one around noisy
    air is left out (:func:`~monai_consingan.background.find_background`). The levels of the last images, which are told
    by all of their voxels, are kept in memory.

    Args:
        image: array of any shape, in any intensity units.
        background: the image's, if it is known.

    Returns:
        The level; values above it are tissue. Minus infinity where the image has no air, as a crop of the brain's
        interior may have none.

    Raises:
        ConSinGANError: when the image is constant or holds NaN or infinite values.
    """
    values = as_array(image).astype(np.float32, copy=False)
    if not all_finite(values):
        raise ConSinGANError("image holds NaN or infinite values; give an image of finite numbers.")
    background = find_background(values) if background is None else background
    values = background.apart(values) if background.pads else background.darkest(values)
    if values.min() == values.max():
        raise ConSinGANError(f"image is constant ({values.flat[0]:g}); give an image that shows a head.")
    return darkness(values).level


def faint_level(lowest: float, bright: float) -> float:
    """A tenth of the way from 0 (the lowest value, if that is below 0) to the 99.5th percentile, ``bright``.

    Tissue is brighter, of scans with a skull, of stripped ones and of crops without any air alike.
    """
    low = min(lowest, 0.0)
    return low + AIR_FRACTION * (bright - low)


@dataclass(frozen=True)
class TissueLevel:
    """What tells tissue from air in a channel: found in all of it, it serves any part, also after a lesion was put in.

    Tissue is brighter than air: above 0 (above the minimum, for images with values below 0) by more than a tenth of the
    way to the 99.5th percentile, and neither background nor mixed with it
    (``monai_consingan.background.find_background``). That holds for scans with a skull, for stripped ones and for
    crops without any air.

    Args:
        above: intensity above which there is tissue.
        background: the constant that fills the channel's border, or that there is none.
        span: from the 0.5th to the 99.5th percentile.
    """

    above: float
    background: Background
    span: float

    @classmethod
    def of(cls, channel: NDArray[Any], background: Background | None = None) -> TissueLevel:
        """That of a channel, (\\*spatial), whose background may be known."""
        background = find_background(channel) if background is None else background
        shown = background.darkest(channel)
        dark, bright = percentiles(shown, (0.5, 99.5))
        return cls(faint_level(float(shown.min()), float(bright)), background, float(bright - dark))

    def mask(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Voxels of the channel, or of a part of it, that hold tissue and not air: boolean, of the same shape."""
        bright = np.asarray(values > self.above)
        return self.background.tissue(values) & bright if self.background else bright


class Air(Protocol):
    """What tells tissue from air in a channel."""

    @property
    def background(self) -> Background:
        """The constant that fills the channel's border, or that there is none."""

    @property
    def air(self) -> float:
        """Intensity above which there is tissue (:func:`air_level`)."""

    @property
    def tissue(self) -> TissueLevel:
        """What tells tissue from air where faint tissue counts, too."""


@dataclass(frozen=True)
class ChannelAir:
    """What tells tissue from air in a channel, (\\*spatial), worked out when it is first asked for."""

    values: np.ndarray

    @cached_property
    def background(self) -> Background:
        """The constant that fills the channel's border, or that there is none."""
        return find_background(self.values)

    @cached_property
    def air(self) -> float:
        """Intensity above which there is tissue.

        Raises:
            ConSinGANError: as :func:`air_level`.
        """
        return air_level(self.values, self.background)

    @cached_property
    def tissue(self) -> TissueLevel:
        """What tells tissue from air where faint tissue counts, too."""
        return TissueLevel.of(self.values, self.background)


def tissue_in(
    image: np.ndarray,
    box: tuple[slice, ...],
    known: np.ndarray | None = None,
    air: Air | None = None,
    *,
    in_space: bool = False,
) -> np.ndarray:
    """Voxels in a box of an image that are neither air nor mixed with it.

    In a crop of the brain's interior, the air level may part dark tissue from bright; in space, what is brighter than
    :func:`faint_level` is tissue in any case.

    Args:
        image: one channel, array of shape (\\*spatial).
        box: the part that is wanted.
        known: boolean array of the image's shape, where its values count; None for everywhere.
        air: what tells tissue from air in it; None finds it.
        in_space: whether the lesion is worked on in space, and not by slices or in a plane.

    Returns:
        Boolean array of the box's shape.

    Raises:
        ConSinGANError: as ``air_level``.
    """
    air = air or ChannelAir(image)
    level = min(air.air, air.tissue.above) if in_space else air.air
    shown = air.background.tissue(image[box], None if known is None else known[box])
    return np.asarray(shown & (image[box] > level))


def head_mask(
    image: Any,
    *,
    spacing: Sequence[float] | float = 1.0,
    background: Background | None = None,
    air: float | None = None,
) -> np.ndarray:
    """The head in an MR scan: everything within the outermost surface of tissue.

    Voxels above the level of air, their holes (air, bone, fluid) filled in space and in every slice, rid of thin
    bridges by an opening, and of these the largest connected part. Works for whole heads and for skull-stripped
    brains, in 2D and 3D, and for slabs of few slices. The heads of the last images, which are told by all of their
    voxels, are kept in memory, a bit for each voxel around.

    Args:
        image: array of shape (\\*spatial), 2D or 3D, in any intensity units.
        spacing: mm per spatial axis, or one number for all.
        background, air: the image's (``air_level``), if they are known.

    Returns:
        Boolean array of the same shape, not to be written to.

    Raises:
        ConSinGANError: when the image is constant or holds NaN or infinite values.
    """
    values = as_array(image)
    mm = as_spacing(spacing, values.ndim)
    background = find_background(values) if background is None else background
    air = air_level(values, background) if air is None else air
    box, bits = _found_head(values, mm, background, air)
    head, size = np.zeros(values.shape, bool), [side.stop - side.start for side in box]
    head[box] = np.unpackbits(bits, count=math.prod(size)).reshape(size)
    head.flags.writeable = False
    return head


@cached(LRUCache(_KEPT), key=_told, lock=RLock())
def _found_head(
    values: np.ndarray, mm: tuple[float, ...], background: Background, air: float
) -> tuple[tuple[slice, ...], np.ndarray]:
    """What :func:`head_mask` finds: a box around the head, and the head in it, eight voxels a byte."""
    tissue = (values > air) & ~background.mask(values)
    box = bounding_box(tissue)
    solid, element = filled(tissue[box]), ball(mm, OPENING_MM)
    opened = largest_part(dilated(eroded(solid, element), element))
    core = opened if opened.any() else largest_part(solid)
    # an opening rounds corners off: give those back that touch the core
    return box, np.packbits(filled(core | (solid & dilated(core, element))))


def edge_distance(head: np.ndarray, spacing: Sequence[float], reach_mm: float = np.inf) -> np.ndarray:
    """Depth in mm below the head's surface (0 outside), float32.

    A face of the array that cuts through the head is no surface: the faces of a slab (first and last along the axis
    with the fewest voxels in 3D) and any face that the head meets with more than nine tenths of its largest
    cross-section. Other faces are.

    Args:
        head: boolean array of shape (\\*spatial).
        spacing: mm per spatial axis.
        reach_mm: of what lies deeper than this, only that it does is of interest, which saves time.
    """
    pads = []
    for axis in range(head.ndim):
        slab = head.ndim == 3 and axis == int(np.argmin(head.shape))
        sections = head.sum(axis=tuple(i for i in range(head.ndim) if i != axis))
        pads.append(tuple(0 if slab or sections[end] > 0.9 * sections.max() else 1 for end in (0, -1)))
    padded = np.pad(head, pads)
    if padded.all():
        return np.full(head.shape, np.inf, np.float32)
    depth = np.zeros(padded.shape, np.float32)
    if head.any():  # one voxel more than it on each side holds all the surface there is
        near = bounding_box(padded, [1] * padded.ndim)
        depth_within(padded[near], spacing, depth[near], reach_mm=reach_mm)
    inner = tuple(slice(low, low + size) for (low, _), size in zip(pads, head.shape, strict=True))
    return depth[inner]


def tissue_level(image: np.ndarray, head: np.ndarray, distance: np.ndarray | None = None) -> tuple[float, float]:
    """Median of the head's intensities and their robust standard deviation (1.4826 times the median deviation).

    Args:
        image: array of shape (\\*spatial).
        head: boolean array of the same shape.
        distance: depth below the surface in mm; when given, only what lies deeper than 15 mm counts, if there is any.

    Returns:
        Median and spread; the spread is at least a thousandth of the intensities' range.
    """
    box = bounding_box(head) if head.any() else tuple(slice(0, n) for n in head.shape)
    inner, head = image[box], head[box]
    core = head if distance is None else head & (distance[box] > WHOLE_HEAD_MM)
    values = inner[core] if core.any() else inner[head] if head.any() else image.ravel()
    median = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - median)))
    return median, max(spread, 1e-3 * float(np.ptp(image)), np.finfo(np.float32).tiny)


def is_skull_stripped(
    image: np.ndarray, head: np.ndarray, distance: np.ndarray, background: Background | None = None
) -> bool:
    """Whether ``head`` is a bare brain: constant around it, and no layer of dark bone or bright fat at its surface.

    Args:
        image: array of shape (\\*spatial).
        head: the head in it, by :func:`head_mask`.
        distance: depth below the head's surface, by :func:`edge_distance`.
        background: the image's, if it is known.
    """
    background = find_background(image) if background is None else background
    image = background.darkest(image)
    around = image[~head]
    if around.size == 0 or not head.any():
        return around.size > 0
    floor = median(around)
    alike = np.abs(around - floor) <= background.tolerance if background.tolerance else around == floor
    box = bounding_box(head)
    image, head, distance = image[box], head[box], distance[box]
    shell = image[head & (distance > 1.0) & (distance <= 12.0)]
    if shell.size == 0:
        return True
    if np.count_nonzero(alike) < 0.95 * around.size:
        return False
    relative = (shell - floor) / (tissue_level(image, head, distance)[0] - floor)
    return bool(np.mean((relative < 0.5) | (relative > 1.5)) < 0.25)
