"""The region around a lesion that the networks see, and its intensities."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ..errors import NoPlaceError, check_choice
from ..settings import REGIONS
from .intensity import IntensityScale
from .region import Region, roi_region, slice_region

_MIN_SIDE = 96  # pixels of a crop at native resolution, if the image has them
_SPACE_SIDE_MM, _SPACE_MARGIN_MM = 48.0, 8.0  # of a box, likewise


def find_region(
    alteration: torch.Tensor,
    *,
    axis: int | None,
    region: str = "roi",
    max_side: int = 250,
    size: Sequence[int] | None = None,
    spacing: Sequence[float] | None = None,
    padded: bool = False,
) -> Region:
    """The part of an image that the networks see.

    Crops of slices have 16 pixels around all that may change, and 96 at least; boxes of volumes 8 mm and 48 mm.

    Args:
        alteration: 1 where the image may change, ``(1, *spatial)``.
        axis: spatial axis perpendicular to the slices; ``None`` in 2D, and for a box of a volume.
        region: ``"roi"``, a crop at native resolution around all that may change, or ``"slice"``, whole slices resized
            to a square of ``max_side`` pixels (a whole volume, resized to a cube).
        max_side: largest side in pixels that the networks see.
        size: height and width (and depth) that a trained model needs.
        spacing: mm per spatial axis, by which a box is measured; ``None`` for 1 mm.
        padded: whether the region may be smaller than ``size`` where the image is, as the model gets to see it padded.

    Raises:
        ConSinGANError: an unknown region, nothing that may change, or a region of another size than ``size``.
    """
    check_choice(REGIONS, region=region)
    in_space = axis is None and alteration.ndim == 4
    if region == "slice":
        found = slice_region(alteration, axis=axis, side=max_side)
    elif in_space:
        mm = [1.0] * 3 if spacing is None else spacing
        sides = [min(math.ceil(_SPACE_SIDE_MM / side), max_side) for side in mm]
        found = roi_region(
            alteration, axis=None, margin=math.ceil(_SPACE_MARGIN_MM / min(mm)), min_side=sides, max_side=max_side
        )
    else:
        found = roi_region(alteration, axis=axis, min_side=min(_MIN_SIDE, max_side), max_side=max_side)
    if region == "roi" and size is not None:
        # A model may be of this very region, of whole slices, or of another region.
        size = tuple(size)
        if found.size != size and not in_space:
            found = roi_region(_whole_slices(alteration, axis), axis=axis, margin=0, min_side=1, max_side=max_side)
        if found.size != size and len(found.size) == len(size):
            found = roi_region(alteration, axis=axis, margin=0, min_side=size, max_side=max(size))
    if size is not None and found.size != tuple(size) and not (padded and _is_all(found, alteration, size)):
        raise NoPlaceError(
            f"The model was trained on slices of {tuple(size)} pixels, but region {region!r} is {found.size} here: "
            "train a model for this scan, or use one of that size."
        )
    return found


def _is_all(found: Region, alteration: torch.Tensor, size: Sequence[int]) -> bool:
    """Whether a crop has the size of a model, but along axes where it is the whole of a smaller image."""
    plane = [side for number, side in enumerate(alteration.shape[1:]) if number != found.axis]
    wanted = tuple(min(side, length) for side, length in zip(size, plane, strict=False))
    return len(size) == len(plane) and not found.resized and found.size == wanted


def _whole_slices(alteration: torch.Tensor, axis: int | None) -> torch.Tensor:
    """1 in all slices that hold anything."""
    plane = [1 + other for other in range(alteration.ndim - 1) if other != axis]
    return (alteration > 0).amax(dim=plane, keepdim=True).expand(alteration.shape)


def fit_scale(
    region: Region, naive: torch.Tensor, lesion: torch.Tensor, training: Sequence[torch.Tensor]
) -> IntensityScale:
    """Intensities of a region that are -1 and 1 to the networks, by channel; those of the lesion are never clipped.

    Args:
        region: the region.
        naive: image with the pasted or filled lesion, ``(C, *spatial)``.
        lesion: where that lesion is, ``(1, *spatial)``.
        training: images whose slices are trained on.
    """
    slices, lesion = [region.take(image) for image in (*training, naive)], region.take(lesion, mode="nearest")
    return IntensityScale.fit_channels(*slices, keep=lesion)
