"""Where in a host a lesion may go: inside the head, clear of its edge and of other lesions, in tissue alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_consingan.arrays import as_array, as_mask, as_spacing, check_axis, check_shape
from monai_consingan.background import Background, find_background
from monai_consingan.distance import outside_distance, reach_box
from monai_consingan.errors import ConSinGANError, NoPlaceError
from monai_consingan.transforms.head import WHOLE_HEAD_MM, tissue_level
from monai_consingan.transforms.host_knowledge import HostKnowledge
from monai_consingan.transforms.insertion.search import RING_MM, SearchSpace, centre_of, search_place
from monai_consingan.transforms.room import Room


@dataclass(frozen=True)
class Placement:
    """A place for a lesion in a host.

    Attributes:
        offset: voxels per spatial axis by which the donor's lesion moves.
        position: voxel of the host that the lesion's centre comes to.
        how: ``"automatic"``, ``"prior"``, ``"at"`` or ``"offset"``.
        candidates: number of places that were possible (1 for a place that was given), or about so many in a large
            head.
        edge_mm: distance that was kept from the edge of the head or brain mask (0 for a place that was given).
        unlikeness: how far host tissue in and around the place differs from the tissue that surrounded the lesion in
            its donor, from 0 (alike) to 1.
    """

    offset: tuple[int, ...]
    position: tuple[int, ...]
    how: str
    candidates: int
    edge_mm: float
    unlikeness: float

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain lists, numbers and strings, for JSON."""
        return {
            "offset": list(self.offset),
            "position": list(self.position),
            "how": self.how,
            "candidates": self.candidates,
            "edge_mm": self.edge_mm,
            "unlikeness": round(self.unlikeness, 4),
        }


def check_in_tissue(
    image: Any, mask: NDArray[np.bool_], *, donor: bool = False, known: Sequence[Background] | None = None
) -> None:
    """Refuse a lesion that lies in the background of an image.

    Args:
        image: array of shape (C, \\*spatial).
        mask: the lesion, boolean (\\*spatial).
        donor: whether the image is the lesion's donor, where up to half of it may be background, as labels are not as
            exact as brain masks; in a host no voxel may.
        known: the background of each channel; None finds it.

    Raises:
        NoPlaceError: the lesion lies in background outside of the host's tissue, in any channel.
        ConSinGANError: the same of its donor.
    """
    channels = as_array(image)
    for channel, background in zip(channels, known or map(find_background, channels), strict=True):
        inside = mask & background.mask(channel) if background else None
        if inside is None or not inside.any():
            continue
        lost, total = int((inside & background.outside(channel)).sum()), int(mask.sum())
        what = f"{lost} of the lesion's {total} voxels lie in the background of the {'donor' if donor else 'host'}, "
        what += f"which is {background} everywhere; "
        if donor and 2 * lost > total:
            raise ConSinGANError(what + "give the label of this very image.")
        if lost and not donor:
            raise NoPlaceError(what + "choose a place in its tissue.")


def level_around(
    donor: Any,
    donor_label: Any,
    *,
    spacing: Sequence[float] | float,
    axis: int | None = None,
    room: Room | None = None,
    tissue: tuple[float, float] | None = None,
) -> float:
    """Intensity of the tissue around a donor's lesion, in robust standard deviations from the median of its head.

    Args:
        donor: donor image of shape (\\*spatial).
        donor_label: its labels, of the same shape; values above 0 are the lesion.
        spacing: mm per spatial axis.
        axis: the spatial axis perpendicular to the slices to look within the slices only.
        room: the donor's head, if it was found before, with depths exact to 15 mm.
        tissue: median and spread of the head's intensities off its lesions, if they are known.

    Returns:
        The score; 0 when there is no tissue around the lesion.
    """
    values, lesion = as_array(donor).astype(np.float32, copy=False), as_mask(donor_label, name="donor_label")
    mm, axis = as_spacing(spacing, values.ndim), check_axis(axis, values.ndim)
    if not lesion.any():
        return 0.0
    room = room or Room.of(values, mm, reach_mm=WHOLE_HEAD_MM)
    near = reach_box(lesion, mm, RING_MM)
    away = outside_distance(lesion[near], mm, axis)
    ring = values[near][(away > 0) & (away <= RING_MM) & room.mask[near]]
    median, spread = tissue or tissue_level(values, room.mask & ~lesion, room.distance)
    return float((np.median(ring) - median) / spread) if ring.size else 0.0


def find_placement(
    host: Any,
    donor: Any,
    donor_label: Any,
    *,
    spacing: Sequence[float] | float,
    rng: np.random.RandomState,
    brain_mask: Any | None = None,
    host_label: Any | None = None,
    edge_mm: float | None = None,
    clearance_mm: float = 5.0,
    axis: int | None = None,
    slice_offset: int | None = None,
    at: Sequence[int] | None = None,
    offset: Sequence[int] | None = None,
    level: float | None = None,
    prior: Any | None = None,
    known: HostKnowledge | None = None,
    channel: int = 0,
) -> Placement:
    """Choose or check the place that a donor's lesion takes in a host.

    Automatic placement considers every shift by whole voxels at which the lesion lies inside the head or brain mask,
    ``edge_mm`` from its edge, and ``clearance_mm`` from other lesions. It ranks them by how much the host's tissue
    there, in the lesion's outline and the 6 mm around it, looks like the tissue around the lesion in its donor (each
    relative to its own head, so that scans of different gain compare), and draws one of the best twentieth. Ventricles,
    large vessels and bone so drop out. In a whole head, places stay within the largest ball that fits into it, which
    lies in the skull and leaves face and neck out.

    With a ``prior`` the place is drawn from all of these instead, each with a chance that is proportional to the prior
    at the lesion's centre.

    A place that is given (``at`` or ``offset``) only has to keep the whole lesion inside the array and inside the head
    or brain mask, and off other lesions.

    Args:
        host: host image of shape (\\*spatial), 2D or 3D.
        donor: donor image on a grid of the same spacing and orientation; offsets count from its array.
        donor_label: the donor's labels; values above 0 are the lesion.
        spacing: mm per spatial axis of both.
        rng: random state that automatic placement draws from (once).
        brain_mask: mask of the host's brain, instead of the head found in the image.
        host_label: lesions the host has already.
        edge_mm: distance to keep from the edge of the head or brain mask. None stands for 15 mm in a whole head, less
            in steps down to 3 mm when nothing is found, and for 3 mm with a brain mask or a skull-stripped host.
        clearance_mm: distance to keep from other lesions.
        axis: the spatial axis perpendicular to the slices, when work is done slice by slice: surroundings are
            then those in the plane.
        slice_offset: the shift along ``axis``; None leaves it free.
        at: voxel of the host for the lesion's centre (the rounded centre of mass).
        offset: shift in voxels per spatial axis.
        level: the score of the surroundings when known; ``donor`` is then not looked at.
        prior: map of how likely a lesion's centre is at each voxel, 0 or more, of the shape of ``host``; ones make all
            places alike.
        known: what is known of the host, if that was worked out before (of the host without new lesions);
            ``brain_mask`` is then not looked at.
        channel: which of the channels of ``known`` the image is.

    Returns:
        The placement.

    Raises:
        ConSinGANError: when there is no place, or when the given one loses part of the lesion, lies outside the head
            or over another lesion; the reason is in the message.
    """
    values = as_array(host).astype(np.float32, copy=False)
    lesion = as_mask(donor_label, name="donor_label")
    mm, axis = as_spacing(spacing, values.ndim), check_axis(axis, values.ndim)
    if lesion.ndim != values.ndim:
        raise ConSinGANError(f"donor_label has {lesion.ndim} spatial axes but host has {values.ndim}; give both alike.")
    if not lesion.any():
        raise ConSinGANError("donor_label is empty; give a label that marks the lesion with values above 0.")
    shift = _given_shift(lesion, axis, slice_offset, at, offset)
    others = np.zeros(values.shape, np.uint8) if host_label is None else as_array(host_label)
    check_shape(others, values.shape, name="host_label", other="host")
    if known is None:
        brain = None if brain_mask is None else as_mask(brain_mask, name="brain_mask")
        if brain is not None:
            check_shape(brain, values.shape, name="brain_mask", other="host")
        known = HostKnowledge.of(values[None], None if brain is None else brain[None], mm)
    check_shape(values, known.shape, name="host", other="what is known of it")
    if level is None:
        level = level_around(donor, lesion, spacing=mm, axis=axis)
    place = SearchSpace(values, known, axis, others, level, clearance_mm, channel)
    centre = centre_of(lesion)
    if shift is not None:
        how = "at" if at is not None else "offset"
        spots = _check_shift(place, lesion, shift, f"{how} {shift if at is None else tuple(at)}")
        unlikeness, candidates, kept = float(place.unlike()[spots].mean()), 1, 0.0
    else:
        edges = known.edges if edge_mm is None else (float(edge_mm),)
        chances = None if prior is None else _as_prior(prior, values.shape)
        shift, candidates, kept, unlikeness = search_place(place, lesion, rng, edges, slice_offset, chances)
        how = "automatic" if prior is None else "prior"
    position = tuple(c + s for c, s in zip(centre, shift, strict=True))
    return Placement(shift, position, how, candidates, kept, unlikeness)


def _as_prior(prior: Any, shape: tuple[int, ...]) -> np.ndarray:
    chances = as_array(prior).astype(np.float64)
    check_shape(chances, shape, name="prior", other="host")
    if not (np.isfinite(chances).all() and chances.min() >= 0):
        raise ConSinGANError("prior has values below 0, NaN or infinite ones; give numbers of 0 or more.")
    return chances


def _given_shift(
    lesion: np.ndarray,
    axis: int | None,
    slice_offset: int | None,
    at: Sequence[int] | None,
    offset: Sequence[int] | None,
) -> tuple[int, ...] | None:
    """The shift that ``at`` or ``offset`` asks for, or None."""
    if at is not None and offset is not None:
        raise ConSinGANError(f"at {tuple(at)} and offset {tuple(offset)} are both given; give one of them.")
    if slice_offset is not None and axis is None:
        raise ConSinGANError(f"slice_offset {slice_offset} needs axis, the spatial axis perpendicular to the slices.")
    name, given = ("at", at) if at is not None else ("offset", offset)
    if given is None:
        return None
    if len(given) != lesion.ndim or any(g % 1 for g in given):
        raise ConSinGANError(f"{name} {tuple(given)} does not fit; give {lesion.ndim} whole numbers of voxels.")
    start = centre_of(lesion) if at is not None else (0,) * lesion.ndim
    shift = tuple(int(g) - s for g, s in zip(given, start, strict=True))
    if axis is not None and slice_offset is not None and shift[axis] != slice_offset:
        raise ConSinGANError(
            f"{name} {tuple(given)} moves the lesion by {shift[axis]} slices but slice_offset is {slice_offset}; "
            "leave one out."
        )
    return shift


def _check_shift(place: SearchSpace, lesion: np.ndarray, shift: tuple[int, ...], asked: str) -> tuple[np.ndarray, ...]:
    """Indices of the moved lesion's voxels, when the place that was asked for will do."""
    spots = np.argwhere(lesion) + np.asarray(shift)
    lost = ((spots < 0) | (spots >= place.values.shape)).any(axis=1)
    if lost.any():
        raise NoPlaceError(
            f"{asked} moves {lost.sum()} of the lesion's {len(spots)} voxels out of the host of shape "
            f"{place.values.shape}; choose a place further inside."
        )
    where = tuple(spots.T)
    outside = int((~place.known.head[where]).sum())
    if outside:
        raise NoPlaceError(
            f"{asked} puts {outside} of the lesion's {len(spots)} voxels outside the {place.known.name}; "
            "choose a place further inside."
        )
    covered = np.unique(place.others[where])
    if covered.any():
        names = ", ".join(f"{v:g}" for v in covered[covered != 0])
        raise NoPlaceError(f"{asked} puts the lesion over another lesion (label {names}); choose another place.")
    return where
