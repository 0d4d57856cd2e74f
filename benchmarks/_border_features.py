"""What the border of a mask looks like, in numbers: intensity profiles across it, and texture by distance from it."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.measure import find_contours

OFFSETS = np.arange(-6, 11)
"""Pixels from the border, negative inside."""


def border_frame(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points along the border, a pixel apart, (P, 2), their outward normals, and every pixel's distance from it."""
    distance = np.where(mask, 0.5 - ndimage.distance_transform_edt(mask), ndimage.distance_transform_edt(~mask) - 0.5)
    smooth = ndimage.gaussian_filter(distance, 1.0)
    line = max(find_contours(smooth, 0.0), key=len)
    steps = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    along = np.arange(0, steps[-1], 1.0)
    points = np.stack([np.interp(along, steps, line[:, k]) for k in (0, 1)], axis=1)
    slope = np.stack([ndimage.map_coordinates(part, points.T, order=1) for part in np.gradient(smooth)], axis=1)
    return points, slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-6), distance


def _normalised(image: np.ndarray, distance: np.ndarray) -> np.ndarray:
    around = image[(distance > 0) & (distance <= 10)]
    return (image.astype(np.float64) - around.mean()) / max(float(around.std()), 1e-9)


def border_features(image: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """Features of one border; intensities are relative to the 10 pixels outside.

    Args:
        image: (H, W).
        mask: (H, W), with 10 pixels of tissue around it.
    """
    points, normals, distance = border_frame(mask)
    image = _normalised(image, distance)
    where = points[:, None, :] + OFFSETS[None, :, None] * normals[:, None, :]
    profile = ndimage.map_coordinates(image, where.transpose(2, 0, 1), order=1, mode="nearest")  # (P, offsets)
    along = np.abs(np.diff(profile, axis=0, append=profile[:1]))
    curves = border_curves(profile, along.mean(axis=0))
    fine = image - ndimage.gaussian_filter(image, 1.0)
    coarse = ndimage.gaussian_filter(image, 1.0) - ndimage.gaussian_filter(image, 2.0)
    for name, part in (("fine", fine**2), ("coarse", coarse**2), ("edges", np.abs(ndimage.laplace(image)))):
        bins = [part[(distance >= low) & (distance < low + 1)] for low in OFFSETS[:-1]]
        curves[name] = np.array([values.mean() if values.size else np.nan for values in bins])
    return named_features(curves)


def border_curves(profile: np.ndarray, along: np.ndarray) -> dict[str, np.ndarray]:
    """What profiles across a border have in common, by distance from it.

    Args:
        profile: values across the border, (points, offsets).
        along: mean difference from what is beside on the border, (offsets).
    """
    across = np.diff(profile, axis=1)
    return {
        "level": profile.mean(axis=0),
        "spread": profile.std(axis=0),
        "step": across.mean(axis=0),
        "step size": np.abs(across).mean(axis=0),
        "step spread": across.std(axis=0),
        "bend": np.abs(np.diff(profile, n=2, axis=1)).mean(axis=0),
        "along": along,
        "neighbours' correlation": _correlations(profile, 1),
        "correlation across 3": _correlations(profile, 3),
    }


def named_features(curves: dict[str, np.ndarray], count: int = len(OFFSETS)) -> dict[str, float]:
    """Numbers by name: every curve's by distance, and most curves' also relative to their outer end.

    Args:
        curves: what was measured, by distance from the border.
        count: at how many offsets, from the first of ``OFFSETS`` on, the profiles were.
    """
    features: dict[str, float] = {}
    for name, curve in curves.items():
        start = OFFSETS[0] + (count - len(curve)) / 2
        features |= {f"{name} at {start + k:+g}": float(value) for k, value in enumerate(curve)}
        if name not in ("level", "step") and "correlation" not in name:
            relative = np.log(np.maximum(curve, 1e-9) / max(curve[-4:].mean(), 1e-9))
            features |= {f"{name}/outer at {start + k:+g}": float(value) for k, value in enumerate(relative)}
    return {name: value if np.isfinite(value) else 0.0 for name, value in features.items()}


def _correlations(profile: np.ndarray, apart: int) -> np.ndarray:
    centred = profile - profile.mean(axis=0)
    norm = np.maximum(np.sqrt((centred**2).sum(axis=0)), 1e-9)
    return np.asarray((centred[:, apart:] * centred[:, :-apart]).sum(axis=0) / (norm[apart:] * norm[:-apart]))


def border_patches(image: np.ndarray, mask: np.ndarray, count: int, side: int = 20) -> np.ndarray:
    """Patches about points of the border, outside upwards, (count, side, side), float32."""
    points, normals, distance = border_frame(mask)
    image = _normalised(image, distance)
    chosen = np.linspace(0, len(points), count, endpoint=False).astype(int)
    steps = np.arange(side) - (side - 1) / 2
    out, right = normals[chosen], normals[chosen][:, ::-1] * [1, -1]
    where = (
        points[chosen][:, None, None]
        - steps[None, :, None, None] * out[:, None, None]
        + steps[None, None, :, None] * right[:, None, None]
    )
    return ndimage.map_coordinates(image, where.transpose(3, 0, 1, 2), order=1, mode="nearest").astype(np.float32)
