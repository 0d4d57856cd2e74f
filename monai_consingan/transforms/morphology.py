"""Erosion, dilation, holes and the largest part of masks, as SciPy has them, but quicker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import ndimage

from monai_consingan.distance import bounding_box


def ball(spacing: Sequence[float], radius_mm: float) -> np.ndarray:
    """Structuring element of voxels within a radius in mm (single voxels along thick slices)."""
    reach = [int(radius_mm // mm) for mm in spacing]
    grid = np.ogrid[tuple(slice(-r, r + 1) for r in reach)]
    return np.asarray(sum((g * mm) ** 2 for g, mm in zip(grid, spacing, strict=True)) <= radius_mm**2)


def connected_parts(mask: np.ndarray) -> list[tuple[tuple[slice, ...], np.ndarray]]:
    """The parts of a mask whose voxels touch, be it at corners: the box of each, and where in it the part is."""
    if not mask.any():
        return []
    whole = bounding_box(mask)
    labels, count = ndimage.label(mask[whole], np.ones((3,) * mask.ndim))
    found = []
    for number, box in enumerate(ndimage.find_objects(labels, count), start=1):
        place = tuple(slice(a.start + b.start, a.start + b.stop) for a, b in zip(whole, box, strict=True))
        found.append((place, labels[box] == number))
    return found


def within(part: np.ndarray, box: Sequence[slice], near: Sequence[slice]) -> np.ndarray:
    """A mask of a box in a larger box, False elsewhere."""
    found = np.zeros([side.stop - side.start for side in near], bool)
    found[tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(box, near, strict=True))] = part
    return found


def largest_part(mask: np.ndarray) -> np.ndarray:
    """The largest connected part (empty stays empty)."""
    labels, count = ndimage.label(mask)
    if count < 2:
        return mask
    return np.asarray(labels == 1 + np.argmax(np.bincount(labels.ravel())[1:]))


def between(mask: np.ndarray) -> np.ndarray:
    """A mask and what lies between parts of it along any axis."""
    found = mask.copy()
    for along in range(mask.ndim):
        before = np.logical_or.accumulate(mask, axis=along)
        found |= before & np.flip(np.logical_or.accumulate(np.flip(mask, along), axis=along), along)
    return found


def eroded(mask: np.ndarray, element: np.ndarray) -> np.ndarray:
    """Erosion by a structuring element; what lies outside of the array is False.

    What :func:`scipy.ndimage.binary_erosion` gives, in a tenth of its time: whole arrays are moved.
    """
    result = np.ones(mask.shape, bool)
    for part in _moved(mask, element):
        result &= part
    return result


def dilated(mask: np.ndarray, element: np.ndarray) -> np.ndarray:
    """Dilation by a structuring element that is its own mirror image (:func:`scipy.ndimage.binary_dilation`)."""
    result = np.zeros(mask.shape, bool)
    for part in _moved(mask, element):
        result |= part
    return result


def _moved(mask: np.ndarray, element: np.ndarray) -> Iterator[np.ndarray]:
    padded = np.pad(mask, [(n // 2, n // 2) for n in element.shape])
    for start in np.argwhere(element):
        yield padded[tuple(slice(low, low + n) for low, n in zip(start, mask.shape, strict=True))]


def filled(mask: np.ndarray) -> np.ndarray:
    """Holes filled in space and, as slabs are open to their faces, in the slices of the shortest axis.

    A hole in space is one in these slices, too, so that they are all that is looked at.
    """
    return _without_holes(mask, int(np.argmin(mask.shape)) if mask.ndim == 3 else None)


def _without_holes(mask: np.ndarray, axis: int | None = None) -> np.ndarray:
    """Holes filled, in the slices perpendicular to an axis or in space (:func:`scipy.ndimage.binary_fill_holes`)."""
    links, faces = ndimage.generate_binary_structure(mask.ndim, 1), []
    if axis is not None:
        np.moveaxis(links, axis, 0)[[0, 2]] = False
    parts, count = ndimage.label(~mask, links)
    for along in range(mask.ndim):
        if along != axis:
            faces += [np.take(parts, end, along).ravel() for end in (0, -1)]
    outside = np.zeros(count + 1, bool)
    outside[np.concatenate(faces)] = True
    outside[0] = False
    return np.asarray(~outside[parts])
