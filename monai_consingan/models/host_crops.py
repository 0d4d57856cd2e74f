"""What a model of a host is trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor

from monai_consingan.arrays import as_array, spacing_of
from monai_consingan.data import IntensityScale, Region, slice_axis, slice_region
from monai_consingan.errors import ConSinGANError
from monai_consingan.settings import TrainingSettings
from monai_consingan.transforms import head_mask, head_slices

__all__ = ["host_crops"]

_DRAWS = 32  # places looked at for a crop


def host_crops(
    host: MetaTensor,
    settings: TrainingSettings,
    *,
    label: NdarrayOrTensor | None = None,
    crops: int = 3,
    side: int = 96,
    axis: int | None = None,
    seed: int = 0,
) -> torch.Tensor:
    """What a model of a host is trained on: crops of slices that spread evenly over the head.

    Of 32 places drawn in the head of each slice the one is taken whose crop holds the fewest voxels of lesions, and of
    these the one that holds the most of the head.

    Args:
        host: (1, \\*spatial).
        settings: settings of the training; with the region ``"slice"`` the whole slices are taken.
        label: lesions to keep clear of.
        crops: number of crops.
        side: height and width of a crop in pixels, or the image's, where that is smaller.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        seed: seed of the places.

    Returns:
        The crops, each in its own intensities, (crops, 1, h, w) in [-1, 1].

    Raises:
        ConSinGANError: a host of several channels, or without a head.
    """
    if host.shape[0] != 1:
        raise ConSinGANError(f"A host has {host.shape[0]} channels, but models are of one: give one of them.")
    along = slice_axis(host, axis)
    candidates = head_slices(host, along)
    taken = [candidates[int((number + 0.5) * len(candidates) / crops)] for number in range(crops)]
    head = head_mask(as_array(host)[0], spacing=spacing_of(host))
    lesions = np.zeros(head.shape, bool) if label is None else as_array(label)[0] > 0
    rng = np.random.RandomState(seed % 2**32)
    stack = []
    for index in taken:
        plane: Any = ... if along is None else (..., index, *[slice(None)] * (head.ndim - 1 - along))
        if settings.region == "slice":
            where = np.zeros((1, *head.shape), np.uint8)
            where[plane] = 1
            region = slice_region(where, axis=along, side=settings.max_size)
        else:
            region = _crop(head[plane], lesions[plane], index, along, side, rng)
        crop = region.take(host)
        stack.append(IntensityScale.fit(crop).apply(crop))
    return torch.cat(stack)


def _crop(
    head: np.ndarray, lesions: np.ndarray, index: int, axis: int | None, side: int, rng: np.random.RandomState
) -> Region:
    """The best of some places of a slice."""
    spots = np.argwhere(head)
    size = np.minimum(side, head.shape)
    starts = np.clip(spots[rng.randint(len(spots), size=_DRAWS)] - size // 2, 0, np.array(head.shape) - size)

    def rank(start: np.ndarray) -> tuple[int, int]:
        rows, columns = (slice(low, low + length) for low, length in zip(start, size, strict=True))
        return int(lesions[rows, columns].sum()), -int(head[rows, columns].sum())

    row, column = (int(low) for low in min(starts, key=rank))
    height, width = (int(length) for length in size)
    return Region(axis, (index,), (row, column), (row + height, column + width), (height, width))
