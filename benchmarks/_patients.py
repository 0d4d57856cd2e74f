"""Patients in a folder: a post-contrast T1 scan without skull and an expert's label of each, as BraTS gives them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from functools import cached_property
from glob import glob
from pathlib import Path

import numpy as np
from monai.data import MetaTensor
from scipy import ndimage

from monai_consingan.arrays import as_array, spacing_of
from monai_consingan.data import load_label, load_scan, slice_axis
from monai_consingan.errors import ConSinGANError
from monai_consingan.text_files import read_json_dictionary
from monai_consingan.transforms.removal.symmetry import SymmetryPlane, estimate_symmetry
from monai_consingan.workflows.augmentation import read_scans

DATA_VARIABLE = "CONSINGAN_BENCHMARK_DATA"
"""Environment variable with the folder of the patients."""
CORE_LABELS = (1, 3, 4)
"""Necrosis and enhancing tumour, in BraTS's old and new numbers; 2 is oedema."""
_DEFAULT_FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data"
_DEFAULT_PATTERN = "dev_brats18_*"
_IMAGE = re.compile(r"(?P<case>.+?)[-_](t1ce|t1c|t1gd)\.nii(\.gz)?$", re.IGNORECASE)
_TIME_POINT = re.compile(r"(?<=\d)[-_]\d{1,3}$")
_MARGIN_MM = 5.0


@dataclass(frozen=True)
class Patient:
    """A scan and its label; arrays are turned so that the last axis is perpendicular to the slices.

    Args:
        name: the patient, whatever the number of scans.
        image_file: post-contrast T1, 0 outside the brain.
        label_file: expert's label, BraTS's values.
        core_labels: the values that are lesion.
    """

    name: str
    image_file: Path
    label_file: Path
    core_labels: tuple[int, ...] = CORE_LABELS

    @cached_property
    def _loaded(self) -> tuple[MetaTensor, MetaTensor]:
        image = load_scan(self.image_file)
        return image, load_label(self.label_file, image=image, allow_empty=True)

    @cached_property
    def _axis(self) -> int:
        axis = slice_axis(self._loaded[0])
        if axis is None:
            raise ConSinGANError(f"{self.image_file} is a picture: give a volume.")
        return axis

    def _turned(self, array: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.moveaxis(array[0], self._axis, -1))

    @cached_property
    def spacing(self) -> tuple[float, float]:
        """Millimetres of a pixel in the slice."""
        row, column = (mm for axis, mm in enumerate(spacing_of(self._loaded[0])) if axis != self._axis)
        return row, column

    @cached_property
    def slice_mm(self) -> float:
        """Millimetres from slice to slice."""
        return float(spacing_of(self._loaded[0])[self._axis])

    @cached_property
    def image(self) -> np.ndarray:
        """(H, W, slices), float32."""
        return self._turned(as_array(self._loaded[0]))

    @cached_property
    def label(self) -> np.ndarray:
        """(H, W, slices)."""
        return self._turned(as_array(self._loaded[1]))

    @cached_property
    def affine(self) -> np.ndarray:
        """Voxel of the turned arrays to world (RAS+, mm), 4x4."""
        matrix = as_array(self._loaded[0].affine).astype(float)
        order = [axis for axis in range(3) if axis != self._axis] + [self._axis, 3]
        return matrix[:, order]

    def slice_affine(self, index: int) -> np.ndarray:
        """Voxel of a slice to world, 4x4; the third axis is perpendicular to it."""
        affine = self.affine.copy()
        affine[:3, 3] += index * affine[:3, 2]
        return affine

    @cached_property
    def symmetry(self) -> SymmetryPlane:
        """Where left mirrors to right within the slices, estimated from the scan."""
        return estimate_symmetry(self.image[None], self.affine, axis=2)

    @cached_property
    def brain(self) -> np.ndarray:
        """Where the scan is not 0."""
        return self.image != 0

    @cached_property
    def box(self) -> tuple[slice, slice, slice]:
        """The smallest part that holds the brain and every lesion."""
        rows, columns, slices = (slice(int(n.min()), int(n.max()) + 1) for n in np.nonzero(self.brain | self.core))
        return rows, columns, slices

    @cached_property
    def core(self) -> np.ndarray:
        """Lesion without oedema."""
        return np.isin(self.label, self.core_labels)

    @cached_property
    def healthy(self) -> np.ndarray:
        """Brain farther than 5 mm, in the slice, from everything that is labelled."""
        reach = ndimage.distance_transform_edt
        ill = self.label > 0
        away = [
            reach(~ill[..., k], sampling=self.spacing) if ill[..., k].any() else np.full(ill.shape[:2], np.inf)
            for k in range(ill.shape[2])
        ]
        return self.brain & (np.stack(away, axis=-1) > _MARGIN_MM)

    @cached_property
    def level(self) -> tuple[float, float]:
        """Median and standard deviation of the healthy brain."""
        values = self.image[self.healthy]
        return float(np.median(values)), float(values.std())

    @cached_property
    def brain_level(self) -> tuple[float, float]:
        """Median and standard deviation of the whole brain, which no label is needed for."""
        values = self.image[self.brain]
        if not values.size or not values.std() > 0:
            raise ConSinGANError(f"{self.image_file} shows nothing: its values are all alike or 0.")
        return float(np.median(values)), float(values.std())


def find_patients(folder: str | Path | None = None) -> list[Patient]:
    """Patients below a folder: files such as ``*_t1ce.nii.gz`` or ``*-t1c.nii.gz`` with a ``*seg.nii.gz`` beside them.

    Of several scans of a patient (time points) the first is taken.

    Args:
        folder: the folder; ``None`` takes the environment variable ``CONSINGAN_BENCHMARK_DATA``, or else
            ``../shared/data/dev_brats18_*`` beside the repository.

    Raises:
        ConSinGANError: no patient is found.
    """
    given = folder or os.environ.get(DATA_VARIABLE)
    places = [Path(given)] if given else sorted(_DEFAULT_FOLDER.glob(_DEFAULT_PATTERN))
    found: dict[str, Patient] = {}
    for path in sorted(file for place in places for file in map(Path, glob(f"{place}/**/*.nii*", recursive=True))):
        match = _IMAGE.match(path.name)
        labels = sorted(path.parent.glob(f"{match['case']}[-_]seg.nii*")) if match else []
        if match and labels:
            name = _TIME_POINT.sub("", match["case"])
            found.setdefault(name, Patient(name, path, labels[0]))
    if not found:
        raise ConSinGANError(
            f"There are no patients in {given or _DEFAULT_FOLDER}: give a folder with files such as NAME_t1ce.nii.gz "
            f"and NAME_seg.nii.gz by --data or the variable {DATA_VARIABLE}."
        )
    return list(found.values())


def read_patients(
    data: str | Path | None = None, *, core_labels: tuple[int, ...] = CORE_LABELS, channel: int | None = None
) -> list[Patient]:
    """Patients of a folder as BraTS gives it (:func:`find_patients`) or of any data set of the package's.

    Args:
        data: the folder; or a datalist in JSON, or a folder of nnU-Net's or BIDS's
            (:func:`monai_consingan.workflows.augmentation.read_scans`). Of a data set the scans with a label are taken,
            whatever their split, and of a patient the first. Whose scan it is says its subject in BIDS, ``patient`` or
            ``subject`` in an entry of a datalist, or else every scan is a patient's own.
        core_labels: label values that are lesion.
        channel: number of the image, where a scan of a data set has several.

    Raises:
        ConSinGANError: no patient is found.
    """
    path = None if data is None else Path(data)
    if path is None or not _is_data_set(path):
        return [replace(patient, core_labels=core_labels) for patient in find_patients(data)]
    found: dict[str, Patient] = {}
    owners = _owners(path)
    for record in read_scans(path, channel=channel).records:
        name = owners.get(Path(record.image).resolve(), record.name.split("_ses-")[0])
        if record.label is not None:
            found.setdefault(name, Patient(name, record.image, record.label, core_labels))
    if not found:
        raise ConSinGANError(f"No scan of {path} has a label: list them with 'image' and 'label'.")
    return list(found.values())


def _owners(path: Path) -> dict[Path, str]:
    """Whose scan a file is, as a datalist says; the package itself does not pass such names on."""
    listed = path if path.is_file() else path / "datalist.json"
    if not listed.is_file():
        return {}
    sections = read_json_dictionary(listed, "datalist").values()
    entries = [entry for section in sections if isinstance(section, list) for entry in section]
    named = [(entry, entry.get("patient") or entry.get("subject")) for entry in entries if isinstance(entry, dict)]
    return {
        (listed.parent / entry["image"]).resolve(): str(name)
        for entry, name in named
        if name and isinstance(entry.get("image"), str)
    }


def _is_data_set(path: Path) -> bool:
    marks = (path / "datalist.json", path / "dataset.json")
    return path.is_file() or any(mark.is_file() for mark in marks) or any(path.glob("sub-*/"))
