"""Slices for the published experiments, chosen from scans with masks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from scipy import ndimage

from monai_consingan.arrays import as_array, spacing_of
from monai_consingan.data import Region, load_label, load_scan, slice_axis
from monai_consingan.errors import ConSinGANError
from monai_consingan.methods import insertion_method
from monai_consingan.transforms import FillLesion, InsertLesion, head_slices
from monai_consingan.workflows.reproduction.dataset import FoundScan
from monai_consingan.workflows.reproduction.published import SIDE
from monai_consingan.workflows.training_slices import scaled_affine

_PASTE = insertion_method("consingan")

INSERT = InsertLesion(match=_PASTE.match, paste_blend=_PASTE.paste_blend, dims=2)
"""The published paste, ``mask * donor + (1 - mask) * host``."""

FILL = FillLesion(methods=("flipud",), margin_mm=0.0, train_on="image", dims=2)
"""The published filling, the flipped slice within the mask."""

_ENHANCING, _NECROTIC = 1, 2
_FEWEST_PIXELS = 20  # of a lesion on its slice, resized
_CLEARANCE_MM = 5.0  # from tumour-free slices to those with tumour, where there are some
_TRIES = 30  # slices looked at for a host, nearest first


@dataclass(frozen=True)
class PreparedCase:
    """Slices for one experiment, resized as published.

    Args:
        task: ``"harmonization"`` or ``"editing"``.
        scan: number of the scan in its listing, from 1.
        images: by name; of a harmonization ``host``, ``donor`` and the donor's ``label``, of an editing ``image`` and
            ``label``; (1, 250, 250), labels with the mask's values.
        facts: numbers of slices, lesion and pixels, for reports.
    """

    task: str
    scan: int
    images: dict[str, MetaTensor] = field(repr=False)
    facts: dict[str, Any]


def scan_cases(
    scan: FoundScan, number: int, limits: Mapping[str, int], note: Callable[[str], None]
) -> list[PreparedCase]:
    """Cases of one scan, the largest lesions first.

    Harmonization: the slice on which a lesion is largest is the donor, and the host is the nearest tumour-free slice of
    the same scan in which the lesion's place lies in the head, 5 mm from any tumour where there is one. Editing: the
    same slice, with all its lesions.

    Args:
        scan: the scan.
        number: its number, for the cases and the notes.
        limits: most cases by task.
        note: gets a sentence about whatever is not used.
    """
    try:
        image = load_scan(scan.image, name="scan")
        label = load_label(scan.mask, image=image, image_name="scan", name="mask")
        axis = slice_axis(image)
        if axis is None:
            raise ConSinGANError(f"scan {scan.image} is a single slice.")
        values = _known_values(as_array(label)[0], number, note)
    except ConSinGANError as error:
        note(f"scan {number} is not used: {error}")
        return []
    read = _Scan(number, image, values, axis, note)
    cases: list[PreparedCase] = []
    for task, limit in limits.items():
        made = list(islice(read.insertions() if task == "harmonization" else read.removals(), limit))
        cases += made
        if not made:
            note(f"scan {number} has no lesion that suits {task}.")
    return cases


def choose_cases(
    scans: Sequence[FoundScan], wanted: Mapping[str, int], note: Callable[[str], None]
) -> dict[str, list[PreparedCase]]:
    """Cases for the experiments, a patient after the other, so that they come from as many as there are.

    Scans are only read until there are enough cases.

    Args:
        scans: the scans.
        wanted: number of cases by task.
        note: gets a sentence about whatever is not used.

    Raises:
        ConSinGANError: no scan has a lesion that suits a task.
    """
    patients: dict[str, deque[tuple[int, FoundScan]]] = {}
    for number, scan in enumerate(scans, 1):
        patients.setdefault(scan.patient, deque()).append((number, scan))
    waiting: dict[str, dict[str, deque[PreparedCase]]] = {
        patient: {task: deque() for task in wanted} for patient in patients
    }
    cases: dict[str, list[PreparedCase]] = {task: [] for task in wanted}
    reasons: list[str] = []

    def noted(reason: str) -> None:
        """Note a reason, and remember it."""
        reasons.append(reason)
        note(reason)

    def missing() -> dict[str, int]:
        """How many cases each task still lacks."""
        return {task: count - len(cases[task]) for task, count in wanted.items() if count > len(cases[task])}

    while missing() and patients:
        for patient, unread in list(patients.items()):
            for task in missing():
                queue = waiting[patient][task]
                while not queue and unread:
                    number, scan = unread.popleft()
                    for case in scan_cases(scan, number, missing(), noted):
                        waiting[patient][case.task].append(case)
                if queue:
                    cases[task].append(queue.popleft())
            if not unread and not any(waiting[patient][task] for task in missing()):
                del patients[patient]
    for task, count in missing().items():
        if not cases[task]:
            raise ConSinGANError(
                f"None of the {len(scans)} scans has a lesion that suits {task} "
                f"({'; '.join(reason.rstrip('.') for reason in reasons[:2])}): give scans with tumour-free slices and "
                "masks whose values end in 1 (enhancing) or 2 (necrotic)."
            )
        note(f"{count} of {wanted[task]} slices for {task} are missing: there are no more lesions that suit.")
    return cases


def _known_values(values: np.ndarray, number: int, note: Callable[[str], None]) -> np.ndarray:
    """The mask's values without those that mean nothing here."""
    kinds = np.isin(values % 10, (_ENHANCING, _NECROTIC))
    strange = np.unique(values[(values > 0) & ~kinds])
    if strange.size:
        note(
            f"values {', '.join(map(str, strange[:8]))} of the mask of scan {number} end neither in 1 (enhancing) nor "
            "in 2 (necrotic), and are left out."
        )
    known: np.ndarray = np.where(kinds, values, 0)
    if not known.any():
        raise ConSinGANError("its mask has no values that end in 1 (enhancing) or 2 (necrotic).")
    return known


@dataclass(frozen=True)
class _Lesion:
    """A lesion on the slice on which it is largest."""

    number: int
    index: int
    area: int
    mask: np.ndarray = field(repr=False)


def _lesions(values: np.ndarray, axis: int) -> list[_Lesion]:
    """Voxels of one lesion number that touch each other, the largest on a slice first."""
    found = []
    for number in np.unique(values[values > 0] // 10):
        parts, _ = ndimage.label((values > 0) & (values // 10 == number), structure=np.ones((3, 3, 3)))
        for part, box in enumerate(ndimage.find_objects(parts), 1):
            areas = (parts[box] == part).sum(axis=tuple(other for other in range(3) if other != axis))
            index = box[axis].start + int(areas.argmax())
            mask = np.take(parts, index, axis=axis) == part
            found.append(_Lesion(int(number), index, int(areas.max()), mask))
    return sorted(found, key=lambda lesion: -lesion.area)


@dataclass(frozen=True)
class _Scan:
    """A scan in space, the values of its mask, and who is told of what is not used."""

    number: int
    image: MetaTensor
    values: np.ndarray
    axis: int
    note: Callable[[str], None]

    def insertions(self) -> Iterator[PreparedCase]:
        """Cases of harmonization."""
        others = tuple(other for other in range(3) if other != self.axis)
        ill = np.flatnonzero(self.values.any(axis=others))
        free = sorted(set(head_slices(self.image, self.axis)) - set(ill.tolist()))
        if not free:
            return
        mm = np.abs(np.subtract.outer(free, ill)).min(axis=1) * spacing_of(self.image)[self.axis]
        for lesion in _lesions(self.values, self.axis):
            label = np.where(lesion.mask, np.take(self.values, lesion.index, axis=self.axis), 0)
            slices = {"donor": self.resized(lesion.index), "label": self.resized_plane(label)}
            if int((slices["label"] > 0).sum()) < _FEWEST_PIXELS:
                continue
            order = sorted(
                zip(mm < _CLEARANCE_MM, np.abs(np.array(free) - lesion.index), free, strict=True),
                key=lambda place: tuple(place),
            )
            for _, _, index in order[:_TRIES]:
                host = self.resized(index)
                try:
                    INSERT(host, slices["donor"], slices["label"], offset=(0, 0))
                except ConSinGANError:  # not in the head there
                    continue
                facts = {"donor_slice": lesion.index, "host_slice": int(index), **self.facts(lesion.number, slices)}
                yield PreparedCase("harmonization", self.number, {"host": host, **slices}, facts)
                break
            else:
                self.note(
                    f"lesion {lesion.number} of scan {self.number} lies in the head on no tumour-free slice near it."
                )

    def removals(self) -> Iterator[PreparedCase]:
        """Cases of editing."""
        used: set[int] = set()
        for lesion in _lesions(self.values, self.axis):
            if lesion.index in used:
                continue
            label = self.resized_plane(np.take(self.values, lesion.index, axis=self.axis))
            slices = {"image": self.resized(lesion.index), "label": label}
            if int((label > 0).sum()) < _FEWEST_PIXELS:
                continue
            used.add(lesion.index)
            try:
                FILL(slices["image"], label)
            except ConSinGANError as error:
                self.note(f"slice {lesion.index} of scan {self.number} cannot be filled by its flip: {error}")
                continue
            facts = {"slice": lesion.index, **self.facts(lesion.number, slices)}
            yield PreparedCase("editing", self.number, slices, facts)

    def facts(self, lesion: int, slices: Mapping[str, MetaTensor]) -> dict[str, Any]:
        """Numbers of a lesion and of its pixels."""
        kinds = as_array(slices["label"]) % 10
        return {
            "axis": self.axis,
            "lesion": lesion,
            "enhancing_pixels": int((kinds == _ENHANCING).sum()),
            "necrotic_pixels": int((kinds == _NECROTIC).sum()),
        }

    def region(self, index: int) -> Region:
        """A slice at the published size."""
        height, width = (size for other, size in enumerate(self.image.shape[1:]) if other != self.axis)
        return Region(self.axis, (index,), (0, 0), (height, width), (SIDE, SIDE))

    def resized(self, index: int) -> MetaTensor:
        """A slice at the published size, within the range of its own values."""
        plane = as_array(self.image)[0].take(index, axis=self.axis)
        values = self.region(index).take(self.image)[0].clamp(float(plane.min()), float(plane.max()))
        return MetaTensor(values, affine=self.affine)

    def resized_plane(self, label: np.ndarray) -> MetaTensor:
        """A slice of a label at the published size."""
        whole = torch.from_numpy(np.expand_dims(label, self.axis).astype(np.int16))[None]
        return MetaTensor(self.region(0).take(whole, mode="nearest")[0], affine=self.affine)

    @property
    def affine(self) -> torch.Tensor:
        """Affine of a slice at the published size: its rows and columns, and then what is across."""
        affine = torch.tensor(scaled_affine(self.image, self.region(0)), dtype=torch.float64)
        return affine[:, [other for other in range(3) if other != self.axis] + [self.axis, 3]]
