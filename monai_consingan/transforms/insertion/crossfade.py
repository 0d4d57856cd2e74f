"""Crossfading from a donor's tissue into a host's, without a seam and without a blur."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from monai_consingan.arrays import as_array, check_masks, check_shape
from monai_consingan.distance import signed_distance
from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.bands import mean_of_known
from monai_consingan.transforms.insertion.match import tissue_ring
from monai_consingan.transforms.poisson import poisson_blend

_MAX_GAIN = 1.5
_TEXTURE_MM = 1.0  # standard deviation of the gaussian mean


def crossfade(
    host: Any,
    source: Any,
    mask: Any,
    *,
    width_mm: float = 2.0,
    ring_mm: tuple[float, float] = (2.0, 8.0),
    axis: int | None = None,
    spacing: Sequence[float] | float = 1.0,
    valid: Any | None = None,
) -> np.ndarray:
    r"""Fade from the source inside a mask to the host outside, levels and texture each in their own way.

    The source is first brought to the host's level by :func:`poisson_blend`, over the mask and ``width_mm`` beyond.
    Both images are then split into a gaussian mean and the rest, their texture. With a weight :math:`w` that falls from
    1 to 0 across the border, the means are mixed by :math:`w` and :math:`1 - w`. Textures of two images are
    independent of each other: mixed like that, what is left of their variance at :math:`w = 1/2` is a half, and the
    border shows as a smooth line. They are mixed by :math:`\sqrt{w}` and :math:`\sqrt{1 - w}`, which keeps the
    variance, as sound is crossfaded at equal power. The source's texture is scaled to be as strong as the host's
    around the mask (at most by 1.5 either way).

    Args:
        host: array of shape (\*spatial), 2D or 3D.
        source: array of the same shape whose structure is wanted.
        mask: array of the same shape; values above 0 are the source's.
        width_mm: the weight falls from this far inside the mask to this far outside.
        ring_mm: distances from the mask in mm between which the strength of the texture is compared.
        axis, spacing, valid: see :func:`poisson_blend`.

    Returns:
        float64 array of the host's shape, with the host's values ``width_mm`` and more outside the mask.

    Raises:
        ConSinGANError: when shapes differ, the axis does not exist, the width is not a positive number of mm, the host
            or the source is constant, or some part of the mask has no voxel of the host beside it.

    Example:
        >>> import numpy as np
        >>> host, source, mask = np.zeros((1, 9)), np.zeros((1, 9)), np.zeros((1, 9))
        >>> source[0, 4] = mask[0, 3:6] = 1
        >>> bool(crossfade(host, source, mask, width_mm=0.5)[0, 4] > 0.5)
        True
    """
    if not 0 < width_mm < np.inf:
        raise ConSinGANError(f"width_mm is {width_mm}; give a positive number of mm.")
    target, guide = (as_array(part).astype(np.float64) for part in (host, source))
    check_shape(guide, target.shape, name="source", other="host")
    (inside, known), axis, mm = check_masks(target.shape, axis, spacing, mask=mask, valid=valid)
    if not inside.any():
        return target
    fade = np.clip(0.5 - signed_distance(inside, mm, axis) / (2 * width_mm), 0.0, 1.0)
    weight = np.where(known | inside, fade, 0.0)
    levelled = poisson_blend(target, guide, weight > 0, axis=axis, spacing=mm, valid=known)

    sigma = [0.0 if along == axis else _TEXTURE_MM / size for along, size in enumerate(mm)]
    images = np.stack([target, levelled, guide])
    host_mean, source_mean, guide_mean = mean_of_known(images, known | inside, sigma, mode="nearest")
    gain = _strength(target, target - host_mean, inside, ring_mm, mm, axis, known)
    gain /= _strength(guide, guide - guide_mean, inside, ring_mm, mm, axis, known)
    gain = float(np.clip(gain, 1 / _MAX_GAIN, _MAX_GAIN)) if np.isfinite(gain) else 1.0
    level = (1 - weight) * host_mean + weight * source_mean
    texture = np.sqrt(1 - weight) * (target - host_mean) + np.sqrt(weight) * gain * (levelled - source_mean)
    return np.where(weight > 0, level + texture, target)


def _strength(
    image: np.ndarray,
    texture: np.ndarray,
    inside: np.ndarray,
    ring_mm: tuple[float, float],
    mm: Sequence[float],
    axis: int | None,
    known: np.ndarray,
) -> float:
    """Standard deviation of the texture around the mask; NaN where there is none."""
    ring = tissue_ring(image[None], inside, ring_mm, mm, axis, known)
    strength = float(texture[ring].std()) if ring.any() else 0.0
    return strength if strength > 0 else float("nan")
