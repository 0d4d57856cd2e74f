from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from monai_consingan.cli.results import show_case
from monai_consingan.data import example
from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import Surroundings
from monai_consingan.models import TrainedModel
from monai_consingan.workflows import LesionTarget, remove

FILES = ["alteration.nii.gz", "figure.png", "image.nii.gz", "label.nii.gz", "model.pt", "naive.nii.gz", "report.json"]
TARGET = LesionTarget(example().image, example().label, slice_index=4, symmetry="centre")


def raw(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj.get_unscaled())


def test_leaves_the_promised_files(removed: Any) -> None:
    assert sorted(path.name for path in removed[0].iterdir()) == FILES
    assert TrainedModel.load(removed[0], task="editing").seed == 1


def test_untouched_voxels_keep_their_bits(removed: Any, scan: Any) -> None:
    altered = raw(removed[0] / "alteration.nii.gz") > 0
    assert np.flatnonzero(altered.any(axis=(0, 1))).tolist() == [4]
    assert altered[scan[1][..., 4] > 0, 4].all()
    for name in ("image.nii.gz", "naive.nii.gz"):
        image = nib.load(removed[0] / name)
        assert image.get_data_dtype() == np.int16
        assert np.array_equal(image.affine, nib.load(example().image).affine)
        assert np.array_equal(raw(removed[0] / name)[~altered], scan[0][~altered])
        assert (raw(removed[0] / name)[altered] != scan[0][altered]).mean() > 0.5


def test_label_keeps_the_lesions_of_other_slices(removed: Any, scan: Any) -> None:
    expected = scan[1].copy()
    expected[..., 4] = 0
    assert np.array_equal(raw(removed[0] / "label.nii.gz"), expected)


def test_report_says_what_was_done(removed: Any) -> None:
    report = json.loads((removed[0] / "report.json").read_text())
    assert {"seconds", "seam", "contrast_kept", "placement", "settings", "inputs", "versions", "seed"} <= set(report)
    assert report["placement"]["how"] == "matched_mirror"
    assert report["placement"]["slices"] == [4]
    assert abs(report["contrast_kept_naive"]) < 0.3
    assert report["settings"]["task"] == "editing"


def test_model_is_used_again(removed: Any, tmp_path: Path) -> None:
    target = LesionTarget(example().image, example().label, slice_index=4)
    remove(target, tmp_path / "out", model=removed[0], seed=1)
    for name in ("image.nii.gz", "naive.nii.gz", "label.nii.gz", "alteration.nii.gz"):
        assert (tmp_path / "out" / name).read_bytes() == (removed[0] / name).read_bytes()
    assert not (tmp_path / "out" / "model.pt").exists()
    warm = remove(target, tmp_path / "warm", start=removed[0], seed=1)
    assert warm["inputs"]["start"] == {
        "file": "model.pt",
        "sha256": hashlib.sha256((removed[0] / "model.pt").read_bytes()).hexdigest(),
    }


@pytest.mark.parametrize(("method", "train_on"), [("mirror", "image"), ("biharmonic", "mirror"), ("flipud", "mirror")])
def test_method_is_the_one_asked_for(tiny: Any, scan: Any, tmp_path: Path, method: str, train_on: str) -> None:
    target = replace(TARGET, methods=(method,), train_on=train_on)
    report = remove(target, tmp_path / "out", settings=tiny("editing", max_size=96))
    assert report["placement"]["how"] == method
    if method == "flipud":
        naive, lesion = raw(tmp_path / "out" / "naive.nii.gz")[..., 4], scan[1][..., 4] > 0
        assert np.array_equal(naive[lesion], scan[0][::-1, :, 4][lesion])


def test_chosen_label_is_removed_and_the_other_kept(
    save: Callable[..., Path], scan: Any, tiny: Any, tmp_path: Path
) -> None:
    label = scan[1].astype(np.int16)
    label[60:70, 60:70, 4] = 5
    target = replace(TARGET, label=save("label.nii.gz", label), lesion_labels=[5], methods=("biharmonic",))
    remove(target, tmp_path / "out", settings=tiny("editing", max_size=96))
    written = raw(tmp_path / "out" / "label.nii.gz")
    assert np.array_equal(written, np.where(label == 5, 0, label))


def test_all_slices_are_one_training(tiny: Any, tmp_path: Path) -> None:
    target = replace(TARGET, slice_index=None, methods=("biharmonic",))
    report = remove(target, tmp_path / "out", settings=tiny("editing", max_size=96))
    assert report["placement"]["slices"] == list(range(6))
    assert not raw(tmp_path / "out" / "label.nii.gz").any()


def test_reasons_of_all_methods_are_given(save: Callable[..., Path], scan: Any, tmp_path: Path) -> None:
    both = scan[1] | scan[1][::-1]
    target = replace(TARGET, label=save("label.nii.gz", both), methods=("mirror", "poisson_mirror"))
    with pytest.raises(ConSinGANError, match=r"mirror.*lesion"):
        remove(target, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_png_in_png_out(scan: Any, tiny: Any, tmp_path: Path) -> None:
    image, label = tmp_path / "image.png", tmp_path / "label.png"
    Image.fromarray(np.ascontiguousarray(np.clip(scan[0][..., 4] * 8, 0, 65535).T.astype(np.uint16))).save(image)
    Image.fromarray(np.ascontiguousarray(scan[1][..., 4].T)).save(label)
    target = LesionTarget(image, label, methods=("mirror", "biharmonic"), symmetry="centre")
    remove(target, tmp_path / "out", settings=tiny("editing", max_size=96))
    before, after, altered = (
        np.asarray(Image.open(path))
        for path in (image, tmp_path / "out" / "image.png", tmp_path / "out" / "alteration.png")
    )
    assert after.dtype == np.uint16
    assert np.array_equal(after[altered == 0], before[altered == 0])
    assert (after != before).any()


def test_in_space_or_slice_by_slice(
    removed: Any, save: Callable[..., Path], scan: Any, tiny: Any, tmp_path: Path
) -> None:
    image, label = (save(f"{name}.nii.gz", array, np.eye(4)) for name, array in zip("ab", scan, strict=True))
    target = LesionTarget(image, label, methods=("flipud",))
    placement = remove(target, tmp_path / "space")["placement"]
    assert placement["dims"] == 3 and "slices_because" not in placement
    assert remove(replace(target, axis=2), tmp_path / "slices")["placement"]["dims"] == 2
    spaced, sliced = (raw(tmp_path / name / "alteration.nii.gz") for name in ("space", "slices"))
    assert spaced[..., 6].any() and not sliced[..., 6].any()
    thick = removed[1]["placement"]
    assert thick["dims"] == 2
    assert thick["slices_because"].startswith("voxels of 0.7812 to 6.5 mm are too thick to work in space")
    with pytest.raises(ConSinGANError, match="dims is 3, but the model redraws slices"):
        remove(replace(target, dims=3), tmp_path / "none", settings=tiny("editing"))
    assert not (tmp_path / "none").exists()


def test_unknown_way_to_train() -> None:
    with pytest.raises(ConSinGANError, match="train on is 'both'"):
        replace(TARGET, train_on="both")


def test_what_is_left_of_next_to_no_contrast_is_not_measurable(
    save: Callable[..., Path], scan: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image, lesion = scan[0].astype(np.float32), scan[1][..., 4] > 0
    spacing = np.abs(np.diag(nib.load(example().image).affine))[:3]
    mask = np.where(np.arange(10) == 4, scan[1], 0)[None]
    image[lesion, 4] = Surroundings(image[None], mask, spacing=spacing, axis=2).mean()
    target = replace(TARGET, image=save("faint.nii.gz", image), methods=("biharmonic",))
    report = remove(target, tmp_path / "out")
    assert np.isnan(report["contrast_kept"])
    assert json.loads((tmp_path / "out" / "report.json").read_text())["contrast_kept"] is None
    show_case(report, tmp_path / "out", "Lesion removed", quiet=False)
    assert "contrast kept not measurable (naive not measurable)" in capsys.readouterr().out
