"""Alteration masks: where, and how strongly, the result of the network replaces the host.

Training and inference have to agree on them first of all.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from monai.config import KeysCollection, NdarrayOrTensor
from monai.transforms import MapTransform, Transform
from monai.utils import TransformBackends, ensure_tuple_rep
from scipy.ndimage import gaussian_filter

from monai_consingan.arrays import (
    as_array,
    as_mask,
    as_spacing,
    check_axis,
    check_number,
    in_all,
    spacing_of,
    wrap_like,
)
from monai_consingan.background import find_background
from monai_consingan.data import sliced_axis
from monai_consingan.distance import bounding_box, outside_distance
from monai_consingan.errors import ConSinGANError, check_choice
from monai_consingan.methods import COMPOSITES

_EXACT = 1e-9  # share by which rounding may lengthen a distance


def alteration_weight(
    mask: Any,
    *,
    spacing: Sequence[float] | float,
    dilation_mm: float = 2.0,
    softness_mm: float = 4.0,
    mode: str = "whole",
    axis: int | None = None,
) -> np.ndarray:
    """Weight of the altered image around a lesion, by Euclidean distances in mm between voxel centres.

    The weight is 1 up to ``dilation_mm`` from the lesion, falls along a cosine and is exactly 0 from
    ``dilation_mm + softness_mm`` on. In mode ``"whole"`` the lesion itself has weight 1. In mode ``"band"`` only a band
    along its border has: the distance is then counted to both sides, inside to the nearest voxel outside the lesion, so
    that the core of a lesion larger than the band has weight 0 and stays untouched. In mode ``"outside"`` only the part
    of this band that lies outside the lesion has.

    Mode ``"smooth"`` is that of the published method: the lesion dilated by ``dilation_mm``, smoothed with a gaussian
    of the standard deviation ``softness_mm`` (cut off at four of them) and stretched to [0, 1]. It has no plateau.

    Args:
        mask: lesion mask of shape (\\*spatial), 2D or 3D; values above 0 are lesion.
        spacing: mm per spatial axis, or one number for all.
        dilation_mm: distance from the lesion up to which the weight is 1.
        softness_mm: width of the ramp from 1 to 0; 0 makes a hard edge.
        mode: ``"whole"``, ``"band"``, ``"outside"`` or ``"smooth"``.
        axis: the spatial axis perpendicular to the slices when every slice counts by itself (distances in the plane; a
            slice without lesion has weight 0 everywhere); None for distances in space.

    Returns:
        float32 array of the mask's shape with values in [0, 1].

    Raises:
        ConSinGANError: on an unknown mode or axis, or a negative or infinite width.

    Example:
        >>> import numpy as np
        >>> mask = np.zeros((1, 7)); mask[0, 3] = 1
        >>> alteration_weight(mask, spacing=1.0, dilation_mm=1.0, softness_mm=2.0).round(2).tolist()
        [[0.0, 0.5, 1.0, 1.0, 1.0, 0.5, 0.0]]
    """
    check_choice(COMPOSITES, mode=mode)
    check_number(dilation_mm, "dilation_mm")
    check_number(softness_mm, "softness_mm")
    lesion = as_mask(mask)
    mm = as_spacing(spacing, lesion.ndim)
    axis = check_axis(axis, lesion.ndim)
    reach = dilation_mm + softness_mm
    distance = outside_distance(lesion, mm, axis, reach_mm=reach)
    if mode == "smooth":
        dilated = distance <= dilation_mm * (1 + _EXACT)
        sigma = tuple(0.0 if number == axis else softness_mm / side for number, side in enumerate(mm))
        return _stretched(gaussian_filter(dilated.astype(np.float64), sigma, mode="nearest"), axis)
    if mode == "band":
        distance = np.where(lesion, outside_distance(~lesion, mm, axis, reach_mm=reach), distance)
    elif mode == "outside":
        distance = np.where(lesion, np.inf, distance)
    beyond = np.clip(distance - dilation_mm, 0.0, None)
    if softness_mm == 0:
        return (beyond == 0).astype(np.float32)
    ramp = 0.5 * (1.0 + np.cos(np.pi * np.minimum(beyond / softness_mm, 1.0)))
    return np.where(beyond < softness_mm, ramp, 0.0).astype(np.float32)


def _stretched(weight: np.ndarray, axis: int | None) -> np.ndarray:
    """A weight from 0 to 1, in every slice by itself; where it does not vary it stays."""
    inside = tuple(number for number in range(weight.ndim) if number != axis)
    low, high = (extreme(weight, axis=inside, keepdims=True) for extreme in (np.min, np.max))
    span = np.where(high > low, high - low, 1.0)
    stretched: np.ndarray = np.where(high > low, (weight - low) / span, weight)
    return stretched.astype(np.float32)


@dataclass(eq=False)
class AlterationMask(Transform):
    """Turn a lesion mask into an alteration mask with :func:`alteration_weight`.

    Args:
        dilation_mm, softness_mm, mode, axis: see :func:`alteration_weight`.
        spacing: mm per spatial axis; None takes it from a MetaTensor's affine, and 1 mm for other arrays.

    Example:
        >>> import numpy as np
        >>> AlterationMask(dilation_mm=1, softness_mm=0)(np.eye(3)[None, 1:2]).tolist()
        [[[1.0, 1.0, 1.0]]]
    """

    dilation_mm: float = 2.0
    softness_mm: float = 4.0
    mode: str = "whole"
    axis: int | None = None
    spacing: Sequence[float] | float | None = None

    backend = [TransformBackends.NUMPY]

    def __call__(self, mask: NdarrayOrTensor) -> NdarrayOrTensor:
        """Weight of shape (1, \\*spatial), float32 in [0, 1], as the mask's kind of array and with its metadata.

        Args:
            mask: lesion mask of shape (1, \\*spatial); values above 0 are lesion.
        """
        values = as_array(mask)
        if values.ndim not in (3, 4) or values.shape[0] != 1:
            raise ConSinGANError(f"mask has shape {values.shape}; give one channel and 2 or 3 spatial axes.")
        weight = alteration_weight(
            values[0],
            spacing=spacing_of(mask, self.spacing),
            dilation_mm=self.dilation_mm,
            softness_mm=self.softness_mm,
            mode=self.mode,
            axis=self.axis,
        )
        return wrap_like(weight[None], mask)


class AlterationMaskd(MapTransform):
    """Dictionary version of :class:`AlterationMask`.

    Args:
        keys: keys of lesion masks.
        output_keys: keys of the alteration masks; None replaces the lesion masks.
        allow_missing_keys: skip keys that are not in the dictionary.
        kwargs: the arguments of :class:`AlterationMask`.
    """

    backend = AlterationMask.backend

    def __init__(
        self,
        keys: KeysCollection,
        output_keys: KeysCollection | None = None,
        allow_missing_keys: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.output_keys = self.keys if output_keys is None else ensure_tuple_rep(output_keys, len(self.keys))
        self.weight = AlterationMask(**kwargs)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with the alteration masks."""
        out = dict(data)
        for key, output_key in self.key_iterator(out, self.output_keys):
            out[output_key] = self.weight(out[key])
        return out


AlterationMaskD = AlterationMaskDict = AlterationMaskd


def altered(lesion: Any, naive: Any = None, host: Any = None, weight: Any = None) -> Any:
    """1 where a lesion is, and where the image with it differs from its host in any channel: uint8, (1, \\*spatial).

    Args:
        lesion: mask of the lesion; values above 0 count.
        naive: image with the lesion pasted or filled, (C, \\*spatial), whose blend may reach farther than the lesion.
        host: the image before, which is given together with it.
        weight: weight of what replaces that image; it counts where it is above 0.
    """
    changed = as_array(lesion) > 0
    if weight is not None:
        changed = changed | (as_array(weight) > 0)
    if naive is not None and host is not None:
        changed = changed | (as_array(naive) != as_array(host)).any(axis=0, keepdims=True)
    return wrap_like(changed.astype(np.uint8), lesion)


def _without_background(weight: np.ndarray, naive: np.ndarray, host: np.ndarray) -> np.ndarray:
    """The weight, 0 where any channel of the host is background, such as that of a stripped skull, and stays so."""
    if not (weight > 0).any():
        return weight
    box = in_all(bounding_box(weight[0] > 0))
    kept = np.zeros(weight[box].shape[1:], bool)
    for whole, before, after in zip(host, host[box], naive[box], strict=True):
        if background := find_background(whole):
            kept |= background.mask(before) & (before == after)
    inside = weight.copy()
    inside[box][:, kept] = 0
    return inside


class Alteration(NamedTuple):
    """What :class:`LesionAlteration` returns."""

    weight: Any
    """Weight of the redrawn image, float32 in [0, 1], (1, \\*spatial)."""
    mask: Any
    """1 where the result may differ from the host, uint8, that is where the weight is above 0, in the lesion, and where
    a naive image that was given differs from its host."""


@dataclass(eq=False)
class LesionAlteration(Transform):
    """Weight of the redrawn image around a lesion, slice by slice or in space, and the mask of all that may change.

    What is background in the host, as beside a brain whose skull was stripped, is not redrawn.

    Args:
        mode, dilation_mm, softness_mm: see :class:`monai_consingan.methods.BlendSettings`.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        dims: 2 takes distances within the slices, 3 in space.
    """

    mode: str = "band"
    dilation_mm: float = 1.0
    softness_mm: float = 2.0
    axis: int | None = None
    dims: int = 2

    backend = [TransformBackends.NUMPY]

    def __call__(
        self, lesion: NdarrayOrTensor, naive: NdarrayOrTensor | None = None, host: NdarrayOrTensor | None = None
    ) -> Alteration:
        """Weight and mask for a lesion.

        Args:
            lesion: mask of the lesion, (1, \\*spatial).
            naive: image with the lesion pasted or filled, (C, \\*spatial), whose blend may reach farther than the
                lesion.
            host: the image before, which is given together with it.
        """
        axis = sliced_axis(lesion, self.axis, self.dims)
        weight = AlterationMask(self.dilation_mm, self.softness_mm, self.mode, axis)(lesion)
        if naive is not None and host is not None:
            weight = wrap_like(_without_background(as_array(weight), as_array(naive), as_array(host)), weight)
        return Alteration(weight, altered(lesion, naive, host, weight))


class LesionAlterationd(Transform):
    """Dictionary version of :class:`LesionAlteration`: adds ``weight`` and ``alteration`` to a case with a ``lesion``.

    If the case has ``image``, the naive image, and ``host``, the mask has all voxels in which they differ.

    Args:
        host_key: key of the host; ``None`` where the naive image may differ from it elsewhere, too.
        kwargs: the arguments of :class:`LesionAlteration`.
    """

    backend = LesionAlteration.backend

    def __init__(self, host_key: Hashable | None = "host", **kwargs: Any) -> None:
        self.host_key = host_key
        self.alteration = LesionAlteration(**kwargs)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with weight and mask."""
        weight, mask = self.alteration(data["lesion"], data.get("image"), data.get(self.host_key))
        return {**data, "weight": weight, "alteration": mask}


LesionAlterationD = LesionAlterationDict = LesionAlterationd
