"""The part of an image that the networks work on, taken out as slices or as a box, and put back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from monai.config import NdarrayOrTensor
from torch.nn.functional import interpolate

from ..distance import bounding_box
from ..errors import ConSinGANError
from .pyramid import resize

ArrayT = TypeVar("ArrayT", np.ndarray, torch.Tensor)


@dataclass(frozen=True)
class Region:
    """A rectangle that is cut out of one or several parallel slices of an image, or a box of a volume, maybe resized.

    Its axes are the spatial axes other than ``axis``, in stored order: rows and columns, or all three of a volume.

    Args:
        axis: spatial axis perpendicular to the slices; ``None`` for 2D images, and for boxes of volumes.
        slices: indices along ``axis``; ``(0,)`` without one.
        start: first row and first column (and the first place along the third axis).
        stop: one past the last ones.
        size: height and width (and depth) at which the networks see the rectangle or box.

    Raises:
        ConSinGANError: no slices, or a rectangle, box or size without pixels.

    Example::

        region = roi_region(weight, axis=2)
        slices = region.take(volume)  # (S, C, h, w)
        volume = region.put(slices, volume)
        roi_region(weight, axis=None).take(volume)  # (1, C, h, w, d)
    """

    axis: int | None
    slices: tuple[int, ...]
    start: tuple[int, ...]
    stop: tuple[int, ...]
    size: tuple[int, ...]

    def __post_init__(self) -> None:
        for field in ("slices", "start", "stop", "size"):
            object.__setattr__(self, field, tuple(int(n) for n in getattr(self, field)))
        empty = any(a < 0 or b <= a for a, b in zip(self.start, self.stop, strict=False)) or min(self.size) < 1
        axes = {len(self.start), len(self.stop), len(self.size)}
        if axes not in ({2}, {3}) or (self.axis is not None and axes != {2}):
            raise ConSinGANError(
                f"The region {self.start} to {self.stop}, size {self.size}, axis {self.axis} does not fit together: "
                "give two numbers each for slices, or three and axis None for a box."
            )
        if not self.slices or empty or (self.axis is None and self.slices != (0,)):
            raise ConSinGANError(
                f"The region slices {self.slices}, {self.start} to {self.stop}, size {self.size} has no pixels: "
                "give at least one slice and a stop beyond the start."
            )

    @property
    def box_size(self) -> tuple[int, ...]:
        """Height and width (and depth) of the rectangle or box in the image's own pixels."""
        return tuple(b - a for a, b in zip(self.start, self.stop, strict=True))

    @property
    def resized(self) -> bool:
        """Whether the networks see the rectangle at another size than the image's."""
        return self.size != self.box_size

    def take(self, volume: NdarrayOrTensor, *, mode: str = "bicubic") -> torch.Tensor:
        """Cut the region out.

        Args:
            volume: image (C, \\*spatial).
            mode: interpolation if the region is resized: ``"bicubic"`` (anti-aliased), or ``"nearest"`` for labels.

        Returns:
            Copy as a plain tensor (S, C, h, w), or (1, C, h, w, d) of a box; float32, but for ``"nearest"``, which
            keeps the type.

        Raises:
            ConSinGANError: the image does not have the region.
        """
        source = _tensor(volume)
        self._check(source)
        stack = torch.stack([self._part(source, index) for index in self.slices])
        if mode != "nearest":
            stack = stack.to(torch.float32)
        return _resize(stack, self.size, mode)

    def put(self, slices: NdarrayOrTensor, volume: ArrayT) -> ArrayT:
        """Replace the region in a copy of the image.

        Args:
            slices: as :meth:`take` returned them; resized bicubically to the rectangle or box if needed.
            volume: image (C, \\*spatial).

        Returns:
            Copy of ``volume`` of the same kind, type and meta, equal to it outside the region. Integer types take
            rounded values within their range.

        Raises:
            ConSinGANError: the slices do not fit the region, or the image does not have it.
        """
        stack = _tensor(slices)
        expected = (len(self.slices), volume.shape[0], *self.size)
        if tuple(stack.shape) != expected:
            raise ConSinGANError(
                f"The slices have the shape {tuple(stack.shape)} but the region needs {expected}: "
                "give slices of this region's number and size."
            )
        result = volume.copy() if isinstance(volume, np.ndarray) else volume.clone()
        if self.resized:
            stack = _resize(stack.to(torch.float32), self.box_size, "bicubic")
        target = _tensor(result)  # shares memory with the result
        self._check(target)
        if stack.is_floating_point() and not target.is_floating_point():
            limits = torch.iinfo(target.dtype)
            stack = stack.to(torch.float64).round().clamp(limits.min, limits.max)
        for position, index in enumerate(self.slices):
            self._part(target, index).copy_(stack[position])
        return result

    def _part(self, volume: torch.Tensor, index: int) -> torch.Tensor:
        plane = volume if self.axis is None else volume.select(1 + self.axis, index)
        inside: Any = (..., *[slice(a, b) for a, b in zip(self.start, self.stop, strict=True)])
        return plane[inside]

    def _check(self, volume: torch.Tensor) -> None:
        shape = tuple(volume.shape)
        if len(shape) != 1 + len(self.size) + (self.axis is not None):
            raise ConSinGANError(
                f"The image has the shape {shape} but the region is one of {len(self.size)} axes, cut along axis "
                f"{self.axis}: give channels and rows, columns or three spatial axes."
            )
        depth, plane = _planes(shape[1:], self.axis)
        if (
            min(self.slices) < 0
            or max(self.slices) >= depth
            or any(b > n for b, n in zip(self.stop, plane, strict=True))
        ):
            raise ConSinGANError(
                f"The region slices {self.slices}, {self.start} to {self.stop}, axis {self.axis} reaches beyond the "
                f"image of shape {shape[1:]}: make the region from this image."
            )


def roi_region(
    weight: NdarrayOrTensor,
    *,
    axis: int | None,
    margin: int = 16,
    min_side: int | Sequence[int] = 96,
    max_side: int = 250,
) -> Region:
    """Make the region around everything that is to be altered, at native resolution.

    One rectangle serves all slices that hold an altered voxel: their common bounding box, widened by ``margin``, and
    then to at least ``min_side`` pixels (or the image's side, if that is smaller), shifted to stay inside the image.
    Of a volume without ``axis`` it is the box that is found so. Only if a side exceeds ``max_side`` do the networks see
    it smaller, with the aspect ratio kept.

    Args:
        weight: alteration weight or mask (1, \\*spatial); voxels above 0 are altered.
        axis: spatial axis perpendicular to the slices; ``None`` for 2D images, and for boxes.
        margin: pixels of context around the altered voxels.
        min_side: smallest side in pixels, or one for each axis of the region.
        max_side: largest side in pixels that the networks see.

    Raises:
        ConSinGANError: nothing is altered, the axis does not fit, or sides out of order.
    """
    altered, slices, plane = _altered(weight, axis)
    sides = [min_side] * len(plane) if isinstance(min_side, int) else list(min_side)
    if margin < 0 or min(sides) < 1 or max_side < max(sides):
        raise ConSinGANError(
            f"The region's margin {margin}, smallest side {min_side} and largest side {max_side} do not fit together: "
            "give a margin of at least 0, and a largest side not below the smallest."
        )
    found = zip(bounding_box(np.asarray(altered.any(axis=0))), sides, plane, strict=True)
    ends = [_widen(part.start - margin, part.stop + margin, side, length) for part, side, length in found]
    shrink = min(1.0, max_side / max(high - low for low, high in ends))
    size = tuple(max(1, round((high - low) * shrink)) for low, high in ends)
    start, stop = zip(*ends, strict=True)
    return Region(axis, slices, start, stop, size)


def slice_region(weight: NdarrayOrTensor, *, axis: int | None, side: int = 250) -> Region:
    """Make the region of whole slices, resized to a square as in the ConSinGAN paper on brain metastases.

    Of a volume without ``axis`` it is the whole volume, resized to a cube.

    Args:
        weight: alteration weight or mask (1, \\*spatial); slices with voxels above 0 are taken.
        axis: spatial axis perpendicular to the slices; ``None`` for 2D images, and for whole volumes.
        side: height and width in pixels that the networks see.

    Raises:
        ConSinGANError: nothing is altered, the axis does not fit, or the side is below 1.
    """
    _, slices, plane = _altered(weight, axis)
    return Region(axis, slices, (0,) * len(plane), plane, (side,) * len(plane))


def _altered(weight: NdarrayOrTensor, axis: int | None) -> tuple[np.ndarray, tuple[int, ...], tuple[int, ...]]:
    """Altered voxels as (slices, rows, columns) or (1, \\*spatial), the slices that have any, and the size of one."""
    array = np.asarray(_tensor(weight).detach().cpu()) > 0
    ndim = array.ndim - 1
    if array.shape[0] != 1 or ndim not in (2, 3) or (axis is not None and (ndim, 0 <= axis < 3) != (3, True)):
        raise ConSinGANError(
            f"The axis {axis} does not fit the alteration of shape {array.shape}: "
            "give (1, rows, columns) with axis None, or (1, three spatial axes) with axis 0, 1, 2 or None."
        )
    altered = array if axis is None else np.moveaxis(array[0], axis, 0)
    slices = tuple(int(n) for n in np.flatnonzero(altered.any(axis=tuple(range(1, altered.ndim)))))
    if not slices:
        raise ConSinGANError(
            "The alteration is empty (no voxel above 0), so there is no region: give one with a lesion."
        )
    return altered, slices, _planes(array.shape[1:], axis)[1]


def _planes(spatial: tuple[int, ...], axis: int | None) -> tuple[int, tuple[int, ...]]:
    """Number of slices, and height and width (and depth) of each."""
    return (1 if axis is None else spatial[axis]), tuple(n for dim, n in enumerate(spatial) if dim != axis)


def _widen(low: int, high: int, side: int, length: int) -> tuple[int, int]:
    """Clip an interval to [0, length), widen it to ``side`` about its middle and shift it back inside."""
    low, high = max(low, 0), min(high, length)
    missing = min(side, length) - (high - low)
    if missing > 0:
        low = min(max(low - missing // 2, 0), length - min(side, length))
        high = low + min(side, length)
    return low, high


def _resize(stack: torch.Tensor, size: tuple[int, ...], mode: str) -> torch.Tensor:
    if mode == "nearest" and tuple(stack.shape[2:]) != size:
        return interpolate(stack.to(torch.float64), size, mode="nearest-exact").to(stack.dtype)
    return stack if mode == "nearest" else resize(stack, size)


def _tensor(x: NdarrayOrTensor) -> torch.Tensor:
    """View an array or tensor as a plain tensor."""
    tensor = x if isinstance(x, torch.Tensor) else torch.from_numpy(np.ascontiguousarray(x))
    plain: torch.Tensor = tensor.as_subclass(torch.Tensor)
    return plain
