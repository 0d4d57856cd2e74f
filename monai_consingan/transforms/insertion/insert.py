"""Inserting a lesion: from two scans to a naive image, its label and its mask."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from monai.data import MetaTensor
from monai.transforms import Transform
from monai.utils import ImageMetaKey, TransformBackends

from monai_consingan.arrays import as_array, spacing_of, wrap_like
from monai_consingan.data import (
    check_lesion,
    check_slice,
    keep_labels,
    keep_lesion,
    keep_slice,
    lead_channel,
    number_lesions,
    same_sequences,
    slice_axis,
    slices_of,
    to_host_grid,
    work_dims,
)
from monai_consingan.data.lesions import lesion_voxels
from monai_consingan.errors import ConSinGANError
from monai_consingan.names import real_path
from monai_consingan.transforms.head import WHOLE_HEAD_MM, ChannelAir
from monai_consingan.transforms.host_knowledge import HostKnowledge
from monai_consingan.transforms.insertion.effects import Push, bounded_oedema, check_mass_effect
from monai_consingan.transforms.insertion.paste import PasteLesion
from monai_consingan.transforms.insertion.pasting import PastedLesion, Pasting
from monai_consingan.transforms.insertion.placement import Placement, find_placement, level_around
from monai_consingan.transforms.room import Room
from monai_consingan.transforms.whole_voxels import move


class InsertedLesion(NamedTuple):
    """What :class:`InsertLesion` returns; image, label and mask lie on the host's grid."""

    image: Any
    """The host with the lesion pasted, (C, \\*spatial)."""
    label: Any
    """The host's lesions and the new one, with the donor's label values."""
    mask: Any
    """1 where the new lesion is, uint8."""
    placement: Placement
    """Where the lesion went, and why."""
    axis: int | None
    """The spatial axis perpendicular to the slices; None in 2D."""
    donor_lesion: MetaTensor
    """The donor's lesion that was taken, on the donor's grid."""
    host_label: MetaTensor | None
    """The lesions that the host has had, at the places that mass effect has moved them to."""
    naive: Any
    """The host with the lesion's voxels, matched, in place of its own, which is the image if that is pasted hard."""
    lesion_number: int
    """The number of the donor's lesion that was taken (:func:`monai_consingan.data.number_lesions`)."""
    lesion_count: int
    """The number of lesions that the donor has."""
    dims: int
    """3 where this was done in space, 2 where slice by slice."""
    match: str | tuple[str, ...]
    """The way its intensities were matched, ``"gain"``, ``"mean_std"`` or ``"none"``; of several sequences that were
    matched in different ways, that of each."""
    lead: int
    """The channel in which the place was looked for."""
    host: Any
    """What the lesion was pasted into, which is the host or, with mass effect, the host with its tissue moved."""
    head: np.ndarray
    """The host's head in all channels, boolean (\\*spatial)."""


@dataclass(eq=False)
class InsertLesion(Transform):
    """Take a lesion from a donor, find a place for it in a host, and paste it there.

    The donor is brought to the host's grid (:func:`monai_consingan.data.to_host_grid`), the place is found or checked
    by :func:`find_placement`, and the lesion is pasted by :class:`PasteLesion`, in space or slice by slice. The donor's
    other lesions stay there: nothing is matched by them, and a blend takes no tissue of theirs.

    Of several sequences (channels) all get the lesion at one place, which is looked for in the leading one and shows
    tissue in all of them.

    Args:
        match: how the donor's intensities are matched to the host's around the lesion, ``"gain"``, ``"mean_std"``,
            ``"none"`` or ``"scale"`` (:class:`PasteLesion`).
        paste_blend: how the lesion is blended in, see :class:`PasteLesion`.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        seed: seed of the automatic placement; the same scans and seed give the same place.
        lesion: which lesion of a donor that has several (:func:`monai_consingan.data.number_lesions`): its number from
            1, the largest, ``"largest"``, or ``"random"``, which the seed decides.
        dims: 3 to work in space, 2 to work slice by slice; ``None`` works in space unless an axis or a slice is given,
            or slices are thick (:func:`monai_consingan.data.work_dims`).
        lead: number or name of the channel in which the place is looked for; ``None`` takes the one in which the
            donor's lesion stands out most (:func:`monai_consingan.data.lead_channel`).
        mass_effect: share of its volume by which the lesion first pushes the host's tissue, and the lesions there,
            aside: see :class:`PasteLesion`.
        oedema: whether what touches the lesion in the donor's label with other values than ``lesion_labels`` comes
            along, as far as the host shows tissue there: not in or beyond fluid.

    Raises:
        ConSinGANError: no such choice of a lesion.

    Example::

        image = load_scan("scan.nii.gz")
        label = load_label("label.nii.gz", image=image)
        inserted = InsertLesion(seed=1)(image, image, label, donor_slice=4, host_slice=6)
    """

    match: str = "gain"
    paste_blend: str = "hard"
    axis: int | None = None
    seed: int = 0
    lesion: int | str = "largest"
    dims: int | None = None
    lead: int | str | None = None
    mass_effect: float = 0.0
    oedema: bool = False

    backend = [TransformBackends.NUMPY]

    def __post_init__(self) -> None:
        check_lesion(self.lesion)
        check_mass_effect(self.mass_effect)

    def __call__(  # type: ignore[override]
        self,
        host: MetaTensor,
        donor: MetaTensor,
        donor_label: MetaTensor,
        host_label: MetaTensor | None = None,
        *,
        lesion_labels: Iterable[int] | None = None,
        donor_slice: int | None = None,
        host_slice: int | None = None,
        at: Sequence[int] | None = None,
        offset: Sequence[int] | None = None,
        donor_valid: MetaTensor | None = None,
        level: float | None = None,
    ) -> InsertedLesion:
        """Insert.

        Args:
            host: the scan that gets the lesion, (C, \\*spatial).
            donor: the scan that it is taken from, of the same sequences; it may be the host, and lie on another grid.
            donor_label: the donor's lesions, on its grid.
            host_label: lesions that the host has already; by default those of ``donor_label`` if host and donor were
                read from the same file.
            lesion_labels: values of ``donor_label`` that are the lesion; ``None`` for all.
            donor_slice: slice of the donor to take, of lesions that it shows; ``None`` takes the whole lesion.
            host_slice: slice of the host that the lesion (its middle slice) goes to; ``None`` leaves it to the
                placement.
            at: voxel of the host for the lesion's centre, one number for each axis, or for each axis in the slice.
            offset: shift from the lesion's place in the donor, likewise.
            donor_valid: above 0 where the donor's tissue may be taken, on its grid; ``None`` for everywhere off its
                other lesions.
            level: intensity of the tissue around the lesion in its donor, if it is known
                (``monai_consingan.transforms.insertion.placement.level_around``).

        Raises:
            ConSinGANError: a slice that is not there or unfit, scans that do not fit each other or have other
                sequences, no such lead, or no place.
        """
        donor = same_sequences(donor, host)
        if host_label is None and _same_file(host, donor):
            host_label = donor_label
        lesion = keep_labels(donor_label, lesion_labels, name="donor label")
        numbers = number_lesions(as_array(donor_label)[0], lesion_labels)
        if self.oedema:
            lesion = wrap_like(np.where(numbers > 0, as_array(donor_label), 0), donor_label)
        axis, donor_axis = slice_axis(host, self.axis), slice_axis(donor, self.axis)
        slices = {"donor slice": donor_slice, "host slice": host_slice}
        dims = work_dims(host, self.axis, self.dims) if set(slices.values()) == {None} else self._by_slices(slices)
        across = axis if dims == 2 else None
        check_slice(host, axis, host_slice, "host slice")
        check_slice(donor, donor_axis, donor_slice, "donor slice")
        if donor_slice is not None:
            lesion = keep_slice(lesion, donor_axis, donor_slice, "donor slice")
        lesion, number = keep_lesion(lesion, numbers, self.lesion, seed=self.seed, name="donor label")
        if host_label is not None and host_slice in slices_of(host_label, axis):
            raise ConSinGANError(
                f"host slice {host_slice} of {host.meta.get(ImageMetaKey.FILENAME_OR_OBJ, 'the host')} already holds a "
                "lesion: give a tumour-free slice, or leave --host-slice out."
            )
        lead = lead_channel(donor, lesion, self.lead)
        moved_donor = to_host_grid(donor, host, lesion=lesion)
        moved_lesion = to_host_grid(lesion, host, label=True, lesion=lesion)
        others = wrap_like(((numbers > 0) & (numbers != number))[None].astype(np.uint8), lesion)
        valid = as_array(to_host_grid(others, host, label=True, lesion=lesion)) == 0
        if donor_valid is not None:
            valid = valid & (as_array(to_host_grid(donor_valid, host, label=True, lesion=lesion)) > 0)
        slice_offset = None
        if across is not None and (host_slice is not None or offset is not None):
            present = slices_of(moved_lesion, axis)
            if donor_slice is not None and len(present) > 1:
                areas = [int((as_array(moved_lesion)[0] > 0).take(index, axis=axis).sum()) for index in present]
                present = [present[int(np.argmax(areas))]]
                moved_lesion = keep_slice(moved_lesion, axis, present[0], "donor slice")
            middle = present[(len(present) - 1) // 2]
            slice_offset = 0 if host_slice is None else host_slice - middle
        known = HostKnowledge.of(host, lead=lead)
        head = known.head_in_all(host)
        airs = [ChannelAir(channel) for channel in as_array(moved_donor)]
        placement = find_placement(
            as_array(host)[lead],
            as_array(moved_donor)[lead],
            as_array(moved_lesion)[0],
            spacing=spacing_of(host),
            rng=np.random.RandomState(self.seed),
            host_label=None if host_label is None else as_array(host_label)[0],
            axis=across,
            slice_offset=slice_offset,
            at=_in_volume(at, axis, host_slice, "at"),
            offset=_in_volume(offset, axis, 0 if dims == 3 else slice_offset, "offset"),
            level=_level(as_array(moved_lesion)[0], spacing_of(host), across, airs[lead]) if level is None else level,
            known=known,
            channel=lead,
        )
        if self.mass_effect:
            mask = move(lesion_voxels(as_array(moved_lesion)[0], lesion_labels), placement.offset)
            host, host_label = Push.of(mask, self.mass_effect, known, across).host(host, host_label)
        if self.oedema and lesion_labels is not None:
            whole, everywhere = as_array(moved_lesion)[0], tuple(slice(0, n) for n in host.shape[1:])
            label = move(whole, placement.offset)
            label, like = bounded_oedema(label, lesion_labels, as_array(host), known, everywhere)
            back = [-step for step in placement.offset]
            label, like = move(label, back), move(like, back)
            moved_lesion = wrap_like(label[None], moved_lesion)
            valid = valid & (like & ((label > 0) | (whole == 0)))[None]
        paste = PasteLesion(blend=self.paste_blend, match=self.match, axis=across)
        canvas, patch, ways = paste.placed(
            host,
            moved_donor,
            moved_lesion,
            placement.offset,
            None if host_label is None else as_array(host_label),
            valid,
            (known.channels, airs),
        )
        merged = canvas.merged(paste, patch)
        naive = None if self.paste_blend == "hard" else canvas.with_lesion(canvas.merged(Pasting(), patch))[0]
        canvas.take(merged)
        pasted: PastedLesion = canvas.result()
        numbering = number, int(numbers.max())
        match = ways[0] if len(set(ways)) == 1 else ways
        told: tuple[Any, ...] = (*numbering, dims, match, lead, host, head)
        naive = pasted.image if naive is None else naive
        return InsertedLesion(*pasted, placement, axis, lesion, host_label, naive, *told)

    def _by_slices(self, slices: Mapping[str, int | None]) -> int:
        """2, as a slice is given."""
        if self.dims == 3:
            name = next(name for name, index in slices.items() if index is not None)
            raise ConSinGANError(f"dims is 3, but {name} is {slices[name]}: leave one of them out.")
        return 2


def _level(lesion: np.ndarray, mm: tuple[float, ...], axis: int | None, donor: ChannelAir) -> float:
    """Intensity of the tissue around the lesion in its donor (:func:`level_around`)."""
    room = Room.of(donor.values, mm, background=donor.background, air=donor.air, reach_mm=WHOLE_HEAD_MM)
    return level_around(donor.values, lesion, spacing=mm, axis=axis, room=room)


def _same_file(first: MetaTensor, second: MetaTensor) -> bool:
    names = [image.meta.get(ImageMetaKey.FILENAME_OR_OBJ) for image in (first, second)]
    return first is second or (all(names) and real_path(str(names[0])) == real_path(str(names[1])))


def _in_volume(numbers: Sequence[int] | None, axis: int | None, along: int | None, name: str) -> tuple[int, ...] | None:
    """Row and column, completed by the slice."""
    if numbers is None:
        return None
    dims = 2 if axis is None else 3
    if any(number % 1 for number in numbers):  # NaN and infinite ones, too
        raise ConSinGANError(f"{name} is {tuple(numbers)}; give whole numbers of voxels.")
    given = tuple(int(number) for number in numbers)
    if len(given) == 2 and axis is not None and along is not None:
        given = (*given[:axis], along, *given[axis:])
    if len(given) != dims:
        raise ConSinGANError(
            f"{name} {given} has {len(given)} numbers, but the host has {dims} axes: give {dims} numbers"
            + (", or row and column together with --host-slice." if dims == 3 else ".")
        )
    return given
