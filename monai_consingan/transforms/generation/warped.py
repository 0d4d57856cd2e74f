"""New lesions by warping: a donor's lesion, sheared, turned and deformed in space with all that is around it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from monai_consingan.distance import outside_distance
from monai_consingan.transforms.bands import mean_of_known
from monai_consingan.transforms.generation.examples import Example
from monai_consingan.transforms.insertion.donor import MARGIN_MM, DonorCrop
from monai_consingan.transforms.smooth import displacement, positions_mm
from monai_consingan.transforms.whole_voxels import move

_STRETCH, _SHEAR = 0.12, 0.12
_DEFORMATION = ((0.25, 0.07), (0.12, 0.02))  # how smooth, and how strong, as shares of the diameter
_ISOTROPIC = 1.5
_COVERED = 0.85  # size of the donor's lesion, which the new one has to cover, over that of the new one
_MIXED_MM, _SMOOTH_MM = 1.0, 4.0


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
    noise and detail stay; what is made smaller is smoothed first, so that its borders are not jagged.

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

    # beyond the ellipsoid that holds the whole lesion distances are not scaled
    inverse = np.linalg.inv(5 * np.cov(away.T) + np.diag(mm**2 / 4))
    edge = _radius(away.T, inverse).max()
    extent = np.abs(np.linalg.inv(matrix) @ away.T).max(axis=1) * factor
    shape = 2 * np.ceil((extent + MARGIN_MM + 0.2 * diameter) / mm).astype(int) + 1
    parts = [(smooth * diameter, strength * share * diameter) for smooth, share in _DEFORMATION]
    here = positions_mm(shape, crop.spacing) + displacement(shape, crop.spacing, parts, rng)
    there = np.tensordot(matrix, here, axes=1) / factor
    radius = np.maximum(_radius(there, inverse) / edge, 1.0)
    there = there * ((1 + (radius - 1) * factor) / radius)

    spots = (there + centre[:, None, None, None]) / mm[:, None, None, None]
    grid = np.indices(crop.label.shape) * mm[:, None, None, None] - centre[:, None, None, None]
    from_middle = _radius(grid, inverse) / edge

    def sampled(values: np.ndarray, order: int, mode: str = "nearest") -> NDArray[np.float64]:
        """Values of the donor at the new lesion's voxels, by splines of an order."""
        return np.asarray(
            ndimage.map_coordinates(_softened(values, factor, from_middle), spots, order=order, mode=mode)
        )

    image = np.stack([np.clip(sampled(channel, 3), channel.min(), channel.max()) for channel in crop.image])
    inside = np.all([(s >= 0) & (s <= n - 1) for s, n in zip(spots, crop.label.shape, strict=True)], axis=0)
    values = np.unique(crop.label[crop.label > 0])
    shares = np.stack([sampled(crop.label == value, 1, "constant") for value in values])
    label = np.where(shares.sum(axis=0) > 0.5, values[shares.argmax(axis=0)], 0).astype(crop.label.dtype)
    valid = inside & (sampled(crop.valid, 1) > 0.99)
    return replace(crop, image=image.astype(np.float32), label=label, valid=valid | (label > 0))


def _radius(points: NDArray[np.float64], inverse: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances from the middle, measured by an ellipsoid."""
    return np.asarray(np.sqrt((points * np.tensordot(inverse, points, axes=1)).sum(axis=0)))


def _softened(values: np.ndarray, factor: float, radius: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is made smaller by a factor without its finest detail, which would be jagged then.

    Args:
        values: a sequence, or a mask from 0 to 1.
        factor: of the size of the lesion.
        radius: distance to the lesion's middle, 1 at its border; beyond it less and less is lost, as less is scaled.
    """
    values = values.astype(np.float64)
    if factor >= 1:
        return values
    share = factor / (factor + np.maximum(radius, 1.0) - 1)
    return values + share * (ndimage.gaussian_filter(values, (1 / factor - 1) / 2) - values)


def tissue_around(
    example: Example, shape: tuple[int, ...], diameter: float, rng: np.random.RandomState
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The tissue around a donor's lesion, turned, on the grid of a new one.

    The donor's lesion is made a little smaller than the new one, and what is left of it, with 1 mm around, is filled
    smoothly with the tissue nearby.

    Args:
        example: the donor's lesion.
        shape: of the grid, whose middle is that of the new lesion.
        diameter: of the new lesion in mm.
        rng: what chance is drawn by.

    Returns:
        Intensities (C, \\*shape), and where they are those of tissue, boolean (\\*shape).
    """
    turned = warp_lesion(example, _COVERED * diameter, rng, strength=0.0)
    known = outside_distance(turned.label > 0, turned.spacing) > _MIXED_MM
    off = turned.image - example.level[:, None, None, None]
    away = np.where(known, off, mean_of_known(off, known, [_SMOOTH_MM / mm for mm in turned.spacing]))
    offset = [(new - old) // 2 for new, old in zip(shape, known.shape, strict=True)]
    image = move(away, offset, shape=shape) + example.level[:, None, None, None]
    return image, move(turned.valid | (turned.label > 0), offset, shape=shape)
