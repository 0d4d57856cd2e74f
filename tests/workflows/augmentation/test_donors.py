from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from monai_consingan.errors import ConSinGANError
from monai_consingan.lesion_settings import LesionSettings
from monai_consingan.workflows.augmentation import AugmentSettings, augment
from monai_consingan.workflows.augmentation.donors import survey_bank
from monai_consingan.workflows.data_sets.folders import read_scans
from monai_consingan.workflows.lesions import make_lesions

SETTINGS = LesionSettings(diameter=(6, 8))


@pytest.fixture(scope="module")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four training scans in two folds and one of validation: noise with a ball in a head amid air."""
    folder = tmp_path_factory.mktemp("balls")
    away = np.sqrt(sum((g - 14) ** 2 for g in np.mgrid[:44, :44, :44]))
    entries = []
    for number in range(5):
        image = np.zeros(away.shape, np.float32)
        image[4:40, 4:40, 4:40] = 100 + 5 * np.random.RandomState(number).standard_normal((36, 36, 36))
        image[away < 4] += 100
        nib.save(nib.Nifti1Image(image, np.eye(4)), folder / f"image{number}.nii.gz")
        nib.save(nib.Nifti1Image((away < 4).astype(np.uint8), np.eye(4)), folder / f"label{number}.nii.gz")
        entries.append({"image": f"image{number}.nii.gz", "label": f"label{number}.nii.gz", "fold": number // 2})
    del entries[4]["fold"]
    listed = {"training": entries[:4], "validation": entries[4:]}
    (folder / "list.json").write_text(json.dumps(listed), encoding="utf-8")
    return folder / "list.json"


@pytest.fixture(scope="module")
def bank(data_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two lesions, one of each fold."""
    folder = tmp_path_factory.mktemp("bank") / "bank"
    make_lesions(data_set, folder, 2, SETTINGS)
    return folder


def _listed(data_set: Path, name: str, content: Any) -> Path:
    path = data_set.parent / name
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_a_lesion_serves_the_fold_that_it_is_made_of(data_set: Path, bank: Path) -> None:
    survey = survey_bank(bank, read_scans(data_set))
    assert [lesion.serves for lesion in survey.lesions] == [(0,), (1,)]


def test_scans_are_known_by_their_bytes(data_set: Path, bank: Path) -> None:
    entries = json.loads(data_set.read_text())
    (data_set.parent / "other.nii.gz").write_bytes((data_set.parent / "image0.nii.gz").read_bytes())
    moved = {**entries["training"][0], "image": "other.nii.gz", "fold": 1}
    listed = _listed(data_set, "moved.json", {"training": [moved, *entries["training"][1:]]})
    assert [lesion.serves for lesion in survey_bank(bank, read_scans(listed)).lesions] == [(), (1,)]


def test_a_bank_of_validation_scans_is_refused(data_set: Path, bank: Path, tmp_path: Path) -> None:
    entries = json.loads(data_set.read_text())
    listed = _listed(data_set, "held.json", {"training": entries["validation"], "validation": entries["training"][::2]})
    with pytest.raises(ConSinGANError, match="without a leak"):
        augment(listed, tmp_path / "out", donors=bank)
    assert not (tmp_path / "out").exists()


def test_a_bank_of_other_scans_serves_all(data_set: Path, bank: Path) -> None:
    entries = json.loads(data_set.read_text())
    listed = _listed(data_set, "others.json", {"training": entries["validation"]})
    assert [lesion.serves for lesion in survey_bank(bank, read_scans(listed)).lesions] == [(None,), (None,)]


def test_augment_takes_a_bank_within_its_folds(data_set: Path, bank: Path, tmp_path: Path) -> None:
    settings = AugmentSettings(lesions=(1, 1), seam_margin=20.0)
    summary = augment(data_set, tmp_path / "out", settings, donors=bank)
    assert summary["donors"] == 2
    assert summary["made"] >= 2, summary
    for path in (tmp_path / "out" / "images").glob("*.json"):
        told = json.loads(path.read_text())
        for lesion in told["lesions"]:
            assert lesion["donor"]["scan"].startswith("bank:")
            assert lesion["donor"]["lesion"] == 1 + told["fold"]
    assert augment(data_set, tmp_path / "out", settings, donors=bank) == summary
    with pytest.raises(ConSinGANError, match="other values for donors"):
        augment(data_set, tmp_path / "out", settings)


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_a_damaged_bank_is_refused_before_anything_is_made(
    bank: Path, data_set: Path, tmp_path: Path, damage: str
) -> None:
    shutil.copytree(bank, tmp_path / "bank")
    file = next((tmp_path / "bank").glob("lesions/0002_*"))
    file.unlink() if damage == "gone" else file.write_bytes(b"noise")
    with pytest.raises(ConSinGANError, match=re.escape(file.name)):
        augment(data_set, tmp_path / "out", donors=tmp_path / "bank")
    assert not (tmp_path / "out").exists()
