"""Blending back: put the altered image into the host within the alteration mask, and nowhere else."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from monai.config import KeysCollection, NdarrayOrTensor
from monai.transforms import MapTransform, Transform
from monai.utils import TransformBackends, ensure_tuple_rep

from monai_consingan.arrays import as_array, cast_values, check_shape, spacing_of, wrap_like
from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.stiffness import bent_result


def blend_arrays(host: np.ndarray, result: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``host + weight * (result - host)`` where the weight is above 0, in the host's dtype; elsewhere the host's bits.

    Where the weight is 1 the value is the result's itself. Integers are rounded to the nearest and clipped to the
    host's range. All arrays have to be broadcastable to the host's shape.
    """
    old, new = host.astype(np.float64), result.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        mixed = np.where(weight >= 1, new, old + weight.astype(np.float64) * (new - old))
    # what is outside may be anything, NaN included: it is not to be rounded nor to reach the output
    mixed = np.where(weight > 0, mixed, 0.0)
    return np.where(weight > 0, cast_values(mixed, host.dtype), host)


class BlendBack(Transform):
    """Composite an altered image into its host by an alteration mask.

    Where the weight is 0 the output is the host, bit for bit; the output has the host's dtype, metadata and kind of
    array. Integer hosts get values rounded to the nearest and clipped to the range of their type.

    Args:
        bends: whether what changes in a volume bends as the volume does, where that was resampled from thicker slices.
        spacing: mm per spatial axis, for that; None takes it from a MetaTensor's affine, and 1 mm for other arrays.

    Example:
        >>> import numpy as np
        >>> host, result = np.zeros((1, 1, 3), np.int16), np.full((1, 1, 3), 10.0)
        >>> BlendBack()(host, result, np.array([[[0.0, 0.5, 1.0]]])).tolist()
        [[[0, 5, 10]]]
    """

    backend = [TransformBackends.NUMPY]

    def __init__(self, bends: bool = False, spacing: Sequence[float] | float | None = None) -> None:
        self.bends = bends
        self.spacing = spacing

    def __call__(  # type: ignore[override]
        self, host: NdarrayOrTensor, result: NdarrayOrTensor, weight: NdarrayOrTensor
    ) -> NdarrayOrTensor:
        """Blend ``result`` into ``host``.

        Args:
            host: image of shape (C, \\*spatial).
            result: altered image of the same shape, in the host's intensity units.
            weight: alteration mask of shape (1, \\*spatial) or (C, \\*spatial) with values in [0, 1].

        Returns:
            The composite, of the host's shape, dtype and kind.

        Raises:
            ConSinGANError: when shapes differ, a weight lies outside [0, 1], or the result is not finite where it is
                used.
        """
        old, new, alteration = as_array(host), as_array(result), as_array(weight)
        check_shape(new, old.shape, name="result", other="host")
        if alteration.shape != (1, *old.shape[1:]):
            check_shape(alteration, old.shape, name="weight", other="host")
        if not (np.isfinite(alteration).all() and alteration.min() >= 0 and alteration.max() <= 1):
            raise ConSinGANError("weight holds values outside [0, 1]; make it with AlterationMask.")
        if not np.isfinite(new[np.broadcast_to(alteration > 0, new.shape)]).all():
            raise ConSinGANError("result holds NaN or infinite values inside the alteration mask; check the network.")
        if self.bends and old.ndim == 4:
            new = bent_result(old, new, alteration, spacing_of(host, self.spacing))
            alteration = (alteration > 0).astype(np.float32)
        return wrap_like(blend_arrays(old, new, alteration), host)


class BlendBackd(MapTransform):
    """Dictionary version of :class:`BlendBack`.

    Args:
        keys: keys of altered images.
        host_key: key of the host, or of one for each of ``keys``.
        weight_key: key of the alteration mask.
        output_keys: keys of the composites; None replaces the altered images.
        allow_missing_keys: skip keys that are not in the dictionary.
        kwargs: the arguments of :class:`BlendBack`.
    """

    backend = BlendBack.backend

    def __init__(
        self,
        keys: KeysCollection,
        host_key: KeysCollection = "host",
        weight_key: Hashable = "alteration",
        output_keys: KeysCollection | None = None,
        allow_missing_keys: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.host_key = ensure_tuple_rep(host_key, len(self.keys))
        self.weight_key = weight_key
        self.output_keys = self.keys if output_keys is None else ensure_tuple_rep(output_keys, len(self.keys))
        self.blend = BlendBack(**kwargs)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """A copy of ``data`` with the composites."""
        out = dict(data)
        for key, output_key, host_key in self.key_iterator(out, self.output_keys, self.host_key):
            out[output_key] = self.blend(data[host_key], out[key], data[self.weight_key])
        return out


BlendBackD = BlendBackDict = BlendBackd
