"""Outlines of new lesions: ellipsoids whose border is moved by smooth noise, as the donors' borders are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.distance import cdist

from monai_consingan.distance import ball_diameter, outside_distance
from monai_consingan.transforms.generation.examples import Example, relative_depth
from monai_consingan.transforms.generation.warped import random_turn
from monai_consingan.transforms.insertion.donor import MARGIN_MM
from monai_consingan.transforms.smooth import positions_mm, smooth_noise

WAVES = (0.35, 0.17)
"""Angles, in radians, that long waves are told from middle ones by, and these from short ones."""

_RAYS = 600
_STEPS, _FARTHEST = 96, 2.4  # along a ray, in radii of the ellipsoid
_LEAST_RADIUS = 0.1
_SMOOTH = (0.4, 0.2, 0.12)  # how smooth the noise is that makes long, middle and short waves, as shares of the radius
_MOST = 0.25  # standard deviation of waves
_LEAST_WAVE = 0.005
_FITS, _MOST_CHANGE = 5, 1.6  # how often, and at most by how much, noise is made stronger or weaker
_LAYER_NOISE = 0.15
_AXES_NOISE = 0.03  # of the logarithm of lengths, a third of what donors differ by


def axes_and_waves(
    mask: NDArray[np.bool_], spacing: tuple[float, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The ellipsoid of an outline, and its waves.

    Args:
        mask: the lesion, boolean (\\*spatial), in space.
        spacing: mm per axis.

    Returns:
        Lengths of the axes of the ellipsoid of the same moments, relative to their geometric mean, rising; and the
        standard deviations, over all directions, of long, middle and short waves of the logarithm of how far the lesion
        reaches from the ellipsoid's middle, in units of the ellipsoid. Of a ray only how much of it lies in the lesion
        counts, so that holes and overhangs do not.
    """
    mm = np.asarray(spacing)
    points = np.argwhere(mask) * mm
    middle = points.mean(axis=0)
    values, turn = np.linalg.eigh(np.cov((points - middle).T) + np.diag(mm**2 / 12))
    axes = np.sqrt(values)
    axes /= np.cbrt(axes.prod())
    radius = ball_diameter(float(len(points) * mm.prod()), 3) / 2
    rays, (longer, long) = _directions(), _smoothers()
    along = np.linspace(0, _FARTHEST, _STEPS)
    spots = radius * along[:, None, None] * ((rays * axes) @ turn.T) + middle
    inside = ndimage.map_coordinates(mask.astype(np.float64), np.moveaxis(spots / mm, -1, 0), order=1)
    reach = np.cbrt((inside * 3 * along[:, None] ** 2).sum(axis=0) * along[1])
    waves = np.log(np.maximum(reach, _LEAST_RADIUS))
    waves -= waves.mean()
    first, second = longer @ waves, long @ waves
    return axes, np.array([first.std(), (second - first).std(), (waves - second).std()])


@cache
def _directions() -> NDArray[np.float64]:
    """Directions that are spread evenly (a spiral of Fibonacci), (rays, 3)."""
    number = np.arange(_RAYS) + 0.5
    height, turn = 1 - 2 * number / _RAYS, np.pi * (3 - np.sqrt(5)) * number
    width = np.sqrt(1 - height**2)
    return np.stack([width * np.cos(turn), width * np.sin(turn), height], axis=1)


@cache
def _smoothers() -> list[NDArray[np.float64]]:
    """What smooths values on the directions by each of :data:`WAVES`, (rays, rays)."""
    found = []
    for width in WAVES:
        near = np.exp(-0.5 * (cdist(_directions(), _directions()) / width) ** 2)
        found.append(near / near.sum(axis=1, keepdims=True))
    return found


@dataclass(frozen=True)
class Outline:
    """What tells one outline from another.

    Attributes:
        axes: lengths of the ellipsoid's axes relative to their geometric mean, rising.
        waves: how strong the long, middle and short waves of the border are
            (:py:func:`monai_consingan.transforms.generation.shapes.axes_and_waves`).
    """

    axes: tuple[float, ...]
    waves: tuple[float, ...]

    @classmethod
    def of(cls, example: Example) -> Outline:
        """The outline of a donor's lesion."""
        axes, waves = axes_and_waves(example.core, example.crop.spacing)
        return cls(tuple(map(float, axes)), tuple(float(min(wave, _MOST)) for wave in waves))


def draw_outline(outlines: Sequence[Outline], rng: np.random.RandomState) -> Outline:
    """A new outline: axes between those of two donors, roughness of a third, all a little off."""
    first, second, third = (outlines[rng.randint(len(outlines))] for _ in range(3))
    share = rng.uniform()
    axes = np.exp(share * np.log(first.axes) + (1 - share) * np.log(second.axes) + rng.normal(0, _AXES_NOISE, 3))
    axes = axes / np.cbrt(axes.prod())
    waves = np.minimum(rng.uniform(0.8, 1.2) * np.array(third.waves), _MOST)
    return Outline(tuple(map(float, axes)), tuple(map(float, waves)))


def draw_label(example: Example, outline: Outline, diameter: float, rng: np.random.RandomState) -> NDArray[np.int64]:
    """The label of a new lesion.

    Its values lie within each other as the donor's do: those that lie deep in the donor lie deep here, with the same
    shares of the volume. What is not lesion in the donor, such as oedema, lies around it.

    Args:
        example: the donor that gives the values.
        outline: the outline of what is lesion.
        diameter: in mm, of the ball of the lesion's volume, which is met to a voxel.
        rng: what chance is drawn by.

    Returns:
        Label values in space, with 12 mm around, in one part.
    """
    crop, mm = example.crop, example.crop.spacing
    radius = diameter / 2
    outer = crop.label[(crop.label > 0) & ~example.core]
    whole = ball_diameter(float((crop.label > 0).sum()), 3) / ball_diameter(float(example.core.sum()), 3)
    reach = radius * max(outline.axes) * (1 + 2 * sum(outline.waves)) * whole + MARGIN_MM
    shape = [2 * int(np.ceil(reach / step)) + 1 for step in mm]
    turned = np.tensordot(random_turn(mm, rng), positions_mm(shape, mm), axes=1)
    wanted = max(1, round(math.pi / 6 * diameter**3 / math.prod(mm)))
    noise = [smooth_noise(shape, mm, smooth * radius, rng) for smooth in _SMOOTH]
    core = _rough(turned / (math.sqrt(2) * radius), outline, noise, wanted, mm)
    label = np.zeros(shape, np.int64)
    depth = relative_depth(core, mm) + _LAYER_NOISE * smooth_noise(shape, mm, 0.3 * radius, rng)
    _fill_layers(label, core, depth, crop.label[example.core], relative_depth(example.core, mm)[example.core])
    if outer.size:
        beyond = outside_distance(core, mm) + 0.25 * radius * smooth_noise(shape, mm, 0.4 * radius, rng)
        around = round(wanted * outer.size / example.core.sum())
        both = _one_part(np.where(core, -np.inf, beyond), wanted + around)
        far = outside_distance(example.core, mm)[(crop.label > 0) & ~example.core]
        _fill_layers(label, both & ~core, -beyond, outer, -far)
    return label


def _rough(
    places: NDArray[np.float64],
    outline: Outline,
    noise: Sequence[NDArray[np.float64]],
    count: int,
    spacing: tuple[float, ...],
) -> NDArray[np.bool_]:
    """About ``count`` voxels in one part, whose border noise moves until axes and waves are about the outline's.

    Places are those along the ellipsoid's axes, (3, \\*spatial).
    """
    lengths, strength = wanted = np.array(outline.axes), np.array(outline.waves)
    found = []
    for _ in range(_FITS):
        away = np.tensordot(lengths**-2, places**2, axes=1) + np.tensordot(strength, noise, axes=1)
        core = _one_part(away, count)
        waves = np.maximum(axes_and_waves(core, spacing)[1], _LEAST_WAVE)
        axes = places[:, core].std(axis=1)
        off = np.log(waves / np.maximum(wanted[1], _LEAST_WAVE))
        askew = np.log(axes / np.cbrt(axes.prod()) / wanted[0])
        found.append((max(float(np.abs(off).max()), float(np.abs(askew).max()) / _AXES_NOISE * 0.1), core))
        strength = strength * np.clip(np.exp(-off), 1 / _MOST_CHANGE, _MOST_CHANGE)
        lengths = lengths * np.exp(-askew)
    return min(found, key=lambda one: one[0])[1]


def _one_part(away: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    """About ``count`` voxels of the smallest values that hang together, without holes."""
    asked, found = count, np.zeros(away.shape, bool)
    for _ in range(4):
        bound = np.partition(away.ravel(), min(asked, away.size) - 1)[min(asked, away.size) - 1]
        parts, number = ndimage.label(away <= bound)
        sizes = np.bincount(parts.ravel(), minlength=number + 1)
        sizes[0] = 0
        found = ndimage.binary_fill_holes(parts == int(np.argmax(sizes)))
        if abs(int(found.sum()) - count) <= 0.02 * count:
            break
        asked = max(1, asked + count - int(found.sum()))
    return found


def _fill_layers(
    label: NDArray[np.int64],
    where: NDArray[np.bool_],
    depth: NDArray[np.float64],
    values: np.ndarray,
    depths: np.ndarray,
) -> None:
    """Give the voxels of a part the donor's values: the same shares, the deepest the value that is deepest there."""
    found, counts = np.unique(values, return_counts=True)
    order = np.argsort([np.median(depths[values == value]) for value in found], kind="stable")
    ranked = np.argsort(depth[where], kind="stable")
    ends = np.round(np.cumsum(counts[order]) / counts.sum() * len(ranked)).astype(int)
    filled = np.empty(len(ranked), np.int64)
    for value, start, end in zip(found[order], np.concatenate([[0], ends[:-1]]), ends, strict=True):
        filled[ranked[start:end]] = value
    label[where] = filled
