"""What a DICOM header tells of a person does not reach the outputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import itk
import nibabel as nib
import numpy as np
import pytest

from monai_consingan.data import load_scan
from monai_consingan.errors import ConSinGANError
from monai_consingan.workflows.augmentation import AugmentSettings, augment
from monai_consingan.workflows.data_sets.records import ScanRecord, without_paths

FACTS = {
    "0010|0010": "DOE^JANE",
    "0010|0020": "PATIENT-4711",
    "0010|0030": "19600102",
    "0008|0020": "19991231",
    "0008|0080": "HOSPITAL",
    "0008|0060": "MR",
    "0020|000e": "1.2.826.0.1.3680043.2.1125.1",
    "0020|000d": "1.2.826.0.1.3680043.2.1125.1.1",
    "0020|0037": "1\\0\\0\\0\\1\\0",
}


def dicom_series(folder: Path, array: np.ndarray) -> None:
    folder.mkdir(parents=True)
    for number in range(array.shape[2]):
        image = itk.image_from_array(np.ascontiguousarray(array[:, :, number : number + 1].T).astype(np.int16))
        image.SetSpacing([1.9, 1.9, 5.0])
        image.SetOrigin([0.0, 0.0, 5.0 * number])
        facts = image.GetMetaDataDictionary()
        for tag, value in {**FACTS, "0020|0032": f"0\\0\\{5.0 * number}"}.items():
            facts[tag] = value
        writer = itk.ImageFileWriter[type(image)].New(Input=image, FileName=str(folder / f"{number}.dcm"))
        gdcm = itk.GDCMImageIO.New()
        gdcm.KeepOriginalUIDOn()
        writer.SetImageIO(gdcm)
        writer.Update()


def test_dicom(tmp_path: Path, small: Any) -> None:
    image, label, _ = small
    series = tmp_path / "data" / "DOE^JANE 19600102"
    dicom_series(series, image)
    affine = load_scan(series).affine.numpy()
    nib.save(nib.Nifti1Image(label, affine), tmp_path / "data" / "label.nii.gz")
    (tmp_path / "data" / "list.json").write_text(
        json.dumps({"training": [{"image": series.name, "label": "label.nii.gz"}, {"image": "DOE^JOHN"}]})
    )
    settings = AugmentSettings(method="poisson", lesions=(1, 1), sizes={"small": 1, "medium": 1}, seam_margin=4)
    summary = augment(tmp_path / "data" / "list.json", tmp_path / "out", settings)
    assert summary["made"] == 1
    assert set(summary["failed"]) == {"scan-0001", "scan-0001_syn-000"}
    made = nib.load(tmp_path / "out" / "images" / "scan-0000_syn-000.nii.gz")
    assert np.allclose(made.affine, affine)
    assert (np.asarray(made.dataobj) == image).mean() > 0.9
    names = [path.name for path in (tmp_path / "out").rglob("*")]
    told = [
        nib.load(path).header.binaryblock if path.name.endswith(".nii.gz") else path.read_bytes()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file() and not path.name.startswith(("datalist", "run."))  # which list the files of the data set
    ]
    assert len(told) >= 8
    for word in ("DOE", "JANE", "JOHN", "4711", "19600102", "19991231", "HOSPITAL"):
        assert not any(word in name for name in names)
        assert not any(word.encode() in text for text in told), word


def test_what_is_kept_of_an_error_tells_no_path(tmp_path: Path) -> None:
    scan, longer, link = (tmp_path / name for name in ("DOE.nii", "DOE.nii.gz", "link.nii.gz"))
    link.symlink_to("../JANE/scan.nii.gz")
    records = [ScanRecord(f"case-{n}", path, None) for n, path in enumerate((scan, longer, link))]
    assert without_paths(f"scan case-1 {longer} differs from {scan}.", records) == "scan case-1 differs from case-0."
    assert without_paths(f"{tmp_path}/mask.nii is no mask.", records) == "mask.nii is no mask."
    with pytest.raises(ConSinGANError) as error:
        load_scan(link, name="scan case-2")
    told = without_paths(str(error.value), records)
    assert told == "scan case-2 is a link to another file, which does not exist: mend the link."
