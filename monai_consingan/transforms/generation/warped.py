"""New lesions by warping: a donor's lesion, sheared, turned and deformed in space with all that is around it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from monai_consingan.transforms.generation.examples import Example
from monai_consingan.transforms.generation.smooth import displacement, positions_mm
from monai_consingan.transforms.insertion.donor_crop import MARGIN_MM, DonorCrop

__all__ = ["random_turn", "warp_lesion"]

_STRETCH, _SHEAR = 0.12, 0.12
_DEFORMATION = ((0.25, 0.07), (0.12, 0.02))  # how smooth, and how strong, as shares of the diameter
_ISOTROPIC = 1.5


def random_turn(spacing: tuple[float, ...], rng: np.random.RandomState) -> NDArray[np.float64]:
    """A random rotation and reflection; within the slices where these are thick."""
    flip = np.diag(np.where(rng.uniform(size=3) < 0.5, -1.0, 1.0))
    thick = int(np.argmax(spacing))
    if max(spacing) <= _ISOTROPIC * min(spacing):
        return np.asarray(Rotation.random(random_state=rng).as_matrix() @ flip)
    around = np.zeros(3)
    around[thick] = rng.uniform(0, 2 * np.pi)
    return np.asarray(Rotation.from_rotvec(around).as_matrix() @ flip)


def warp_lesion(example: Example, diameter: float, rng: np.random.RandomState, *, strength: float = 1.0) -> DonorCrop:
    """A new lesion: a donor's, turned, stretched, sheared, scaled and smoothly deformed, in all sequences alike.

    The tissue around is deformed with it but keeps its scale. All is interpolated once, by cubic splines, so that
    noise and detail stay.

    Args:
        example: the donor's lesion.
        diameter: the new lesion's in mm, of the ball of the same volume; it is met to a few percent.
        rng: what chance is drawn by.
        strength: factor of stretch, shear and deformation; with 0 the lesion is turned and scaled only.

    Returns:
        The lesion on the donor's spacing.
    """
    crop, mm = example.crop, np.asarray(example.crop.spacing)
    factor = diameter / example.diameter
    centre = (np.argwhere(example.core).mean(axis=0)) * mm
    away = np.argwhere(crop.label > 0) * mm - centre
    matrix = random_turn(crop.spacing, rng) @ np.diag(np.exp(strength * rng.normal(0, _STRETCH, 3)))
    matrix = matrix @ (np.eye(3) + strength * np.triu(rng.normal(0, _SHEAR, (3, 3)), 1))
    matrix /= np.cbrt(abs(np.linalg.det(matrix)))  # from the new lesion's mm, but for the scale, to the donor's

    # beyond the lesion's ellipsoid distances are not scaled
    inverse = np.linalg.inv(5 * np.cov(away.T) + np.diag(mm**2 / 4))
    edge = np.percentile(_radius(away.T, inverse), 98)
    extent = np.abs(np.linalg.inv(matrix) @ away.T).max(axis=1) * factor
    shape = 2 * np.ceil((extent + MARGIN_MM + 0.2 * diameter) / mm).astype(int) + 1
    parts = [(smooth * diameter, strength * share * diameter) for smooth, share in _DEFORMATION]
    here = positions_mm(shape, crop.spacing) + displacement(shape, crop.spacing, parts, rng)
    there = np.tensordot(matrix, here, axes=1) / factor
    radius = np.maximum(_radius(there, inverse) / edge, 1.0)
    there = there * ((1 + (radius - 1) * factor) / radius)

    spots = (there + centre[:, None, None, None]) / mm[:, None, None, None]
    image = np.stack([_sampled(channel, spots, factor) for channel in crop.image])
    inside = np.all([(s >= 0) & (s <= n - 1) for s, n in zip(spots, crop.label.shape, strict=True)], axis=0)
    shares = {0: np.full(inside.shape, 0.5)}
    for value in np.unique(crop.label[crop.label > 0]):
        found = (crop.label == value).astype(np.float32)
        shares[int(value)] = ndimage.map_coordinates(found, spots, order=1, mode="constant")
    total = sum(share for value, share in shares.items() if value)
    best = np.argmax(np.stack([share for value, share in shares.items() if value]), axis=0)
    values = np.array([value for value in shares if value], crop.label.dtype)
    label = np.where(total > 0.5, values[best], 0).astype(crop.label.dtype)
    valid = inside & (ndimage.map_coordinates(crop.valid.astype(np.float32), spots, order=1, mode="nearest") > 0.99)
    return replace(crop, image=image, label=label, valid=valid | (label > 0))


def _radius(points: NDArray[np.float64], inverse: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances from the middle, measured by an ellipsoid."""
    return np.asarray(np.sqrt((points * np.tensordot(inverse, points, axes=1)).sum(axis=0)))


def _sampled(channel: np.ndarray, spots: NDArray[np.float64], factor: float) -> np.ndarray:
    """A sequence at other places, within its own range; smoothed a little before it is made much smaller."""
    values = channel.astype(np.float64)
    if factor < 1:
        values = ndimage.gaussian_filter(values, 0.25 * (1 / factor - 1))
    found = ndimage.map_coordinates(values, spots, order=3, mode="nearest")
    return np.clip(found, channel.min(), channel.max()).astype(np.float32)
