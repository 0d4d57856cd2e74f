"""The other hemisphere: mirroring an image at the head's plane of symmetry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from monai.config.type_definitions import NdarrayOrTensor
from scipy.ndimage import affine_transform

from monai_consingan.arrays import as_array, cast_values, check_axis, wrap_like
from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.removal.symmetry import SymmetryPlane, find_symmetry, reflection

__all__ = ["Mirrored", "anatomical_mirror"]

_SNAP = 0.25  # voxels: a mirror this close to a plain flip all over the image is one


class Mirrored(NamedTuple):
    """What :func:`anatomical_mirror` returns."""

    image: Any
    """The mirrored image, of the shape and kind of the input; 0 where ``valid`` is false."""
    valid: np.ndarray
    """Booleans of shape (\\*spatial), true where the mirrored voxel comes from inside the image."""
    plane: SymmetryPlane
    """The plane that was used."""


def anatomical_mirror(
    image: NdarrayOrTensor,
    affine: Any,
    *,
    symmetry: str | float | SymmetryPlane = "centre",
    axis: int | None = None,
    mode: str = "bilinear",
) -> Mirrored:
    """Mirror a head to its other hemisphere, on the same grid.

    Left and right come from the affine, so that files stored in any orientation (RAS, LPS, permuted or oblique) mirror
    alike. Where the mirror is a plain flip of one axis to within a quarter of a voxel, voxels are moved without any
    interpolation (the plane is then at the nearest voxel or half-voxel); otherwise they are interpolated.

    Args:
        image: image of shape (C, \\*spatial), 2D or 3D.
        affine: voxel to world (RAS+, mm), 4x4, or 3x3 for 2D images.
        symmetry: where the plane is: ``"centre"`` of the image, its left-right world coordinate in mm as a number,
            ``"estimate"`` to find it in the image (:func:`estimate_symmetry`), or a plane itself.
        axis: the spatial axis perpendicular to the slices when nothing may cross slices; None mirrors in space.
        mode: ``"bilinear"`` or ``"nearest"`` (labels), when interpolation is needed.

    Returns:
        The mirrored image, where it is valid, and the plane.

    Raises:
        ConSinGANError: on an affine that does not fit, slices without another hemisphere, or an unknown mode.

    Example:
        >>> import numpy as np
        >>> anatomical_mirror(np.array([[[1, 2], [3, 4], [5, 6]]]), np.eye(3)).image.tolist()
        [[[5, 6], [3, 4], [1, 2]]]
    """
    if mode not in ("bilinear", "nearest"):
        raise ConSinGANError(f'mode "{mode}" is unknown; choose "bilinear" or "nearest".')
    values = as_array(image)
    shape = values.shape[1:]
    axis = check_axis(axis, len(shape))
    plane = find_symmetry(image, affine, symmetry, axis)
    matrix, shift = reflection(affine, len(shape), plane, axis)
    flip = _plain_flip(matrix, shift, shape)
    if flip is not None:
        mirrored, valid = _flip_about(values, *flip)
        return Mirrored(wrap_like(mirrored, image), valid, plane)
    valid = np.ones(shape, bool)
    for row, start, side in zip(matrix, shift, shape, strict=True):
        place = start + sum(np.ix_(*(k * np.arange(n) for k, n in zip(row, shape, strict=True))))
        valid &= (place >= -0.5) & (place <= side - 0.5)
    order = 1 if mode == "bilinear" else 0
    moved = np.stack(
        [affine_transform(c.astype(np.float64), matrix, shift, order=order, mode="nearest") for c in values]
    )
    return Mirrored(wrap_like(cast_values(np.where(valid, moved, 0), values.dtype), image), valid, plane)


def _plain_flip(matrix: np.ndarray, shift: np.ndarray, shape: Sequence[int]) -> tuple[int, int] | None:
    """The axis and the sum of mirrored indices if the map is a flip of one axis to within ``_SNAP``, else None."""
    flipped = int(np.diag(matrix).argmin())
    exact = np.eye(len(shape))
    exact[flipped, flipped] = -1
    half = (np.array(shape) - 1) / 2
    rest = matrix @ half + shift - exact @ half
    total = float(rest[flipped])
    rest[flipped] = 0
    if (np.abs(matrix - exact) @ half + np.abs(rest)).max() > _SNAP:
        return None
    return flipped, round(total)


def _flip_about(values: np.ndarray, axis: int, total: int) -> tuple[np.ndarray, np.ndarray]:
    """Voxel i of the spatial axis becomes voxel total - i; where that is outside, 0 and not valid."""
    side = values.shape[axis + 1]
    first, last = max(0, total - side + 1), min(side - 1, total)
    mirrored, valid = np.zeros_like(values), np.zeros(values.shape[1:], bool)
    if first <= last:
        target = [slice(None)] * values.ndim
        target[axis + 1] = slice(first, last + 1)
        source = np.arange(total - first, total - last - 1, -1)
        mirrored[tuple(target)] = np.take(values, source, axis=axis + 1)
        valid[tuple(target[1:])] = True
    return mirrored, valid
