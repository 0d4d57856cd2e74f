"""New lesions on new outlines: painted by a donor's profile, with texture that is drawn or taken in patches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from monai_consingan.distance import reach_box
from monai_consingan.transforms.generation.examples import Example, relative_depth
from monai_consingan.transforms.generation.patches import patch_texture
from monai_consingan.transforms.generation.shapes import Outline, draw_label, draw_outline
from monai_consingan.transforms.generation.warped import tissue_around
from monai_consingan.transforms.insertion.donor import DonorCrop

_DEPTHS = np.linspace(0.05, 0.95, 7)
_POINT_MM = 0.6  # the width of what a scanner makes of a point
_FEWEST_BINNED = 8
_SOFT_MM = 0.6
_CONTRAST = 0.1
_FEWEST = 20  # voxels that say how strong texture is


def paint_profile(example: Example, label: np.ndarray) -> NDArray[np.float64]:
    """The picture of a label by a donor's profile: brightness by label value and depth, without texture.

    Args:
        example: the donor; its profile has seven depths from 0.05 to 0.95 of the greatest, and the tissue around.
        label: label values on the donor's spacing, (\\*spatial).

    Returns:
        Array (C, \\*spatial).
    """
    crop = example.crop
    image, depth = crop.image.astype(np.float64), relative_depth(crop.label > 0, crop.spacing)
    depth_here = relative_depth(label > 0, crop.spacing)
    picture = np.empty((len(example.level), *label.shape))
    picture[:] = example.level[:, None, None, None]
    for value in np.unique(crop.label[crop.label > 0]):
        of_donor, here = crop.label == value, label == value
        rows = _binned(image[:, of_donor], depth[of_donor])
        picture[:, here] = [np.interp(depth_here[here], _DEPTHS, row) for row in rows]
    return ndimage.gaussian_filter(picture, [0, *(_POINT_MM / mm for mm in crop.spacing)])


def _binned(values: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of (C, n) values around depths, (C, 7); between and beyond those with few values, interpolated."""
    nearest = np.abs(at[:, None] - _DEPTHS).argmin(axis=1)
    filled = [number for number in range(len(_DEPTHS)) if (nearest == number).sum() >= _FEWEST_BINNED]
    if not filled:
        return np.repeat(values.mean(axis=1)[:, None], len(_DEPTHS), axis=1)
    means = np.stack([values[:, nearest == number].mean(axis=1) for number in filled], axis=1)
    return np.stack([np.interp(_DEPTHS, _DEPTHS[filled], row) for row in means])


def procedural_lesion(
    example: Example, outlines: Sequence[Outline], diameter: float, rng: np.random.RandomState
) -> DonorCrop:
    """A new lesion of a new outline, with a donor's profile, and texture of the donor's spectrum.

    Texture has the donor's spectrum in every sequence, and the same between sequences.

    Args:
        example: the donor of intensities and label values.
        outlines: outlines of all donors.
        diameter: in mm, of the ball of the lesion's volume.
        rng: what chance is drawn by.
    """
    label, guide = draw_guide(example, outlines, diameter, rng)
    near, left = _texture_of(example)
    inner = spectrum_texture(left, near.label > 0, label.shape, rng)
    return _finished(example, label, guide, _of_donors_strength(inner, label, left, near.label), diameter, rng)


def patch_lesion(
    example: Example, outlines: Sequence[Outline], diameter: float, rng: np.random.RandomState
) -> DonorCrop:
    """A new lesion of a new outline, with a donor's profile, and patches of the donor's texture, coarse to fine.

    Args:
        example, outlines, diameter, rng: see :func:`procedural_lesion`.
    """
    label, guide = draw_guide(example, outlines, diameter, rng)
    near, left = _texture_of(example)
    box = reach_box(label > 0, near.spacing, 2 * _SOFT_MM)
    inside, inner = (slice(None), *box), np.zeros_like(guide)
    inner[inside] = patch_texture(guide[inside], label[box], near.image - left, left, near, example.spread, rng)
    return _finished(example, label, guide, _of_donors_strength(inner, label, left, near.label), diameter, rng)


def draw_guide(
    example: Example, outlines: Sequence[Outline], diameter: float, rng: np.random.RandomState
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Label of a new lesion, (\\*spatial), and its picture without texture, (C, \\*spatial).

    Args:
        example, outlines, diameter, rng: see :func:`procedural_lesion`.
    """
    label = draw_label(example, draw_outline(outlines, rng), diameter, rng)
    contrast, level = np.exp(rng.normal(0, _CONTRAST)), example.level[:, None, None, None]
    return label, level + contrast * (paint_profile(example, label) - level)


def _texture_of(example: Example) -> tuple[DonorCrop, NDArray[np.float64]]:
    """A donor's lesion alone, and its texture."""
    crop = example.crop
    box = reach_box(crop.label > 0, crop.spacing, 3 * _SOFT_MM)
    inside = (slice(None), *box)
    near = replace(crop, image=crop.image[inside], label=crop.label[box], valid=crop.valid[box])
    return near, near.image - paint_profile(example, near.label)


def _of_donors_strength(
    inner: NDArray[np.float64], label: np.ndarray, left: NDArray[np.float64], given: np.ndarray
) -> NDArray[np.float64]:
    """A new lesion's texture made as strong in every sequence and label value as the donor's texture is there.

    Strength is that away from the value's border, as along this what is left of a donor is no texture alone.
    """
    scaled = inner.copy()
    for value in np.unique(label[label > 0]):
        here, there = label == value, given == value
        deep, of_donor = (ndimage.binary_erosion(part) for part in (here, there))
        if min(deep.sum(), of_donor.sum()) < _FEWEST:
            deep, of_donor = here, there
        if min(deep.sum(), of_donor.sum()) >= _FEWEST:
            own, made = (part[:, where].std(axis=1) for part, where in ((left, of_donor), (inner, deep)))
            scaled[:, here] *= (own / np.maximum(made, 1e-9))[:, None]
    return scaled


def in_tissue(
    example: Example,
    label: np.ndarray,
    guide: NDArray[np.float64],
    tissue: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A painted lesion amid tissue.

    Args:
        example: the donor.
        label: label of the lesion, (\\*spatial).
        guide: its picture without texture, (C, \\*spatial).
        tissue: likewise the tissue around it, of any intensities in the lesion.

    Returns:
        The picture, and how much of a voxel is lesion, from 0 to 1.
    """
    soft = ndimage.gaussian_filter((label > 0).astype(np.float64), [_SOFT_MM / mm for mm in example.crop.spacing])
    return guide + (1 - soft) * (tissue - example.level[:, None, None, None]), soft


def _finished(
    example: Example,
    label: NDArray[np.int64],
    guide: NDArray[np.float64],
    inner: NDArray[np.float64],
    diameter: float,
    rng: np.random.RandomState,
) -> DonorCrop:
    """The new lesion with its texture, amid tissue of the donor."""
    tissue, valid = tissue_around(example, label.shape, diameter, rng)
    picture, soft = in_tissue(example, label, guide, tissue)
    return within_range(example, label, picture + soft * inner, valid)


def within_range(
    example: Example, label: NDArray[np.int64], picture: NDArray[np.float64], valid: NDArray[np.bool_]
) -> DonorCrop:
    """A new lesion of a donor, whose intensities are held within the donor's.

    Args:
        example: the donor.
        label: label of the lesion, (\\*spatial).
        picture: intensities, (C, \\*spatial).
        valid: where there is tissue, boolean (\\*spatial).
    """
    crop = example.crop
    known = crop.image[:, crop.valid | (crop.label > 0)]
    low, high = (part[:, None, None, None] for part in (known.min(axis=1), known.max(axis=1)))
    image = np.clip(picture, low, high).astype(np.float32)
    return replace(crop, image=image, label=label.astype(crop.label.dtype), valid=valid | (label > 0))


def spectrum_texture(
    left: NDArray[np.float64], where: NDArray[np.bool_], shape: Sequence[int], rng: np.random.RandomState
) -> NDArray[np.float64]:
    """Texture with the spectrum, and the spectra between sequences, of what is left of a donor in a part of it.

    The donor's texture is strewn over the grid by white noise, the same for all sequences.

    Args:
        left: texture of the donor, (C, \\*spatial).
        where: the part of it that is looked at, boolean (\\*spatial).
        shape: of the result.
        rng: what chance is drawn by.

    Returns:
        Texture of mean 0, (C, \\*shape).
    """
    middle = left[:, where].mean(axis=1)[:, None, None, None]
    spot = np.where(where, left - middle, 0.0)
    for axis, size in enumerate(shape, start=1):
        spot = _fitted(spot, axis, int(size))
    count = max(1, int((spot != 0).any(axis=0).sum()))
    noise = np.fft.rfftn(rng.standard_normal(tuple(shape)))
    axes = tuple(range(1, 4))
    return np.asarray(np.fft.irfftn(np.fft.rfftn(spot, axes=axes) * noise, s=tuple(shape), axes=axes) / np.sqrt(count))


def _fitted(values: NDArray[np.float64], axis: int, size: int) -> NDArray[np.float64]:
    """The middle of an array along an axis, or the array with zeros behind it."""
    length = values.shape[axis]
    if length > size:
        start = (length - size) // 2
        return np.take(values, np.arange(start, start + size), axis=axis)
    pads = [(0, size - length) if at == axis else (0, 0) for at in range(values.ndim)]
    return np.pad(values, pads)
