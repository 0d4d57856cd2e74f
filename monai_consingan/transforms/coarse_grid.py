"""A host's head in blocks of voxels: how deep they lie, and how unlike their tissue is to that wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVELS = (-0.5, 0.0, 0.5)
"""Levels of surroundings, in standard deviations of the head's tissue, between which others are interpolated."""
_COARSE_MM = 3.0


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


def blocks_within(
    low: Sequence[int], size: Sequence[int], count: Sequence[int], shape: Sequence[int]
) -> tuple[tuple[slice, ...], list[int]]:
    """The blocks that lie within an array as a whole, and where the first of them begins."""
    firsts = [max(0, -(at // step)) for at, step in zip(low, size, strict=True)]
    lasts = [min(n, (limit - at) // step) for at, step, n, limit in zip(low, size, count, shape, strict=True)]
    part = tuple(slice(first, max(first, last)) for first, last in zip(firsts, lasts, strict=True))
    return part, [at + first * step for at, first, step in zip(low, firsts, size, strict=True)]
