from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch

from monai_consingan.data import example, file_sha256, load_scan
from monai_consingan.engines import TrainingCheckpoint
from monai_consingan.errors import ConSinGANError, ConSinGANWarning
from monai_consingan.models import HostModels, SharedModel, TrainedModel
from monai_consingan.models.host_crops import host_crops
from monai_consingan.transforms import RandLesiond
from monai_consingan.workflows import LesionSource, LesionTarget, cohort_folds, cohort_run, harmonize, remove
from monai_consingan.workflows.augmentation import AugmentSettings, augment

SIDE = 64


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A datalist of three scans, two of fold 0, one of fold 1: brighter, with fewer rows, and with its own grid."""
    folder = tmp_path_factory.mktemp("cohort")
    image, label = (nib.load(path) for path in (example().image, example().label))
    values, marks = (np.asarray(part.dataobj) for part in (image, label))
    entries = []
    for number, (factor, rows, fold) in enumerate([(1, 192, 0), (3, 150, 0), (2, 192, 1)]):
        for name, part in (("image", (factor * values).astype(np.int16)), ("label", marks)):
            nib.save(nib.Nifti1Image(part[:rows], image.affine), folder / f"{name}{number}.nii.gz")
        entries.append({"image": f"image{number}.nii.gz", "label": f"label{number}.nii.gz", "fold": fold})
    (folder / "list.json").write_text(json.dumps({"training": entries}), encoding="utf-8")
    return folder / "list.json"


@pytest.fixture(scope="module")
def trained(cohort: Path, tmp_path_factory: pytest.TempPathFactory, tiny: Any) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("model") / "run"
    report = cohort_run(cohort, folder, settings=tiny("harmonization"), crops=2, side=SIDE)
    assert report is not None
    return folder, report


def test_a_model_knows_what_it_was_made_of_by_hashes_only(trained: Any, cohort: Path) -> None:
    folder, report = trained
    assert sorted(path.name for path in folder.iterdir()) == ["figure.png", "model.pt", "report.json"]
    model = TrainedModel.load(folder, task="harmonization")
    assert model.image_size == (SIDE, SIDE) and report["slices"] == 6
    assert list(model.sources) == [file_sha256(cohort.parent / f"image{number}.nii.gz") for number in range(3)]
    stored = torch.load(folder / "model.pt", weights_only=True)
    told = {key: value for key, value in stored.items() if key not in ("generator", "discriminator")}
    assert "image" not in json.dumps(told).replace("image_size", "") and str(cohort.parent) not in json.dumps(report)
    assert [scan["fold"] for scan in report["inputs"].values()] == [0, 0, 1]


def test_crops_are_as_large_as_fits_into_all_scans(cohort: Path, tmp_path: Path, tiny: Any) -> None:
    report = cohort_run(cohort, tmp_path / "run", settings=tiny("harmonization"), crops=1, side=170)
    assert report is not None and report["image_size"] == [150, 170]
    report = cohort_run(
        cohort, tmp_path / "slices", settings=tiny("harmonization", region="slice", max_size=40), crops=1
    )
    assert report is not None and report["image_size"] == [40, 40]


def test_scales_are_of_every_scan_by_itself(cohort: Path, tiny: Any) -> None:
    crops = [
        host_crops(load_scan(cohort.parent / f"image{number}.nii.gz"), tiny("harmonization"), side=SIDE)
        for number in (0, 2)
    ]
    assert torch.equal(*crops)


def test_killed_and_resumed_is_the_same_to_the_byte(
    trained: Any, cohort: Path, tmp_path: Path, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {"settings": tiny("harmonization"), "crops": 2, "side": SIDE, "resume": True}
    save = TrainingCheckpoint.__call__

    def interrupted(self: TrainingCheckpoint, engine: Any) -> None:
        save(self, engine)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(TrainingCheckpoint, "__call__", interrupted)
        cohort_run(cohort, tmp_path / "run", **given)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["checkpoint.pt"]
    report = cohort_run(cohort, tmp_path / "run", **given)
    assert report is not None and report["resumed"]
    assert (tmp_path / "run" / "model.pt").read_bytes() == (trained[0] / "model.pt").read_bytes()
    assert cohort_run(cohort, tmp_path / "run", **given) is None
    with pytest.raises(ConSinGANError, match="finished training with other images"):
        cohort_run(cohort, tmp_path / "run", held_out=1, **given)


def test_serves_a_scan_that_it_has_not_seen(trained: Any, source: LesionSource, tmp_path: Path, tiny: Any) -> None:
    report = harmonize(source, tmp_path / "as-it-is", model=trained[0])
    assert report["settings"]["region_taken"]["size"] == (SIDE, SIDE) and report["seconds_training"] == 0
    harmonize(source, tmp_path / "tuned", start=trained[0], settings=tiny("harmonization", iterations=1))
    tuned = TrainedModel.load(tmp_path / "tuned")
    assert tuned.settings.iterations == 1 and tuned.sources == TrainedModel.load(trained[0]).sources
    with pytest.raises(ConSinGANError, match="trained for task 'harmonization', but 'editing'"):
        remove(LesionTarget(example().image, example().label), tmp_path / "none", model=trained[0])


def test_of_editing_serves_removals(cohort: Path, tmp_path: Path, tiny: Any) -> None:
    report = cohort_run(cohort, tmp_path / "run", task="editing", settings=tiny("editing"), crops=1, side=SIDE)
    assert report is not None and report["task"] == "editing"
    target = LesionTarget(example().image, example().label, slice_index=4)
    assert remove(target, tmp_path / "out", model=tmp_path / "run")["seconds_training"] == 0


def test_serves_on_the_fly_and_starts_the_models_of_a_bank(trained: Any, tmp_path: Path, tiny: Any) -> None:
    case = {"image": load_scan(example().image), "label": load_scan(example().label)}
    shared = SharedModel(trained[0], "harmonization")
    placed: dict[str, Any] = {"axis": 2, "scale_range": (0.4, 0.5), "fallback": None}
    put = RandLesiond(["image", "label"], donors=[case], models=shared, **placed).set_random_state(0)
    out = put(case)
    assert out["lesion_mask"].any() and json.loads(out["image"].meta["pasted_lesions"])[0]["how"] == "tissue-consingan"
    with pytest.raises(ConSinGANError, match="trained on the sequences"):
        shared.find(case["image"].repeat(2, 1, 1, 1))
    with pytest.raises(ConSinGANError, match="trained for task 'harmonization'"):
        SharedModel(shared.model, "editing")
    started = HostModels(tmp_path, "harmonization", tiny("harmonization"), crops=1, start=trained[0])
    model = started.prepare(case["image"])
    assert model.image_size == (SIDE, SIDE) and started.find(case["image"]) is not None
    assert HostModels(tmp_path, "harmonization", tiny("harmonization"), crops=1).find(case["image"]) is None
    with pytest.raises(ConSinGANError, match="side is 32"):
        HostModels(tmp_path, "harmonization", start=trained[0], side=32)


def test_a_model_of_several_folds_is_warned_of(trained: Any, cohort: Path, tmp_path: Path, tiny: Any) -> None:
    settings = AugmentSettings(method="tissue-consingan", lesions=(1, 1), scale_range=(0.4, 0.5))
    with pytest.warns(ConSinGANWarning, match="trained on 3 scans of this data set.*of fold 0, of fold 1"):
        augment(cohort, tmp_path / "leaks", settings, model=trained[0])
    told = [json.loads(path.read_text()) for path in (tmp_path / "leaks").glob("images/*.json")]
    assert len(told) == 3 and all("trained on 3 scans" in one["warnings"][0] for one in told)


def test_a_model_of_one_fold_serves_that_fold(cohort: Path, tmp_path: Path, tiny: Any) -> None:
    given: dict[str, Any] = {"settings": tiny("harmonization"), "crops": 1, "side": SIDE}
    report = cohort_run(cohort, tmp_path / "run", held_out=1, **given)
    assert report is not None and [scan["fold"] for scan in report["inputs"].values()] == [0, 0]
    settings = AugmentSettings(method="tissue-consingan", lesions=(1, 1), scale_range=(0.4, 0.5))
    with pytest.warns(ConSinGANWarning, match="trained on 2 scans .* synthetic scans of fold 1 are") as caught:
        augment(cohort, tmp_path / "out", settings, model=tmp_path / "run")
    assert not any("fold 0" in str(one.message) for one in caught)


def test_starts_the_models_of_a_data_set_and_is_warned_of(
    trained: Any, cohort: Path, tmp_path: Path, tiny: Any
) -> None:
    settings = AugmentSettings(lesions=(1, 1), scale_range=(0.4, 0.5))
    given: dict[str, Any] = {"start": trained[0], "training": tiny("harmonization", iterations=1), "crops": 1}
    with pytest.warns(ConSinGANWarning, match="trained on 3 scans of this data set"):
        assert augment(cohort, tmp_path / "out", settings, **given)["made"] > 0
    told = [json.loads(path.read_text()) for path in (tmp_path / "out").glob("images/*.json")]
    assert all("trained on 3 scans" in one["warnings"][0] and one["training"]["iterations"] == 1 for one in told)
    (model, *_) = (tmp_path / "out" / "models").glob("*.pt")
    assert TrainedModel.load(model).sources == TrainedModel.load(trained[0]).sources
    run = json.loads((tmp_path / "out" / ".augment" / "run.json").read_text())
    assert run["start_sha256"] == file_sha256(trained[0] / "model.pt")
    with pytest.raises(ConSinGANError, match="other values for start"):
        augment(cohort, tmp_path / "out", settings, **{**given, "start": None})
    for wrong, words in (({"side": 32}, "side is 32"), ({"model": trained[0]}, "give one of them")):
        with pytest.raises(ConSinGANError, match=words):
            augment(cohort, tmp_path / "none", settings, **given, **wrong)
    assert not (tmp_path / "none").exists()


def test_a_model_for_each_fold_serves_all_without_a_leak(
    cohort: Path, tmp_path: Path, tiny: Any, recwarn: pytest.WarningsRecorder
) -> None:
    given: dict[str, Any] = {"settings": tiny("harmonization"), "crops": 1, "side": SIDE}
    reports = cohort_folds(cohort, tmp_path / "folds", **given)
    assert {fold: len(report["inputs"]) for fold, report in reports.items() if report} == {0: 2, 1: 1}
    assert cohort_folds(cohort, tmp_path / "folds", resume=True, **given) == {0: None, 1: None}
    scans = [file_sha256(cohort.parent / f"image{number}.nii.gz") for number in range(3)]
    settings = AugmentSettings(lesions=(1, 1), scale_range=(0.4, 0.5), seam_margin=5.0)  # of hardly trained models
    started: dict[str, Any] = {"training": tiny("harmonization", iterations=1), "crops": 1, "start": tmp_path / "folds"}
    for name, how in (("used", {"model": tmp_path / "folds"}), ("started", started)):
        assert augment(cohort, tmp_path / name, settings, **how)["made"] == 3
        told = {path.stem: json.loads(path.read_text()) for path in (tmp_path / name).glob("images/*.json")}
        assert all(one["warnings"] == [] and one["lesions"][0]["how"] == "tissue-consingan" for one in told.values())
        for one in told.values():
            file = tmp_path / name / "models" / f"{one['model']}.pt"
            file = tmp_path / "folds" / f"fold-{one['fold']}" / "model.pt" if name == "used" else file
            assert one["model"] == (file_sha256(file) if name == "used" else file.stem)
            assert list(TrainedModel.load(file).sources) == (scans[:2] if one["fold"] == 0 else scans[2:])
    assert not [warning for warning in recwarn if issubclass(warning.category, ConSinGANWarning)]


def test_models_of_folds_are_refused_where_they_do_not_fit(
    trained: Any, cohort: Path, source: LesionSource, tmp_path: Path, tiny: Any
) -> None:
    folds = tmp_path / "folds"
    (folds / "fold-0").mkdir(parents=True)
    shutil.copy(trained[0] / "model.pt", folds / "fold-0")
    settings = AugmentSettings(lesions=(1, 1))
    with pytest.raises(ConSinGANError, match="each of the folds 0, but none for fold 1: make them"):
        augment(cohort, tmp_path / "out", settings, model=folds)
    with pytest.raises(ConSinGANError, match=r"holds a model for each fold: give one of them, such as .*fold-0"):
        harmonize(source, tmp_path / "out", model=folds)
    (folds / "fold-1").mkdir()
    other = TrainedModel.load(trained[0])
    other.settings = tiny("harmonization", iterations=7)
    other.save(folds / "fold-1" / "model.pt")
    with pytest.raises(ConSinGANError, match=r"models of folds in .* have different settings"):
        augment(cohort, tmp_path / "out", settings, model=folds)
    content = json.loads(cohort.read_text())
    del content["training"][0]["fold"]
    bare = cohort.parent / "bare.json"
    bare.write_text(json.dumps(content))
    with pytest.raises(ConSinGANError, match="scan image0 has no fold, but a model for each fold"):
        cohort_folds(bare, tmp_path / "out")
    bare.unlink()
    assert not (tmp_path / "out").exists()


def test_in_space_and_of_several_sequences(cohort: Path, tmp_path: Path, tiny: Any) -> None:
    values = np.random.default_rng(0).normal(100, 10, (40, 36, 34, 2)).astype(np.float32)
    values[:4] = values[-4:] = values[:, :4] = values[:, -4:] = 0
    for number, depth in enumerate((34, 24)):
        for channel, name in enumerate(("t1", "flair")):
            part = nib.Nifti1Image(values[:, :, :depth, channel] + number, np.eye(4))
            nib.save(part, tmp_path / f"case{number}_{name}.nii.gz")
    entries = [{"image": [f"case{number}_{name}.nii.gz" for name in ("t1", "flair")]} for number in range(2)]
    for entry in entries:
        entry["label"] = "label.nii.gz"  # type: ignore[assignment]
    nib.save(nib.Nifti1Image(np.zeros((40, 36, 34), np.uint8), np.eye(4)), tmp_path / "label.nii.gz")
    (tmp_path / "list.json").write_text(json.dumps({"training": entries}), encoding="utf-8")
    settings = tiny("harmonization", spatial_dims=3, channels=2)
    report = cohort_run(tmp_path / "list.json", tmp_path / "run", settings=settings, crops=1, side=28)
    assert report is not None and report["image_size"] == [28, 28, 24]
    model = TrainedModel.load(tmp_path / "run")
    assert model.sequences == ("t1", "flair") and model.in_channels == 2 and len(model.sources) == 4


def test_refused_inputs_leave_nothing(cohort: Path, tmp_path: Path, tiny: Any) -> None:
    bare = tmp_path / "bare.json"
    entries = json.loads(cohort.read_text())["training"]
    bare.write_text(json.dumps({"training": [{"image": str(cohort.parent / entries[0]["image"])}]}), encoding="utf-8")
    copy = tmp_path / "unlike"
    shutil.copytree(cohort.parent, copy)
    double = nib.load(copy / "image2.nii.gz")
    stacked = np.repeat(np.asarray(double.dataobj)[..., None], 2, axis=-1)
    nib.save(nib.Nifti1Image(stacked, double.affine), copy / "image2.nii.gz")
    usual = tiny("harmonization")
    for scans, given, words in (
        (tmp_path / "none.json", {}, "none.json does not exist"),
        (bare, {"task": "editing", "settings": tiny("editing")}, "has no label, but crops for editing"),
        (copy / "list.json", {}, "scan image2 has the sequences 2, but image0 has 1: choose those"),
        (cohort, {"held_out": 7}, "held out is fold 7, but the folds .* are 0, 1"),
        (cohort, {"crops": 0}, "crops is 0"),
        (cohort, {"side": 5}, "the discriminator sees patches"),
        (cohort, {"side": 48, "settings": tiny("harmonization", region="slice")}, "side is 48, but with the region"),
        (cohort, {"lesion_labels": (1, 4)}, "but only crops for editing keep clear"),
        (cohort, {"task": "generation", "settings": tiny("generation")}, "task is 'generation', but a cohort"),
        (cohort, {"task": "editing"}, "settings are for task 'harmonization'"),
    ):
        with pytest.raises(ConSinGANError, match=words):
            cohort_run(scans, tmp_path / "run", **{"settings": usual, **given})
    assert not (tmp_path / "run").exists()
