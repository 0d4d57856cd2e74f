"""Mapping a scan's intensities to the range of the networks and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from monai.config import NdarrayOrTensor

from ..arrays import as_array, check_shape
from ..background import find_background
from ..errors import ConSinGANError

ArrayT = TypeVar("ArrayT", np.ndarray, torch.Tensor)

_PERCENTILES = (0.5, 99.9)


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
    def fit(cls, *images: NdarrayOrTensor, keep: NdarrayOrTensor | None = None) -> IntensityScale:
        """Find robust limits for one or several images of the same intensity scale.

        The limits are the percentiles 0.5 and 99.9 of the foreground of all images together. Foreground is what is
        neither the constant that fills an image's border nor mixed with it, so that a skull-stripped scan's zeros do
        not count (``monai_consingan.background.find_background``); in an image without such a constant, what is above
        its smallest value. The range is then widened to hold every voxel that must be kept.

        Args:
            images: arrays or tensors of any shape, such as the host and the host with the pasted lesion.
            keep: mask of voxels of the last image that must not be clipped, such as a lesion.

        Returns:
            The map.

        Raises:
            ConSinGANError: no image, a constant image, or a mask that does not fit.
        """
        arrays = [as_array(image) for image in images]
        if not arrays or any(array.size == 0 for array in arrays):
            raise ConSinGANError("The intensity range needs at least one image with voxels: give one.")
        low, high = np.percentile(np.concatenate([_foreground(array) for array in arrays]), _PERCENTILES)
        if keep is not None:
            mask, last = as_array(keep) > 0, arrays[-1]
            check_shape(mask, last.shape, name="keep", other="its image")
            if mask.any():
                low, high = min(low, last[mask].min()), max(high, last[mask].max())
        return cls(float(low), float(high))

    @classmethod
    def fit_channels(cls, *batches: torch.Tensor, keep: torch.Tensor | None = None) -> IntensityScale:
        """Find limits for each channel by itself (:meth:`fit`), in batches (N, C, \\*spatial) of the same channels.

        Args:
            batches: batches of images.
            keep: mask of voxels of the last batch that must not be clipped, (N, 1, \\*spatial).
        """
        channels = zip(*(batch.split(1, dim=1) for batch in batches), strict=True)
        scales = [cls.fit(*parts, keep=keep) for parts in channels]
        if len(scales) == 1:
            return scales[0]
        limits: Any = [tuple(getattr(scale, name) for scale in scales) for name in ("lower", "upper")]
        return cls(*limits)

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


def _foreground(array: np.ndarray) -> np.ndarray:
    above = array[find_background(array).tissue(array)]
    if above.size == 0:
        raise ConSinGANError(f"An image is constant (every voxel is {array.flat[0]:g}): give an image with content.")
    return above.astype(np.float64)
