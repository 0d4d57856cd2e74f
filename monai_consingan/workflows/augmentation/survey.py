"""The lesions of a data set: how large they are, and how they stand out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from monai.data import MetaTensor

from monai_consingan.arrays import as_array, spacing_of, wrap_like
from monai_consingan.data import file_sha256, load_label, load_scan, slice_axis
from monai_consingan.data.lesions import lesion_voxels, number_lesions
from monai_consingan.data_set_settings import SIZE_CLASSES
from monai_consingan.distance import ball_diameter
from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import Surroundings, contrast, contrast_to_noise, seam
from monai_consingan.metrics.surroundings import tissue_mask
from monai_consingan.transforms.insertion.donors import Donor
from monai_consingan.transforms.insertion.placement import level_around
from monai_consingan.transforms.room import Room
from monai_consingan.workflows.augmentation.records import ScanRecord

__all__ = [
    "Lesion",
    "ScanSurvey",
    "load_pair",
    "read_lesion",
    "seam_range",
    "size_class",
    "survey_scan",
]

_FEWEST_VOXELS = 4


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
    """

    scan: str
    image_sha256: str
    label_sha256: str
    lesions: tuple[Lesion, ...]
    unfit: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """The survey as plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ScanSurvey:
        """The survey that :py:meth:`as_dict` gave."""
        return cls(**{**values, "lesions": tuple(Lesion(**lesion) for lesion in values["lesions"])})


def load_pair(record: ScanRecord, lesion_labels: Iterable[int] = ()) -> tuple[MetaTensor, MetaTensor | None, Any]:
    """Read a scan.

    Args:
        record: the scan.
        lesion_labels: label values that are lesions; empty for all.

    Returns:
        Image, label (``None`` if there is none) and the numbers of its lesions, the largest first, whole numbers
        (\\*spatial).

    Raises:
        ConSinGANError: a file that cannot be used.
    """
    image = load_scan(record.image, name=f"scan {record.name}")
    if record.label is None:
        return image, None, np.zeros(image.shape[1:], np.int32)
    label = load_label(record.label, image=image, name=f"label of {record.name}", allow_empty=True)
    values = label.numpy()[0]
    numbers = number_lesions(np.where(np.isin(values, record.ignored), 0, values), tuple(lesion_labels) or None)
    return image, label, numbers.astype(np.uint16 if numbers.max(initial=0) < 2**16 - 2**10 else np.int32)


def read_lesion(records: Mapping[str, ScanRecord], lesion_labels: Iterable[int], lesion: Lesion) -> Donor:
    """A lesion as a donor, without the tissue of whatever else its scan's label marks.

    Args:
        records: the scans by name.
        lesion_labels: label values that are lesions; empty for all.
        lesion: the lesion.

    Raises:
        ConSinGANError: a file that cannot be used.
    """
    image, label, numbers = load_pair(records[lesion.scan], lesion_labels)
    values = np.zeros(image.shape, np.uint8) if label is None else label.numpy()
    inside = (numbers == lesion.number)[None]
    free = (values == 0) | inside
    lesion_only = np.where(inside, values, 0)
    return Donor(image, wrap_like(lesion_only, image), wrap_like(free.astype(np.uint8), image), lesion.level)


def survey_scan(record: ScanRecord, lesion_labels: Iterable[int] = (), axis: int | None = None) -> ScanSurvey:
    """Read a scan and measure its lesions.

    Args:
        record: the scan.
        lesion_labels: label values that are lesions; empty for all.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.

    Raises:
        ConSinGANError: a file that cannot be used.
    """
    image, label, numbers = load_pair(record, lesion_labels)
    axis, mm = slice_axis(image, axis), spacing_of(image)
    values = as_array(image)[0]
    labels = np.zeros(values.shape, np.uint8) if label is None else label.numpy()[0]
    counted = lesion_voxels(labels, lesion_labels)
    tissue, room = tissue_mask(values)[None], Room.of(values, mm) if numbers.any() else None
    lesions, unfit = [], {}
    for number in range(1, int(numbers.max(initial=0)) + 1):
        inside = numbers == number
        others = (labels > 0) & ~inside
        try:
            case = Surroundings(image, inside[None], axis=axis, exclude=others[None], tissue=tissue)
            border, (cnr, value) = seam(case), _stands_out(case, np.where(counted, labels, 0))
            if not (math.isfinite(border) and math.isfinite(cnr)):
                raise ConSinGANError("its border or contrast cannot be measured")
        except ConSinGANError as error:
            unfit[str(number)] = str(error)
            continue
        volume = float((inside & counted).sum() * math.prod(mm))
        diameter = ball_diameter(volume, values.ndim)
        level = level_around(values, inside, spacing=mm, axis=axis, room=room)
        about: dict[str, Any] = {"seam": border, "cnr": cnr, "value": value, "level": level}
        with suppress(ConSinGANError):
            about["contrast"] = contrast(case, part=inside & (labels == value))
        lesions.append(Lesion(record.name, number, volume, diameter, size_class(diameter), **about))
    label_hash = "" if record.label is None else file_sha256(record.label)
    return ScanSurvey(record.name, file_sha256(record.image), label_hash, tuple(lesions), unfit)


def _stands_out(case: Surroundings, labels: np.ndarray) -> tuple[float, int]:
    """The contrast-to-noise ratio of the part of a lesion that stands out most, and the label value of this part.

    Args:
        case: the lesion and its surroundings.
        labels: its label values that are measured, and 0 elsewhere.

    Raises:
        ConSinGANError: it has too few voxels, or no tissue around it.
    """
    found, counts = np.unique(labels[case.inside], return_counts=True)
    values = [int(value) for value, count in zip(found, counts, strict=True) if value and count >= _FEWEST_VOXELS]
    if not values:
        raise ConSinGANError(f"it has fewer than {_FEWEST_VOXELS} voxels")
    ratios = [(contrast_to_noise(case, part=case.inside & (labels == value)), value) for value in values]
    return max(ratios, key=lambda ratio: abs(ratio[0]))


def size_class(diameter: float) -> str:
    """The class of a diameter in mm."""
    return next(name for name, (low, high) in SIZE_CLASSES.items() if low <= diameter < high)


def seam_range(lesions: Iterable[Lesion], margin: float) -> tuple[float, float]:
    """The seams that a result may have: the range of those of real lesions, widened by a factor to both sides."""
    seams = [lesion.seam for lesion in lesions]
    return (min(seams) / margin, max(seams) * margin) if seams else (0.0, math.inf)
