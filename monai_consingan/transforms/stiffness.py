"""How freely an image may bend along each axis, as slices thicker than voxels allow it, and changes that bend so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from scipy.linalg import solveh_banded
from scipy.ndimage import correlate1d, distance_transform_edt, gaussian_filter

from monai_consingan.arrays import in_all
from monai_consingan.distance import bounding_box, outside_distance, reach_box

_SHARP = 0.65  # an axis is sharp whose second differences are at least that share of those of the sharpest axis
_UNKNOWN = 1e-3  # the same of an axis that does not bend but for rounding, or only where this is not seen
_STRENGTH = 4.0  # stiffness of an axis that has half of what makes it sharp
_NEAR_MM = 2.5  # standard deviation of the neighbourhood, across an axis, in which an image bends alike
_FAR = 3.0  # standard deviations at which it ends
_PRIOR = 0.02  # weight of the whole image's bends among those of a neighbourhood, which may hold few known voxels
_LEAST = 0.05  # share of its mean that the variance of bends has at least
_SLACK = 0.005  # share of the host's stiffness that is left for what is a lesion for sure
_REACH_MM = 8.0  # around a region that is filled, or whatever changes, the tissue that says how the host bends
_FIXED = 1e6  # how much more than the filling the host counts, whose values stay


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


def bent(
    change: np.ndarray,
    stiff: Stiffness,
    share: float,
    means: Callable[[np.ndarray], np.ndarray],
    free: np.ndarray,
    trust: np.ndarray,
    profile: np.ndarray | None = None,
) -> np.ndarray:
    """A change that bends as the host does, a share of its radial profile left as it is, the rest as far as it can.

    Args:
        change: what is to be added to the host, (\\*spatial).
        stiff: the host's stiffness.
        share: of the profile that is left, from 0 to 1 (:func:`stands_out`); the rest bends the more freely.
        means: gives the mean of an image at every distance from the lesion's border.
        free: where the change may be other than 0, boolean.
        trust: how much it counts in each voxel, above 0.
        profile: the change's means at every distance from the border; None finds them.
    """
    if not stiff.axes:
        return change
    kept = share * (means(change) if profile is None else profile) if share else np.zeros(change.shape)
    trust = trust / (1 - (1 - _SLACK) * share)
    result = kept + stiff.applied(change - kept, free, trust)
    lost = means(change - result)
    result += share * lost
    if share < 1:
        result += (1 - share) * stiff.applied(lost, free, trust)
    return np.where(free, result, 0.0)


def bent_fill(
    host: np.ndarray, filled: np.ndarray, region: np.ndarray, known: np.ndarray, ring: np.ndarray, mm: Sequence[float]
) -> np.ndarray:
    """A filling that bends as the host does, along the axes along which that was resampled from thicker slices.

    The host's slope goes on into the region. A lesion's border does so too, which is no tissue's slope: the mean over
    all voxels that are equally deep in the region, along the axis, stays that of the filling.

    Args:
        host: one channel, (X, Y, Z); says how it bends where it is known.
        filled: the host with the region filled, whose values around the region are the host's.
        region: where it is filled, boolean (X, Y, Z).
        known: where the host shows tissue that was not filled, boolean.
        ring: the tissue that says which axes are blunt (:class:`Stiffness`), boolean.
        mm: mm per spatial axis.

    Returns:
        Array of the same shape, ``filled`` outside the region, and everywhere if no axis is blunt.
    """
    box = bounding_box(region, [int(np.ceil(_REACH_MM / size)) for size in mm])
    part, inside = filled[box], region[box]
    (stiff,) = Stiffness.of(host[None], known, ring, mm, region, box)
    for axis, weights in zip(stiff.axes, stiff.weights, strict=True):
        lines = np.broadcast_to(inside.any(axis, keepdims=True), inside.shape)
        bent = Stiffness((axis,), (weights,)).applied(part, lines, np.where(inside, 1.0, _FIXED))
        lost = (part - bent)[inside]
        depth = _depth(inside, axis)[inside]
        means = np.bincount(depth, lost) / np.maximum(np.bincount(depth), 1)
        part = part.copy()
        part[inside] += means[depth] - lost
    result = filled.copy()
    result[box] = part
    return result


def _depth(inside: np.ndarray, axis: int) -> np.ndarray:
    """How many voxels deep in a mask each voxel is along an axis; as many as the axis has if the mask has no end."""
    far = float(sum(inside.shape))
    apart = distance_transform_edt(inside, [1.0 if along == axis else far for along in range(inside.ndim)])
    return np.minimum(np.rint(apart), inside.shape[axis]).astype(int)


def bent_result(host: np.ndarray, result: np.ndarray, weight: np.ndarray, mm: Sequence[float]) -> np.ndarray:
    """A volume that differs from its host by ``weight * (result - host)``, made to bend as the host does.

    A host that was not resampled from thicker slices is told at once.

    Args:
        host, result: (C, X, Y, Z).
        weight: (1, X, Y, Z) or (C, X, Y, Z), in [0, 1]; where it is 0 nothing changes.
        mm: mm per spatial axis.

    Returns:
        float64 array of the host's shape.
    """
    new, weights = host.astype(np.float64), np.broadcast_to(weight, host.shape)
    altered = np.asarray((weights > 0).any(axis=0))
    if not altered.any():
        return new
    box = in_all(reach_box(altered, mm, _REACH_MM))
    old, shares = new[box], weights[box]
    known = np.asarray(np.isfinite(old).all(axis=0))
    free = (shares > 0) & known
    if not free.any():
        return new
    around = outside_distance(free.any(axis=0), mm, reach_mm=_REACH_MM) <= _REACH_MM
    stiff = Stiffness.of(np.where(known, old, 0.0), known, around, mm)
    for channel, share, other, where, one in zip(old, shares, result[box], free, stiff, strict=True):
        change = np.where(where, share * (np.where(where, other, channel) - channel), 0.0)
        channel += one.applied(change, where, np.ones(where.shape))
    return new


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
