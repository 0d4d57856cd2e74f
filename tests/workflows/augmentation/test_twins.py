from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from monai_consingan.data import load_scan
from monai_consingan.errors import ConSinGANError
from monai_consingan.models import ModelBank
from monai_consingan.transforms.removal import known
from monai_consingan.transforms.removal.known import found_plane
from monai_consingan.transforms.removal.symmetry import head_symmetry
from monai_consingan.workflows.augmentation import TwinSettings, free_twins, merge

FILL = TwinSettings(method="fill", most_contrast=5, most_seam=9)


def stored(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj)


@pytest.fixture
def pair(data_set: Path, tmp_path: Path) -> Path:
    """A datalist of one scan with lesions, and one without."""
    folder = data_set.parent
    pairs = [{"image": str(folder / f"image{number}.nii.gz"), "fold": number} for number in range(2)]
    pairs[0]["label"] = str(folder / "label0.nii.gz")
    (tmp_path / "list.json").write_text(json.dumps({"training": pairs}))
    return tmp_path / "list.json"


def test_twins(pair: Path, data_set: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    summary = free_twins(pair, out, FILL)
    assert {key: summary[key] for key in ("made", "dropped", "missing", "failed")} == {
        "made": 1,
        "dropped": 0,
        "missing": 0,
        "failed": {},
    }
    names = sorted(path.relative_to(out).as_posix() for path in out.glob("*/*") if path.parent.name != ".augment")
    name = "image0_free"
    cards = {f"review/{name}_{n}_{kind}.png" for n in (1, 2) for kind in ("before", "after", "outline")}
    assert cards <= set(names)
    names = [path for path in names if path not in cards]
    assert names == [f"images/{name}.json", *[f"{part}/{name}.nii.gz" for part in ("images", "labels", "removed")]]
    old_image, old_label = (stored(data_set.parent / f"{part}0.nii.gz") for part in ("image", "label"))
    image, label, removed = (stored(out / part / f"{name}.nii.gz") for part in ("images", "labels", "removed"))
    assert not label.any()
    assert np.array_equal(removed > 0, old_label > 0)
    assert (image[removed > 0] != old_image[removed > 0]).mean() > 0.9
    assert (image != old_image).sum() < 5 * (removed > 0).sum()
    told = json.loads((out / "images" / f"{name}.json").read_text())
    assert [lesion["instance"] for lesion in told["lesions"]] == list(range(1, removed.max() + 1))
    assert all(abs(lesion["contrast_kept"]) <= 5 and lesion["how"] == "fill" for lesion in told["lesions"])
    assert (told["fold"], told["host"]["scan"]) == (0, "image0")
    training = json.loads((out / "datalist.json").read_text())["training"]
    assert training[2] == {
        "image": f"images/{name}.nii.gz",
        "label": f"labels/{name}.nii.gz",
        "synthetic": True,
        "fold": 0,
    }
    assert len((out / "manifest.csv").read_text().splitlines()) == 1 + len(told["lesions"])
    assert free_twins(pair, out, FILL) == merge(out) == summary
    assert told["dims"] == 2
    with pytest.raises(ConSinGANError, match="begun with other values for settings"):
        free_twins(pair, out, replace(FILL, margin_mm=3.0))


def test_what_becomes_of_the_oedema(with_oedema: Path, tmp_path: Path) -> None:
    old = stored(with_oedema.parent / "label0.nii.gz")
    settings = replace(FILL, lesion_labels=(2, 3))
    for name, chosen, left in (("left", settings, {"1": 2}), ("filled", replace(settings, fill_labels=(1,)), {})):
        summary = free_twins(with_oedema, tmp_path / name, chosen)
        assert (summary["made"], summary["labels_left"]) == (2, left)
        label, removed = (stored(tmp_path / name / part / "image0_free.nii.gz") for part in ("labels", "removed"))
        alone = old * (np.arange(old.shape[0])[:, None, None] >= 60)  # touches no lesion
        expected = np.where(old == 1, 1, 0) if left else alone
        assert np.array_equal(label, expected)
        assert np.array_equal(removed > 0, (old > 0) & (expected == 0))


def test_twins_by_a_model_of_the_scan(pair: Path, tmp_path: Path, tiny: Any) -> None:
    options: dict[str, Any] = {"training": tiny("editing"), "crops": 1, "side": 48, "bank": tmp_path / "bank"}
    summary = free_twins(pair, tmp_path / "out", replace(FILL, method="consingan", most_seam=1000), **options)
    assert summary["made"] == 1
    assert summary["lesions"]["consingan"] >= 1
    told = json.loads((tmp_path / "out" / "images" / "image0_free.json").read_text())
    assert [told["model"]] == ModelBank(tmp_path / "bank").keys()
    assert told["training"]["task"] == "editing"


def test_a_twin_without_all_its_lesions_is_dropped(pair: Path, tmp_path: Path, tiny: Any) -> None:
    summary = free_twins(pair, tmp_path / "out", replace(FILL, most_seam=0.01))
    assert (summary["made"], summary["dropped"]) == (0, 1)
    assert summary["refused"] == {"fill: seam": 1}
    assert not list((tmp_path / "out").rglob("*.nii.gz"))
    settings = replace(FILL, method="consingan")
    small = replace(tiny("editing"), max_size=8)
    summary = free_twins(pair, tmp_path / "no model", settings, training=small, crops=1)
    assert summary["made"] == 1
    assert summary["refused"]["consingan: no model"] == summary["lesions"]["fill"]
    summary = free_twins(pair, tmp_path / "drop", replace(settings, on_failure="drop"), training=small, crops=1)
    assert (summary["dropped"], summary["refused"]) == (1, {"consingan: no model": 1})


BAD: dict[str, dict[str, Any]] = {
    "method is 'gan'": {"method": "gan"},
    "on failure is 'poisson'": {"on_failure": "poisson"},
    "most seam is 0": {"most_seam": 0},
    "fill labels is": {"fill_labels": (1,)},
    "most contrast is nan": {"most_contrast": float("nan")},
}


@pytest.mark.parametrize("words", BAD)
def test_bad_settings(words: str) -> None:
    with pytest.raises(ConSinGANError, match=words):
        TwinSettings(**BAD[words])


def test_settings_come_back_from_json() -> None:
    settings = TwinSettings(fillings=("mirror",), symmetry=3.5, lesion_labels=(1,))
    assert TwinSettings(**json.loads(json.dumps(settings.as_dict()))) == settings


def test_the_plane_of_symmetry_is_looked_for_once_and_in_the_scan_as_it_is(
    pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Any] = []

    def counted(image: Any, affine: Any, symmetry: Any, *more: Any) -> Any:
        if isinstance(symmetry, str):
            looked.append(np.asarray(image).copy())
        return head_symmetry(image, affine, symmetry, *more)

    found_plane.cache_clear()
    monkeypatch.setattr(known, "head_symmetry", counted)
    assert free_twins(pair, tmp_path / "out", FILL)["made"] == 1
    assert len(json.loads((tmp_path / "out/images/image0_free.json").read_text())["lesions"]) > 1
    (image,) = looked
    np.testing.assert_array_equal(image[0], load_scan(json.loads(pair.read_text())["training"][0]["image"])[0])
