"""The lesions of a data set: how large they are, and how they stand out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from monai.data import MetaTensor
from scipy import ndimage

from monai_consingan.arrays import as_array, spacing_of, wrap_like
from monai_consingan.data import file_sha256, load_label, load_scan, slice_axis
from monai_consingan.data_set_settings import SIZE_CLASSES
from monai_consingan.distance import ball_diameter
from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import Surroundings, contrast, seam
from monai_consingan.metrics.surroundings import tissue_mask
from monai_consingan.transforms.insertion.donors import Donor
from monai_consingan.transforms.insertion.placement import level_around
from monai_consingan.transforms.insertion.search import Room
from monai_consingan.workflows.augmentation.records import ScanRecord

__all__ = [
    "Lesion",
    "ScanSurvey",
    "diameter_mm",
    "load_pair",
    "read_lesion",
    "seam_range",
    "size_class",
    "survey_scan",
]

_FEWEST_VOXELS = 4


@dataclass(frozen=True)
class Lesion:
    """One lesion of a scan: voxels that touch each other.

    Args:
        scan: name of the scan.
        number: its number in the scan, from 1.
        diameter_mm: diameter of the ball (in 2D, the disc) of its size.
        size: its class of sizes.
        seam: how hard its border looks (:py:func:`monai_consingan.metrics.seam`).
        contrast: its contrast to the tissue around it (:py:func:`monai_consingan.metrics.contrast`).
        level: intensity of the tissue around it, as placement compares it with hosts.
    """

    scan: str
    number: int
    diameter_mm: float
    size: str
    seam: float
    contrast: float
    level: float = 0.0


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
        Image, label (``None`` if there is none) and the numbers of its lesions, whole numbers (\\*spatial).

    Raises:
        ConSinGANError: a file that cannot be used.
    """
    image = load_scan(record.image, name=f"scan {record.name}")
    if record.label is None:
        return image, None, np.zeros(image.shape[1:], np.int32)
    label = load_label(record.label, image=image, name=f"label of {record.name}", allow_empty=True)
    values = label.numpy()[0]
    wanted = tuple(lesion_labels)
    lesions = np.isin(values, wanted) if wanted else values > 0
    lesions &= ~np.isin(values, record.ignored)
    numbers, _ = ndimage.label(lesions, structure=np.ones((3,) * lesions.ndim))
    return image, label, numbers.astype(np.uint16 if numbers.max(initial=0) < 2**16 - 2**10 else np.int32)


def read_lesion(records: Mapping[str, ScanRecord], lesion_labels: Iterable[int], lesion: Lesion) -> Donor:
    """A lesion as a donor, without the tissue of its scan's other lesions.

    Args:
        records: the scans by name.
        lesion_labels: label values that are lesions; empty for all.
        lesion: the lesion.

    Raises:
        ConSinGANError: a file that cannot be used.
    """
    image, label, numbers = load_pair(records[lesion.scan], lesion_labels)
    inside = numbers == lesion.number
    values = np.where(inside, 0 if label is None else label.numpy()[0], 0)[None]
    free = ((numbers == 0) | inside)[None].astype(np.uint8)
    return Donor(image, wrap_like(values, image), wrap_like(free, image), lesion.level)


def survey_scan(record: ScanRecord, lesion_labels: Iterable[int] = (), axis: int | None = None) -> ScanSurvey:
    """Read a scan and measure its lesions.

    Args:
        record: the scan.
        lesion_labels: label values that are lesions; empty for all.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.

    Raises:
        ConSinGANError: a file that cannot be used.
    """
    image, _, numbers = load_pair(record, lesion_labels)
    axis, mm = slice_axis(image, axis), spacing_of(image)
    values = as_array(image)[0]
    tissue, room = tissue_mask(values)[None], Room.of(values, mm) if numbers.any() else None
    lesions, unfit = [], {}
    for number in range(1, int(numbers.max(initial=0)) + 1):
        inside = (numbers == number)[None]
        others = ((numbers > 0) & (numbers != number))[None]
        diameter = diameter_mm(int(inside.sum()), mm)
        try:
            if inside.sum() < _FEWEST_VOXELS:
                raise ConSinGANError(f"it has fewer than {_FEWEST_VOXELS} voxels")
            case = Surroundings(image, inside, axis=axis, exclude=others, tissue=tissue)
            measures = seam(case), contrast(case)
            if not all(math.isfinite(value) for value in measures):
                raise ConSinGANError("its border or contrast cannot be measured")
        except ConSinGANError as error:
            unfit[str(number)] = str(error)
            continue
        level = level_around(values, inside[0], spacing=mm, axis=axis, room=room)
        size = size_class(diameter)
        lesions.append(Lesion(record.name, number, diameter, size, measures[0], measures[1], level))
    label_hash = "" if record.label is None else file_sha256(record.label)
    return ScanSurvey(record.name, file_sha256(record.image), label_hash, tuple(lesions), unfit)


def diameter_mm(voxels: int, spacing: tuple[float, ...]) -> float:
    """Diameter of the ball (of the disc, in 2D) that has the size of so many voxels."""
    return ball_diameter(voxels * math.prod(spacing), len(spacing))


def size_class(diameter: float) -> str:
    """The class of a diameter in mm."""
    return next(name for name, (low, high) in SIZE_CLASSES.items() if low <= diameter < high)


def seam_range(lesions: Iterable[Lesion], margin: float) -> tuple[float, float]:
    """The seams that a result may have: the range of those of real lesions, widened by a factor to both sides."""
    seams = [lesion.seam for lesion in lesions]
    return (min(seams) / margin, max(seams) * margin) if seams else (0.0, math.inf)
