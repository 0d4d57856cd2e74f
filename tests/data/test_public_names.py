from __future__ import annotations

from pathlib import Path

import pytest

from monai_consingan.data import find_cases
from monai_consingan.data.stored import public_name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("DOE^JANE/scan.nii.gz", "scan.nii.gz"),
        ("DOE^JANE/model.pt", "model.pt"),
        ("DOE^JANE.dcm", "(DICOM file)"),
        ("DOE^JANE", "(DICOM series)"),
        ("DOE^JANE.1", "(DICOM file)"),
    ],
)
def test_no_name_of_a_folder_or_a_dicom_file(tmp_path: Path, path: str, name: str) -> None:
    (tmp_path / path).parent.mkdir(exist_ok=True)
    if path == "DOE^JANE":
        (tmp_path / path).mkdir()
    else:
        (tmp_path / path).write_bytes(bytes(128) + (b"text" if path.endswith(".pt") else b"DICM"))
    assert public_name(tmp_path / path) == name


def test_no_case_is_called_by_its_series(tmp_path: Path) -> None:
    (tmp_path / "DOE^JANE").mkdir()
    (case,) = find_cases(tmp_path, ["image"], [{"image": "DOE^JANE"}])
    assert case["case"] == "DICOM_series"
