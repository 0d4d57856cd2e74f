"""MONAI's readers and :py:func:`load_scan` read the same, and lesions are pasted into what either has read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import itk
import numpy as np
import pytest
import torch
from monai.data import ITKReader, MetaTensor, NibabelReader
from monai.transforms import Compose, LoadImage, LoadImaged

from monai_consingan.data import keep_slice, load_label, load_scan
from monai_consingan.transforms import RandPasteLesiond

SHARED = Path(os.environ.get("MONAI_CONSINGAN_SHARED", Path(__file__).resolve().parents[3] / "shared" / "data"))
SERIES = {"dicom_vsseg001_t1c": (512, 512, 3), "healthy_datalad_t1_dicom/dicoms": (274, 384, 16)}
needs_shared = pytest.mark.skipif(not all((SHARED / name).is_dir() for name in SERIES), reason=f"no scans in {SHARED}")


@pytest.fixture(scope="session")
def nrrd(scan: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The example as NRRD."""
    folder = tmp_path_factory.mktemp("nrrd")
    files = {key: str(folder / f"{key}.nrrd") for key in scan}
    for key, file in files.items():
        itk.imwrite(itk.imread(scan[key]), file, True)
    return files


def read(path: str | Path, reader: Any) -> MetaTensor:
    return LoadImage(reader=reader, image_only=True, ensure_channel_first=True)(path)


def assert_same(image: MetaTensor, other: MetaTensor) -> None:
    """The same numbers at the same places, to a thousandth of a voxel."""
    assert image.dtype == other.dtype == torch.float32 and torch.equal(image.as_tensor(), other.as_tensor())
    np.testing.assert_allclose(np.asarray(image.affine), np.asarray(other.affine), rtol=0, atol=1e-3)


@pytest.mark.parametrize("reader", [NibabelReader, ITKReader, "NibabelReader", "ITKReader"])
def test_nifti(scan: dict[str, str], reader: Any) -> None:
    image = load_scan(scan["image"])
    assert_same(read(scan["image"], reader), image)
    label = read(scan["label"], reader)
    assert torch.equal(label.as_tensor(), load_label(scan["label"], image=image).as_tensor().float())


def test_nrrd(scan: dict[str, str], nrrd: dict[str, str]) -> None:
    image = load_scan(nrrd["image"])
    assert_same(read(nrrd["image"], ITKReader), image)
    assert_same(image, load_scan(scan["image"]))
    label = load_label(nrrd["label"], image=image)
    assert torch.equal(read(nrrd["label"], ITKReader).as_tensor(), label.as_tensor().float())


def test_pastes_do_not_depend_on_the_reader(
    scan: dict[str, str], nrrd: dict[str, str], paste_settings: dict[str, Any]
) -> None:
    results = []
    for files, reader in ((scan, "NibabelReader"), (scan, "ITKReader"), (nrrd, "ITKReader")):
        paste = RandPasteLesiond(**{**paste_settings, "donors": [files]})
        chain = Compose([LoadImaged(["image", "label"], reader=reader, ensure_channel_first=True), paste])
        results.append(chain.set_random_state(seed=2)(files))
    for item in results[1:]:
        assert item["lesion_mask"].any() and torch.equal(item["lesion_mask"], results[0]["lesion_mask"])
        assert torch.equal(item["label"], results[0]["label"])
        torch.testing.assert_close(item["image"].as_tensor(), results[0]["image"].as_tensor(), rtol=1e-4, atol=1e-2)


def test_a_donor_of_another_file_type(
    scan: dict[str, str], nrrd: dict[str, str], paste_settings: dict[str, Any]
) -> None:
    """Donors' paths are read by the same readers."""
    load = LoadImaged(["image", "label"], ensure_channel_first=True)
    first, second = (
        Compose([load, RandPasteLesiond(**{**paste_settings, "donors": [donor]})]).set_random_state(seed=5)(scan)
        for donor in (scan, nrrd)
    )
    assert first["lesion_mask"].any() and torch.equal(first["lesion_mask"], second["lesion_mask"])


@needs_shared
@pytest.mark.parametrize("name", SERIES)
def test_dicom_series(name: str) -> None:
    image, other = load_scan(SHARED / name), read(SHARED / name, ITKReader)
    assert tuple(image.shape) == (1, *SERIES[name])
    assert_same(other, image)


@needs_shared
def test_a_lesion_pasted_into_a_dicom_series(scan: dict[str, str]) -> None:
    """From a slice of a donor in NIfTI, of another size, spacing and orientation."""
    image = load_scan(scan["image"])
    donor = {"image": image, "label": keep_slice(load_label(scan["label"], image=image), 2, 4, "slice")}
    series = {"image": SHARED / "healthy_datalad_t1_dicom/dicoms"}
    load = LoadImaged("image", reader="ITKReader", ensure_channel_first=True)
    paste = RandPasteLesiond("image", donors=[donor], axis=2, scale_range=(0.3, 0.4), blend="hard", edge_mm=1.0)
    item, host = Compose([load, paste]).set_random_state(seed=0)(series), load(series)["image"]
    new = item["lesion_mask"] > 0
    assert new.any() and torch.equal(item["label"] > 0, new)
    assert torch.equal(item["image"][~new], host[~new]) and not torch.equal(item["image"][new], host[new])
    assert torch.equal(item["image"].affine, host.affine)
