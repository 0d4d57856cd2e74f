"""Files that are damaged, too large or not there: refused in one sentence that says which."""

from __future__ import annotations

import gzip
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from monai_consingan.data import file_sha256, load_label, load_scan
from monai_consingan.errors import ConSinGANError
from monai_consingan.workflows.resumable_folder import write_json

SHAPE = (12, 13, 14)


def numbers() -> np.ndarray:
    return np.random.RandomState(0).randint(0, 2000, SHAPE).astype(np.int16)


def write_nifti(path: Path) -> list[Path]:
    raw = nib.Nifti1Image(numbers(), np.eye(4)).to_bytes()
    path.write_bytes(gzip.compress(raw, 0))  # stored blocks: a flipped bit can be unpacked
    return [path]


def write_itk(path: Path) -> list[Path]:
    itk = pytest.importorskip("itk")
    itk.imwrite(itk.image_from_array(numbers()), str(path), compression=True)
    return sorted(path.parent.iterdir())


def write_png(path: Path) -> list[Path]:
    Image.fromarray(numbers()[0].astype(np.uint16)).save(path)
    return [path]


WRITERS: dict[str, Callable[[Path], list[Path]]] = {
    "a.nii.gz": write_nifti,
    "a.nrrd": write_itk,
    "a.nhdr": write_itk,
    "a.mha": write_itk,
    "a.mhd": write_itk,
    "a.png": write_png,
}


@pytest.mark.parametrize("name", WRITERS)
def test_damaged_bits_and_missing_ends_are_refused(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    files = WRITERS[name](tmp_path / name)
    whole = load_scan(tmp_path / name)
    data = max(files, key=lambda path: path.stat().st_size)
    content = data.read_bytes()
    for place in (0.3, 0.6, 0.9):
        flipped = bytearray(content)
        flipped[int(place * len(content))] ^= 0x10
        data.write_bytes(flipped)
        with pytest.raises(ConSinGANError, match=rf"{name} cannot be read, it may be damaged"):
            load_scan(tmp_path / name)
    for missing in (6, 8, 100) if name == "a.png" else (1, 4, 6, 8, 100):  # PNG: 4 bytes sum up its empty end mark
        data.write_bytes(content[:-missing])
        with pytest.raises(ConSinGANError, match=rf"{name} cannot be read, it may be damaged"):
            load_scan(tmp_path / name)
    assert capfd.readouterr() == ("", "")
    data.write_bytes(content)
    np.testing.assert_array_equal(load_scan(tmp_path / name), whole)


def test_damaged_label(tmp_path: Path) -> None:
    raw = nib.Nifti1Image((numbers() > 1900).astype(np.uint8), np.eye(4)).to_bytes()
    (tmp_path / "label.nii.gz").write_bytes(gzip.compress(raw)[:-5])
    write_nifti(tmp_path / "a.nii.gz")
    with pytest.raises(ConSinGANError, match=r"label\.nii\.gz cannot be read, it may be damaged"):
        load_label(tmp_path / "label.nii.gz", image=load_scan(tmp_path / "a.nii.gz"))


def test_a_gzip_of_several_members_is_whole(tmp_path: Path) -> None:
    raw = nib.Nifti1Image(numbers(), np.eye(4)).to_bytes()
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(raw[:500]) + gzip.compress(raw[500:]))
    np.testing.assert_array_equal(load_scan(tmp_path / "a.nii.gz")[0], numbers())


@pytest.mark.parametrize("error", [MemoryError(), np._core._exceptions._ArrayMemoryError((9,), np.dtype(float))])
def test_what_does_not_fit_into_memory_is_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: MemoryError
) -> None:
    def fail(*_: object) -> None:
        raise error

    write_nifti(tmp_path / "a.nii.gz")
    monkeypatch.setattr("monai_consingan.data.stored.decompress", fail)
    with pytest.raises(ConSinGANError, match=r"a\.nii\.gz does not fit into memory") as caught:
        load_scan(tmp_path / "a.nii.gz")
    assert "damaged" not in str(caught.value)


def test_a_link_to_itself_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").symlink_to("b.nii.gz")
    (tmp_path / "b.nii.gz").symlink_to("a.nii.gz")
    with pytest.raises(ConSinGANError, match=r"a\.nii\.gz is a link to b\.nii\.gz"):
        load_scan(tmp_path / "a.nii.gz")


@pytest.mark.parametrize(("place", "number"), [(40, 0x7FFF), (70, 153), (108, 0x7FC0), (344, 0)])
def test_a_damaged_header_is_one_sentence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], place: int, number: int
) -> None:
    write_nifti(tmp_path / "a.nii")
    data = bytearray((tmp_path / "a.nii").read_bytes())
    data[place + 2 * (place == 108) : place + 2 + 2 * (place == 108)] = number.to_bytes(2, "little")
    (tmp_path / "a.nii").write_bytes(data)
    with pytest.raises(ConSinGANError, match=r"a\.nii "):
        load_scan(tmp_path / "a.nii")
    assert "".join(capfd.readouterr()) == ""


def test_a_dangling_link_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").symlink_to("gone.nii.gz")
    with pytest.raises(ConSinGANError, match=r"a\.nii\.gz is a link to gone\.nii\.gz, which does not exist"):
        load_scan(tmp_path / "a.nii.gz")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("factor", [1e-45, 1e-20, 1e20, 1e38, 1e300])
def test_values_beyond_what_can_be_computed_with(tmp_path: Path, factor: float) -> None:
    nib.save(nib.Nifti1Image(numbers() / 1999 * factor, np.eye(4), dtype=np.float64), tmp_path / "a.nii")
    with pytest.raises(ConSinGANError, match=r"a\.nii (has values from 0 to .*|is constant .*)"):
        load_scan(tmp_path / "a.nii")


@pytest.mark.parametrize("mm", [0.002, 300.0])
def test_voxels_in_another_unit_are_refused(tmp_path: Path, mm: float) -> None:
    nib.save(nib.Nifti1Image(numbers(), np.diag([mm, mm, mm, 1])), tmp_path / "a.nii.gz")
    with pytest.raises(ConSinGANError, match=f"a.nii.gz has voxels of {mm:g} x {mm:g} x {mm:g} mm, .* has to be in mm"):
        load_scan(tmp_path / "a.nii.gz")


def test_what_a_reader_mends_in_a_header_is_not_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    image = nib.Nifti1Image(numbers(), None)
    image.header["pixdim"][1:4] = 0
    nib.save(image, tmp_path / "a.nii.gz")
    capfd.readouterr()
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, []  # as pytest has some, and a command has none
    try:
        load_scan(tmp_path / "a.nii.gz")
    finally:
        root.handlers = handlers
    assert capfd.readouterr().err == ""


def test_names_of_bytes_that_are_no_text(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    try:
        folder.mkdir()
    except OSError:  # a file system that has none
        pytest.skip("names are texts here")
    nib.save(nib.Nifti1Image(numbers(), np.eye(4)), folder / os.fsdecode(b"\xe9.nii.gz"))
    assert load_scan(folder / os.fsdecode(b"\xe9.nii.gz")).shape == (1, *SHAPE)
    assert len(file_sha256(folder)) == 64
    write_json(folder / "told.json", {"at": str(folder), "name": "é"})
    assert json.loads((folder / "told.json").read_text(encoding="utf-8")) == {"at": str(folder), "name": "é"}
