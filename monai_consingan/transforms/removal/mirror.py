"""The other hemisphere: mirroring an image at the head's plane of symmetry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from monai.config.type_definitions import NdarrayOrTensor
from scipy.ndimage import affine_transform

from monai_consingan.arrays import as_array, cast_values, check_axis, in_all, wrap_like
from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.removal.symmetry import SymmetryPlane, find_symmetry, reflection

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
    box: tuple[slice, ...] | None = None,
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
        box: the part of the mirrored image that is wanted, with limits; None for all of it.

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
    box = tuple(slice(0, side) for side in shape) if box is None else box
    flip = _plain_flip(matrix, shift, shape)
    if flip is not None:
        mirrored, valid = _flip_about(values, *flip, box)
    else:
        mirrored, valid = _moved(values, matrix, shift, box, 1 if mode == "bilinear" else 0)
    return Mirrored(wrap_like(mirrored, image), valid, plane)


def _moved(
    values: np.ndarray, matrix: np.ndarray, shift: np.ndarray, box: tuple[slice, ...], order: int
) -> tuple[np.ndarray, np.ndarray]:
    """A box of an image, (C, \\*box), whose voxels ``i`` come from ``matrix @ i + shift``, and where that is inside."""
    size = tuple(part.stop - part.start for part in box)
    start = matrix @ [part.start for part in box] + shift
    valid, source = np.ones(size, bool), []
    for row, first, side in zip(matrix, start, values.shape[1:], strict=True):
        place = first + sum(np.ix_(*(k * np.arange(n) for k, n in zip(row, size, strict=True))))
        valid &= (place >= -0.5) & (place <= side - 0.5)
        low, high = int(np.floor(place.min())) - 1, int(np.ceil(place.max())) + 2
        source.append(slice(min(max(low, 0), side - 1), max(min(high, side), 1)))
    offset = start - [part.start for part in source]
    how: dict[str, Any] = {"output_shape": size, "order": order, "mode": "nearest"}
    moved = [affine_transform(channel.astype(np.float64), matrix, offset, **how) for channel in values[in_all(source)]]
    return cast_values(np.where(valid, np.stack(moved), 0), values.dtype), valid


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


def _flip_about(values: np.ndarray, axis: int, total: int, box: tuple[slice, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Voxel i of the spatial axis becomes voxel total - i; where that is outside, 0 and not valid. A box of this."""
    part = box[axis]
    source = total - np.arange(part.start, part.stop)
    inside = (source >= 0) & (source < values.shape[axis + 1])
    index: list[Any] = [slice(None), *box]
    index[axis + 1] = np.where(inside, source, 0)
    along = inside.reshape([-1 if number == axis else 1 for number in range(len(box))])
    mirrored = np.where(along, values[tuple(index)], np.zeros((), values.dtype))
    return mirrored, np.broadcast_to(along, mirrored.shape[1:]).copy()
