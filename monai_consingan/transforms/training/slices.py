"""Slices to train on, as one case's list of samples."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor
from monai.transforms import Transform
from monai.transforms.traits import MultiSampleTrait
from monai.utils import TransformBackends
from monai.utils.enums import CommonKeys

from monai_consingan.arrays import as_array, spacing_of
from monai_consingan.data import (
    IntensityScale,
    Region,
    check_slice,
    find_region,
    fit_scale,
    roi_region,
    slice_region,
    sliced_axis,
)
from monai_consingan.errors import ConSinGANError, check_choice
from monai_consingan.settings import REGIONS
from monai_consingan.transforms.head import head_mask

_HEAD_FRACTION = 0.1

Samples = list[dict[str, Any]]


def region_slices(
    naive: torch.Tensor,
    lesion: torch.Tensor,
    alteration: torch.Tensor,
    training: Sequence[torch.Tensor],
    *,
    axis: int | None,
    region: str = "roi",
    max_side: int = 250,
    size: Sequence[int] | None = None,
    padded: bool = False,
) -> tuple[torch.Tensor, Region, IntensityScale]:
    """Slices of the region around a lesion for a model to train on.

    Args:
        naive: image with the pasted or filled lesion, (C, \\*spatial).
        lesion: where that lesion is, (1, \\*spatial).
        alteration: where the image may change, (1, \\*spatial).
        training: images on the same grid whose slices are taken.
        axis: spatial axis perpendicular to the slices; ``None`` in 2D, and for a box of a volume.
        region, max_side, size, padded: see :func:`monai_consingan.data.find_region`.

    Returns:
        The slices, (S, C, h, w) in [-1, 1], or boxes (S, C, h, w, d), the region, and the intensities that are -1
        and 1.

    Raises:
        ConSinGANError: there is no such region.
    """
    spacing = spacing_of(naive)
    how: dict[str, Any] = {"axis": axis, "region": region, "max_side": max_side, "size": size, "padded": padded}
    where = find_region(_plain(alteration), **how, spacing=spacing)
    scale = fit_scale(where, _plain(naive), _plain(lesion), [_plain(image) for image in training])
    return torch.cat([scale.apply(where.take(image)) for image in training]), where, scale


@dataclass(eq=False)
class RegionSlicesd(Transform, MultiSampleTrait):
    """The slices of a case that a model is trained on: those around its lesion.

    The result is a list with a sample ``{"image": slice}`` for every slice, which MONAI's data loader joins to a batch.
    The case has ``image``, the naive image, ``lesion``, the mask of its lesion, ``alteration``, that of what may
    change, and ``training``, the image whose slices are taken.

    Args:
        region, max_side, size: see :func:`monai_consingan.data.find_region`; cases of one training have to agree in the
            crops' size.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        dims: 2 for slices, 3 for a box of the volume.
    """

    region: str = "roi"
    max_side: int = 250
    size: Sequence[int] | None = None
    axis: int | None = None
    dims: int = 2

    backend = [TransformBackends.TORCH]

    def __call__(self, data: Mapping[Hashable, Any]) -> Samples:
        """Samples with ``image``, (C, h, w) or (C, h, w, d) in [-1, 1]."""
        naive = data["image"]
        slices, _, _ = region_slices(
            naive,
            data["lesion"],
            data["alteration"],
            [data["training"]],
            axis=sliced_axis(naive, self.axis, self.dims),
            region=self.region,
            max_side=self.max_side,
            size=self.size,
        )
        return _samples(slices)


def head_slices(image: MetaTensor, axis: int | None) -> list[int]:
    """Slices that show enough of the head: at least a tenth of the area that the fullest slice shows.

    Args:
        image: (1, \\*spatial).
        axis: spatial axis perpendicular to the slices; ``None`` in 2D, where the only slice is number 0.
    """
    if axis is None:
        return [0]
    head = head_mask(as_array(image)[0], spacing=spacing_of(image))
    areas = head.sum(axis=tuple(other for other in range(3) if other != axis))
    return [int(index) for index in np.flatnonzero(areas >= max(_HEAD_FRACTION * areas.max(), 1))]


def whole_slices(
    image: MetaTensor,
    slices: Sequence[int] | None = None,
    *,
    axis: int | None = None,
    region: str = "slice",
    max_side: int = 250,
) -> tuple[torch.Tensor, Region, IntensityScale]:
    """Whole slices of a scan for a model to train on, or the box of its head, with the scan's own intensities.

    Args:
        image: (C, \\*spatial).
        slices: the slices; ``None`` takes :func:`head_slices`.
        axis: spatial axis perpendicular to the slices; ``None`` in 2D, and for the whole head of a volume.
        region: ``"slice"`` resizes them to a square of ``max_side`` pixels (a volume to a cube); ``"roi"`` keeps their
            size up to that.
        max_side: largest side in pixels that the networks see.

    Returns:
        The slices, (S, C, h, w) in [-1, 1], or (1, C, h, w, d) of a volume, the region, and the intensities that are
        -1 and 1.

    Raises:
        ConSinGANError: a slice out of range, or of a volume that is taken whole, or an unknown region.
    """
    in_space = axis is None and image.ndim == 4
    if in_space and slices:
        raise ConSinGANError(f"slices is {list(slices)}, but volumes are taken whole: leave slices out.")
    for index in slices or ():
        check_slice(image, axis, index, "slice")
    where = np.zeros((1, *image.shape[1:]), np.uint8)
    if in_space:
        where[0] = head_mask(as_array(image)[0], spacing=spacing_of(image))
    elif axis is None:
        where[:] = 1
    else:
        where[(slice(None),) * (1 + axis) + (sorted(set(slices)) if slices else head_slices(image, axis),)] = 1
    check_choice(REGIONS, region=region)
    if region == "slice":
        found = slice_region(where, axis=axis, side=max_side)
    else:
        found = roi_region(where, axis=axis, margin=0, min_side=1, max_side=max_side)
    stack = found.take(image)
    scale = IntensityScale.fit_channels(stack)
    return scale.apply(stack), found, scale


@dataclass(eq=False)
class HeadSlicesd(Transform, MultiSampleTrait):
    """Whole slices of the scan ``image`` as samples to train on; no lesion is needed.

    Where ``slices``, the slices' numbers, are missing, all slices that show enough of the head are taken.

    Args:
        region, max_side: see :func:`whole_slices`.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        dims: 2 for slices, 3 for the whole head of a volume.
    """

    region: str = "slice"
    max_side: int = 250
    axis: int | None = None
    dims: int = 2

    backend = [TransformBackends.TORCH]

    def __call__(self, data: Mapping[Hashable, Any]) -> Samples:
        """Samples with ``image``, (C, h, w) or (C, h, w, d) in [-1, 1]."""
        image = data["image"]
        slices, _, _ = whole_slices(
            image,
            data.get("slices"),
            axis=sliced_axis(image, self.axis, self.dims),
            region=self.region,
            max_side=self.max_side,
        )
        return _samples(slices)


def stack_samples(dataset: Iterable[Samples]) -> torch.Tensor:
    """All slices of a dataset that is made with :class:`RegionSlicesd` or :class:`HeadSlicesd`.

    Args:
        dataset: a list of samples for every case.

    Returns:
        The slices, (S, C, h, w), or boxes.

    Raises:
        ConSinGANError: slices of different sizes.
    """
    slices = [sample[CommonKeys.IMAGE] for samples in dataset for sample in samples]
    sizes = sorted({tuple(part.shape[1:]) for part in slices})
    if len(sizes) != 1:
        raise ConSinGANError(
            f"The cases need regions of different sizes ({', '.join(map(str, sizes))}): give one as crop_size, or the "
            "region 'slice', which resizes all slices to one size."
        )
    return torch.stack(slices)


def _plain(image: NdarrayOrTensor) -> torch.Tensor:
    return torch.as_tensor(image).as_subclass(torch.Tensor)


def _samples(slices: torch.Tensor) -> Samples:
    return [{CommonKeys.IMAGE: _plain(part)} for part in slices]


RegionSlicesD = RegionSlicesDict = RegionSlicesd
HeadSlicesD = HeadSlicesDict = HeadSlicesd
