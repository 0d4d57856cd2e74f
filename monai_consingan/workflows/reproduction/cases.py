"""Slices for the published experiments, chosen from scans with masks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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
    cases: list[PreparedCase] = []
    found = {"harmonization": _insertions, "editing": _removals}
    for task, limit in limits.items():
        lesions = _lesions(values, axis)
        made = found[task](image, values, axis, lesions, number, limit, note)
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
        reasons.append(reason)
        note(reason)

    def missing() -> dict[str, int]:
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


def _insertions(
    image: MetaTensor,
    values: np.ndarray,
    axis: int,
    lesions: list[_Lesion],
    number: int,
    limit: int,
    note: Callable[[str], None],
) -> list[PreparedCase]:
    ill = np.flatnonzero(values.any(axis=tuple(other for other in range(3) if other != axis)))
    free = sorted(set(head_slices(image, axis)) - set(ill.tolist()))
    if not free:
        return []
    far = np.abs(np.subtract.outer(free, ill)).min(axis=1) * spacing_of(image)[axis] >= _CLEARANCE_MM
    cases: list[PreparedCase] = []
    for lesion in lesions:
        if len(cases) == limit:
            break
        label = np.where(lesion.mask, np.take(values, lesion.index, axis=axis), 0)
        slices = {"donor": _resized(image, axis, lesion.index), "label": _resized_plane(label, image, axis)}
        if int((slices["label"] > 0).sum()) < _FEWEST_PIXELS:
            continue
        order = sorted(
            zip(~far, np.abs(np.array(free) - lesion.index), free, strict=True), key=lambda place: tuple(place)
        )
        for _, _, index in order[:_TRIES]:
            host = _resized(image, axis, index)
            try:
                INSERT(host, slices["donor"], slices["label"], offset=(0, 0))
            except ConSinGANError:  # not in the head there
                continue
            facts = {"donor_slice": lesion.index, "host_slice": int(index), **_facts(lesion.number, axis, slices)}
            cases.append(PreparedCase("harmonization", number, {"host": host, **slices}, facts))
            break
        else:
            note(f"lesion {lesion.number} of scan {number} lies in the head on no tumour-free slice near it.")
    return cases


def _removals(
    image: MetaTensor,
    values: np.ndarray,
    axis: int,
    lesions: list[_Lesion],
    number: int,
    limit: int,
    note: Callable[[str], None],
) -> list[PreparedCase]:
    cases: list[PreparedCase] = []
    used: set[int] = set()
    for lesion in lesions:
        if len(cases) == limit:
            break
        if lesion.index in used:
            continue
        label = _resized_plane(np.take(values, lesion.index, axis=axis), image, axis)
        slices = {"image": _resized(image, axis, lesion.index), "label": label}
        if int((label > 0).sum()) < _FEWEST_PIXELS:
            continue
        used.add(lesion.index)
        try:
            FILL(slices["image"], label)
        except ConSinGANError as error:
            note(f"slice {lesion.index} of scan {number} cannot be filled by its flip: {error}")
            continue
        facts = {"slice": lesion.index, **_facts(lesion.number, axis, slices)}
        cases.append(PreparedCase("editing", number, slices, facts))
    return cases


def _facts(lesion: int, axis: int, slices: Mapping[str, MetaTensor]) -> dict[str, Any]:
    kinds = as_array(slices["label"]) % 10
    return {
        "axis": axis,
        "lesion": lesion,
        "enhancing_pixels": int((kinds == _ENHANCING).sum()),
        "necrotic_pixels": int((kinds == _NECROTIC).sum()),
    }


def _region(image: MetaTensor, axis: int, index: int) -> Region:
    height, width = (size for other, size in enumerate(image.shape[1:]) if other != axis)
    return Region(axis, (index,), (0, 0), (height, width), (SIDE, SIDE))


def _resized(image: MetaTensor, axis: int, index: int) -> MetaTensor:
    """A slice at the published size, within the range of its own values."""
    plane = as_array(image)[0].take(index, axis=axis)
    values = _region(image, axis, index).take(image)[0].clamp(float(plane.min()), float(plane.max()))
    return MetaTensor(values, affine=_affine(image, axis))


def _resized_plane(label: np.ndarray, image: MetaTensor, axis: int) -> MetaTensor:
    """A slice of a label at the published size."""
    whole = torch.from_numpy(np.expand_dims(label, axis).astype(np.int16))[None]
    region = _region(image, axis, 0)
    return MetaTensor(region.take(whole, mode="nearest")[0], affine=_affine(image, axis))


def _affine(image: MetaTensor, axis: int) -> torch.Tensor:
    """Affine of a slice at the published size: its rows and columns, and then what is across."""
    affine = torch.tensor(scaled_affine(image, _region(image, axis, 0)), dtype=torch.float64)
    order = [other for other in range(3) if other != axis] + [axis, 3]
    return affine[:, order]
