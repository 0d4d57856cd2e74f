"""Where a redrawn image may differ from its host: the first thing that training and inference have to agree on."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

import numpy as np
from monai.config import NdarrayOrTensor
from monai.transforms import Transform
from monai.utils import TransformBackends

from monai_consingan.arrays import as_array, wrap_like
from monai_consingan.data import slice_axis
from monai_consingan.transforms.alteration import AlterationMask

__all__ = [
    "Alteration",
    "LesionAlteration",
    "LesionAlterationD",
    "LesionAlterationDict",
    "LesionAlterationd",
]


class Alteration(NamedTuple):
    """What :class:`LesionAlteration` returns."""

    weight: Any
    """Weight of the redrawn image, float32 in [0, 1], (1, \\*spatial)."""
    mask: Any
    """1 where the result may differ from the host, uint8, that is where the weight is above 0, in the lesion, and where
    a naive image that was given differs from its host."""


class LesionAlteration(Transform):
    """Weight of the redrawn image around a lesion, slice by slice, and the mask of all that may change.

    Args:
        mode: ``"band"``, only a band along the lesion's border, which keeps what is inside, ``"outside"``, only the
            part of it outside the lesion, ``"whole"``, the lesion and its surroundings, or ``"smooth"``, the same as
            published (:class:`AlterationMask`).
        dilation_mm: how far the redrawn image reaches beyond the border (for a band, to both sides).
        softness_mm: width of the soft edge beyond that.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
    """

    backend = [TransformBackends.NUMPY]

    def __init__(
        self, mode: str = "band", dilation_mm: float = 1.0, softness_mm: float = 2.0, axis: int | None = None
    ) -> None:
        self.mode = mode
        self.dilation_mm = dilation_mm
        self.softness_mm = softness_mm
        self.axis = axis

    def __call__(
        self, lesion: NdarrayOrTensor, naive: NdarrayOrTensor | None = None, host: NdarrayOrTensor | None = None
    ) -> Alteration:
        """Weight and mask for a lesion.

        Args:
            lesion: mask of the lesion, (1, \\*spatial).
            naive: image with the lesion pasted or filled, whose blend may reach farther than the lesion.
            host: the image before, which is given together with it.
        """
        axis = slice_axis(lesion, self.axis)
        weight = AlterationMask(self.dilation_mm, self.softness_mm, self.mode, axis)(lesion)
        changed = (as_array(weight) > 0) | (as_array(lesion) > 0)
        if naive is not None and host is not None:
            changed |= (as_array(naive) != as_array(host)).any(axis=0, keepdims=True)
        return Alteration(weight, wrap_like(changed.astype(np.uint8), lesion))


class LesionAlterationd(Transform):
    """Dictionary version of :class:`LesionAlteration`.

    Args:
        lesion_key: key of the lesion's mask.
        weight_key: key of the weight.
        alteration_key: key of the mask of all that may change.
        image_key, host_key: keys of the naive image and of its host; if both are there, the mask has all voxels in
            which they differ.
        mode, dilation_mm, softness_mm, axis: see :class:`LesionAlteration`.
    """

    backend = LesionAlteration.backend

    def __init__(
        self,
        lesion_key: Hashable = "lesion",
        weight_key: Hashable = "weight",
        alteration_key: Hashable = "alteration",
        mode: str = "band",
        dilation_mm: float = 1.0,
        softness_mm: float = 2.0,
        axis: int | None = None,
        image_key: Hashable = "image",
        host_key: Hashable = "host",
    ) -> None:
        self.images = (image_key, host_key)
        self.lesion_key = lesion_key
        self.weight_key = weight_key
        self.alteration_key = alteration_key
        self.alteration = LesionAlteration(mode, dilation_mm, softness_mm, axis)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with weight and mask."""
        out = dict(data)
        naive, host = (data.get(key) for key in self.images)
        out[self.weight_key], out[self.alteration_key] = self.alteration(data[self.lesion_key], naive, host)
        return out


LesionAlterationD = LesionAlterationDict = LesionAlterationd
