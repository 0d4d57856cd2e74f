"""Shapes of real lesions, and where in a slice they have room."""

from __future__ import annotations

import zlib

import numpy as np
from _patients import Patient
from scipy import ndimage
from scipy.signal import fftconvolve

from monai_consingan.errors import ConSinGANError

SIDE = 96
"""Pixels of a window in a slice: the crop that the preset ``quick`` trains on."""
REACH = 10
"""Pixels of healthy brain that every border has around it."""


def lesion_shape(patient: Patient, diameter: float, random: np.random.Generator) -> np.ndarray:
    """A slice of a lesion, turned, flipped and scaled to the area of a disk of a diameter in pixels."""
    areas = patient.core.sum(axis=(0, 1))
    if not areas.max() >= 50:
        raise ConSinGANError(f"{patient.name} shows no lesion of 50 pixels to take a shape from: leave it out.")
    index = int(random.choice(np.flatnonzero(areas >= 50)))
    outline = largest(patient.core[..., index])
    scale = diameter / np.sqrt(4 * outline.sum() / np.pi)
    angle = random.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag(
        [1, random.choice([-1, 1])]
    )
    side = int(np.ceil(scale * np.hypot(*outline.shape))) + 4
    soft = ndimage.gaussian_filter(outline.astype(float), 0.4 / min(scale, 1))
    middle = np.array(ndimage.center_of_mass(outline)) - turn @ np.full(2, (side - 1) / 2) / scale
    shape = largest(ndimage.affine_transform(soft, turn / scale, middle, (side, side), order=1) > 0.5)
    (box,) = ndimage.find_objects(shape.astype(np.uint8))
    return shape[box]


def largest(mask: np.ndarray) -> np.ndarray:
    """The largest part, without holes."""
    parts, count = ndimage.label(mask)
    if count > 1:
        mask = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
    return np.asarray(ndimage.binary_fill_holes(mask))


def full_slices(allowed: np.ndarray) -> np.ndarray:
    """Slices in which more than half as much is allowed as in the best one."""
    areas = allowed.sum(axis=(0, 1))
    return np.flatnonzero(areas > 0.5 * areas.max())


def places(allowed: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Places (row, column) for the first voxel of ``near`` at which all of it is allowed."""
    if any(a < n for a, n in zip(allowed.shape, near.shape, strict=True)):
        return np.empty((0, 2), int)
    return np.argwhere(fftconvolve(~allowed, near[::-1, ::-1].astype(float), mode="valid") < 0.5)


def put(part: np.ndarray, corner: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A mask of a shape that holds a smaller one at a place."""
    out = np.zeros(shape, bool)
    out[corner[0] : corner[0] + part.shape[0], corner[1] : corner[1] + part.shape[1]] = part
    return out


def cut(plane: np.ndarray, corner: tuple[int, int], side: int = SIDE) -> np.ndarray:
    """A square of so many pixels a side, 0 beyond the plane."""
    out = np.zeros((side, side), plane.dtype)
    low = [max(c, 0) for c in corner]
    high = [min(c + side, n) for c, n in zip(corner, plane.shape, strict=True)]
    target = tuple(slice(a - c, b - c) for a, b, c in zip(low, high, corner, strict=True))
    out[target] = plane[low[0] : high[0], low[1] : high[1]]
    return out


def random_of(seed: int, *words: object) -> np.random.Generator:
    """Random numbers that depend on a seed and on words, and on nothing else."""
    return np.random.default_rng([seed, zlib.crc32("/".join(map(str, words)).encode())])
