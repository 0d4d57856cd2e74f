from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from monai.data import load_decathlon_datalist
from monai.transforms import LoadImage

from monai_consingan.errors import ConSinGANError
from monai_consingan.folder_lock import locked_part
from monai_consingan.models import ModelBank
from monai_consingan.workflows.augmentation import AugmentSettings, augment, merge, read_scans, work
from monai_consingan.workflows.augmentation.make import ScanMaker

Tree = Callable[..., dict[str, str]]


def test_augmented_data_set(augmented: tuple[Path, dict[str, Any]], data_set: Path, tree: Tree) -> None:
    folder, summary = augmented
    assert summary["made"] + summary["dropped"] == 4
    assert (summary["missing"], summary["failed"]) == (0, {})
    assert summary["made"] >= 3
    assert json.loads((folder / "summary.json").read_text()) == summary
    names = sorted(path.stem for path in (folder / "images").glob("*.json"))
    files = tree(folder)
    for part in ("images", "labels", "instances"):
        assert [f"{part}/{name}.nii.gz" in files for name in names] == [True] * len(names)
    content, old = (json.loads(path.read_text()) for path in (folder / "datalist.json", data_set))
    assert content["numTraining"] == 4 + len(names) == len(content["training"])
    assert (content["name"], content["labels"]) == (old["name"], old["labels"])
    for section in ("training", "validation", "test"):
        found = load_decathlon_datalist(folder / "datalist.json", data_list_key=section)
        wanted = load_decathlon_datalist(data_set, data_list_key=section)
        assert [os.path.realpath(entry["image"]) for entry in found[: len(wanted)]] == [
            os.path.realpath(entry["image"]) for entry in wanted
        ]
        new = found[len(wanted) :]
        assert len(new) == (len(names) if section == "training" else 0)
        for entry in new:
            image, label = (LoadImage(image_only=True)(entry[key]) for key in ("image", "label"))
            assert image.shape == label.shape
            told = json.loads((folder / "images" / f"{Path(entry['image']).name[:-7]}.json").read_text())
            assert entry["fold"] == told["fold"] == int(told["host"]["scan"][-1]) // 2
            assert {int(lesion["donor"]["scan"][-1]) // 2 for lesion in told["lesions"]} == {told["fold"]}


def test_folds_are_validated_with_real_scans_only(augmented: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = augmented
    for fold in (0, 1):
        content = json.loads((folder / f"datalist-fold-{fold}.json").read_text())
        assert [Path(entry["image"]).name for entry in content["validation"]] == [
            f"image{2 * fold}.nii.gz",
            f"image{2 * fold + 1}.nii.gz",
        ]
        training = [Path(entry["image"]).name for entry in content["training"]]
        assert len(training) == content["numTraining"] > 2
        assert all(name.startswith(tuple(f"image{2 * (1 - fold) + i}" for i in (0, 1))) for name in training)


def test_manifest(augmented: tuple[Path, dict[str, Any]]) -> None:
    folder, summary = augmented
    with (folder / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(summary["lesions"].values())
    for row in rows:
        told = json.loads((folder / "images" / f"{row['name']}.json").read_text())
        lesion = next(lesion for lesion in told["lesions"] if lesion["instance"] == int(row["instance"]))
        assert (row["host"], row["donor"], row["how"]) == (told["host"]["scan"], lesion["donor"]["scan"], "poisson")
        assert float(row["seam"]) == lesion["seam"]
        assert json.loads(row["settings"]) == told["settings"]
        assert row["position"].split() == [str(number) for number in lesion["placement"]["position"]]
        assert "torch=" in row["versions"]
        numbers = LoadImage(image_only=True)(folder / "instances" / f"{row['name']}.nii.gz")
        assert numbers[tuple(lesion["placement"]["position"])] == lesion["instance"]


def test_started_again_it_repeats_nothing(
    augmented: tuple[Path, dict[str, Any]],
    data_set: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quick: AugmentSettings,
    tree: Tree,
) -> None:
    folder, summary = augmented
    before = tree(folder)
    monkeypatch.setattr(ScanMaker, "make", None)
    monkeypatch.setattr(work, "survey_scan", None)
    assert augment(data_set, folder, quick) == summary
    assert tree(folder) == before
    for other, word in (
        ({"settings": replace(quick, seed=3)}, "settings"),
        ({"settings": quick, "crops": 2}, "rule"),
        ({"settings": quick, "channel": 0}, ""),
    ):
        if word:
            with pytest.raises(ConSinGANError, match=f"begun with other values for {word}"):
                augment(data_set, folder, **other)  # type: ignore[arg-type]
    (tmp_path / "file").touch()
    with pytest.raises(ConSinGANError, match="is not empty"):
        augment(data_set, tmp_path, quick)
    with pytest.raises(ConSinGANError, match="is of no augmentation"):
        merge(tmp_path)


def test_shards_make_the_same(
    augmented: tuple[Path, dict[str, Any]], data_set: Path, tmp_path: Path, quick: AugmentSettings, tree: Tree
) -> None:
    folder, summary = augmented
    parts = []
    for number in (2, 1, 3):
        parts.append(augment(data_set, tmp_path / "out", quick, shard=(number, 3)))
        if number == 2:
            early = merge(tmp_path / "out")
            assert early["missing"] == 4 - sum(parts[0][key] for key in ("made", "dropped")) > 0
    assert sum(part["made"] for part in parts) == summary["made"]
    assert merge(tmp_path / "out") == summary
    assert tree(tmp_path / "out") == tree(folder)
    for shard in ((0, 2), (3, 2)):
        with pytest.raises(ConSinGANError, match="shard is"):
            augment(data_set, tmp_path / "out", quick, shard=shard)


def test_processes_make_the_same(data_set: Path, tmp_path: Path, tiny: Any, quick: AugmentSettings, tree: Tree) -> None:
    settings = replace(quick, method="tissue-consingan", lesions=(1, 1), contrast_range=(0.01, 100), seam_margin=100)
    options: dict[str, Any] = {"training": tiny("harmonization"), "crops": 1, "side": 48}
    folders = [tmp_path / "one", tmp_path / "two"]
    one, two = (
        augment(data_set, folder, settings, jobs=jobs, **options) for jobs, folder in enumerate(folders, start=1)
    )
    assert one == two
    assert one["lesions"]["tissue-consingan"] >= 3
    assert tree(folders[0], "models") == tree(folders[1], "models")
    assert ModelBank(folders[0] / "models").keys() == ModelBank(folders[1] / "models").keys()
    assert len(ModelBank(folders[0] / "models")) == 4


def test_a_scan_that_fails_keeps_no_other_from_being_made(
    augmented: tuple[Path, dict[str, Any]], data_set: Path, tmp_path: Path, quick: AugmentSettings, tree: Tree
) -> None:
    content = json.loads(data_set.read_text())
    shutil.copytree(data_set.parent, tmp_path / "data")
    bad = tmp_path / "data" / "DOE JANE.nii.gz"
    bad.write_bytes(b"no scan")
    content["training"].append({"image": bad.name, "label": "label0.nii.gz", "case": "case-9", "fold": 1})
    (tmp_path / "data" / "list.json").write_text(json.dumps(content))
    summary = augment(tmp_path / "data" / "list.json", tmp_path / "out", quick)
    assert set(summary["failed"]) == {"case-9", "case-9_syn-000"}
    assert "cannot be read" in summary["failed"]["case-9"] or "case-9" in summary["failed"]["case-9"]
    assert summary["made"] == augmented[1]["made"]
    names = {name for name in tree(augmented[0]) if name.split("/")[0] in ("images", "labels", "instances")}
    assert all(tree(tmp_path / "out")[name] == tree(augmented[0])[name] for name in names if name.endswith(".gz"))
    told = [path for path in (tmp_path / "out").rglob("*.json") if not path.name.startswith(("datalist", "run"))]
    assert len(told) > 8
    assert not any("DOE" in path.read_text() for path in told)
    shutil.copy(tmp_path / "data" / "image2.nii.gz", bad)
    again = augment(tmp_path / "data" / "list.json", tmp_path / "out", quick)
    assert again["failed"] == {}
    assert again["made"] + again["dropped"] == 5


def test_a_full_disk_is_told_and_gone_on_from(
    augmented: tuple[Path, dict[str, Any]],
    data_set: Path,
    tmp_path: Path,
    full_disk: Callable[[], Any],
    quick: AugmentSettings,
    tree: Tree,
) -> None:
    with full_disk():
        summary = augment(data_set, tmp_path / "out", quick)
    assert len(summary["failed"]) == 4 - summary["dropped"] > 0
    assert all("cannot be written" in error for error in summary["failed"].values())
    assert not list((tmp_path / "out").rglob("*.nii.gz"))
    assert augment(data_set, tmp_path / "out", quick) == augmented[1]
    assert tree(tmp_path / "out") == tree(augmented[0])


def test_a_cluster_that_does_not_answer_leaves_nothing(
    data_set: Path, tmp_path: Path, quick: AugmentSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(how: Any) -> None:
        raise ConSinGANError("no cluster answers there.")

    monkeypatch.setattr("monai_consingan.workflows.augmentation.engine.start_workers", refuse)
    with pytest.raises(ConSinGANError, match="no cluster answers"):
        augment(data_set, tmp_path / "out", quick)
    assert not (tmp_path / "out").exists()


def test_a_data_set_without_lesions_is_refused(data_set: Path, tmp_path: Path, quick: AugmentSettings) -> None:
    content = {"training": [{"image": str(data_set.parent / "image0.nii.gz")}]}
    (tmp_path / "list.json").write_text(json.dumps(content))
    with pytest.raises(ConSinGANError, match="has no lesion in its training scans"):
        augment(tmp_path / "list.json", tmp_path / "out", quick)
    with pytest.raises(ConSinGANError, match="location is 'there'"):
        augment(data_set, tmp_path / "other", replace(quick, location="there"))
    for numbers in ({"jobs": 0}, {"threads": 0}):
        with pytest.raises(ConSinGANError, match="is 0, but must be 1 or more"):
            augment(data_set, tmp_path / "other", quick, **numbers)  # type: ignore[arg-type]
    assert not (tmp_path / "other").exists()


def test_nnunet_and_2d_png(data_set: Path, tmp_path: Path, small: Any, quick: AugmentSettings, tree: Tree) -> None:
    from PIL import Image

    image, label, _ = small
    for folder in ("imagesTr", "labelsTr"):
        (tmp_path / "raw" / folder).mkdir(parents=True)
    for number in range(2):
        picture = np.ascontiguousarray(image[:, :, 2 + number].T / image.max() * 255).astype(np.uint8)
        Image.fromarray(picture).save(tmp_path / "raw" / "imagesTr" / f"c{number}_0000.png")
        Image.fromarray(np.ascontiguousarray(label[:, :, 2 + number].T).astype(np.uint8)).save(
            tmp_path / "raw" / "labelsTr" / f"c{number}.png"
        )
    head = {"file_ending": ".png", "channel_names": {"0": "T1c"}, "labels": {"background": 0, "t": 1}, "numTraining": 2}
    (tmp_path / "raw" / "dataset.json").write_text(json.dumps(head))
    folds = [{"train": ["c1"], "val": ["c0"]}, {"train": ["c0"], "val": ["c1"]}]
    (tmp_path / "raw" / "splits_final.json").write_text(json.dumps(folds))
    settings = replace(
        quick, sizes={}, scale_range=(0.3, 0.5), seam_margin=3, lesions=(1, 1), clearance_mm=1, min_cnr=0
    )
    summary = augment(tmp_path / "raw", tmp_path / "out", settings)
    assert summary["made"] == 2, summary
    assert sorted(tree(tmp_path / "out" / "images")) == [
        f"c{number}_syn-000.{suffix}" for number in (0, 1) for suffix in ("json", "png")
    ]
    found = json.loads((tmp_path / "out" / "datalist.json").read_text())
    assert found["training"][0] == {
        "image": "../raw/imagesTr/c0_0000.png",
        "label": "../raw/labelsTr/c0.png",
        "fold": 0,
    }
    assert found["training"][2]["image"] == "images/c0_syn-000.png"
    assert len(read_scans(tmp_path / "out").of("training")) == 4
    found = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert {key: found[key] for key in head} == {**head, "numTraining": 4}
    assert list(found["dataset"]) == ["c0", "c1", "c0_syn-000", "c1_syn-000"]
    for case in found["dataset"].values():
        assert all((tmp_path / "out" / name).is_file() for name in [*case["images"], case["label"]])
    splits = json.loads((tmp_path / "out" / "splits_final.json").read_text())
    assert splits == [{"train": ["c1", "c1_syn-000"], "val": ["c0"]}, {"train": ["c0", "c0_syn-000"], "val": ["c1"]}]


def test_files_that_are_gone_or_changed_are_made_anew(
    augmented: tuple[Path, dict[str, Any]], data_set: Path, tmp_path: Path, quick: AugmentSettings, tree: Tree
) -> None:
    folder, summary = augmented
    shutil.copytree(folder, tmp_path / "out")
    names = sorted(path.stem for path in (folder / "images").glob("*.json"))
    (tmp_path / "out" / "images" / f"{names[0]}.nii.gz").unlink()
    (tmp_path / "out" / "labels" / f"{names[1]}.nii.gz").write_bytes(b"changed")
    (tmp_path / "out" / "images" / f"{names[2]}.json").write_text("{")
    assert merge(tmp_path / "out")["missing"] == 3
    assert augment(data_set, tmp_path / "out", quick) == summary
    assert tree(tmp_path / "out") == tree(folder)


def test_damaged_state_is_told(
    augmented: tuple[Path, dict[str, Any]], data_set: Path, tmp_path: Path, quick: AugmentSettings, tree: Tree
) -> None:
    shutil.copytree(augmented[0], tmp_path / "out")
    for content in ("{", "[]", "{}", '"x"'):
        damaged = tmp_path / "out" / ".augment" / "surveys" / "image0.json"
        damaged.write_text(content)
        with pytest.raises(ConSinGANError, match=r"image0\.json is damaged .*: delete this file"):
            augment(data_set, tmp_path / "out", quick)
        damaged.unlink()
        assert augment(data_set, tmp_path / "out", quick) == augmented[1]
    state = tmp_path / "out" / ".augment" / "run.json"
    good = state.read_text()
    for content in ("{", "[1]", good.replace('"name": "image0"', '"name": "../../image0"')):
        state.write_text(content)
        with pytest.raises(ConSinGANError, match=r"run\.json is damaged .*: delete .*/out, or give another folder"):
            merge(tmp_path / "out")
    assert augment(data_set, tmp_path / "out", quick) == augmented[1]  # as if what could not be read was corrected
    assert not (tmp_path / "image0_syn-000.nii.gz").exists()


@pytest.mark.parametrize("version", ["0.0.9", None])
def test_what_another_version_noted_is_not_called_damaged(
    augmented: tuple[Path, dict[str, Any]], tmp_path: Path, version: str | None
) -> None:
    out = tmp_path / "out"
    shutil.copytree(augmented[0], out)
    state = out / ".augment" / "run.json"
    good = json.loads(state.read_text())
    records, settings = good["records"], good["settings"]
    older = {key: value for key, value in good.items() if key != "version"} | ({"version": version} if version else {})
    for other in ({"records": [{"name": record["name"]} for record in records]}, {"settings": settings | {"x": 1}}):
        state.write_text(json.dumps(older | other))
        which = f"version {version}" if version else "another version"
        told = rf"out was begun with {which} of .*, and run.json is not as .*: go on with that"
        with pytest.raises(ConSinGANError, match=told):
            merge(out)
        state.write_text(json.dumps(good | other))
        with pytest.raises(ConSinGANError, match=r"run\.json is damaged .*: delete .*/out, or give another folder"):
            merge(out)
    state.write_text(json.dumps(older))
    survey = next((out / ".augment" / "surveys").iterdir())
    survey.write_text("{}")
    with pytest.raises(ConSinGANError, match=rf"and surveys/{survey.name} is not as"):
        merge(out)


def test_scans_that_changed_between_shards_are_refused(data_set: Path, tmp_path: Path, quick: AugmentSettings) -> None:
    shutil.copytree(data_set.parent, tmp_path / "data")
    again = [tmp_path / "data" / "list.json", tmp_path / "out", quick]
    augment(*again, shard=(1, 2))
    os.utime(tmp_path / "data" / "image1.nii.gz")  # touched, but not changed
    augment(*again, shard=(2, 2))
    shutil.copy(tmp_path / "data" / "label0.nii.gz", tmp_path / "kept")
    shutil.copy(tmp_path / "data" / "label1.nii.gz", tmp_path / "data" / "label0.nii.gz")
    with pytest.raises(ConSinGANError, match=r"label0\.nii\.gz of scan image0 has changed since"):
        augment(*again, shard=(2, 2))
    (tmp_path / "data" / "label0.nii.gz").unlink()
    augment(*again, shard=(2, 2))  # nothing of it is left to make
    next((tmp_path / "out" / "images").glob("*.nii.gz")).unlink()
    with pytest.raises(ConSinGANError, match=r"label0\.nii\.gz of scan image0 is gone since"):
        augment(*again)
    shutil.copy(tmp_path / "kept", tmp_path / "data" / "label0.nii.gz")
    assert augment(*again)["missing"] == 0


def test_maps_that_changed_are_refused(data_set: Path, tmp_path: Path, quick: AugmentSettings) -> None:
    scan = nib.load(data_set.parent / "image0.nii.gz")
    prior, brain = tmp_path / "prior.nii.gz", tmp_path / "brain.nii.gz"
    content = json.loads(data_set.read_text())
    for entry in [*content["training"], *content["validation"]]:
        entry |= {key: str(data_set.parent / entry[key]) for key in ("image", "label")}
    content["training"][0]["mask"] = str(brain)
    content["test"] = []
    (tmp_path / "list.json").write_text(json.dumps(content))
    everywhere = nib.Nifti1Image(np.ones(scan.shape, np.uint8), scan.affine)
    nib.save(everywhere, prior)
    begin = partial(augment, tmp_path / "list.json", tmp_path / "out")
    settings = replace(quick, location=str(prior), brain="mask", per_scan=1)
    assert begin(settings, shard=(1, 2))["failed"] or not brain.exists()
    nib.save(everywhere, brain)
    begin(settings, shard=(1, 2))  # a map that was not there is now
    for path in (prior, brain):
        before = path.read_bytes()
        nib.save(nib.Nifti1Image(2 * everywhere.get_fdata(), scan.affine), path)
        with pytest.raises(ConSinGANError, match="begun with other values for maps"):
            begin(settings, shard=(2, 2))
        path.write_bytes(before)


def test_what_could_not_be_read_may_be_corrected(data_set: Path, tmp_path: Path, quick: AugmentSettings) -> None:
    content = json.loads(data_set.read_text())
    for entry in [*content["training"], *content["validation"]]:
        entry |= {key: str(data_set.parent / entry[key]) for key in ("image", "label")}
    content["test"] = []
    right = content["training"][3]["image"]
    for wrong in (str(tmp_path / "typo.nii.gz"), right):
        content["training"][3]["image"] = wrong
        (tmp_path / "list.json").write_text(json.dumps(content))
        summary = augment(tmp_path / "list.json", tmp_path / "out", quick)
        assert bool(summary["failed"]) == (wrong != right)
    assert summary["made"] + summary["dropped"] == 4
    content["training"][3]["image"] = content["training"][2]["image"]
    (tmp_path / "list.json").write_text(json.dumps(content))
    with pytest.raises(ConSinGANError, match="begun with other values for records"):
        augment(tmp_path / "list.json", tmp_path / "out", quick)


def test_a_refused_run_leaves_nothing(data_set: Path, tmp_path: Path, quick: AugmentSettings) -> None:
    (tmp_path / "list.json").write_text(json.dumps({"training": [{"image": "typo.nii.gz", "label": "l.nii.gz"}]}))
    for shard in (None, (1, 2)):
        with pytest.raises(ConSinGANError, match=r"no training scan that can be used.*typo\.nii\.gz does not exist"):
            augment(tmp_path / "list.json", tmp_path / "new" / "out", quick, shard=shard)
    with pytest.raises(ConSinGANError, match="is of no augmentation"):
        merge(tmp_path / "new" / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["list.json"]


def test_one_run_at_a_time(augmented: tuple[Path, dict[str, Any]], data_set: Path, quick: AugmentSettings) -> None:
    folder, summary = augmented
    with locked_part(folder, "1-of-2"):
        for start in (lambda: augment(data_set, folder, quick), lambda: merge(folder)):
            with pytest.raises(ConSinGANError, match="in use by another run"):
                start()
        with pytest.raises(ConSinGANError, match="in use by another run"):
            augment(data_set, folder, quick, shard=(1, 2))
        augment(data_set, folder, quick, shard=(2, 2))
    assert merge(folder) == summary


def test_an_augmented_data_set_augmented_again(
    augmented: tuple[Path, dict[str, Any]], tmp_path: Path, quick: AugmentSettings
) -> None:
    augment(augmented[0], tmp_path / "out", replace(quick, contrast_range=(0.01, 100), seam_margin=100))
    content = json.loads((tmp_path / "out" / "datalist.json").read_text())
    files = [Path(entry["image"]).name for entry in content["training"]]
    assert len(set(files)) == len(files)
