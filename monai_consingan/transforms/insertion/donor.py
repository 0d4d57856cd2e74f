"""A donor of lesions: as a user gives it, as it is read, and its lesions, cut out and turned for a host."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import AffineGrid, LoadImage, Orientation
from scipy.ndimage import find_objects, gaussian_filter
from torch.nn.functional import grid_sample

from monai_consingan.arrays import as_array, as_mask, check_image, check_shape, spacing_of
from monai_consingan.background import find_background
from monai_consingan.data import number_lesions, same_sequences, sequence_names
from monai_consingan.data.contrast import RING_MM, cnr, visibility
from monai_consingan.data.grid import ROUNDED_SHARE, softening
from monai_consingan.data.lesions import lesion_voxels
from monai_consingan.data.sequences import chosen_channel
from monai_consingan.data.slices import axis_codes
from monai_consingan.distance import ring
from monai_consingan.errors import ConSinGANError
from monai_consingan.grids import check_place
from monai_consingan.transforms.head import WHOLE_HEAD_MM, air_level, tissue_level
from monai_consingan.transforms.insertion.placement import check_in_tissue, level_around
from monai_consingan.transforms.room import Room

MARGIN_MM = 12.0


class Donor(NamedTuple):
    """A lesion to take, as it is read."""

    image: Any
    """Image of shape (C, \\*spatial)."""
    label: Any
    """Its labels, (1, \\*spatial); every part of values above 0 is a lesion."""
    valid: Any = None
    """Above 0 where its tissue may be taken, such as off its other lesions, (1, \\*spatial); None for everywhere."""
    level: float | None = None
    """Intensity of the surroundings, if it is known (:func:`level_around`)."""
    lesion_labels: tuple[int, ...] | None = None
    """Label values that are the lesion itself; others, such as oedema, come along within tissue. None for all."""
    lead: int | str | None = None
    """Name or number of the channel that it is looked at in, and that the level is of; None where that is not known."""


def read_donor(entry: Any, loader: Callable[[Any], Any] | None = None) -> Donor:
    """A donor that a user gives, channel first.

    Args:
        entry: pair of image and label, or mapping with the keys ``"image"`` and ``"label"``; arrays, tensors or paths.
            A :class:`Donor`, such as one of a bank, is read already.
        loader: turns a path into an image of shape (C, \\*spatial); None stands for MONAI's LoadImage.
    """
    if isinstance(entry, Donor):
        return entry
    pair = check_entry(entry)
    load = loader or LoadImage(image_only=True, ensure_channel_first=True)
    return Donor(*(load(part) if isinstance(part, (str, PathLike)) else part for part in pair))


def read_one(entries: Sequence[Any], loader: Callable[[Any], Any] | None, number: int) -> Donor:
    """One of the donors that a user gives (:func:`read_donor`)."""
    return read_donor(entries[number], loader)


def check_entry(entry: Any) -> tuple[Any, Any]:
    """Image and label of a donor that a user gives, or their paths.

    Raises:
        ConSinGANError: for anything but a pair, or a mapping with the keys ``"image"`` and ``"label"``.
    """
    if isinstance(entry, Donor):
        return entry.image, entry.label
    if isinstance(entry, Mapping):
        missing = [key for key in ("image", "label") if key not in entry]
        if missing:
            raise ConSinGANError(f"a donor has no {' and no '.join(missing)}; give both under these keys.")
        return entry["image"], entry["label"]
    if not isinstance(entry, (tuple, list)) or len(entry) != 2:
        parts = f"{len(entry)} parts" if isinstance(entry, (tuple, list)) else f"the type {type(entry).__name__}"
        raise ConSinGANError(f"a donor has {parts}; give an image and a label.")
    return entry[0], entry[1]


@dataclass(frozen=True)
class DonorCrop:
    """A lesion and the tissue around it.

    Attributes:
        image: intensities, float32 (C, \\*spatial).
        label: label values, (\\*spatial).
        valid: where intensities are known and those of tissue, boolean (\\*spatial).
        spacing: mm per spatial axis.
        level: intensity of the surroundings in the leading channel, see :func:`level_around`.
        number: which of the donor's lesions it is (:func:`monai_consingan.data.number_lesions`).
        lead: the channel in which it is looked at.
        cnr: its contrast to the tissue around it there (``monai_consingan.data.contrast.cnr``), without oedema.
        visibility: how far it stands out there (``monai_consingan.data.contrast.visibility``), likewise.
        air: of each channel, intensity above which the donor shows tissue.
        lesion_labels: label values that are the lesion itself, others being oedema; empty for all.
        signed: of each channel, whether the donor has values far below 0 (``monai_consingan.background.Background``).
        levels: the level in each channel, where they were measured.
    """

    image: np.ndarray
    label: np.ndarray
    valid: np.ndarray
    spacing: tuple[float, ...]
    level: float
    number: int = 1
    lead: int = 0
    cnr: float = float("nan")
    visibility: float = float("nan")
    air: tuple[float, ...] = (-math.inf,)
    lesion_labels: tuple[int, ...] = ()
    signed: tuple[bool, ...] = (False,)
    levels: tuple[float, ...] = ()

    @property
    def volume_mm3(self) -> float:
        """Its volume (in 2D, area) without oedema, in mm."""
        return float(self.core.sum() * math.prod(self.spacing))

    @property
    def core(self) -> np.ndarray:
        """The lesion itself, without oedema, boolean (\\*spatial)."""
        return lesion_voxels(self.label, self.lesion_labels)


def crop_lesions(
    donor: Donor,
    host: Any,
    axis: int | None = None,
    spacing: Sequence[float] | float | None = None,
    lesion_labels: Iterable[int] | None = None,
    lead: int | str | None = None,
) -> list[DonorCrop]:
    """Cut a donor to its lesions and 12 mm around each, its axes ordered and directed as the host's.

    Args:
        donor: the donor.
        host: the host; where it and the donor are 3D MetaTensors, axes are put into the host's order and direction.
        axis: the spatial axis perpendicular to the slices, or None.
        spacing: mm per spatial axis of a donor without an affine (1 mm when None).
        lesion_labels: label values that make a part of the label a lesion; None for those of the donor, or all.
        lead: name or number of the channel in which lesions are looked at; None takes that of the donor, or that in
            which each stands out most.

    Returns:
        The lesions, the largest first; tissue of the donor's others is not valid.

    Raises:
        ConSinGANError: when the donor has other axes or channels than the host, or no lesion.
    """
    image, label, valid, level, own_labels, own_lead = donor
    lesion_labels = own_labels if lesion_labels is None else tuple(lesion_labels)
    check_image(image, name="a donor")
    if image.ndim != host.ndim or image.shape[0] != host.shape[0]:
        raise ConSinGANError(
            f"a donor has shape {tuple(image.shape)} but the host {tuple(host.shape)}; give donors with the "
            "host's number of channels and spatial axes."
        )
    check_shape(as_array(label), (1, *image.shape[1:]), name="a donor's label", other="its image")
    check_place(label, image, name="a donor's label", other_name="its image")
    image = same_sequences(image, host, name="donor")
    main, known_in = (
        None if name is None else chosen_channel(sequence_names(image), name, "a donor") for name in (lead, own_lead)
    )
    if main is None:
        main = known_in
    elif known_in not in (None, main):
        level = None  # it is that of another channel
    valid = np.ones(label.shape, np.uint8) if valid is None else as_array(valid)
    check_shape(valid, label.shape, name="a donor's valid", other="its image")
    if image.ndim == 4 and isinstance(image, MetaTensor) and isinstance(host, MetaTensor):
        wanted = axis_codes(host.affine)
        if wanted != axis_codes(image.affine):
            turn = Orientation(axcodes=wanted, labels=None)
            label, valid = (turn(MetaTensor(as_array(part).copy(), affine=image.affine)) for part in (label, valid))
            image = turn(image)
    mm = spacing_of(image, None if isinstance(image, MetaTensor) else spacing)
    values, labels = as_array(image).astype(np.float32, copy=False), as_array(label)[0]
    numbers = number_lesions(as_mask(labels, name="a donor's label") * labels, lesion_labels)
    if not numbers.any():
        what = "values above 0" if lesion_labels is None else f"the values {list(lesion_labels)}"
        raise ConSinGANError(f"a donor's label is empty; give labels that mark the lesion with {what}.")
    known = as_mask(valid, name="a donor's valid")[0]
    backgrounds = [find_background(channel) for channel in values]
    for background, channel in zip(backgrounds, values, strict=True):
        known = known & background.tissue(channel) if background else known
    air = tuple(air_level(*about) for about in zip(values, backgrounds, strict=True))
    if level is None:
        shown = main or 0  # the channel that a host's head is found in too
        room = Room.of(values[shown], mm, background=backgrounds[shown], air=air[shown], reach_mm=WHOLE_HEAD_MM)
        free = room.mask & (numbers == 0)
        tissue = lru_cache(lambda channel: tissue_level(values[channel], free, room.distance))
    pads = [int(np.ceil(MARGIN_MM / step)) for step in mm]
    crops = []
    for number, box in enumerate(find_objects(numbers), start=1):
        near = tuple(slice(max(0, b.start - pad), b.stop + pad) for b, pad in zip(box, pads, strict=True))
        lesion, inside = numbers[near] == number, (slice(None), *near)
        if any((lesion & about.mask(part)).any() for about, part in zip(backgrounds, values[inside], strict=True)):
            check_in_tissue(values, numbers == number, donor=True)
        label, valid = np.where(lesion, labels[near], 0), known[near] & (lesion | (labels[near] <= 0))
        around = ring(lesion, mm, RING_MM) & valid
        stands_out = [_stands_out(part, lesion_voxels(label, lesion_labels), around) for part in values[inside]]
        own = int(np.argmax(np.abs(np.nan_to_num(stands_out)[:, 0]))) if main is None else main
        levels: tuple[float, ...] = ()
        if level is None:
            given: dict[str, Any] = {"spacing": mm, "axis": axis, "room": room}
            wanted_in = enumerate(values) if lead is None else [(own, values[own])]
            levels = tuple(level_around(part, numbers == number, tissue=tissue(at), **given) for at, part in wanted_in)
        here = level if level is not None else levels[own if lead is None else 0]
        seen = stands_out[own]
        crops.append(
            DonorCrop(
                *(values[inside].copy(), label, valid, mm, here, number, own, *seen, air, lesion_labels or ()),
                signed=tuple(about.signed for about in backgrounds),
                levels=levels if lead is None else (),
            )
        )
    return crops


def _stands_out(image: np.ndarray, lesion: np.ndarray, around: np.ndarray) -> tuple[float, float]:
    """Contrast and visibility of a lesion in a channel, by the tissue around it."""
    pair = image[lesion], image[around]
    return cnr(*pair), visibility(*pair)


def turn_donor(
    crop: DonorCrop,
    spacing: Sequence[float],
    *,
    flips: Sequence[bool],
    degrees: float,
    scale: float,
    axis: int | None,
) -> DonorCrop:
    """Flip, rotate and scale a donor about its centre, and bring it to the host's spacing.

    Intensities are interpolated linearly, smoothed first where the donor's voxels are finer than the result's
    so that they show an average; labels are taken from the nearest voxel. Valid voxels are made of
    valid ones only, so that no air at the brain's surface mixes with its tissue. Where nothing but flips is asked for
    and spacings agree, nothing is interpolated.

    Args:
        crop: the donor.
        spacing: mm per spatial axis of the host.
        flips: per spatial axis, whether to flip it.
        degrees: angle of the rotation in the plane perpendicular to ``axis`` (in space: to the last axis).
        scale: factor of the size, in that plane when ``axis`` is given, else along every axis.
        axis: the spatial axis perpendicular to the slices, or None.
    """
    ndim = crop.label.ndim
    flipped = tuple(i for i, flip in enumerate(flips) if flip)
    image = np.flip(crop.image, tuple(i + 1 for i in flipped)).copy()
    label, valid = np.flip(crop.label, flipped).copy(), np.flip(crop.valid, flipped).copy()
    if degrees == 0 and scale == 1 and np.allclose(spacing, crop.spacing, rtol=1e-3):
        return replace(crop, image=image, label=label, valid=valid, spacing=tuple(spacing))
    first, second = [i for i in range(ndim) if ndim == 2 or i != (ndim - 1 if axis is None else axis)]
    turn = np.eye(ndim)
    angle = np.deg2rad(degrees)
    turn[first, first] = turn[second, second] = np.cos(angle)
    turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
    factors = [1.0 if i == axis and ndim == 3 else scale for i in range(ndim)]
    # voxels of the result -> mm -> back through rotation and scale -> voxels of the donor
    matrix = np.diag(1 / np.asarray(crop.spacing)) @ np.diag(1 / np.asarray(factors)) @ turn.T @ np.diag(spacing)
    softened = softening(matrix)
    size = np.ceil(np.abs(np.linalg.inv(matrix)) @ np.asarray(label.shape)).astype(int).tolist()
    affine = np.eye(ndim + 1)
    affine[:ndim, :ndim] = matrix
    grid = torch.from_numpy(as_array(AffineGrid(affine=torch.from_numpy(affine))(size)[0]))  # voxels from the middle
    sides = [along * (2.0 / max(2, count)) for along, count in zip(grid, label.shape, strict=False)]
    places = torch.stack(sides[::-1], -1)[None]

    def resampled(*parts: np.ndarray, mode: str, padding: str) -> list[np.ndarray]:
        """Arrays of the donor, (C, \\*spatial), on the result's grid, all in one go."""
        stacked = np.concatenate(parts).astype(np.float32)
        stacked = stacked if mode == "nearest" else gaussian_filter(stacked, [0, *softened])
        ends = np.cumsum([len(part) for part in parts])[:-1]
        found = grid_sample(torch.from_numpy(stacked)[None], places, mode, padding, align_corners=False)
        return np.split(found[0].numpy(), ends)

    labels, known = resampled(label[None], np.ones_like(valid)[None], mode="nearest", padding="zeros")
    labels, known = labels[0], known[0] > 0.5
    if valid.all():
        (turned,) = resampled(image, mode="bilinear", padding="border")
    else:
        turned, share, shown = resampled(image, valid[None], image * valid, mode="bilinear", padding="border")
        share = share[0]
        known &= share > np.where(labels > 0, ROUNDED_SHARE, 0.5)  # a lesion at the brain's surface has no air in it
        partly = known & (share < 1 - ROUNDED_SHARE)
        turned = np.where(partly, shown / np.where(partly, share, 1), turned).astype(np.float32)
    label = np.rint(labels).astype(crop.label.dtype)
    return replace(crop, image=turned, label=label, valid=known, spacing=tuple(spacing))
