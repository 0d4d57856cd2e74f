"""Where in a host there may be lesions: its head or brain, how deep voxels lie, and what blocks of them are like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from monai_consingan.background import Background, find_background
from monai_consingan.transforms.head import edge_distance, head_mask, is_skull_stripped

WHOLE_HEAD_EDGES_MM = (15.0, 12.0, 9.0, 6.0, 3.0)
BRAIN_EDGE_MM = 3.0
LEVELS = (-0.5, 0.0, 0.5)
"""Levels of surroundings, in standard deviations of the head's tissue, between which others are interpolated."""
_COARSE_MM = 3.0


@dataclass(frozen=True)
class Room:
    """Where in a host there may be lesions.

    Attributes:
        mask: the head or brain, boolean (\\*spatial).
        name: what errors call it.
        distance: depth in mm below its surface, float32 (\\*spatial).
        edges: distances from the edge to try, largest first.
    """

    mask: np.ndarray
    name: str
    distance: np.ndarray
    edges: tuple[float, ...] = (BRAIN_EDGE_MM,)

    @classmethod
    def of(
        cls,
        image: np.ndarray,
        spacing: Sequence[float],
        brain: np.ndarray | None = None,
        background: Background | None = None,
        air: float | None = None,
        reach_mm: float = np.inf,
        hidden: np.ndarray | None = None,
    ) -> Room:
        """The room of a host: all of its head or brain.

        Args:
            image: array of shape (\\*spatial).
            spacing: mm per spatial axis.
            brain: mask of the brain, boolean (\\*spatial), instead of the head found in the image.
            background, air: the image's, if they are known.
            reach_mm: how deep below the surface distances are exact (:func:`edge_distance`).
            hidden: what does not belong to it whatever the image shows, boolean (\\*spatial).
        """
        if brain is None:
            mask = head_mask(image, spacing=spacing, background=background, air=air)
        else:
            mask = brain & ~(find_background(image) if background is None else background).outside(image)
        mask = mask if hidden is None else mask & ~hidden
        return cls(mask, "head" if brain is None else "brain mask", edge_distance(mask, spacing, reach_mm))

    def narrowed(self, image: np.ndarray, spacing: Sequence[float], background: Background | None = None) -> Room:
        """The room for automatic placement, that of a whole head narrowed to the skull; takes this one's place."""
        if self.name != "head" or is_skull_stripped(image, self.mask, self.distance, background):
            return self
        deepest = np.unravel_index(int(np.argmax(self.distance)), self.distance.shape)
        grid = np.ogrid[tuple(slice(n) for n in image.shape)]
        first, *others = (((g - d) * mm) ** 2 for g, d, mm in zip(grid, deepest, spacing, strict=True))
        reach = self.distance.max() ** 2
        for plane, away in zip(self.distance, first, strict=True):  # one by one, to spare memory
            plane[sum((other[0] for other in others), away) > reach] = 0.0
        return replace(self, edges=WHOLE_HEAD_EDGES_MM)


@dataclass(frozen=True)
class CoarseGrid:
    """The head in blocks of voxels of about 3 mm.

    Attributes:
        start: voxel of the host where the first block begins.
        size: voxels of a block along every axis.
        depth: mean depth of the blocks in mm, float32 (\\*blocks).
    """

    start: tuple[int, ...]
    size: tuple[int, ...]
    depth: np.ndarray


def coarse_grid(depth: np.ndarray, start: tuple[int, ...], spacing: Sequence[float]) -> CoarseGrid:
    """The coarse grid over a box."""
    size = tuple(max(1, round(_COARSE_MM / mm)) for mm in spacing)
    return CoarseGrid(start, size, block_means(depth, size))


def coarse_unlikeness(part: np.ndarray, level: tuple[float, float], coarse: CoarseGrid) -> np.ndarray:
    """The coarse maps of a channel in the box."""
    values = part.astype(np.float32, copy=False)
    return np.stack([block_means(unlikeness(values, level, wanted), coarse.size) for wanted in LEVELS])


def unlikeness_map(maps: np.ndarray, level: float) -> np.ndarray:
    """The map of a level, by the parabola through those of three levels."""
    level, total = float(np.clip(level, LEVELS[0], LEVELS[-1])), np.zeros(maps.shape[1:], np.float32)
    for own, values in zip(LEVELS, maps, strict=True):
        others = [other for other in LEVELS if other != own]
        total += values * np.prod([(level - other) / (own - other) for other in others])
    return total


def unlikeness(values: np.ndarray, level: tuple[float, float], wanted: float) -> np.ndarray:
    """Per voxel: 0 where the intensity is that wanted, towards 1 where it is far from it (fluid, vessel, bone).

    Surroundings of the donor that are darker or brighter than half a standard deviation, such as oedema, count as
    that much: healthy tissue of a host has no such places but near fluid.

    Args:
        values: intensities, array of any shape.
        level: median and spread of the head's.
        wanted: the wanted intensity, in spreads from the median.
    """
    median, spread = level
    far = (values - (median + float(np.clip(wanted, LEVELS[0], LEVELS[-1])) * spread)) / (2.0 * spread)
    return np.asarray(1.0 - np.exp(-0.5 * far**2))


def block_means(values: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Means of blocks of voxels, the last ones of what there is of them, float32."""
    total = values
    for axis, step in enumerate(size):
        parts = [np.moveaxis(total, axis, 0)[first::step] for first in range(step)]
        added = parts[0].astype(np.float32)
        for part in parts[1:]:
            added[: len(part)] += part
        width = np.minimum(step, total.shape[axis] - step * np.arange(len(added)))
        total = np.moveaxis(added / width.astype(np.float32).reshape(-1, *[1] * (values.ndim - 1)), 0, axis)
    return total


def block_shares(template: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Which share of every block a template covers that begins with a block."""
    padded = np.pad(template, [(0, -n % step) for n, step in zip(template.shape, size, strict=True)])
    return block_means(padded, size)


def blocks_within(
    low: Sequence[int], size: Sequence[int], count: Sequence[int], shape: Sequence[int]
) -> tuple[tuple[slice, ...], list[int]]:
    """The blocks that lie within an array as a whole, and where the first of them begins."""
    firsts = [max(0, -(at // step)) for at, step in zip(low, size, strict=True)]
    lasts = [min(n, (limit - at) // step) for at, step, n, limit in zip(low, size, count, shape, strict=True)]
    part = tuple(slice(first, max(first, last)) for first, last in zip(firsts, lasts, strict=True))
    return part, [at + first * step for at, first, step in zip(low, firsts, size, strict=True)]
