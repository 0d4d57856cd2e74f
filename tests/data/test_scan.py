from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from PIL import Image

from monai_consingan.data import file_sha256, load_label, load_scan, same_grid
from monai_consingan.errors import ConSinGANError

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the development data are not here")

OBLIQUE = np.array([[-0.9, 0.2, 0.1, 30.0], [0.3, 1.1, -0.2, -40.0], [0.1, 0.3, 3.0, 5.0], [0, 0, 0, 1]])


def ramp(*shape: int, dtype: str = "int16") -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def nifti(path: Path, array: np.ndarray, affine: np.ndarray = OBLIQUE) -> Path:
    image = nib.Nifti1Image(array, affine)
    image.header.set_data_dtype(array.dtype)
    nib.save(image, path)
    return path


def refusal(function: Callable[..., object], *args: Any, **kwargs: Any) -> str:
    """The one-sentence message of the error that a call must raise."""
    with pytest.raises(ConSinGANError) as caught:
        function(*args, **kwargs)
    message = str(caught.value)
    assert "\n" not in message and message.endswith(".")
    return message


@pytest.mark.parametrize("shape", [(4, 5, 6), (4, 5, 1), (4, 5)])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
def test_nifti_values_shape_and_affine(tmp_path: Path, shape: tuple[int, ...], dtype: str) -> None:
    array = ramp(*shape, dtype=dtype)
    image = load_scan(nifti(tmp_path / "a.nii.gz", array))
    assert image.dtype == torch.float32
    np.testing.assert_array_equal(np.asarray(image), array[None].astype(np.float32))
    np.testing.assert_allclose(image.affine, OBLIQUE, atol=1e-5)
    assert image.meta["filename_or_obj"] == str(tmp_path / "a.nii.gz")


def test_nifti_scaling_big_endian_and_single_fourth_axis(tmp_path: Path) -> None:
    stored = ramp(3, 4, 5, 1)
    image = nib.Nifti1Image(stored, OBLIQUE, header=nib.Nifti1Header(endianness=">"))
    image.header.set_data_dtype(">i2")
    image.header.set_slope_inter(2.5, -7)
    nib.save(image, tmp_path / "a.nii")
    np.testing.assert_array_equal(np.asarray(load_scan(tmp_path / "a.nii"))[0], stored[..., 0] * 2.5 - 7)


def test_values_come_into_an_array_that_is_given(tmp_path: Path) -> None:
    path, out = nifti(tmp_path / "a.nii.gz", ramp(3, 4, 5)), np.empty((3, 4, 5), np.float32)
    image = load_scan(path, out=out)
    np.testing.assert_array_equal(image, load_scan(path))
    assert np.shares_memory(image.numpy(), out)


def test_meta_holds_nothing_of_the_header_text(tmp_path: Path) -> None:
    image = nib.Nifti1Image(ramp(3, 4, 5), OBLIQUE)
    image.header["descrip"] = b"DOE^JANE 19700101"
    nib.save(image, tmp_path / "a.nii.gz")
    assert "DOE" not in str(load_scan(tmp_path / "a.nii.gz").meta)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_itk_formats_turn_lps_to_ras(tmp_path: Path, suffix: str) -> None:
    import itk

    array = ramp(3, 4, 5)
    image = itk.image_from_array(np.ascontiguousarray(array.T))
    image.SetSpacing([1.0, 2.0, 3.0])
    image.SetOrigin([10.0, 20.0, 30.0])
    itk.imwrite(image, str(tmp_path / f"a{suffix}"))
    scan = load_scan(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(np.asarray(scan)[0], array)
    np.testing.assert_allclose(scan.affine, [[-1, 0, 0, -10], [0, -2, 0, -20], [0, 0, 3, 30], [0, 0, 0, 1]])


def dicom_series(
    folder: Path, array: np.ndarray, positions: list[float], uid: str = "1.2.826.0.1.3680043.2.1125.1"
) -> None:
    """Write one file per slice."""
    import itk

    folder.mkdir(exist_ok=True)
    for number, position in enumerate(positions):
        image = itk.image_from_array(np.ascontiguousarray(array[:, :, number : number + 1].T))
        image.SetSpacing([0.5, 0.75, 2.0])
        image.SetOrigin([1.0, 2.0, position])
        facts = image.GetMetaDataDictionary()
        facts["0020|000e"] = uid
        facts["0020|000d"] = f"{uid}.1"
        facts["0020|0032"] = f"1\\2\\{position}"
        facts["0020|0037"] = "1\\0\\0\\0\\1\\0"
        facts["0010|0010"] = "DOE^JANE"
        facts["0008|0060"] = "MR"
        writer = itk.ImageFileWriter[type(image)].New(Input=image, FileName=str(folder / f"{uid[-1]}{number}.dcm"))
        gdcm = itk.GDCMImageIO.New()
        gdcm.KeepOriginalUIDOn()
        writer.SetImageIO(gdcm)
        writer.Update()


def test_dicom_series(tmp_path: Path) -> None:
    array = ramp(6, 5, 4)
    dicom_series(tmp_path / "series", array, [0.0, 2.0, 4.0, 6.0])
    scan = load_scan(tmp_path / "series")
    np.testing.assert_array_equal(np.asarray(scan)[0], array)
    np.testing.assert_allclose(np.diag(scan.affine), [-0.5, -0.75, 2.0, 1.0])
    assert "DOE" not in str(scan.meta)


def test_dicom_refusals(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    array = ramp(6, 5, 4)
    dicom_series(tmp_path / "gap", array, [0.0, 2.0, 4.0, 9.0])
    assert "unevenly" in refusal(load_scan, tmp_path / "gap")
    dicom_series(tmp_path / "two", array, [0.0, 2.0, 4.0, 6.0])
    dicom_series(tmp_path / "two", array, [0.0, 2.0, 4.0, 6.0], uid="1.2.826.0.1.3680043.2.1125.2")
    assert "more than one DICOM series" in refusal(load_scan, tmp_path / "two")
    (tmp_path / "none").mkdir()
    assert "without DICOM files" in refusal(load_scan, tmp_path / "none", name="host")
    assert "WARNING" not in capfd.readouterr().err


@pytest.mark.parametrize("mode", ["L", "I;16", "RGB", "RGBA", "LA", "P", "1"])
def test_png_modes(tmp_path: Path, mode: str) -> None:
    grey = (np.indices((4, 6)).sum(axis=0) * 20).astype(np.uint8)
    picture = Image.fromarray(grey.astype(np.uint16) * 300) if mode == "I;16" else Image.fromarray(grey).convert(mode)
    picture.save(tmp_path / "a.png")
    expected = {"I;16": grey.astype(np.float32) * 300, "1": np.asarray(picture.convert("L")).astype(np.float32)}
    scan = load_scan(tmp_path / "a.png")
    np.testing.assert_array_equal(np.asarray(scan)[0], expected.get(mode, grey.astype(np.float32)).T)
    np.testing.assert_array_equal(scan.affine, np.eye(4))


def write_unreadable(tmp_path: Path, case: str) -> Path:
    """Write the file of a case of bad input and return its path."""
    good = ramp(8, 8, 8)
    if case == "truncated gz":
        path = nifti(tmp_path / "a.nii.gz", np.random.RandomState(0).randint(0, 999, (8, 8, 8)).astype("int16"))
        path.write_bytes(path.read_bytes()[:-200])
    elif case == "truncated nii":
        path = nifti(tmp_path / "a.nii", good)
        path.write_bytes(path.read_bytes()[:-200])
    elif case == "text as nii.gz":
        path = tmp_path / "a.nii.gz"
        path.write_bytes(gzip.compress(b"not an image"))
    elif case == "text as png":
        path = tmp_path / "a.png"
        path.write_bytes(b"not an image")
    elif case == "truncated png":
        path = tmp_path / "a.png"
        Image.fromarray(np.random.RandomState(0).randint(0, 255, (64, 64)).astype("uint8")).save(path)
        path.write_bytes(path.read_bytes()[:2000])
    else:
        path = tmp_path / "a.nrrd"
        path.write_bytes(b"NRRD0004\ntype: short\ndimension: 3\nsizes: 9 9 9\nencoding: raw\n\n1234")
    return path


@pytest.mark.parametrize(
    "case", ["truncated gz", "truncated nii", "text as nii.gz", "text as png", "truncated png", "truncated nrrd"]
)
def test_unreadable_files(tmp_path: Path, case: str) -> None:
    path = write_unreadable(tmp_path, case)
    message = refusal(load_scan, path, name="donor")
    assert message.startswith(f"donor {path} cannot be read")


def bad_array(case: str) -> np.ndarray:
    array = ramp(4, 4, 4, dtype="float32")
    if case == "complex":
        return array.astype(np.complex64)
    if case == "RGB":
        return np.zeros((4, 4, 4), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    if case == "dimensions":
        return ramp(4, 4, 4, 2)
    if case == "constant":
        return np.full((4, 4, 4), 7, dtype="int16")
    array[1, 2, 3] = np.nan if case == "NaN" else np.inf
    return array


@pytest.mark.parametrize("case", ["complex", "RGB", "dimensions", "constant", "NaN", "infinite"])
def test_unusable_images(tmp_path: Path, case: str) -> None:
    path = nifti(tmp_path / "a.nii.gz", bad_array(case))
    message = refusal(load_scan, path, name="host")
    assert str(path) in message and "host" in message and case in message


@pytest.mark.parametrize("broken", ["zero", "flat", "nan"])
def test_affine_that_cannot_be_inverted(tmp_path: Path, broken: str) -> None:
    affine = {"zero": np.zeros((4, 4)), "flat": np.array([[1.0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])}
    image = nib.Nifti1Image(ramp(4, 4, 4), np.eye(4))
    rows = affine.get(broken, np.full((4, 4), np.nan))
    for name, row in zip(("srow_x", "srow_y", "srow_z"), rows, strict=False):
        image.header[name] = row
    image.header["sform_code"] = 1
    bytes_ = bytearray(image.header.binaryblock + b"\0" * 4 + np.asarray(image.dataobj).tobytes("F"))
    bytes_[108:112] = np.float32(352).tobytes()
    (tmp_path / "a.nii").write_bytes(bytes(bytes_))
    assert "inverted" in refusal(load_scan, tmp_path / "a.nii")


def test_other_refusals(tmp_path: Path) -> None:
    assert "does not exist" in refusal(load_scan, tmp_path / "no.nii.gz")
    (tmp_path / "a.docx").write_bytes(b"x")
    assert "suffix" in refusal(load_scan, tmp_path / "a.docx")
    colour = np.zeros((4, 4, 3), dtype=np.uint8)
    colour[..., 0] = 9
    Image.fromarray(colour).save(tmp_path / "c.png")
    assert "RGB" in refusal(load_scan, tmp_path / "c.png")
    Image.fromarray(colour[..., 0]).save(
        tmp_path / "a.png", save_all=True, append_images=[Image.fromarray(colour[..., 1])]
    )
    assert "animation" in refusal(load_scan, tmp_path / "a.png")


@pytest.fixture
def scan(tmp_path: Path) -> MetaTensor:
    return load_scan(nifti(tmp_path / "scan.nii.gz", ramp(6, 7, 5)))


def outline(values: tuple[int, ...] = (1, 2), dtype: str = "uint8") -> np.ndarray:
    array = np.zeros((6, 7, 5), dtype=dtype)
    for place, value in enumerate(values):
        array[1 + place, 2, 2] = value
    return array


def test_label_values_are_kept(tmp_path: Path, scan: MetaTensor) -> None:
    path = nifti(tmp_path / "label.nii.gz", outline((1, 2, 4), "float64"))
    label = load_label(path, image=scan)
    assert label.dtype == torch.int16 and tuple(label.shape) == (1, 6, 7, 5)
    np.testing.assert_array_equal(np.asarray(label)[0], outline((1, 2, 4)))
    chosen = load_label(path, image=scan, lesion_labels=[1, 4])
    np.testing.assert_array_equal(np.asarray(chosen)[0], outline((1, 0, 4)))
    assert load_label(nifti(tmp_path / "b.nii.gz", outline((70000,), "int32")), image=scan).dtype == torch.int32


def test_label_refusals(tmp_path: Path, scan: MetaTensor) -> None:
    def message(array: np.ndarray, affine: np.ndarray = OBLIQUE, **kwargs: Any) -> str:
        path = nifti(tmp_path / "label.nii.gz", array, affine)
        text = refusal(load_label, path, image=scan, image_name="donor", name="donor label", **kwargs)
        assert text.startswith(f"donor label {path}")
        return text

    text = message(outline()[:, :, :4])
    assert "(6, 7, 4)" in text and "(6, 7, 5)" in text and f"donor {tmp_path / 'scan.nii.gz'}" in text
    moved = OBLIQUE.copy()
    moved[0, 3] += 1
    assert "affines" in message(outline(), moved)
    assert "0.5" in message(outline((1,), "float32") * 0.5)
    assert "-3" in message(outline((1, -3), "int16"))
    assert "empty" in message(outline(()))
    assert "no background" in message(np.ones((6, 7, 5), dtype="uint8"))
    assert "NaN" in message(np.where(outline() > 0, np.nan, 0.0))
    unknown = message(outline(), lesion_labels=[4, 5])
    assert "[1, 2]" in unknown and "5" in unknown
    message(outline(), lesion_labels=[])
    message(outline(), lesion_labels=[0, 1])


def test_empty_label_can_be_allowed(tmp_path: Path, scan: MetaTensor) -> None:
    path = nifti(tmp_path / "label.nii.gz", outline(()))
    assert not load_label(path, image=scan, allow_empty=True).any()
    assert not load_label(path, image=scan, allow_empty=True, lesion_labels=[4]).any()


def test_affine_rounding_is_tolerated(tmp_path: Path, scan: MetaTensor) -> None:
    near = OBLIQUE.copy()
    near[0, 3] += 1e-3
    label = load_label(nifti(tmp_path / "label.nii.gz", outline(), near), image=scan)
    np.testing.assert_array_equal(label.affine, scan.affine)


def test_same_grid_sees_a_single_slice_of_other_thickness() -> None:
    thick = np.diag([1.0, 1.0, 3.0, 1.0])
    assert same_grid(np.eye(4), np.eye(4), (9, 9, 1))
    assert not same_grid(np.eye(4), thick, (9, 9, 1))


def test_jpeg_label_is_thresholded(tmp_path: Path) -> None:
    mask = np.zeros((32, 32), dtype=np.uint8)
    mask[8:20, 8:24] = 255
    Image.fromarray(mask).save(tmp_path / "mask.jpg", quality=60)
    Image.fromarray(ramp(32, 32, dtype="uint8")).save(tmp_path / "scan.png")
    label = load_label(tmp_path / "mask.jpg", image=load_scan(tmp_path / "scan.png"))
    np.testing.assert_array_equal(np.asarray(label)[0], (mask > 0).T)


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"two")
    assert file_sha256(tmp_path / "b") == hashlib.sha256(b"two").hexdigest()
    first = file_sha256(tmp_path)
    (tmp_path / "a").write_bytes(b"one")
    assert file_sha256(tmp_path) != first
    assert "no" in refusal(file_sha256, tmp_path / "no")


@needs_shared
def test_real_scans() -> None:
    for path, shape in {
        "dicom_vsseg001_t1c": (1, 512, 512, 3),
        "healthy_datalad_t1_dicom/dicoms": (1, 274, 384, 16),
        "dev_cheng2d_t1c/images/3062.png": (1, 512, 512),
        "dev_mets2d_t2w/images/BraTS-MET-00233-000_1071.jpg": (1, 512, 512),
    }.items():
        assert tuple(load_scan(SHARED / path).shape) == shape
    image = load_scan(SHARED / "dev_mets2d_t2w/images/BraTS-MET-00233-000_1071.jpg")
    label = load_label(SHARED / "dev_mets2d_t2w/masks/BraTS-MET-00233-000_1071.jpg", image=image)
    assert sorted(np.unique(label)) == [0, 1]
