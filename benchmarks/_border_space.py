"""What the border of a mask in space looks like, in numbers: profiles across it in all directions, and texture."""

from __future__ import annotations

import numpy as np
from _border_features import border_curves, named_features
from scipy import ndimage
from skimage.measure import marching_cubes

OFFSETS = np.arange(-6, 10)
"""Voxels from the border, negative inside."""
DIRECTIONS = ("in plane", "through plane")
_POINTS = 600
_OUTER = 9


class Border:
    """Points on a mask's border, their outward normals and two tangents, and every voxel's distance from it.

    Args:
        mask: (X, Y, Z), with 9 voxels of tissue around it.
    """

    def __init__(self, mask: np.ndarray) -> None:
        edt = ndimage.distance_transform_edt
        self.distance = np.where(mask, 0.5 - edt(mask), edt(~mask) - 0.5)
        smooth = ndimage.gaussian_filter(self.distance, 1.0)
        points = marching_cubes(smooth, 0.0 if (smooth < 0).any() else 0.9 * float(smooth.min()))[0]
        self.points = points[np.random.default_rng(0).permutation(len(points))[:_POINTS]]
        slope = np.stack(
            [ndimage.map_coordinates(part, self.points.T, order=1) for part in np.gradient(smooth)], axis=1
        )
        self.normals = slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-6)
        helper = np.eye(3)[np.abs(self.normals).argmin(axis=1)]
        first = np.cross(self.normals, helper)
        first /= np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-6)
        self.tangents = (first, np.cross(self.normals, first))

    def among(self, direction: str) -> np.ndarray:
        """Which points face a direction."""
        steep = np.abs(self.normals[:, 2])
        return np.asarray(steep > 0.7 if direction == "through plane" else steep < 0.5)

    def normalised(self, image: np.ndarray) -> np.ndarray:
        """Intensities relative to the tissue around."""
        around = image[(self.distance > 0) & (self.distance <= _OUTER)]
        return (image.astype(np.float64) - around.mean()) / max(float(around.std()), 1e-9)

    def profiles(self, image: np.ndarray, aside: np.ndarray | float = 0.0) -> np.ndarray:
        """Values across the border, (points, offsets)."""
        where = (self.points + aside)[:, None] + OFFSETS[None, :, None] * self.normals[:, None]
        return np.asarray(ndimage.map_coordinates(image, where.transpose(2, 0, 1), order=1, mode="nearest"))


def space_features(image: np.ndarray, border: Border) -> dict[str, dict[str, float]]:
    """Features of one sequence's border by direction.

    Args:
        image: (X, Y, Z).
        border: of the mask.
    """
    image = border.normalised(image)
    profile = border.profiles(image)
    beside = [np.abs(border.profiles(image, tangent) - profile) for tangent in border.tangents]
    fine = image - ndimage.gaussian_filter(image, 1.0)
    coarse = ndimage.gaussian_filter(image, 1.0) - ndimage.gaussian_filter(image, 2.0)
    bends = [np.abs(ndimage.correlate1d(image, [1, -2, 1], axis)) for axis in range(3)]
    shells = [np.flatnonzero(((border.distance >= low) & (border.distance < low + 1)).ravel()) for low in OFFSETS[:-1]]
    textures = {
        "in plane": {"fine": fine**2, "coarse": coarse**2, "edges": bends[0] + bends[1]},
        "through plane": {"edges": bends[2]},
    }
    found: dict[str, dict[str, float]] = {}
    for direction in DIRECTIONS:
        chosen = border.among(direction)
        part = profile[chosen] if chosen.sum() >= 8 else profile
        aside = [values[chosen] if chosen.sum() >= 8 else values for values in beside]
        curves = border_curves(part, np.mean([values.mean(axis=0) for values in aside], axis=0))
        for name, values in textures[direction].items():
            curves[name] = np.array([values.ravel()[shell].mean() if shell.size else np.nan for shell in shells])
        found[direction] = named_features(curves, len(OFFSETS))
    return found


def border_cubes(image: np.ndarray, border: Border, count: int, side: int = 16) -> np.ndarray:
    """Cubes about random points of the border, their first axis outwards, (count, C, side, side, side), float32.

    Args:
        image: (C, X, Y, Z); each channel's intensities become relative to the tissue around.
        border: of the mask.
        count: cubes; fewer points than that are taken more than once.
        side: voxels.
    """
    chosen = np.arange(count) % len(border.points)
    axes = np.stack([border.normals, *border.tangents])[:, chosen]  # (3, count, 3)
    steps = np.stack(np.meshgrid(*[np.arange(side) - (side - 1) / 2] * 3, indexing="ij"))
    where = border.points[chosen].T[:, :, None, None, None] + np.einsum("apk,axyz->kpxyz", axes, steps)
    cubes = [ndimage.map_coordinates(border.normalised(part), where, order=1, mode="nearest") for part in image]
    return np.stack(cubes, axis=1).astype(np.float32)
