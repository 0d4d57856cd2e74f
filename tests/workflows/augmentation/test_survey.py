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
from monai_consingan.metrics import contrast, seam
from monai_consingan.workflows.augmentation import read_scans
from monai_consingan.workflows.augmentation.survey import ScanSurvey, diameter_mm, load_pair, seam_range, survey_scan


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
    assert big.contrast == contrast(image, (numbers == big.number)[None], axis=2, exclude=others)
    voxel = abs(float(np.linalg.det(stored.affine[:3, :3])))
    assert little.diameter_mm == pytest.approx((6 * 32 * voxel / np.pi) ** (1 / 3))
    assert ScanSurvey.from_dict(json.loads(json.dumps(survey.as_dict()))) == survey
    only = survey_scan(record, (4,))
    assert [lesion.diameter_mm for lesion in only.lesions] == [big.diameter_mm]


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


def test_diameters_and_range_of_seams(data_set: Path) -> None:
    assert diameter_mm(100, (1.0, 1.0)) == pytest.approx(2 * np.sqrt(100 / np.pi))
    assert diameter_mm(1000, (1.0, 0.5, 2.0)) == pytest.approx(2 * (3 * 1000 / (4 * np.pi)) ** (1 / 3))
    lesion = survey_scan(read_scans(data_set).records[0]).lesions[0]
    several = [replace(lesion, seam=value) for value in (3.0, 2.0, 6.0)]
    assert seam_range(several, 2.0) == (1.0, 12.0)
    assert seam_range([], 2.0) == (0.0, np.inf)
