"""Outlines of new lesions: ellipsoids whose border is moved by smooth noise, as the donors' borders are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.distance import cdist

from monai_consingan.distance import ball_diameter, outside_distance
from monai_consingan.transforms.generation.examples import Example, relative_depth
from monai_consingan.transforms.generation.warped import random_turn
from monai_consingan.transforms.insertion.donor_crop import MARGIN_MM
from monai_consingan.transforms.smooth import positions_mm, smooth_noise

__all__ = ["Outline", "draw_label", "draw_outline"]

_SURFACE = 400  # voxels of a border that are looked at
_COARSE, _FINE = 0.4, 0.15  # how smooth the noise is, as shares of the radius
_MOST_COARSE, _MOST_FINE = 0.35, 0.12
_LAYER_NOISE = 0.15


@dataclass(frozen=True)
class Outline:
    """What tells one outline from another.

    Attributes:
        axes: lengths of the ellipsoid's axes relative to their geometric mean, rising.
        coarse, fine: standard deviation of the border's distance to the ellipsoid, as a share of the radius: what is
            alike over two fifths of the radius, and the rest.
    """

    axes: tuple[float, ...]
    coarse: float
    fine: float

    @classmethod
    def of(cls, example: Example) -> Outline:
        """The outline of a donor's lesion."""
        mm = np.asarray(example.crop.spacing)
        points = np.argwhere(example.core) * mm
        middle = points.mean(axis=0)
        values, turn = np.linalg.eigh(np.cov((points - middle).T) + np.diag(mm**2 / 12))
        lengths = np.sqrt(values)
        lengths /= np.cbrt(lengths.prod())
        border = np.argwhere(example.core & ~ndimage.binary_erosion(example.core)) * mm - middle
        border = border[np.linspace(0, len(border) - 1, min(_SURFACE, len(border))).astype(int)]
        scaled = (border @ turn) / lengths
        radius = np.linalg.norm(scaled, axis=1)
        off = radius / radius.mean() - 1
        near = np.exp(-0.5 * (cdist(scaled, scaled) / (_COARSE * radius.mean())) ** 2)
        smooth = near @ off / near.sum(axis=1)
        # a border of voxels is rough by itself
        grain = float(mm.mean()) / math.sqrt(12) / max(float(radius.mean()), float(mm.mean()))
        fine = math.sqrt(max(0.0, float((off - smooth).var()) - grain**2))
        return cls(tuple(map(float, lengths)), min(float(smooth.std()), _MOST_COARSE), min(fine, _MOST_FINE))


def draw_outline(outlines: Sequence[Outline], rng: np.random.RandomState) -> Outline:
    """A new outline: axes between those of two donors, roughness of a third, all a little off."""
    first, second, third = (outlines[rng.randint(len(outlines))] for _ in range(3))
    share = rng.uniform()
    axes = np.exp(share * np.log(first.axes) + (1 - share) * np.log(second.axes) + rng.normal(0, 0.08, 3))
    axes = axes / np.cbrt(axes.prod())
    coarse, fine = third.coarse * rng.uniform(0.8, 1.2), third.fine * rng.uniform(0.8, 1.2)
    return Outline(tuple(map(float, axes)), min(coarse, _MOST_COARSE), min(fine, _MOST_FINE))


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
    reach = radius * max(outline.axes) * (1 + 2 * outline.coarse) * whole + MARGIN_MM
    shape = [2 * int(np.ceil(reach / step)) + 1 for step in mm]
    turned = np.tensordot(random_turn(mm, rng), positions_mm(shape, mm), axes=1)
    away = np.sqrt(sum((part / length) ** 2 for part, length in zip(turned, outline.axes, strict=True))) / radius
    for smooth, strength in ((_COARSE, outline.coarse), (_FINE, outline.fine)):
        away = away + strength * smooth_noise(shape, mm, smooth * radius, rng)
    wanted = max(1, round(math.pi / 6 * diameter**3 / math.prod(mm)))
    core = _one_part(away, wanted)
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
