"""The lesions of a data set: how large they are, and how they stand out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from monai_consingan.arrays import as_array, spacing_of
from monai_consingan.data import read_stored, sequence_names, slice_axis, work_dims
from monai_consingan.data.lesions import lesion_voxels
from monai_consingan.data.sequences import chosen_channel
from monai_consingan.data_set_settings import SIZE_CLASSES
from monai_consingan.distance import ball_diameter
from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import Surroundings, contrast, contrast_to_noise, seam, tissue_levels
from monai_consingan.transforms.head import WHOLE_HEAD_MM
from monai_consingan.transforms.insertion.placement import level_around
from monai_consingan.transforms.room import Room
from monai_consingan.workflows.data_sets.records import ScanRecord, load_files, load_lesions

_FEWEST_VOXELS = 4
_NOT_ASKED = "it was not measured, as none is to become a donor"
_UNMEASURED = "its border or contrast cannot be measured"


@dataclass(frozen=True)
class Lesion:
    """One lesion of a scan: labelled voxels that touch each other, some of which have a value that is a lesion's.

    Args:
        scan: name of the scan.
        number: its number in the scan, from 1.
        volume_mm3: volume (in 2D, area) of what is lesion of it, in mm.
        diameter_mm: diameter of the ball (in 2D, the disc) of that size.
        size: its class of sizes.
        seam: how hard the border of all of it looks (:py:func:`monai_consingan.metrics.seam`).
        cnr: its contrast-to-noise ratio (:py:func:`monai_consingan.metrics.contrast_to_noise`), by the label value of
            those that are lesion that stands out most.
        value: that label value.
        contrast: its contrast (:py:func:`monai_consingan.metrics.contrast`); ``None`` where the tissue around it is not
            above 0, as after a z-score.
        level: intensity of the tissue around it, as placement compares it with hosts.
        lead: number of the sequence in which all this was measured.
        serves: of a lesion of a bank, the folds whose scans may get it; ``None`` of a scan's own lesion.
    """

    scan: str
    number: int
    volume_mm3: float
    diameter_mm: float
    size: str
    seam: float
    cnr: float
    value: int
    level: float = 0.0
    contrast: float | None = None
    lead: int = 0
    serves: tuple[int | None, ...] | None = None

    def __post_init__(self) -> None:
        if self.serves is not None:
            object.__setattr__(self, "serves", tuple(self.serves))


@dataclass(frozen=True)
class ScanSurvey:
    """What is known of a scan after it was read once.

    Args:
        scan: its name.
        image_sha256, label_sha256: hashes of its files; the label's is empty if there is none.
        lesions: its lesions that can be donors.
        unfit: why others of its lesions cannot, by their numbers.
        more_sha256: hashes of the files of its other sequences, where each has its own.
        sequences: names of its sequences.
    """

    scan: str
    image_sha256: str
    label_sha256: str
    lesions: tuple[Lesion, ...]
    unfit: dict[str, str]
    more_sha256: tuple[str, ...] = ()
    sequences: tuple[str, ...] = ("1",)

    def as_dict(self) -> dict[str, Any]:
        """The survey as plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ScanSurvey:
        """The survey that :py:meth:`as_dict` gave."""
        lesions = tuple(Lesion(**lesion) for lesion in values["lesions"])
        several = {key: tuple(values[key]) for key in ("more_sha256", "sequences")}
        return cls(**{**values, **several, "lesions": lesions})


def survey_scan(
    record: ScanRecord,
    lesion_labels: Iterable[int] = (),
    axis: int | None = None,
    lead: str | None = None,
    dims: int | None = None,
    *,
    measure: bool = True,
) -> ScanSurvey:
    """Read a scan and measure its lesions.

    Args:
        record: the scan.
        lesion_labels: label values that are lesions; empty for all.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        lead: name of the sequence that they are measured in; ``None`` takes for each the one in which it stands out
            most.
        dims: 3 to measure in space, 2 within the slices; ``None`` finds it
            (:py:func:`monai_consingan.data.work_dims`).
        measure: whether they may become donors; else none is measured, nor fit to be one.

    Raises:
        ConSinGANError: a file that cannot be used, or no such sequence.
    """
    image, files = load_files(record)
    marks = None if record.label is None else read_stored(record.label, name=f"label of {record.name}", indices=True)
    label, numbers = load_lesions(record, image, lesion_labels, marks)
    names = sequence_names(image)
    main = None if lead is None or len(names) == 1 else chosen_channel(names, lead, f"scan {record.name}")
    in_space, axis, mm = work_dims(image, axis, dims) == 3, slice_axis(image, axis), spacing_of(image)
    plane = [along for along in range(image.ndim - 1) if along != axis]
    channels = as_array(image)
    labels = np.zeros(channels.shape[1:], np.uint8) if label is None else label.numpy()[0]
    counted = lesion_voxels(labels, lesion_labels)
    levels, rooms = tissue_levels(image) if measure else (), dict[int, Room]()
    lesions, unfit = [], {}
    for number in range(1, int(numbers.max(initial=0)) + 1):
        if not measure:
            unfit[str(number)] = _NOT_ASKED
            continue
        inside = numbers == number
        others = (labels > 0) & ~inside
        try:
            case = Surroundings(
                image, inside[None], axis=None if in_space else axis, exclude=others[None], levels=levels, lead=0
            )
            found = [_measured(case.of_sequence(n), np.where(counted, labels, 0), plane) for n in range(len(names))]
            ratios = [-1.0 if isinstance(one, str) else abs(one[1]) for one in found]
            best = int(np.argmax(ratios)) if main is None else main
            told = found[best]
            if isinstance(told, str):
                raise ConSinGANError(told)
        except ConSinGANError as error:
            unfit[str(number)] = str(error)
            continue
        volume = float((inside & counted).sum() * math.prod(mm))
        diameter = ball_diameter(volume, labels.ndim)
        if best not in rooms:
            rooms[best] = Room.of(channels[best], mm, background=levels[best].background, reach_mm=WHOLE_HEAD_MM)
        border, cnr, value = told
        level = level_around(channels[best], inside, spacing=mm, axis=axis, room=rooms[best])
        about: dict[str, Any] = {"seam": border, "cnr": cnr, "value": value, "level": level, "lead": best}
        with suppress(ConSinGANError):
            about["contrast"] = contrast(case.of_sequence(best), part=inside & (labels == value))
        lesions.append(Lesion(record.name, number, volume, diameter, size_class(diameter), **about))
    label_hash = "" if marks is None else marks.sha256
    hashes = [part.sha256 for part in files.parts]
    more = () if len(record.images) == 1 else tuple(hashes[1:])
    return ScanSurvey(record.name, hashes[0], label_hash, tuple(lesions), unfit, more, names)


def _measured(case: Surroundings, labels: np.ndarray, plane: list[int]) -> tuple[float, float, int] | str:
    """Seam in the plane, contrast-to-noise ratio and label value of a lesion in a sequence; or why there are none."""
    try:
        border, (cnr, value) = seam(case, along=plane), _stands_out(case, labels)
    except ConSinGANError as error:
        return str(error)
    return (border, cnr, value) if math.isfinite(border) and math.isfinite(cnr) else _UNMEASURED


def _stands_out(case: Surroundings, labels: np.ndarray) -> tuple[float, int]:
    """The contrast-to-noise ratio of the part of a lesion that stands out most, and the label value of this part.

    Args:
        case: the lesion and its surroundings.
        labels: its label values that are measured, and 0 elsewhere.

    Raises:
        ConSinGANError: it has too few voxels, or no tissue around it.
    """
    labels = labels[case.box]
    found, counts = np.unique(labels[case.inside], return_counts=True)
    values = [int(value) for value, count in zip(found, counts, strict=True) if value and count >= _FEWEST_VOXELS]
    if not values:
        raise ConSinGANError(f"it has fewer than {_FEWEST_VOXELS} voxels")
    ratios = [(contrast_to_noise(case, part=case.inside & (labels == value)), value) for value in values]
    return max(ratios, key=lambda ratio: abs(ratio[0]))


def size_class(diameter: float) -> str:
    """The class of a diameter in mm."""
    return next(name for name, (low, high) in SIZE_CLASSES.items() if low <= diameter < high)
