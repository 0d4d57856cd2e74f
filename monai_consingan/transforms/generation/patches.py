"""Texture of a donor laid onto a new lesion in patches, each from a place that is like its new one, coarse to fine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from monai_consingan.distance import outside_distance
from monai_consingan.transforms.bands import mean_of_known
from monai_consingan.transforms.insertion.donor import DonorCrop

_COARSE_MM = 1.5
_PASSES_MM = (9.0, 5.0)
_CHOICES = 4
_MOST_KEYS = 3000


def patch_texture(
    guide: NDArray[np.float64],
    label: np.ndarray,
    given: NDArray[np.float64],
    left: NDArray[np.float64],
    crop: DonorCrop,
    spread: NDArray[np.float64],
    rng: np.random.RandomState,
) -> NDArray[np.float64]:
    """Texture for a new lesion.

    First the donor's coarse texture is laid in patches of 9 mm, then what is left of it in patches of 5 mm. Every patch
    is one of the four places of the donor that are most like the new place in brightness there and around. Where
    patches overlap, they are weighted so that the texture is as strong as the donor's.

    Args:
        guide: the new lesion without texture, (C, \\*spatial).
        label: its label, (\\*spatial).
        given: the same of the donor, without texture.
        left: the donor's texture, of the same shape.
        crop: the donor.
        spread: standard deviation of the donor's tissue, (C,).
        rng: what chance is drawn by.
    """
    known = crop.label > 0
    coarse = np.where(known, mean_of_known(left, known, [_COARSE_MM / mm for mm in crop.spacing]), 0.0)
    scale = spread[:, None, None, None]
    made = np.zeros_like(guide)
    for size, part, of_donor in zip(_PASSES_MM, (coarse, left - coarse), (given, given + coarse), strict=True):
        half = [max(1, round(size / mm / 2)) for mm in crop.spacing]
        made = made + _laid(
            _context((guide + made) / scale, label, crop.spacing, half),
            _context(of_donor / scale, crop.label, crop.spacing, half),
            np.where(known, part, 0.0),
            known,
            ndimage.binary_dilation(label > 0, iterations=max(half)),
            half,
            rng,
        )
    return made


def _context(
    picture: NDArray[np.float64], label: np.ndarray, spacing: tuple[float, ...], half: list[int]
) -> NDArray[np.float64]:
    """What a place is compared by: brightness there and at the patch's six ends, and whether it is in the lesion."""
    smooth = ndimage.gaussian_filter(picture, [0, *(0.5 * step for step in half)])
    soft = 3 * ndimage.gaussian_filter((label > 0).astype(np.float64), [1.5 / mm for mm in spacing])[None]
    parts = [smooth, soft, np.minimum(outside_distance(label > 0, spacing), 6.0)[None] / 3]
    for axis, step in enumerate(half, start=1):
        padded = np.pad(smooth, [(step, step) if at == axis else (0, 0) for at in range(smooth.ndim)], mode="edge")
        parts += [np.take(padded, np.arange(n, n + smooth.shape[axis]), axis=axis) for n in (0, 2 * step)]
    return np.concatenate(parts)


def _laid(
    wanted: NDArray[np.float64],
    offered: NDArray[np.float64],
    texture: NDArray[np.float64],
    known: NDArray[np.bool_],
    needed: NDArray[np.bool_],
    half: list[int],
    rng: np.random.RandomState,
) -> NDArray[np.float64]:
    """One pass: patches of a texture, at places whose context is like that wanted."""
    shape = wanted.shape[1:]
    places = np.argwhere(known)
    if len(places) > _MOST_KEYS:
        places = places[np.sort(rng.choice(len(places), _MOST_KEYS, replace=False))]
    steps = [max(1, (2 * h + 1) // 2) for h in half]
    grid = [np.arange(rng.randint(step), n, step) for n, step in zip(shape, steps, strict=True)]
    centres = np.stack(np.meshgrid(*grid, indexing="ij"), axis=-1).reshape(-1, 3)
    centres = centres[needed[tuple(centres.T)]]
    tree = cKDTree(_taken(offered, places).T)
    choices = min(_CHOICES, len(places))
    _, found = tree.query(_taken(wanted, centres).T, k=choices)
    found = np.asarray(found).reshape(len(centres), choices)[
        np.arange(len(centres)), rng.randint(choices, size=len(centres))
    ]
    taps = np.stack(np.meshgrid(*(np.arange(-h, h + 1) for h in half), indexing="ij"), axis=-1).reshape(-1, 3)
    window = np.prod([np.cos(np.pi / 2 * t / (h + 1)) for t, h in zip(taps.T, half, strict=True)], axis=0)
    padded = np.pad(texture, [(0, 0), *((h, h) for h in half)])
    source = places[found][:, None] + taps + half
    values = _taken(padded, source)  # (C, patches, taps)
    target = np.moveaxis(centres[:, None] + taps + half, -1, 0)
    outer = tuple(n + 2 * h for n, h in zip(shape, half, strict=True))
    flat = np.ravel_multi_index(tuple(target), outer).ravel()
    weights = np.broadcast_to(window, (len(centres), len(window)))
    power = np.bincount(flat, (weights**2).ravel(), minlength=int(np.prod(outer)))
    laid = np.stack([np.bincount(flat, (weights * part).ravel(), minlength=int(np.prod(outer))) for part in values])
    whole = (laid / np.sqrt(np.maximum(power, 1e-6))).reshape(-1, *outer)
    return np.asarray(whole[:, half[0] : -half[0], half[1] : -half[1], half[2] : -half[2]])


def _taken(values: NDArray[np.float64], spots: NDArray[np.int_]) -> NDArray[np.float64]:
    """The values of all channels at voxels, whose indices are along the last axis."""
    where = (slice(None), *np.moveaxis(spots, -1, 0))
    return values[where]
