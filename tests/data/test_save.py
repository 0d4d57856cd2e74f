from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import nibabel as nib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import MetaTensor
from PIL import Image

from monai_consingan.data import (
    file_sha256,
    load_label,
    load_scan,
    output_suffix,
    read_stored,
    save_label_like,
    save_like,
)
from monai_consingan.errors import ConSinGANError

DTYPES = ["uint8", "int16", "uint16", "int32", "float32", "float64"]


def loaded(path: Path) -> Any:
    """Load a NIfTI file."""
    return nib.load(path)


def oblique(rng: np.random.RandomState) -> np.ndarray:
    """An affine with rotation, anisotropic spacing, a possible flip, and an offset."""
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = rotation * rng.uniform(0.3, 6, 3)
    affine[:3, 3] = rng.uniform(-100, 100, 3)
    return affine


def random_numbers(rng: np.random.RandomState, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers over the whole range of a type; float64 with digits that float32 cannot hold."""
    if np.dtype(dtype).kind == "f":
        return (rng.normal(size=shape) * 1000).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.randint(limits.min, limits.max, size=shape, dtype=np.dtype(dtype).type)


def write_host(
    path: Path,
    raw: np.ndarray,
    affine: np.ndarray,
    *,
    scaling: tuple[float, float] = (1.0, 0.0),
    codes: tuple[int, int] = (1, 1),
) -> Path:
    header = nib.Nifti1Header()
    header.set_data_dtype(raw.dtype)
    image = nib.Nifti1Image(raw, affine, header=header)
    image.set_qform(affine, code=codes[0])
    image.set_sform(affine, code=codes[1])
    image.header["descrip"] = b"DOE^JANE"
    image.header["aux_file"] = b"DOE^JANE"
    image.header["db_name"] = b"DOE^JANE"
    image.header["intent_name"] = b"DOE^JANE"
    image.header["cal_max"] = 77
    image.header.set_xyzt_units("mm", "sec")
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"DOE^JANE"))
    image.header.set_slope_inter(*scaling)
    nib.save(image, path)
    return path


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31 - 1),
    dtype=st.sampled_from(DTYPES),
    scaling=st.sampled_from([(1.0, 0.0), (0.5, 0.0), (2.0, -1024.0), (-0.25, 3.0), (0.0137, 1.5)]),
    codes=st.sampled_from([(1, 1), (0, 1), (1, 0), (2, 4), (1, 3), (0, 0)]),
    shape=st.sampled_from([(5, 4, 3), (5, 4, 1), (7, 3), (4, 5, 3, 1)]),
    suffix=st.sampled_from([".nii", ".nii.gz"]),
)
def test_only_altered_voxels_change(
    seed: int, dtype: str, scaling: tuple[float, float], codes: tuple[int, int], shape: tuple[int, ...], suffix: str
) -> None:
    rng = np.random.RandomState(seed)
    raw = random_numbers(rng, dtype, shape)
    with tempfile.TemporaryDirectory() as folder:
        path = write_host(Path(folder) / f"host{suffix}", raw, oblique(rng), scaling=scaling, codes=codes)
        host = load_scan(path)
        alteration = (rng.uniform(size=host.shape) > 0.6) * rng.uniform(size=host.shape)
        values = np.where(alteration > 0, rng.permutation(np.asarray(host).ravel()).reshape(host.shape), 1e30)
        out = Path(folder) / f"out{suffix}"
        save_like(out, values, host, alteration=alteration)
        before, after = loaded(path), loaded(out)
        changed = (alteration[0] > 0).reshape(shape)
        stored = np.asanyarray(after.dataobj.get_unscaled())
        assert stored.dtype == raw.dtype and stored.shape == raw.shape
        assert stored[~changed].tobytes() == raw[~changed].tobytes()
        values = values[0].reshape(shape)
        step = abs(scaling[0]) if np.dtype(dtype).kind != "f" else 0.0
        tolerance = 0.5 * step + 1e-6 * np.abs(values[changed]) + 1e-6 * abs(scaling[1])
        assert np.all(np.abs(np.asarray(after.dataobj)[changed] - values[changed]) <= tolerance)
        assert (after.dataobj.slope, after.dataobj.inter) == (before.dataobj.slope, before.dataobj.inter)
        for key in ("qform_code", "sform_code", "xyzt_units", "pixdim", "srow_x", "quatern_b", "qoffset_z", "cal_max"):
            assert np.array_equal(after.header[key], before.header[key]), key
        assert np.array_equal(after.affine, before.affine)
        assert not after.header.extensions
        assert b"DOE" not in after.header.binaryblock
        assert bytes(after.header["descrip"]).startswith(b"synthetic, monai-consingan")
        assert sorted(os.listdir(folder)) == ["host" + suffix, "out" + suffix]


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "int64", "uint64", "float32"])
def test_values_beyond_the_type_are_clipped(tmp_path: Path, dtype: str) -> None:
    path = write_host(tmp_path / "host.nii.gz", np.arange(24).reshape(2, 3, 4).astype(dtype), np.eye(4))
    values = np.zeros((2, 3, 4))
    values[0], values[1] = -1e39, 1e39
    save_like(tmp_path / "out.nii.gz", values, path)
    stored = np.asanyarray(loaded(tmp_path / "out.nii.gz").dataobj.get_unscaled())
    limits: Any = np.finfo(dtype) if dtype == "float32" else np.iinfo(dtype)
    assert stored.dtype == dtype and (stored[0] == limits.min).all() and (stored[1] == limits.max).all()


def test_nifti2_stays_nifti2(tmp_path: Path) -> None:
    raw = np.arange(24, dtype="int16").reshape(2, 3, 4)
    nib.save(nib.Nifti2Image(raw, np.eye(4)), tmp_path / "host.nii")
    save_like(tmp_path / "out.nii", raw[None], load_scan(tmp_path / "host.nii"))
    written = loaded(tmp_path / "out.nii")
    assert isinstance(written, nib.Nifti2Image)
    np.testing.assert_array_equal(np.asarray(written.dataobj), raw)


@pytest.mark.parametrize("pixel", ["uint8", "int16", "uint16", "float32"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_nrrd_host_gives_nifti_in_ras(tmp_path: Path, pixel: str, ndim: int) -> None:
    import itk

    rng = np.random.RandomState(3)
    raw = random_numbers(rng, pixel, (5, 4, 3)[:ndim])
    image = itk.image_from_array(np.ascontiguousarray(raw.T))
    image.SetSpacing([0.5, 2.0, 3.0][:ndim])
    image.SetOrigin([10.0, -20.0, 30.0][:ndim])
    if ndim == 3:
        rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        image.SetDirection(itk.matrix_from_array(rotation * np.sign(np.linalg.det(rotation))))
    itk.imwrite(image, str(tmp_path / "host.nrrd"))
    host = load_scan(tmp_path / "host.nrrd")
    alteration = np.zeros(host.shape)
    alteration[0, 1, 1] = 0.1
    save_like(tmp_path / "out.nii.gz", np.full(host.shape, 7.0), host, alteration=alteration)
    written = loaded(tmp_path / "out.nii.gz")
    expected = np.where(alteration[0] > 0, 7, raw)
    assert written.get_data_dtype() == raw.dtype
    np.testing.assert_array_equal(np.asarray(written.dataobj), expected)
    np.testing.assert_allclose(written.affine, host.affine, atol=1e-4)
    flip = np.diag([-1.0, -1.0, 1.0])  # a voxel's LPS position, turned to RAS
    index = [3, 2, 1][:ndim]
    position = np.zeros(3)
    position[:ndim] = np.asarray(image.TransformIndexToPhysicalPoint(index))
    np.testing.assert_allclose((written.affine @ [*index, *[0] * (3 - ndim), 1])[:3], flip @ position, atol=1e-4)


@pytest.mark.parametrize("mode", ["L", "I;16", "RGB", "RGBA", "LA", "P", "1"])
def test_png_host_gives_png_of_the_same_mode(tmp_path: Path, mode: str) -> None:
    grey = np.random.RandomState(0).randint(0, 256, (5, 7)).astype(np.uint8)
    picture = Image.fromarray(grey.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(grey).convert(mode)
    if mode in ("RGBA", "LA"):
        picture.putalpha(Image.fromarray(grey[::-1].copy()))
    picture.save(tmp_path / "host.png")
    host = load_scan(tmp_path / "host.png")
    alteration = np.zeros(host.shape)
    alteration[0, 2:4, 1:3] = 1
    save_like(tmp_path / "out.png", np.full(host.shape, 99.4), host, alteration=alteration)
    written = load_scan(tmp_path / "out.png")
    np.testing.assert_array_equal(np.asarray(written), np.where(alteration > 0, 99, np.asarray(host)))
    with Image.open(tmp_path / "out.png") as after, Image.open(tmp_path / "host.png") as before:
        assert after.mode == {"P": "RGB", "1": "L"}.get(mode, before.mode)
        assert after.text["Description"] == "synthetic, monai-consingan"
        if mode in ("RGBA", "LA"):
            np.testing.assert_array_equal(np.asarray(after)[..., -1], np.asarray(before)[..., -1])


def test_jpeg_host_gives_png(tmp_path: Path) -> None:
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(tmp_path / "host.jpg")
    host = load_scan(tmp_path / "host.jpg")
    assert output_suffix(host) == output_suffix(tmp_path / "host.jpg") == ".png"
    save_like(tmp_path / "out.png", host, host, alteration=torch.zeros(host.shape))
    np.testing.assert_array_equal(np.asarray(load_scan(tmp_path / "out.png")), np.asarray(host))


def test_tensor_without_a_file(tmp_path: Path) -> None:
    affine = oblique(np.random.RandomState(1))
    host = MetaTensor(torch.arange(24, dtype=torch.int16).reshape(1, 2, 3, 4), affine=torch.from_numpy(affine))
    assert output_suffix(host) == ".nii.gz"
    save_like(tmp_path / "out.nii.gz", host + 0.4, host)
    written = loaded(tmp_path / "out.nii.gz")
    assert written.get_data_dtype() == np.int16
    np.testing.assert_array_equal(np.asarray(written.dataobj), np.asarray(host)[0])
    np.testing.assert_allclose(written.affine, affine, rtol=1e-6)


@pytest.mark.parametrize(("largest", "dtype"), [(1, "uint8"), (255, "uint8"), (256, "int16"), (40000, "int32")])
def test_label_round_trip(tmp_path: Path, largest: int, dtype: str) -> None:
    raw = np.arange(24, dtype="float32").reshape(2, 3, 4)
    host = load_scan(write_host(tmp_path / "host.nii.gz", raw, np.diag([2.0, 1, 3, 1]), scaling=(0.5, 1.0)))
    label = torch.zeros(host.shape, dtype=torch.int32)
    label[0, 1, 2, 3] = largest
    save_label_like(tmp_path / "label.nii.gz", label, host)
    written = loaded(tmp_path / "label.nii.gz")
    assert written.get_data_dtype() == dtype
    assert written.header["cal_max"] == 0 and b"DOE" not in written.header.binaryblock
    assert torch.equal(load_label(tmp_path / "label.nii.gz", image=host).as_tensor().int(), label)


@pytest.mark.parametrize("name", ["host.nii.gz", "host.png"])
def test_what_was_read_spares_the_file(tmp_path: Path, name: str) -> None:
    write_host(tmp_path / "host.nii.gz", np.arange(24, dtype="int16").reshape(2, 3, 4), np.eye(4), scaling=(0.5, 1.0))
    Image.fromarray(np.arange(36, dtype=np.uint8).reshape(3, 4, 3)[..., :1].repeat(3, -1)).save(tmp_path / "host.png")
    stored = read_stored(tmp_path / name)
    assert stored.sha256 == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == file_sha256(tmp_path / name)
    host = load_scan(stored)
    assert torch.equal(host, load_scan(tmp_path / name)) and host.meta["filename_or_obj"] == str(tmp_path / name)
    changed = np.asarray(host) % 2 > 0
    suffix = output_suffix(stored)
    for number, source in enumerate((host, stored)):
        if source is stored:
            (tmp_path / name).unlink()
        save_like(tmp_path / f"image{number}{suffix}", host + 3, source, alteration=changed)
        save_label_like(tmp_path / f"label{number}{suffix}", changed, source)
    for kind in ("image", "label"):
        first, second = (tmp_path / f"{kind}{number}{suffix}" for number in (0, 1))
        assert first.read_bytes() == second.read_bytes()


def test_same_input_same_bytes(tmp_path: Path) -> None:
    path = write_host(tmp_path / "host.nii.gz", np.arange(24, dtype="int16").reshape(2, 3, 4), np.eye(4))
    for name in ("a", "b"):
        save_like(tmp_path / f"{name}.nii.gz", np.ones((2, 3, 4)), path)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_file_mode_follows_the_umask(tmp_path: Path) -> None:
    path = write_host(tmp_path / "host.nii.gz", np.arange(24, dtype="int16").reshape(2, 3, 4), np.eye(4))
    save_like(tmp_path / "out.nii.gz", np.ones((2, 3, 4)), path)
    (tmp_path / "plain").write_bytes(b"")
    assert (tmp_path / "out.nii.gz").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_host(tmp_path / "host.nii.gz", np.arange(24, dtype="int16").reshape(2, 3, 4), np.eye(4))
    out = tmp_path / "out.nii.gz"
    out.write_bytes(b"old")

    def full_disk(image: object, file: IO[bytes]) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(nib.Nifti1Image, "to_stream", full_disk)
    with pytest.raises(ConSinGANError, match=r"out\.nii\.gz cannot be written \(No space left"):
        save_like(out, np.ones((2, 3, 4)), path)
    assert out.read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["host.nii.gz", "out.nii.gz"]


def test_refusals(tmp_path: Path) -> None:
    path = write_host(tmp_path / "host.nii.gz", np.arange(24, dtype="int16").reshape(2, 3, 4), np.eye(4))
    host = load_scan(path)
    good, out = np.ones((2, 3, 4)), tmp_path / "out.nii.gz"
    cases: list[tuple[Callable[..., None], tuple[Any, ...], dict[str, Any], str]] = [
        (save_like, (out, np.ones((2, 3, 5)), host), {}, r"\(2, 3, 5\).*\(2, 3, 4\)"),
        (save_like, (out, good, host), {"alteration": np.ones((4, 4))}, r"\(4, 4\)"),
        (save_like, (out, good * np.nan, host), {}, "NaN"),
        (save_like, (tmp_path / "out.png", good, host), {}, r"\.nii\.gz or \.nii"),
        (save_like, (tmp_path / "no" / "out.nii.gz", good, host), {}, "cannot be written"),
        (save_like, (out, good, host[:, :1]), {}, "give the host as it was read"),
        (save_like, (out, good, tmp_path / "gone.nii.gz"), {}, "does not exist"),
        (save_label_like, (out, good * 0.5, host), {}, "whole numbers"),
        (save_label_like, (out, -good, host), {}, "whole numbers"),
        (save_label_like, (out, good * 2.0**40, host), {}, "does not fit int32"),
    ]
    for function, args, kwargs, message in cases:
        with pytest.raises(ConSinGANError, match=message):
            function(*args, **kwargs)
    assert os.listdir(tmp_path) == ["host.nii.gz"]
