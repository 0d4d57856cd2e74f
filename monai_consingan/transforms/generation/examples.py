"""A donor's lesion as the generators learn from it, and how alike two lesions are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from monai_consingan.data.lesions import lesion_voxels, number_lesions
from monai_consingan.distance import ball_diameter, depth_within, outside_distance
from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.insertion.donor import DonorCrop

_AROUND_MM = (2.0, 8.0)
_FEWEST_AROUND = 30
_FEWEST_VOXELS = 8
_DARK_SHARE = 0.15
_SIDE, _RADII = 20, 1.6


@dataclass(frozen=True)
class Example:
    """A donor's lesion, and what is known of it.

    Attributes:
        crop: the lesion and the tissue around it; the label has what moves along only.
        core: what counts as lesion, boolean (\\*spatial).
        around: tissue that it is compared with, boolean (\\*spatial).
        level, spread: median and robust standard deviation of this tissue, (C,).
        lead: the sequence in which lesions are measured.
        diameter: of the ball of the core's volume, in mm.
        kind: one of :data:`monai_consingan.lesion_settings.KINDS`.
    """

    crop: DonorCrop
    core: NDArray[np.bool_]
    around: NDArray[np.bool_]
    level: NDArray[np.float64]
    spread: NDArray[np.float64]
    lead: int
    diameter: float
    kind: str

    @classmethod
    def of(
        cls, crop: DonorCrop, lesion_labels: Iterable[int] | None = None, *, lead: int = 0, oedema: bool = False
    ) -> Example:
        """What is known of a donor's lesion.

        Args:
            crop: the lesion in space.
            lesion_labels: label values that count as lesion; None for all.
            lead: the sequence in which lesions are measured.
            oedema: whether what touches the lesion in the label with other values moves along. If not, it is no valid
                tissue either.

        Raises:
            ConSinGANError: the lesion has fewer than 8 voxels, or no tissue around.
        """
        if crop.label.ndim != 3:
            raise ConSinGANError(f"a donor has {crop.label.ndim} spatial axes: lesions are made in space, so give 3.")
        numbers = number_lesions(np.where(lesion_voxels(crop.label, lesion_labels), crop.label, 0))
        core = numbers == 1
        if core.sum() < _FEWEST_VOXELS:
            raise ConSinGANError(f"a donor's lesion has {core.sum()} voxels, too few to learn from: give larger ones.")
        label = np.where(core | (oedema & (crop.label > 0) & (numbers == 0)), crop.label, 0)
        valid = crop.valid & ((label > 0) | (crop.label == 0))
        crop = replace(crop, label=label, valid=valid)
        around = _around(crop, core)
        values = crop.image[:, around].astype(np.float64)
        level = np.median(values, axis=1)
        spread = 1.4826 * np.median(np.abs(values - level[:, None]), axis=1)
        spread = np.where(spread > 0, spread, np.maximum(values.std(axis=1), 1e-6))
        diameter = ball_diameter(float(core.sum()) * math.prod(crop.spacing), 3)
        return cls(crop, core, around, level, spread, lead, diameter, kind_of(crop, core, level, lead))


def _around(crop: DonorCrop, core: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The tissue to compare with: 2 to 8 mm away, or what there is."""
    distance = outside_distance(core, crop.spacing)
    free = crop.valid & (crop.label == 0)
    for found in (free & (distance > _AROUND_MM[0]) & (distance <= _AROUND_MM[1]), free, ~core & (distance > 0)):
        if found.sum() >= _FEWEST_AROUND:
            return np.asarray(found)
    raise ConSinGANError("a donor's lesion has no tissue around: give donors whose image is larger than the lesion.")


def relative_depth(mask: NDArray[np.bool_], spacing: tuple[float, ...]) -> NDArray[np.float64]:
    """Depth below a mask's border as a share of the greatest, from 0 outside to 1."""
    padded = np.pad(mask, 1)
    depth = depth_within(padded, spacing)[tuple(slice(1, -1) for _ in mask.shape)]
    return np.asarray(depth / max(float(depth.max()), np.finfo(float).tiny))


def kind_of(crop: DonorCrop, core: NDArray[np.bool_], level: NDArray[np.float64], lead: int) -> str:
    """The kind of a lesion, one of :data:`monai_consingan.lesion_settings.KINDS`.

    Voxels are dark that stand out less than half as much as the brightest tenth does. Up to 15% of them leave a lesion
    solid. Else it is a ring if they lie deeper than the others, and necrotic if not.
    """
    smooth = ndimage.gaussian_filter(crop.image[lead].astype(np.float64), [0.7 / mm for mm in crop.spacing])
    contrast = smooth[core] - level[lead]
    contrast = contrast if np.median(contrast) >= 0 or np.percentile(contrast, 90) > 0 else -contrast
    depth = relative_depth(core, crop.spacing)[core]
    inner = depth > 0.3  # the outermost voxels are mixed with what lies around
    dark = contrast < 0.5 * np.percentile(contrast, 90)
    if not inner.any() or (dark & inner).sum() <= _DARK_SHARE * inner.sum():
        return "solid"
    if not (~dark & inner).any():
        return "ring"
    return "ring" if np.median(depth[dark & inner]) > np.median(depth[~dark & inner]) + 0.1 else "necrotic"


def normal_view(example: Example) -> NDArray[np.float64]:
    """A lesion in a cube of 20 voxels, 3.2 of its radii wide: 0 outside, its leading sequence's contrast inside.

    Contrast is relative to the mean of the lesion's.
    """
    crop, mm = example.crop, np.asarray(example.crop.spacing)
    centre = np.argwhere(example.core).mean(axis=0)
    axis = np.linspace(-_RADII, _RADII, _SIDE) * example.diameter / 2
    cube = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    spots = np.moveaxis(cube / mm + centre, -1, 0)
    contrast = crop.image[example.lead].astype(np.float64) - example.level[example.lead]
    contrast = np.where(example.core, contrast, 0.0)
    mean = contrast[example.core].mean()
    found, share = (
        ndimage.map_coordinates(part, spots, order=1, mode="constant")
        for part in (contrast / (mean if mean else 1.0), example.core.astype(np.float64))
    )
    return np.where(share > 0.5, found / np.maximum(share, 0.5), 0.0)


def likeness(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """The greatest correlation, within the union of both, of one lesion and any flip or right turn of the other.

    Args:
        first, second: both by :func:`normal_view`.

    Returns:
        1 for copies, about 0 for lesions that have nothing in common but their place.
    """
    return max(_correlation(first, turned) for turned in _turned(second))


def _turned(view: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    for order in permutations(range(3)):
        for flips in product((1, -1), repeat=3):
            yield view.transpose(order)[:: flips[0], :: flips[1], :: flips[2]]


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    union = (first != 0) | (second != 0)
    a, b = first[union], second[union]
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / max(float(np.sqrt((a**2).sum() * (b**2).sum())), np.finfo(float).tiny))
