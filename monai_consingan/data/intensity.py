"""Mapping a scan's intensities to the range of the networks and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from monai.config import NdarrayOrTensor

from ..background import find_background
from ..errors import ConSinGANError

ArrayT = TypeVar("ArrayT", np.ndarray, torch.Tensor)


@dataclass(frozen=True)
class IntensityScale:
    """Linear map between a scan's intensities and [-1, 1], one for all channels or one for each.

    ``lower`` becomes -1 and ``upper`` +1. :meth:`undo` is the exact inverse of :meth:`apply` for intensities between
    the two; those beyond are clipped by :meth:`apply`, so choose the limits with :meth:`fit`, which can be told which
    voxels must not be clipped.

    Args:
        lower: intensity that becomes -1, or a tuple of one for each channel.
        upper: intensity that becomes +1, likewise.

    Raises:
        ConSinGANError: the limits are not as many, not finite, or ``upper`` is not above ``lower``.

    Example::

        scale = IntensityScale.fit(host, naive, keep=mask)
        network_input = scale.apply(naive)
        result = scale.undo(generator(network_input))
    """

    lower: float | tuple[float, ...]
    upper: float | tuple[float, ...]

    def __post_init__(self) -> None:
        lower, upper = np.atleast_1d(self.lower), np.atleast_1d(self.upper)
        if lower.shape != upper.shape:
            raise ConSinGANError(f"There are {lower.size} lower and {upper.size} upper intensity limits: give as many.")
        for low, high in zip(lower, upper, strict=True):
            if not (np.isfinite(low) and np.isfinite(high) and high > low):
                raise ConSinGANError(
                    f"The intensity limits {low:g} to {high:g} span no range: "
                    "give an image that is not constant, or limits of which the upper is larger."
                )

    @classmethod
    def of_channels(cls, scales: Sequence[IntensityScale]) -> IntensityScale:
        """One map of the maps of all channels; that of a single channel is returned as it is."""
        if len(scales) == 1:
            return scales[0]
        limits: Any = [tuple(getattr(scale, name) for scale in scales) for name in ("lower", "upper")]
        return cls(*limits)

    @classmethod
    def fit(
        cls,
        *images: NdarrayOrTensor,
        lower: float = 0.5,
        upper: float = 99.9,
        keep: NdarrayOrTensor | Sequence[NdarrayOrTensor] | None = None,
    ) -> IntensityScale:
        """Find robust limits for one or several images of the same intensity scale.

        The limits are percentiles of the foreground of all images together. Foreground is what is neither the constant
        that fills an image's border nor mixed with it (``monai_consingan.background.find_background``), so that
        a skull-stripped scan's zeros do not count; in an image without such a constant, what is above its smallest
        value. The range is then widened to hold every voxel that must be kept.

        Args:
            images: arrays or tensors of any shape, such as the host and the host with the pasted lesion.
            lower: percentile of the lower limit, 0 to 100.
            upper: percentile of the upper limit, 0 to 100.
            keep: mask (or one per image, in their order) of voxels that must not be clipped, such as a lesion; a
                single mask of an image's shape goes for every image.

        Returns:
            The map.

        Raises:
            ConSinGANError: no image, a constant image, percentiles out of order, or masks that do not fit.
        """
        if not 0 <= lower < upper <= 100:
            raise ConSinGANError(f"The percentiles {lower:g} and {upper:g} must lie in 0 to 100, the lower one first.")
        arrays = [_plain(image) for image in images]
        if not arrays or any(array.size == 0 for array in arrays):
            raise ConSinGANError("The intensity range needs at least one image with voxels: give one.")
        low, high = np.percentile(np.concatenate([_foreground(array) for array in arrays]), [lower, upper])
        for array, mask in zip(arrays, _masks(keep, len(arrays)), strict=True):
            if mask is None:
                continue
            if mask.shape != array.shape:
                raise ConSinGANError(
                    f"The mask of voxels to keep has the shape {mask.shape} but its image has {array.shape}: "
                    "give a mask on the image's grid."
                )
            if (mask > 0).any():
                kept = array[mask > 0]
                low, high = min(low, kept.min()), max(high, kept.max())
        return cls(float(low), float(high))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> IntensityScale:
        """Make the map from what :meth:`as_dict` returned."""
        limits = (values["lower"], values["upper"])
        return cls(*(tuple(map(float, limit)) if np.ndim(limit) else float(limit) for limit in limits))

    def as_dict(self) -> dict[str, Any]:
        """Return the limits, for reports and checkpoints: numbers, or lists of one for each channel."""
        return {name: list(limit) if isinstance(limit, tuple) else limit for name, limit in asdict(self).items()}

    def apply(self, x: ArrayT) -> ArrayT:
        """Map intensities to [-1, 1]; those beyond the limits are clipped.

        Args:
            x: array or tensor of any shape; with limits for each channel, (N, C, \\*spatial).

        Returns:
            float32 of the same kind and shape; a MetaTensor keeps its meta.
        """
        lower, upper = self._limits(x)
        scaled = (_double(x) - lower) * (2.0 / (upper - lower)) - 1.0
        return _single(scaled.clip(-1.0, 1.0))

    def undo(self, y: ArrayT) -> ArrayT:
        """Map values in [-1, 1] back to intensities.

        Args:
            y: array or tensor of any shape; with limits for each channel, (N, C, \\*spatial).

        Returns:
            float32 of the same kind and shape; a MetaTensor keeps its meta.
        """
        lower, upper = self._limits(y)
        return _single((_double(y) + 1.0) * ((upper - lower) / 2.0) + lower)

    def _limits(self, x: NdarrayOrTensor) -> tuple[Any, Any]:
        """The limits in a shape that goes with ``x``."""
        if not isinstance(self.lower, tuple):
            return self.lower, self.upper
        count = len(self.lower)
        if x.ndim < 2 or x.shape[1] != count:
            raise ConSinGANError(
                f"The intensities of {count} channels are known, but the images have the shape {tuple(x.shape)}: give "
                "batches of images with these channels."
            )
        limits = np.reshape([self.lower, self.upper], (2, count, *[1] * (x.ndim - 2)))
        if isinstance(x, torch.Tensor):
            lower, upper = torch.as_tensor(limits, device=x.device)
            return lower, upper
        return limits[0], limits[1]


def _double(x: ArrayT) -> ArrayT:
    return x.to(torch.float64) if isinstance(x, torch.Tensor) else x.astype(np.float64)


def _single(x: ArrayT) -> ArrayT:
    return x.to(torch.float32) if isinstance(x, torch.Tensor) else x.astype(np.float32)


def _plain(image: NdarrayOrTensor) -> np.ndarray:
    return np.asarray(image.detach().cpu() if isinstance(image, torch.Tensor) else image)


def _foreground(array: np.ndarray) -> np.ndarray:
    above = array[find_background(array).tissue(array)]
    if above.size == 0:
        raise ConSinGANError(f"An image is constant (every voxel is {array.flat[0]:g}): give an image with content.")
    return above.astype(np.float64)


def _masks(keep: NdarrayOrTensor | Sequence[NdarrayOrTensor] | None, count: int) -> list[np.ndarray | None]:
    if keep is None:
        return [None] * count
    if isinstance(keep, np.ndarray | torch.Tensor):
        return [_plain(keep)] * count
    if len(keep) != count:
        raise ConSinGANError(f"There are {len(keep)} masks of voxels to keep for {count} images: give one per image.")
    return [_plain(mask) for mask in keep]
