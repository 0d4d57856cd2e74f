"""A slice of an image as radiologists look at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor
from numpy.typing import NDArray

from monai_consingan.arrays import as_array
from monai_consingan.data.slices import axis_codes
from monai_consingan.distance import bounding_box
from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics.surroundings import spatial_array

OPPOSITE = dict(zip("LRAPSI", "RLPAIS", strict=True))

_PLANES = {"axial": "SI", "coronal": "AP", "sagittal": "LR"}


@dataclass(frozen=True)
class SliceView:
    """A slice to show: rows from top to bottom, columns from left to right.

    Attributes:
        values: array of shape (rows, columns).
        pixel_mm: height and width of a pixel in mm.
        left: what lies beyond the left edge, as a letter (R, L, A, P, S or I), or nothing if not known.
        top: what lies beyond the top edge.
    """

    values: NDArray[Any]
    pixel_mm: tuple[float, float] = (1.0, 1.0)
    left: str = ""
    top: str = ""

    @property
    def size_mm(self) -> tuple[float, float]:
        """Height and width of the slice in mm."""
        rows, columns = self.values.shape
        return rows * self.pixel_mm[0], columns * self.pixel_mm[1]


def slice_view(image: NdarrayOrTensor, *, axis: int | None = None, index: int | None = None) -> SliceView:
    """Take a slice and turn it the right way up.

    With the affine of a MetaTensor, slices are shown in radiological orientation: axial ones with anterior at the top
    and the patient's right on the left, coronal ones with superior at the top and right on the left, sagittal ones with
    superior at the top and anterior on the left. Without one they are shown as stored, rows first; pictures that MONAI
    read, which have an identity affine and store columns first, are shown like the picture.

    Args:
        image: channel-first image, label or mask, (1, H, W) or (1, H, W, D).
        axis: spatial axis perpendicular to the slice; needed for volumes only.
        index: number of the slice along `axis`; needed for volumes only.

    Returns:
        The slice, with the size of its pixels.

    Raises:
        ConSinGANError: for other shapes, a missing axis or index, or an index outside the volume.

    Example:

        >>> import numpy as np
        >>> slice_view(np.zeros((1, 20, 30, 10)), axis=2, index=4).values.shape
        (20, 30)
    """
    array = spatial_array(image)
    affine = as_array(image.affine).astype(np.float64) if isinstance(image, MetaTensor) else None
    shown = [0, 1]
    volume = array.ndim == 3
    if volume:
        if axis is None or index is None or not -3 <= axis < 3 or not 0 <= index < array.shape[axis]:
            raise ConSinGANError(
                f"axis is {axis} and index is {index}: give an axis of the volume, which has the shape {array.shape}, "
                "and the number of a slice on it."
            )
        axis %= 3
        array = array[(slice(None),) * axis + (index,)]
        shown = [number for number in range(3) if number != axis]
    if affine is None:
        return SliceView(array)
    height, width = (float(np.linalg.norm(affine[:3, number])) for number in shown)
    if not volume and np.array_equal(affine[:2, :2], np.eye(2)):
        return SliceView(array.T, (width, height))
    codes = axis_codes(affine)
    first, second = (codes[number] for number in shown)
    # Rows go down to inferior, or to posterior in an axial slice; columns go to the patient's left, or to posterior.
    if second in "SI" or (second in "AP" and first in "LR"):
        array, first, second, height, width = array.T, second, first, width, height
    if first not in "PI":
        array, first = array[::-1], OPPOSITE[first]
    if second not in "LP":
        array, second = array[:, ::-1], OPPOSITE[second]
    return SliceView(np.ascontiguousarray(array), (height, width), left=OPPOSITE[second], top=OPPOSITE[first])


def plane_axes(image: NdarrayOrTensor) -> dict[str, int]:
    """The spatial axis of a volume, (C, H, W, D), that is perpendicular to each plane.

    Returns:
        Axes by ``"axial"``, ``"coronal"`` and ``"sagittal"``, in this order; what is no MetaTensor counts as RAS. In
        oblique volumes they are the nearest.
    """
    affine = as_array(image.affine).astype(np.float64) if isinstance(image, MetaTensor) else np.eye(4)
    codes = axis_codes(affine)
    return {plane: next(i for i, code in enumerate(codes) if code in ends) for plane, ends in _PLANES.items()}


def widest_slice(mask: NdarrayOrTensor, axis: int) -> int:
    """The slice across an axis that holds most of a mask, (1, H, W, D); the first of several."""
    inside = spatial_array(mask) > 0
    if not inside.any():
        return 0
    box = bounding_box(inside)
    counts = inside[box].sum(axis=tuple(other for other in range(inside.ndim) if other != axis))
    return box[axis].start + int(np.argmax(counts))
