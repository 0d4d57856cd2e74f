"""Products along an axis, values between voxels, convolutions and morphology, most of them quicker than SciPy's."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from scipy import ndimage
from scipy.fft import irfftn, next_fast_len, rfftn
from torch.nn.functional import grid_sample


def along(matrix: np.ndarray, image: np.ndarray, axis: int) -> np.ndarray:
    """Multiply every line of an image along an axis by a matrix.

    By PyTorch, which takes as many threads as the program has set, and one in the workers of a data loader. NumPy's
    library takes all processors for it, and where these are busy, waits for them a hundred times as long as it works.

    Args:
        matrix: (M, N).
        image: with N voxels along the axis, of the matrix's type.
        axis: which one.

    Returns:
        The image with M voxels along the axis.

    Example:
        >>> along(np.full((1, 2), 0.5), np.array([[1.0, 3.0], [5.0, 7.0]]), axis=1).tolist()
        [[2.0], [6.0]]
    """
    before, after = image.shape[:axis], image.shape[axis + 1 :]
    lines = torch.from_numpy(np.ascontiguousarray(image).reshape(math.prod(before), image.shape[axis], -1))
    by = torch.from_numpy(matrix)
    product = by @ lines if lines.shape[2] > 1 else (lines[..., 0] @ by.T)[..., None]
    return np.asarray(product.numpy().reshape(*before, len(matrix), *after))


def between(images: np.ndarray, places: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Linear interpolation, by PyTorch, which takes a third of the time that SciPy does.

    Args:
        images: float64 (K, \\*spatial), 2D or 3D.
        places: in voxels along each axis, (axes, N); beyond an edge the values there count.

    Returns:
        float64 (K, N).
    """
    grid = np.empty((*[1] * len(places), len(places[0]), len(places)))
    for axis, (place, size) in enumerate(zip(places, images.shape[1:], strict=True), start=1):
        np.subtract(place * (2.0 / max(size - 1, 1)), 1, out=grid[..., -axis].reshape(-1))
    given = torch.from_numpy(images)[None], torch.from_numpy(grid)
    found = grid_sample(*given, "bilinear", "border", align_corners=True)
    return np.asarray(found.reshape(len(images), -1).numpy())


def valid_convolution(values: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve an array with a smaller one where that lies inside of it.

    What :func:`scipy.signal.fftconvolve` gives with the mode ``"valid"``, bit for bit: to import SciPy's signals, and
    the statistics that they import, takes two thirds of a second.

    Args:
        values: array of floating point numbers.
        kernel: likewise, of as many axes, and no longer along any of them.

    Returns:
        Array of the shape of ``values`` less that of ``kernel``, and one more along every axis.
    """
    axes = [axis for axis, size in enumerate(kernel.shape) if size > 1]
    if not axes:
        return np.asarray(values * kernel)
    whole = [values.shape[axis] + kernel.shape[axis] - 1 for axis in axes]
    size = [next_fast_len(n, True) for n in whole]
    product = rfftn(values, size, axes=axes) * rfftn(kernel, size, axes=axes)
    inside = tuple(slice(n - 1, m) for n, m in zip(kernel.shape, values.shape, strict=True))
    return np.asarray(irfftn(product, size, axes=axes)[inside]).copy()


def ball(spacing: Sequence[float], radius_mm: float) -> np.ndarray:
    """Structuring element of voxels within a radius in mm (single voxels along thick slices)."""
    reach = [int(radius_mm // mm) for mm in spacing]
    grid = np.ogrid[tuple(slice(-r, r + 1) for r in reach)]
    return np.asarray(sum((g * mm) ** 2 for g, mm in zip(grid, spacing, strict=True)) <= radius_mm**2)


def largest_part(mask: np.ndarray) -> np.ndarray:
    """The largest connected part (empty stays empty)."""
    labels, count = ndimage.label(mask)
    if count < 2:
        return mask
    return np.asarray(labels == 1 + np.argmax(np.bincount(labels.ravel())[1:]))


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

    A hole in space is one in these slices, too, so that they are all that is looked at
    (:func:`scipy.ndimage.binary_fill_holes`).
    """
    axis = int(np.argmin(mask.shape)) if mask.ndim == 3 else None
    links, faces = ndimage.generate_binary_structure(mask.ndim, 1), []
    if axis is not None:
        np.moveaxis(links, axis, 0)[[0, 2]] = False
    parts, count = ndimage.label(~mask, links)
    for other in range(mask.ndim):
        if other != axis:
            faces += [np.take(parts, end, other).ravel() for end in (0, -1)]
    outside = np.zeros(count + 1, bool)
    outside[np.concatenate(faces)] = True
    outside[0] = False
    return np.asarray(~outside[parts])
