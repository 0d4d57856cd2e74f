from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from monai_consingan.data import load_label, load_scan
from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import Surroundings, contrast, contrast_to_noise, seam
from monai_consingan.workflows.augmentation import read_scans
from monai_consingan.workflows.augmentation.donors import read_lesion
from monai_consingan.workflows.augmentation.survey import ScanSurvey, survey_scan
from monai_consingan.workflows.data_sets.records import load_pair


def test_survey_of_a_scan(data_set: Path, tmp_path: Path) -> None:
    record = read_scans(data_set).records[0]
    assert record.label is not None
    stored = nib.load(record.label)
    parts = ndimage.label(np.asarray(stored.dataobj))[0]
    values = np.where(parts == 1 + np.argmax(np.bincount(parts.ravel())[1:]), 4, 0).astype(np.uint8)
    values[60:64, 60:64, 7:9] = 1
    values[30, 60, 8] = 2
    nib.save(nib.Nifti1Image(values, stored.affine), tmp_path / "label.nii.gz")
    record = replace(record, label=tmp_path / "label.nii.gz")
    survey = survey_scan(record)
    assert survey.image_sha256 == hashlib.sha256(record.image.read_bytes()).hexdigest()
    assert survey.label_sha256 == hashlib.sha256((tmp_path / "label.nii.gz").read_bytes()).hexdigest()
    assert list(survey.unfit.values()) == ["it has fewer than 4 voxels"]
    numbers = load_pair(record)[2]
    image = load_scan(record.image)
    label = load_label(record.label or "", image=image)
    assert np.array_equal(numbers > 0, np.asarray(label)[0] > 0)
    little, big = sorted(survey.lesions, key=lambda lesion: lesion.diameter_mm)
    others = (numbers != big.number)[None] & np.asarray(label > 0)
    assert big.seam == seam(image, (numbers == big.number)[None], axis=2, exclude=others)
    assert big.cnr == contrast_to_noise(image, (numbers == big.number)[None], axis=2, exclude=others)
    voxel = abs(float(np.linalg.det(stored.affine[:3, :3])))
    assert little.diameter_mm == pytest.approx((6 * 32 * voxel / np.pi) ** (1 / 3))
    assert ScanSurvey.from_dict(json.loads(json.dumps(survey.as_dict()))) == survey
    only = survey_scan(record, (4,))
    assert [lesion.diameter_mm for lesion in only.lesions] == [big.diameter_mm]
    mere = survey_scan(record, measure=False)
    assert replace(mere, unfit={}) == replace(survey, lesions=(), unfit={})
    assert len(mere.unfit) == len(survey.lesions) + len(survey.unfit)


def test_a_lesion_is_all_that_touches_it(data_set: Path, tmp_path: Path) -> None:
    record = read_scans(data_set).records[0]
    stored_image, stored = nib.load(record.image), nib.load(record.label or "")
    image, values = np.asarray(stored_image.dataobj).astype(np.int16), np.zeros(stored.shape, np.uint8)
    values[40:56, 60:72, 6:9], values[44:52, 63:69, 7] = 2, 4  # a core in oedema
    values[44:46, 63:69, 7] = 1
    values[60:62, 60:62, 6:8] = 2  # oedema by itself
    image[values == 4] = 2 * image.max()
    for name, part in (("image", image), ("label", values)):
        nib.save(nib.Nifti1Image(part, stored.affine), tmp_path / f"{name}.nii.gz")
    record = replace(record, image=tmp_path / "image.nii.gz", label=tmp_path / "label.nii.gz")
    numbers = load_pair(record, (1, 4))[2]
    whole = values > 0
    whole[60:62] = False
    assert np.array_equal(numbers, whole)
    (lesion,) = survey_scan(record, (1, 4)).lesions
    voxel = abs(float(np.linalg.det(stored.affine[:3, :3])))
    assert lesion.volume_mm3 == pytest.approx(48 * voxel)
    assert lesion.diameter_mm == pytest.approx((6 * 48 * voxel / np.pi) ** (1 / 3))
    scan = load_scan(record.image)
    case = Surroundings(scan, whole[None], axis=2, exclude=((values > 0) & ~whole)[None])
    assert (lesion.value, lesion.cnr) == (4, contrast_to_noise(case, part=values == 4))
    assert lesion.cnr > 2
    assert lesion.contrast == contrast(case, part=values == 4)
    assert lesion.seam == seam(case)
    donor = read_lesion({record.name: record}, (1, 4), lesion)
    assert np.array_equal(np.asarray(donor.label)[0], np.where(whole, values, 0))
    assert np.array_equal(np.asarray(donor.valid)[0] > 0, (values == 0) | whole)
    assert len(survey_scan(record).lesions) == 2


def test_lesions_of_thin_slices_are_measured_in_space(data_set: Path, tmp_path: Path) -> None:
    record = read_scans(data_set).of("training")[0]
    image, _, numbers = load_pair(record)
    for name, values in (("image", image.numpy()[0]), ("label", numbers == 1)):
        file = nib.Nifti1Image(values.astype(np.int16), np.diag([-1, -1, 1.5, 1]))
        nib.save(file, tmp_path / f"{name}.nii.gz")
    record = replace(record, image=tmp_path / "image.nii.gz", label=tmp_path / "label.nii.gz")
    scan, label = load_scan(record.image), (numbers == 1)[None]
    (thin,), (sliced,) = survey_scan(record).lesions, survey_scan(record, dims=2).lesions
    assert thin.seam == seam(scan, label, along=[0, 1])
    assert sliced.seam == seam(scan, label, axis=2)
    assert thin.cnr == contrast_to_noise(scan, label) != sliced.cnr


def test_a_scan_without_label_has_no_lesions(data_set: Path) -> None:
    test_scan = read_scans(data_set).of("test")[0]
    survey = survey_scan(test_scan)
    assert (survey.lesions, survey.label_sha256) == ((), "")
    assert not load_pair(test_scan)[2].any()


def test_a_scan_that_cannot_be_read_is_named(data_set: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.nii.gz").write_bytes(b"no scan")
    record = replace(read_scans(data_set).records[0], image=tmp_path / "bad.nii.gz")
    with pytest.raises(ConSinGANError, match=r"scan image0 .*bad\.nii\.gz"):
        survey_scan(record)
