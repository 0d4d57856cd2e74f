from __future__ import annotations

from pathlib import Path

import pytest

from monai_consingan.errors import ConSinGANError
from monai_consingan.workflows.reproduction import list_data_set

# What a folder holds (a name that ends in / is a DICOM series), and the scans and masks that belong together.
LAYOUTS: dict[str, tuple[list[str], list[tuple[str, str]]]] = {
    "a folder for each patient": (
        ["P01/t1c.nii.gz", "P01/flair.nii.gz", "P01/mask.nii.gz", "P02/t1c.nii.gz", "P02/mask.nii.gz"],
        [("P01/t1c.nii.gz", "P01/mask.nii.gz"), ("P02/t1c.nii.gz", "P02/mask.nii.gz")],
    ),
    "time points": (
        ["P1/2019/T1.nii", "P1/2019/seg.nii", "P1/2020/T1.nii", "P1/2020/seg.nii"],
        [("P1/2019/T1.nii", "P1/2019/seg.nii"), ("P1/2020/T1.nii", "P1/2020/seg.nii")],
    ),
    "flat files": (
        ["040102_20190101_T1.nii.gz", "040102_20190101_mask.nii.gz", "040103_T1Gd.nii.gz", "040103_T1Gd_Label.nii.gz"],
        [
            ("040102_20190101_T1.nii.gz", "040102_20190101_mask.nii.gz"),
            ("040103_T1Gd.nii.gz", "040103_T1Gd_Label.nii.gz"),
        ],
    ),
    "parallel folders": (
        ["images/P1.nii.gz", "images/P10.nii.gz", "masks/P1.nii.gz", "masks/P10.nii.gz"],
        [("images/P1.nii.gz", "masks/P1.nii.gz"), ("images/P10.nii.gz", "masks/P10.nii.gz")],
    ),
    "DICOM": (["P1/T1_SAG_POST/", "P1/T2/", "P1/mask.nii.gz"], [("P1/T1_SAG_POST", "P1/mask.nii.gz")]),
    "NIfTI goes before DICOM": (
        ["P1/DICOM/T1/", "P1/NIFTI/T1.nii", "P1/mask.nii"],
        [("P1/NIFTI/T1.nii", "P1/mask.nii")],
    ),
    "contrast goes before none": (
        ["P1/t1.nii", "P1/t1ce.nii", "P1/t1_pre_contrast.nii", "P1/roi.nii"],
        [("P1/t1ce.nii", "P1/roi.nii")],
    ),
    "a folder around all": (
        ["masks_and_scans/P1_t1.nii", "masks_and_scans/P1_mask.nii"],
        [("masks_and_scans/P1_t1.nii", "masks_and_scans/P1_mask.nii")],
    ),
    "words in another order": (
        ["sub-01/ses-2/anat/sub-01_ses-2_ce-gd_T1w.nii", "derivatives/sub-01/ses-2/sub-01_ses-2_segmentation.nii"],
        [
            (
                "sub-01/ses-2/anat/sub-01_ses-2_ce-gd_T1w.nii",
                "derivatives/sub-01/ses-2/sub-01_ses-2_segmentation.nii",
            )
        ],
    ),
}


def make(root: Path, names: list[str]) -> Path:
    for name in names:
        path = root / (f"{name}0.dcm" if name.endswith("/") else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return root


@pytest.mark.parametrize("layout", LAYOUTS)
def test_scans_and_masks_are_matched(layout: str, tmp_path: Path) -> None:
    names, pairs = LAYOUTS[layout]
    found = list_data_set(make(tmp_path, names))
    assert [
        (scan.image.relative_to(tmp_path).as_posix(), scan.mask.relative_to(tmp_path).as_posix())
        for scan in found.scans
    ] == pairs
    told = "\n".join(found.lines())
    assert all(name.rstrip("/") in told for name in names)


@pytest.mark.parametrize(
    ("names", "patients"),
    [
        (["2023_all/P1/2019/", "2023_all/P1/2020/", "2023_all/P2/2019/"], ["p1", "p1", "p2"]),
        (["Doe_Jane/2019/", "Smith_John/2019/", "Smith_John/2020/"], ["doe jane", "smith john", "smith john"]),
        (["sub-01_ses-1_", "sub-01_ses-2_", "sub-02_ses-1_"], ["01", "01", "02"]),
    ],
)
def test_patients_are_told_apart(names: list[str], patients: list[str], tmp_path: Path) -> None:
    found = list_data_set(make(tmp_path, [f"{name}{kind}.nii" for name in names for kind in ("t1", "mask")]))
    assert [scan.patient for scan in found.scans] == patients


# What is left out, and a part of the reason.
LEFT_OUT = {
    "P2/FLAIR.nii": "another sequence",
    "P2/flair_mask.nii": "mask of another sequence",
    "P3/t1.nii": "no mask",
    "P4/seg.nii": "no scan belongs to it",
    "P5/2019/t1.nii": "no mask",
    "P5/2020/t1.nii": "no mask",
    "P5/mask.nii": "2 scans fit it alike",
    "P1/mask_reader2.nii": "has the mask P1/mask.nii already",
}


def test_what_is_left_out_is_told_with_the_reason(tmp_path: Path) -> None:
    root = make(tmp_path, ["P1/t1.nii", "P1/mask.nii", *LEFT_OUT, "clinical.xlsx", "P1/view.png", ".hidden/x.nii"])
    found = list_data_set(root)
    assert [scan.mask.name for scan in found.scans] == ["mask.nii"]
    reasons = {path.relative_to(root).as_posix(): why for path, why in found.left_out}
    assert sorted(reasons) == sorted(LEFT_OUT)
    for name, why in LEFT_OUT.items():
        assert why in reasons[name], name
    assert found.lines()[-1] == "Files that are no volumes: 1 .png, 1 .xlsx."


def test_a_folder_without_pairs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConSinGANError, match=r"none is not a folder"):
        list_data_set(tmp_path / "none")
    with pytest.raises(ConSinGANError, match=r"no scan with a mask \(0 volumes, 0 of them masks by their names\)"):
        list_data_set(tmp_path)
    make(tmp_path, ["P1/t1.nii", "P2/mask.nii"])
    with pytest.raises(ConSinGANError, match=r"2 volumes, 1 of them masks.*P1/t1.nii: no mask belongs to it"):
        list_data_set(tmp_path)
