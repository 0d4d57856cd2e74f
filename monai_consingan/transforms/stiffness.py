"""How freely an image may bend along each axis, as slices thicker than voxels allow it, and changes that bend so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from scipy.linalg import solveh_banded
from scipy.ndimage import correlate1d, gaussian_filter

from monai_consingan.arrays import in_all

_SHARP = 0.65  # an axis is sharp whose second differences are at least that share of those of the sharpest axis
_UNKNOWN = 1e-3  # the same of an axis that does not bend but for rounding, or only where this is not seen
_STRENGTH = 4.0  # stiffness of an axis that has half of what makes it sharp
_NEAR_MM = 2.5  # standard deviation of the neighbourhood, across an axis, in which an image bends alike
_FAR = 3.0  # standard deviations at which it ends
_PRIOR = 0.02  # weight of the whole image's bends among those of a neighbourhood, which may hold few known voxels
_LEAST = 0.05  # share of its mean that the variance of bends has at least


@dataclass(frozen=True)
class Stiffness:
    """How stiff an image is along its blunt axes, those along which it was resampled from thicker slices.

    Linear interpolation between slices bends at the slices and hardly between them. Where an image bends is told from
    its own second differences along the axis, averaged over a small neighbourhood across it, as a stack of slices may
    be slightly oblique. A change to the image is made to bend where the image does (:meth:`applied`): it then looks
    like something that was there when the slices were taken.

    Args:
        axes: the blunt axes.
        weights: for each of them what a squared second difference costs.
        box: the part of the image that weights are of: nothing changes elsewhere.
    """

    axes: tuple[int, ...]
    weights: tuple[np.ndarray, ...]
    box: tuple[Any, ...] = (...,)

    @classmethod
    def of(
        cls,
        images: np.ndarray,
        known: np.ndarray,
        where: np.ndarray,
        mm: Sequence[float],
        hidden: np.ndarray | None = None,
        box: tuple[Any, ...] = (...,),
    ) -> list[Stiffness]:
        """Measure each channel.

        Args:
            images: (C, \\*spatial).
            known: where they show tissue, boolean (\\*spatial), as the next one and ``hidden``.
            where: the tissue that says which axes are blunt.
            mm: mm per spatial axis.
            hidden: tissue that the image does not show: it bends as what is beside it, across the axis. None for
                nothing.
            box: the part of the image to look at, two voxels more than what is known of it at least.
        """
        images, known, where = images[in_all(box)], known[box], where[box]
        axes = range(known.ndim)
        whole = [_whole(known, axis) for axis in axes]
        stiff = whole if hidden is None else [_whole(known | hidden[box], axis) for axis in axes]

        @cache
        def near(axis: int) -> tuple[list[float], np.ndarray]:
            """The neighbourhood across an axis, and how much of it is known around every voxel."""
            sigmas = [0.0 if along == axis else _NEAR_MM / size for along, size in enumerate(mm)]
            return sigmas, gaussian_filter(whole[axis].astype(np.float64), sigmas, mode="nearest", truncate=_FAR)

        found = []
        for image in images:
            bends = [correlate1d(image, [1.0, -2.0, 1.0], axis) for axis in axes]
            sizes = [
                float(np.abs(bend[inner & where]).mean()) if (inner & where).any() else 0.0
                for bend, inner in zip(bends, whole, strict=True)
            ]
            sharpest = max(sizes)
            blunt = tuple(axis for axis, size in enumerate(sizes) if _UNKNOWN * sharpest < size < _SHARP * sharpest)
            weights = []
            for axis in blunt:
                strength = _STRENGTH * (_SHARP * sharpest / sizes[axis] - 1)
                square, inner, (sigmas, count) = bends[axis] ** 2, whole[axis], near(axis)
                total = gaussian_filter(np.where(inner, square, 0.0), sigmas, mode="nearest", truncate=_FAR)
                share = (total / float(square[inner].mean()) + _PRIOR) / (count + _PRIOR)
                weights.append(np.where(stiff[axis], strength**2 / np.maximum(share, _LEAST), 0.0))
            found.append(cls(blunt, tuple(weights), box))
        return found

    def within(self, known: np.ndarray) -> Stiffness:
        """The same where neighbours on both sides are known, boolean; at the ends of that, a change may end at once."""
        parts = zip(self.axes, self.weights, strict=True)
        weights = tuple(np.where(_whole(known[self.box], axis), own, 0.0) for axis, own in parts)
        return replace(self, weights=weights)

    def applied(self, change: np.ndarray, free: np.ndarray, trust: np.ndarray) -> np.ndarray:
        """A change that bends as the image does: the nearest one by penalised least squares, line by line.

        Args:
            change: what is to be added to the image, (\\*spatial).
            free: where it may be other than 0, boolean.
            trust: how much the given change counts in each voxel, above 0.

        Returns:
            Array of the same shape, 0 where it is not free.
        """
        result = np.zeros(change.shape)
        free, trust = free[self.box], trust[self.box]
        part = np.where(free, change[self.box], 0.0)
        for axis, weights in zip(self.axes, self.weights, strict=True):
            lines = (np.moveaxis(each, axis, -1) for each in (part, weights, trust, free))
            part = np.moveaxis(_stiffened(*lines), -1, axis)
        result[self.box] = part
        return result


def _whole(known: np.ndarray, axis: int) -> np.ndarray:
    """Known voxels with known neighbours on both sides along an axis."""
    found = np.zeros_like(known)
    middle, before, after = ((slice(None),) * axis + (part,) for part in (slice(1, -1), slice(-2), slice(2, None)))
    found[middle] = known[middle] & known[before] & known[after]
    return found


def _stiffened(change: np.ndarray, weights: np.ndarray, trust: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Minimise trust * (result - change)^2 + weights * (second difference)^2 along the last axis."""
    result = np.zeros(change.shape)
    lines = result.reshape(-1, change.shape[-1])
    used = np.flatnonzero(free.reshape(lines.shape).any(axis=1))
    given, cost, trust, free = (part.reshape(lines.shape)[used] for part in (change, weights, trust, free))
    bands = np.zeros((3, *given.shape))
    own = trust + 4 * cost
    own[:, 1:] += cost[:, :-1]
    own[:, :-1] += cost[:, 1:]
    bands[0] = np.where(free, own, 1.0)
    bands[1, :, :-1] = np.where(free[:, :-1] & free[:, 1:], -2 * (cost[:, :-1] + cost[:, 1:]), 0.0)
    bands[2, :, :-2] = np.where(free[:, :-2] & free[:, 2:], cost[:, 1:-1], 0.0)
    right = np.where(free, trust * given, 0.0)
    if right.size:
        solved = solveh_banded(bands.reshape(3, -1), right.ravel(), lower=True, check_finite=False)
        lines[used] = np.where(free, solved.reshape(right.shape), 0.0)
    return result
