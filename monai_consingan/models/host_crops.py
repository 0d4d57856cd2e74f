"""What a model of a host is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor

from monai_consingan.arrays import as_array, spacing_of
from monai_consingan.data import IntensityScale, Region, slice_axis, slice_region
from monai_consingan.errors import ConSinGANError
from monai_consingan.settings import TrainingSettings
from monai_consingan.transforms import head_mask, head_slices, whole_slices

_DRAWS = 32  # places looked at for a crop


def host_crops(
    host: MetaTensor,
    settings: TrainingSettings,
    *,
    label: NdarrayOrTensor | None = None,
    crops: int = 3,
    side: int | Sequence[int] = 96,
    axis: int | None = None,
    seed: int = 0,
) -> torch.Tensor:
    """What a model of a host is trained on: crops of slices that spread evenly over the head.

    Of 32 places drawn in the head of each slice the one is taken whose crop holds the fewest voxels of lesions, and of
    these the one that holds the most of the head. With settings of 3 spatial dims the crops are boxes around such
    places.

    Args:
        host: (C, \\*spatial).
        settings: settings of the training; with the region ``"slice"`` the whole slices are taken (the whole head).
        label: lesions to keep clear of.
        crops: number of crops.
        side: height and width (and depth) of a crop in pixels, one number or one for each, or the image's, where that
            is smaller.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        seed: seed of the places.

    Returns:
        The crops, each in its own intensities, (crops, C, h, w) or (crops, C, h, w, d) in [-1, 1].

    Raises:
        ConSinGANError: a host without a head, or a 2D host for work in space.
    """
    along, in_space = slice_axis(host, axis), settings.spatial_dims == 3
    if in_space and host.ndim == 3:
        raise ConSinGANError("The host is 2D, but the settings are for 3 spatial dims: take those for slices.")
    if in_space and settings.region == "slice":
        return whole_slices(host, axis=None, max_side=settings.max_size)[0]
    candidates = head_slices(host, along)
    taken = [candidates[int((number + 0.5) * len(candidates) / crops)] for number in range(crops)]
    head = head_mask(as_array(host)[0], spacing=spacing_of(host))
    lesions = np.zeros(head.shape, bool) if label is None else as_array(label)[0] > 0
    rng = np.random.RandomState(seed % 2**32)
    stack = []
    for index in taken:
        if settings.region == "slice":
            where = np.zeros((1, *head.shape), np.uint8)
            where[_plane(head, along, index)] = 1
            region = slice_region(where, axis=along, side=settings.max_size)
        else:
            region = _crop(head, lesions, index, along, side, rng, in_space=in_space)
        crop = region.take(host)
        stack.append(IntensityScale.fit_channels(crop).apply(crop))
    return torch.cat(stack)


def crop_side(settings: TrainingSettings, side: int | None = None) -> int:
    """Height and width (and depth) of a crop in pixels: as asked for, else 96, of boxes 48; at most `max_size`."""
    usual = 48 if settings.spatial_dims == 3 else 96
    return min(usual if side is None else side, settings.max_size)


def _plane(volume: np.ndarray, axis: int | None, index: int) -> Any:
    """A slice of a volume, as an index."""
    return ... if axis is None else (..., index, *[slice(None)] * (volume.ndim - 1 - axis))


def _crop(
    head: np.ndarray,
    lesions: np.ndarray,
    index: int,
    axis: int | None,
    side: int | Sequence[int],
    rng: np.random.RandomState,
    *,
    in_space: bool,
) -> Region:
    """The best of some places of a slice, or of the boxes around them."""
    plane = _plane(head, axis, index)
    spots = np.argwhere(head[plane])
    if in_space and axis is not None:
        spots, axis, index = np.insert(spots, axis, index, axis=1), None, 0
    else:
        head, lesions = head[plane], lesions[plane]
    size = np.minimum(side, head.shape)
    starts = np.clip(spots[rng.randint(len(spots), size=_DRAWS)] - size // 2, 0, np.array(head.shape) - size)

    def rank(start: np.ndarray) -> tuple[int, int]:
        """Voxels of lesions in a crop, and then those of the head: the least is the best."""
        inside = tuple(slice(low, low + length) for low, length in zip(start, size, strict=True))
        return int(lesions[inside].sum()), -int(head[inside].sum())

    start = min(starts, key=rank)
    return Region(axis, (index,), tuple(start), tuple(start + size), tuple(size))
