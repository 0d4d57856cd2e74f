from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from monai_consingan.data import example
from monai_consingan.errors import ConSinGANError
from monai_consingan.workflows.reproduction import FoundScan, list_data_set
from monai_consingan.workflows.reproduction.cases import choose_cases, scan_cases

from .conftest import published_values

WANTED = {"harmonization": 3, "editing": 1}


@pytest.fixture
def pair(tmp_path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    image, label = (nib.load(path) for path in (example().image, example().label))
    parts, _ = ndimage.label(np.asarray(label.dataobj), structure=np.ones((3, 3, 3)))
    return np.asarray(image.dataobj), parts == np.bincount(parts[parts > 0]).argmax(), image.affine


def saved(folder: Path, image: np.ndarray, mask: np.ndarray, affine: np.ndarray) -> FoundScan:
    paths = [folder / "t1.nii.gz", folder / "mask.nii.gz"]
    for path, array in zip(paths, (image, mask), strict=True):
        nib.save(nib.Nifti1Image(array, affine), path)
    return FoundScan("p", *paths)


def test_lesions_go_in_place_to_a_slice_without_tumour(pair: tuple[np.ndarray, ...], tmp_path: Path) -> None:
    image, tumour, affine = pair
    notes: list[str] = []
    mask = published_values(image, tumour)
    mask[60:90, 60:90, 0] = 23  # ends neither in 1 nor in 2
    mask[50:56, 100:106, 4] = 21
    cases = scan_cases(saved(tmp_path, image, mask, affine), 7, WANTED, notes.append)
    assert [(case.task, case.scan, case.facts["lesion"]) for case in cases] == [
        ("harmonization", 7, 1),
        ("harmonization", 7, 2),
        ("editing", 7, 1),
    ]
    assert notes == [
        "values 23 of the mask of scan 7 end neither in 1 (enhancing) nor in 2 (necrotic), and are left out."
    ]
    inserted, other, removed = cases
    tumour_slices = np.flatnonzero((tumour > 0).any(axis=(0, 1)))
    assert inserted.facts["donor_slice"] == (tumour > 0).sum(axis=(0, 1)).argmax()
    assert inserted.facts["host_slice"] not in tumour_slices
    label = np.asarray(inserted.images["label"])[0]
    assert label.shape == (250, 250) and set(np.unique(label)) == {0, 11, 12}
    assert set(np.unique(np.asarray(other.images["label"]))) == {0, 21}
    share = (label > 0).mean() / (tumour[..., inserted.facts["donor_slice"]] > 0).mean()
    assert share == pytest.approx(1, abs=0.02)
    assert inserted.facts["enhancing_pixels"] + inserted.facts["necrotic_pixels"] == (label > 0).sum()
    assert set(np.unique(np.asarray(removed.images["label"]))) == {0, 11, 12, 21}  # all lesions of the slice
    donor = image[..., inserted.facts["donor_slice"]]
    for values in (inserted.images["donor"], removed.images["image"]):
        assert float(values.min()) >= donor.min() and float(values.max()) <= donor.max()
    spacing = np.linalg.norm(np.asarray(inserted.images["host"].affine)[:3, :2], axis=0)
    np.testing.assert_allclose(spacing, np.array([192, 224]) / 250 * nib.affines.voxel_sizes(affine)[:2])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_lie_as_they_do_in_the_scan(pair: tuple[np.ndarray, ...], tmp_path: Path, axis: int) -> None:
    image, tumour, affine = pair
    order = [0, 1]
    order.insert(axis, 2)
    turned = [np.transpose(array, order) for array in (image, published_values(image, tumour))]
    case = scan_cases(saved(tmp_path, *turned, affine[:, [*order, 3]]), 1, {"editing": 1}, print)[0]
    assert case.facts["axis"] == axis
    np.testing.assert_allclose(case.images["image"].affine[:, 2], affine[:, 2])
    straight = scan_cases(saved(tmp_path, image, published_values(image, tumour), affine), 1, {"editing": 1}, print)[0]
    np.testing.assert_array_equal(case.images["image"], straight.images["image"])


def test_patients_take_turns(data_set: Path) -> None:
    scans = list_data_set(data_set).scans
    assert [scan.patient for scan in scans] == ["doe jane", "smith john", "smith john"]
    notes: list[str] = []
    cases = choose_cases(scans, {"harmonization": 2, "editing": 9}, notes.append)
    assert [case.scan for case in cases["harmonization"]] == [1, 2]
    editing = [case.scan for case in cases["editing"]]
    assert editing[:2] == [1, 2] and set(editing) == {1, 2, 3}
    assert any("of 9 slices for editing are missing" in note for note in notes)


def test_scans_that_do_not_suit_are_told(pair: tuple[np.ndarray, ...], tmp_path: Path) -> None:
    image, tumour, affine = pair
    notes: list[str] = []
    everywhere = np.zeros(tumour.shape, np.uint8)
    everywhere[50:60, 100:110] = 11
    no_free_slice = saved(tmp_path, image, everywhere, affine)
    assert [case.task for case in scan_cases(no_free_slice, 1, WANTED, notes.append)] == ["editing"]
    assert notes == ["scan 1 has no lesion that suits harmonization."]
    with pytest.raises(
        ConSinGANError, match=r"None of the 1 scans has a lesion that suits harmonization \(scan 1 has no"
    ):
        choose_cases([no_free_slice], WANTED, notes.append)
    shorter = saved(tmp_path, image, (tumour > 0).astype(np.uint8)[..., :-1], affine)
    assert scan_cases(shorter, 2, WANTED, notes.append) == []
    assert "scan 2 is not used" in notes[-1] and "shape" in notes[-1]
    strange = saved(tmp_path, image, 5 * (tumour > 0).astype(np.uint8), affine)
    assert scan_cases(strange, 3, WANTED, notes.append) == []
    assert "no values that end in 1 (enhancing) or 2 (necrotic)" in notes[-1]
