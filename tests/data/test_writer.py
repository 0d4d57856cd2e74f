from __future__ import annotations

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import SaveImage

from monai_consingan.data import HostGeometryWriter, case_file, example, load_scan
from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms import LoadScand


def save(image: MetaTensor, folder: Path, dtype: type) -> nib.Nifti1Image:
    SaveImage(
        output_dir=folder,
        writer=HostGeometryWriter,
        output_dtype=dtype,
        resample=False,
        separate_folder=False,
        output_postfix="out",
        print_log=False,
    )(image)
    (path,) = folder.glob("*_out.nii.gz")
    return nib.load(path)


def test_an_image_keeps_the_scans_numbers_type_and_geometry(tmp_path: Path) -> None:
    scan = load_scan(example().image)
    image = scan.clone()
    image[0, 90:100, 90:100, 7] += 33.4
    host, written = nib.load(example().image), save(image, tmp_path, np.float32)
    before, after = np.asanyarray(host.dataobj), np.asanyarray(written.dataobj)
    assert after.dtype == before.dtype
    np.testing.assert_array_equal(written.affine, host.affine)
    changed = np.argwhere(before != after)
    assert len(changed) == 100 and (changed[:, 2] == 7).all()
    np.testing.assert_array_equal(after[90:100, 90:100, 7], before[90:100, 90:100, 7] + 33)


def test_an_integer_type_writes_a_label(tmp_path: Path) -> None:
    scan = load_scan(example().image)
    label = MetaTensor(torch.zeros(scan.shape, dtype=torch.uint8), meta=scan.meta)
    label[0, 5, 6, 7] = 4
    written = save(label, tmp_path, np.uint8)
    assert written.get_data_dtype() == np.uint8
    assert np.argwhere(np.asanyarray(written.dataobj)).tolist() == [[5, 6, 7]]
    np.testing.assert_array_equal(written.affine, nib.load(example().image).affine)


def test_an_image_without_a_scan_is_refused() -> None:
    writer = HostGeometryWriter()
    with pytest.raises(ConSinGANError, match="filename_or_obj"):
        writer.set_metadata({})
    with pytest.raises(ConSinGANError, match="set_metadata"):
        HostGeometryWriter().write("x.nii.gz")


def test_cases_with_dots_and_slashes_get_files_of_their_own(tmp_path: Path) -> None:
    scan = load_scan(example().image)
    saver = SaveImage(
        output_dir=tmp_path / "out", writer=HostGeometryWriter, resample=False, print_log=False,
        output_name_formatter=case_file,
    )  # fmt: skip
    for name in ("1.2.840.1", "1.2.840.2", "../x", "plain"):
        scan.meta["case"] = name
        saver(scan)
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.nii.gz"))
    assert files == [f"out/{name}/{name}_trans.nii.gz" for name in ("1.2.840.1", "1.2.840.2", "plain", "x")]


def test_the_scan_itself_is_not_replaced(tmp_path: Path) -> None:
    shutil.copy(example().image, tmp_path / "scan.nii.gz")
    scan = load_scan(tmp_path / "scan.nii.gz")
    writer = HostGeometryWriter()
    writer.set_data_array(scan)
    writer.set_metadata(scan.meta)
    with pytest.raises(ConSinGANError, match="would take the place of the scan"):
        writer.write(tmp_path / "scan.nii.gz")


@pytest.mark.parametrize("form", ["files", "4d"])
def test_sequences_are_saved_in_the_form_they_came_in(tmp_path: Path, form: str) -> None:
    scan = nib.load(example().image)
    first = np.asarray(scan.dataobj)
    second = np.where(first > 0, np.maximum(first.max() - first, 1), 0).astype(first.dtype)
    files = [tmp_path / "in" / f"case_{name}.nii.gz" for name in ("t1", "t2")]
    files[0].parent.mkdir()
    if form == "4d":
        nib.save(nib.Nifti1Image(np.stack([first, second], -1), scan.affine), tmp_path / "in" / "case.nii.gz")
    for path, values in zip(files, (first, second), strict=True):
        nib.save(nib.Nifti1Image(values, scan.affine), path)
    data = LoadScand("image")({"image": files if form == "files" else tmp_path / "in" / "case.nii.gz"})
    image = data["image"]
    image[1, 90:100, 90:100, 7] += 33.0
    SaveImage(output_dir=tmp_path / "out", writer=HostGeometryWriter, resample=False, separate_folder=False,
              output_postfix="out", print_log=False)(image)  # fmt: skip
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    stem = "case_t1_out" if form == "files" else "case_out"
    assert written == ([f"{stem}_t1.nii.gz", f"{stem}_t2.nii.gz"] if form == "files" else [f"{stem}.nii.gz"])
    made = [np.asarray(nib.load(tmp_path / "out" / name).dataobj) for name in written]
    made = made if form == "files" else list(np.moveaxis(made[0], -1, 0))
    assert np.array_equal(made[0], first) and (made[1] != second).sum() == 100
    assert np.array_equal(made[1][90:100, 90:100, 7], second[90:100, 90:100, 7] + 33)
