"""The region around a lesion that the networks see, and its intensities."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..errors import ConSinGANError, NoPlaceError
from .intensity import IntensityScale
from .region import Region, roi_region, slice_region

__all__ = ["find_region", "fit_scale"]

_MIN_SIDE = 96  # pixels of a crop at native resolution, if the image has them


def find_region(
    alteration: torch.Tensor,
    *,
    axis: int | None,
    region: str = "roi",
    max_side: int = 250,
    size: Sequence[int] | None = None,
) -> Region:
    """The part of an image that the networks see.

    Args:
        alteration: 1 where the image may change, ``(1, *spatial)``.
        axis: spatial axis perpendicular to the slices; ``None`` in 2D.
        region: ``"roi"``, a crop at native resolution around all that may change, or ``"slice"``, whole slices resized
            to a square of ``max_side`` pixels.
        max_side: largest side in pixels that the networks see.
        size: height and width that a trained model needs.

    Raises:
        ConSinGANError: an unknown region, nothing that may change, or a region of another size than ``size``.
    """
    if region == "slice":
        found = slice_region(alteration, axis=axis, side=max_side)
    elif region != "roi":
        raise ConSinGANError(f"region is {region!r}, but must be 'roi' or 'slice'.")
    else:
        found = roi_region(alteration, axis=axis, min_side=min(_MIN_SIDE, max_side), max_side=max_side)
    if region == "roi" and size is not None:
        # A model may be of this very region, of whole slices, or of another region.
        height, width = size
        if found.size != (height, width):
            found = roi_region(_whole_slices(alteration, axis), axis=axis, margin=0, min_side=1, max_side=max_side)
        if found.size != (height, width):
            found = roi_region(alteration, axis=axis, margin=0, min_side=(height, width), max_side=max(height, width))
    if size is not None and found.size != tuple(size):
        raise NoPlaceError(
            f"The model was trained on slices of {tuple(size)} pixels, but region {region!r} is {found.size} here: "
            "train a model for this scan, or use one of that size."
        )
    return found


def _whole_slices(alteration: torch.Tensor, axis: int | None) -> torch.Tensor:
    """1 in all slices that hold anything."""
    plane = [1 + other for other in range(alteration.ndim - 1) if other != axis]
    return (alteration > 0).amax(dim=plane, keepdim=True).expand(alteration.shape)


def fit_scale(
    region: Region, naive: torch.Tensor, lesion: torch.Tensor, training: Sequence[torch.Tensor]
) -> IntensityScale:
    """Intensities of a region that are -1 and 1 to the networks; those of the lesion are never clipped.

    Args:
        region: the region.
        naive: image with the pasted or filled lesion, ``(1, *spatial)``.
        lesion: where that lesion is, ``(1, *spatial)``.
        training: images whose slices are trained on.
    """
    slices = [region.take(image) for image in (*training, naive)]
    keep = [*[torch.zeros_like(part) for part in slices[:-1]], region.take(lesion, mode="nearest")]
    return IntensityScale.fit(*slices, keep=keep)
