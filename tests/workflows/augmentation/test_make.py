from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import nibabel as nib
import numpy as np
import pytest

from monai_consingan.data import load_scan
from monai_consingan.errors import ConSinGANError
from monai_consingan.models import HostModels, train_model
from monai_consingan.transforms import head_mask
from monai_consingan.workflows.augmentation import AugmentSettings, augment, read_scans
from monai_consingan.workflows.augmentation.make import ScanMaker
from monai_consingan.workflows.augmentation.plan import plan_tasks
from monai_consingan.workflows.augmentation.survey import survey_scan
from monai_consingan.workflows.data_sets.records import load_files

Maker = Callable[..., ScanMaker]


@pytest.fixture(scope="session")
def surveys(data_set: Path) -> dict[str, Any]:
    records = read_scans(data_set).of("training")
    return {record.name: survey_scan(record) for record in records}


@pytest.fixture
def maker(data_set: Path, surveys: dict[str, Any], tmp_path: Path, tiny: Any) -> Maker:
    def make(**settings: Any) -> ScanMaker:
        models = HostModels(tmp_path / "models", "harmonization", tiny("harmonization"), crops=1, side=48)
        chosen = AugmentSettings(**{"method": "poisson", "sizes": {"small": 1, "medium": 1}, **settings})
        return ScanMaker(read_scans(data_set), surveys, chosen, None if chosen.redrawn is None else models)

    return make


def made(maker: ScanMaker, folder: Path, number: int = 0) -> tuple[dict[str, Any], dict[str, bytes]]:
    folder.mkdir()
    told = maker.make(plan_tasks(maker.scans, maker.settings)[number], folder)
    return told, {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def stored(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj)


def test_a_host_is_read_once_for_scans_that_are_made_in_turn(maker: Maker, tmp_path: Path) -> None:
    tasks = [task for task in plan_tasks(maker().scans, AugmentSettings(per_scan=2)) if task.host == "image0"]
    by, told = maker(lesions=(1, 1), seam_margin=9), []
    with mock.patch("monai_consingan.workflows.augmentation.maker.load_files", wraps=load_files) as read:
        for number, task in enumerate(tasks):
            (tmp_path / str(number)).mkdir()
            told.append(by.make(task, tmp_path / str(number)))
    assert len(tasks) == 2 and read.call_count == 1
    (tmp_path / "alone").mkdir()
    assert maker(lesions=(1, 1), seam_margin=9).make(tasks[1], tmp_path / "alone") == told[1]


@pytest.mark.parametrize("method", ["naive", "feather", "poisson", "crossfade"])
def test_a_synthetic_scan(maker: Maker, tmp_path: Path, method: str) -> None:
    by = maker(method=method, lesions=(2, 2), seam_margin=3)
    told, files = made(by, tmp_path / "out")
    assert sorted(files) == ["image.nii.gz", "instances.nii.gz", "label.nii.gz"]
    host = by.records["image0"]
    image, label, numbers = (stored(tmp_path / "out" / f"{name}.nii.gz") for name in ("image", "label", "instances"))
    old_image, old_label = stored(host.image), stored(host.label or "")
    new = numbers > told["own_lesions"]
    assert np.array_equal(label > 0, (old_label > 0) | new)
    assert np.array_equal(numbers[~new] > 0, old_label[~new] > 0)
    assert not (new & (old_label > 0)).any()
    assert [lesion["instance"] for lesion in told["lesions"]] == sorted(set(numbers[new].tolist()))
    assert image.dtype == old_image.dtype
    reach = new if method in ("naive", "poisson") else np.abs(image - old_image.astype(int)) > 0
    assert np.array_equal(image[~reach], old_image[~reach])
    assert (image[new] != old_image[new]).mean() > 0.9
    assert head_mask(load_scan(host.image)[0])[new].all()
    assert (told["status"], told["fold"], told["axis"], told["model"]) == ("made", 0, 2, "")
    for lesion in told["lesions"]:
        assert lesion["how"] == method
        assert lesion["seam_expected"] / 3 <= lesion["seam"] <= 3 * lesion["seam_expected"] > 3
        assert 0.5 <= lesion["contrast_kept"] <= 2
        assert lesion["donor"]["scan"] in ("image0", "image1")
        assert lesion["size"] in ("small", "medium")
    assert told["host"]["image_sha256"] == hashlib.sha256(host.image.read_bytes()).hexdigest()
    json.dumps(told, allow_nan=False)
    for name in files:
        assert nib.load(tmp_path / "out" / name).header["descrip"].item() == b"synthetic, monai-consingan"


def test_mass_effect_moves_image_label_and_numbers_alike(maker: Maker, tmp_path: Path) -> None:
    by = maker(method="poisson", lesions=(2, 2), mass_effect=0.7, seam_margin=9, clearance_mm=3.0)
    told, _ = made(by, tmp_path / "out")
    host = by.records["image0"]
    image, label, numbers = (stored(tmp_path / "out" / f"{name}.nii.gz") for name in ("image", "label", "instances"))
    assert told["status"] == "made"
    assert np.array_equal(label > 0, numbers > 0)
    assert set(range(1, told["own_lesions"] + len(told["lesions"]) + 1)) == set(np.unique(numbers)) - {0}
    changed = image != stored(host.image)
    assert changed.sum() > 1.5 * (numbers > told["own_lesions"]).sum()
    assert told["settings"]["mass_effect"] == 0.7
    with pytest.raises(ConSinGANError, match=r"mass effect is 0\.9"):
        AugmentSettings(mass_effect=0.9)


@pytest.mark.parametrize("dims", [2, 3])
def test_slice_by_slice_or_in_space(maker: Maker, tmp_path: Path, dims: int) -> None:
    by = maker(method="naive", lesions=(1, 1), seam_margin=9, contrast_range=(0.1, 9), dims=None if dims == 2 else 3)
    told, _ = made(by, tmp_path / "out")
    assert (told["dims"], told["axis"], told["status"]) == (dims, 2, "made")  # of thick slices


def test_oedema_moves_with_its_lesion_and_is_not_free(with_oedema: Path, tmp_path: Path) -> None:
    settings = AugmentSettings(
        *(1, (1, 1), "naive"),
        lesion_labels=(2, 3),
        contrast_range=(0.01, 100),
        seam_margin=99,
        scale_range=(1, 1),
    )
    summary = augment(with_oedema, tmp_path / "out", settings)
    assert (summary["made"], summary["donors"], summary["left_out"]) == (2, 2, [])
    for number in range(2):
        name = f"image{number}_syn-000"
        label, numbers = (stored(tmp_path / "out" / part / f"{name}.nii.gz") for part in ("labels", "instances"))
        old = stored(with_oedema.parent / f"label{number}.nii.gz")
        told = json.loads((tmp_path / "out" / "images" / f"{name}.json").read_text())
        (lesion,) = told["lesions"]
        assert told["own_lesions"] == 1  # oedema by itself is no lesion
        assert np.array_equal(label[old > 0], old[old > 0])  # and stays, as no lesion is put there
        assert set(np.unique(label[numbers == 2])) == {1, 2, 3}
        assert not old[numbers == 2].any()
        voxel = abs(np.linalg.det(nib.load(with_oedema.parent / "label0.nii.gz").affine[:3, :3]))
        assert lesion["volume_mm3"] == pytest.approx((np.isin(label, (2, 3)) & (numbers == 2)).sum() * voxel)


def test_a_lesion_that_gets_too_small_is_refused(with_oedema: Path, tmp_path: Path) -> None:
    """The donor's 32 voxels of 2 x 2 x 5 mm or so are enough, but not when they are scaled to half of that."""
    volume = survey_scan(read_scans(with_oedema).records[0], (2, 3)).lesions[0].volume_mm3
    settings = AugmentSettings(
        *(1, (1, 1), "naive"),
        lesion_labels=(2, 3),
        scale_range=(0.6, 0.6),
        min_volume=0.9 * volume,
        attempts=2,
    )
    summary = augment(with_oedema, tmp_path / "out", settings)
    assert (summary["made"], summary["dropped"], summary["donors"]) == (0, 2, 2)
    assert summary["refused"] == {"too small": 4}
    with pytest.raises(ConSinGANError, match=r"no lesion .* of use \(2 x smaller than 1e\+06 mm3\).*--min-volume"):
        augment(with_oedema, tmp_path / "none", replace(settings, min_volume=1e6))


def test_a_scan_depends_on_its_task_only(maker: Maker, tmp_path: Path) -> None:
    by = maker(per_scan=2)
    first = made(by, tmp_path / "first", 5)
    made(by, tmp_path / "between", 1)
    assert made(by, tmp_path / "again", 5) == first
    assert made(maker(per_scan=3), tmp_path / "more", 5)[1] == first[1]
    assert made(maker(per_scan=2, seed=1), tmp_path / "seed", 5)[1] != first[1]


def test_one_model_for_each_host(maker: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = []

    def counted(*args: Any, **options: Any) -> Any:
        trained.append(args)
        return train_model(*args, **options)

    monkeypatch.setattr("monai_consingan.models.bank.train_model", counted)
    by = maker(method="tissue-consingan", lesions=(1, 1), contrast_range=(0.01, 100), seam_margin=100, per_scan=2)
    first, second = made(by, tmp_path / "a", 0), made(by, tmp_path / "b", 4)
    assert len(trained) == 1
    assert first[0]["host"] == second[0]["host"]
    assert first[0]["model"] == second[0]["model"] == by.models.bank.keys()[0]
    assert [told["lesions"][0]["how"] for told, _ in (first, second)] == ["tissue-consingan"] * 2
    naive = made(replace(by, settings=replace(by.settings, method="naive")), tmp_path / "c", 0)
    assert naive[0]["lesions"][0]["placement"] == first[0]["lesions"][0]["placement"]
    assert naive[1]["label.nii.gz"] == first[1]["label.nii.gz"]
    assert naive[1]["image.nii.gz"] != first[1]["image.nii.gz"]
    model = by.models.prepare(load_scan(by.records["image0"].image))
    cohort = made(replace(by, cohort=(model, "its hash")), tmp_path / "d", 1)
    assert len(trained) == 1
    assert cohort[0]["model"] == "its hash"
    assert cohort[0]["lesions"][0]["how"] == "tissue-consingan"


def test_what_the_hosts_type_cannot_hold_is_measured_as_it_is_stored(
    maker: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by = maker(lesions=(1, 1), contrast_range=(0.01, 100), seam_margin=100)
    (whole,) = made(by, tmp_path / "whole")[0]["lesions"]
    top = float(load_scan(by.records["image0"].image).quantile(0.9))
    monkeypatch.setattr("monai_consingan.data.stored.Stored.limits", property(lambda self: (0.0, top)))
    (cut,) = made(by, tmp_path / "cut")[0]["lesions"]
    assert not whole["warnings"] and "can hold" in cut["warnings"][0]
    assert abs(cut["contrast_kept"]) < abs(whole["contrast_kept"])


def test_what_fails_the_checks_falls_back(maker: Maker, tmp_path: Path) -> None:
    by = maker(method="naive", on_failure="poisson", lesions=(1, 1), seam_margin=1.0, attempts=8)
    by.limits = {**by.limits, "seam": (0.0, 0.0)}
    told, files = made(by, tmp_path / "dropped")
    assert (told["status"], told["lesions"], files) == ("dropped", [], {})
    assert told["warnings"] == ["0 of 1 lesions passed"]
    counts = Counter((refused["how"], refused["reason"]) for refused in told["refused"])
    assert counts["naive", "seam"] == counts["poisson", "seam"] > 0
    assert counts.total() == 2 * counts["naive", "seam"] + counts["", "no place"]
    assert all("seam is" in refused["detail"] for refused in told["refused"] if refused["how"])
    by = maker(method="tissue-consingan", on_failure="poisson", lesions=(1, 1))
    by.models = HostModels(tmp_path / "none", "harmonization", replace(by.models.settings, max_size=8), crops=1)
    told, files = made(by, tmp_path / "fallen back")
    (lesion,) = told["lesions"]
    assert lesion["how"] == "poisson"
    assert lesion["warnings"][0].startswith("tissue-consingan: max size is 8")
    assert told["warnings"][0].startswith("max size is 8")
    by = replace(by, settings=replace(by.settings, on_failure="drop"))
    assert made(by, tmp_path / "dropped too")[0]["status"] == "dropped"


def test_a_smooth_host_does_not_refuse_a_faithful_lesion(maker: Maker, surveys: dict[str, Any], tmp_path: Path) -> None:
    by = maker(method="naive", on_failure="drop", lesions=(1, 1), seam_margin=9)

    def noisy(**more: Any) -> ScanMaker:
        """Donors whose tissue is ten times as rough as that of the hosts."""
        changed = {
            name: replace(found, lesions=tuple(replace(one, cnr=one.cnr / 10, **more) for one in found.lesions))
            for name, found in surveys.items()
        }
        settings = replace(by.settings, min_cnr=0)
        return ScanMaker(by.scans, changed, settings, by.models)

    told, _ = made(noisy(), tmp_path / "by-level")
    assert told["status"] == "made" and all(0.5 <= lesion["contrast_kept"] <= 2 for lesion in told["lesions"])
    told, _ = made(noisy(contrast=None), tmp_path / "by-noise")
    assert told["status"] != "made" and any("contrast kept" in str(refusal) for refusal in told["refused"])


def test_places_by_a_prior_map(maker: Maker, tmp_path: Path, data_set: Path) -> None:
    image = nib.load(data_set.parent / "image0.nii.gz")
    prior = np.zeros(image.shape, np.float32)
    prior[50:60, 60:80, 7] = 1
    nib.save(nib.Nifti1Image(prior, image.affine), tmp_path / "prior.nii.gz")
    by = maker(location=str(tmp_path / "prior.nii.gz"), lesions=(1, 1), edge_mm=0.0, seam_margin=9, attempts=20)
    told, _ = made(by, tmp_path / "out")
    assert prior[tuple(told["lesions"][0]["placement"]["position"])] == 1
    assert told["settings"]["location"] == "prior.nii.gz"
    own = replace(by.scans.records[0], entry={"prior": str(tmp_path / "prior.nii.gz")})
    by = maker(location="prior", lesions=(1, 1), edge_mm=0.0, seam_margin=9, attempts=20)
    by.records["image0"] = own
    assert made(by, tmp_path / "by key")[0]["lesions"] == told["lesions"]
    with pytest.raises(ConSinGANError, match="prior"):
        made(maker(location="nowhere.nii.gz"), tmp_path / "no map")
    for chances, where, why in ((prior - 2.0, 0, "has values below 0"), (prior, 500, "is 0 all over image0")):
        affine = image.affine + np.outer([where, 0, 0, 0], [0, 0, 0, 1])
        nib.save(nib.Nifti1Image(chances, affine), tmp_path / "bad.nii.gz")
        with pytest.raises(ConSinGANError, match=f"prior map bad[.]nii[.]gz {why}"):
            made(maker(location=str(tmp_path / "bad.nii.gz")), tmp_path / why)
    told, _ = made(maker(location="uniform"), tmp_path / "uniform")
    assert {lesion["placement"]["how"] for lesion in told["lesions"]} == {"prior"}


def test_inside_a_brain_mask(maker: Maker, tmp_path: Path, data_set: Path) -> None:
    image = nib.load(data_set.parent / "image0.nii.gz")
    brain = np.zeros(image.shape, np.uint8)
    brain[30:70, 30:90, 2:9] = 1
    nib.save(nib.Nifti1Image(brain, image.affine), tmp_path / "brain.nii.gz")
    by = maker(location="uniform", brain="mask", lesions=(2, 2), seam_margin=9, attempts=20)
    by.records["image0"] = replace(by.scans.records[0], entry={"mask": str(tmp_path / "brain.nii.gz")})
    told, _ = made(by, tmp_path / "out")
    new = stored(tmp_path / "out" / "instances.nii.gz") > told["own_lesions"]
    assert new.any()
    assert brain[new].all()
    by = maker(location="uniform", brain="mask")
    by.records["image0"] = replace(by.scans.records[0], entry={"mask": str(tmp_path / "none.nii.gz")})
    with pytest.raises(ConSinGANError, match="brain mask of image0"):
        made(by, tmp_path / "no mask")
    by.records["image0"] = replace(by.scans.records[0], entry={})
    with pytest.raises(ConSinGANError, match=r"brain mask of image0 is missing.* 'mask'"):
        made(by, tmp_path / "no key")


def test_maps_may_be_1_everywhere(maker: Maker, tmp_path: Path, data_set: Path) -> None:
    """As the brain mask of a crop is; one that is 0 everywhere marks nothing."""
    image = nib.load(data_set.parent / "image0.nii.gz")
    for value in (0, 1):
        nib.save(nib.Nifti1Image(np.full(image.shape, value, np.uint8), image.affine), tmp_path / f"{value}.nii.gz")
    given: dict[str, Any] = {"lesions": (1, 1), "edge_mm": 0.0, "seam_margin": 9, "attempts": 20}
    wanted, _ = made(maker(location="uniform", **given), tmp_path / "uniform")
    by_map, _ = made(maker(location=str(tmp_path / "1.nii.gz"), **given), tmp_path / "by map")
    assert wanted["status"] == by_map["status"] == "made" and by_map["lesions"] == wanted["lesions"]
    for value in (0, 1):
        by = maker(location="uniform", brain="mask", **given)
        by.records["image0"] = replace(by.scans.records[0], entry={"mask": str(tmp_path / f"{value}.nii.gz")})
        if value:
            assert made(by, tmp_path / "whole")[0]["status"] == "made"
        else:
            with pytest.raises(ConSinGANError, match=r"brain mask of image0, 0.nii.gz, marks nothing of it"):
                made(by, tmp_path / "nothing")


def test_any_value_marks_a_brain_mask_on_another_grid(maker: Maker, tmp_path: Path, data_set: Path) -> None:
    image = nib.load(data_set.parent / "image0.nii.gz")
    candidates = []
    for value in (1, 255):
        brain = np.zeros((-(-image.shape[0] // 5), -(-image.shape[1] // 5), image.shape[2]), np.uint8)
        brain[6:14, 6:18, 2:9] = value
        file = tmp_path / f"brain{value}.nii.gz"
        nib.save(nib.Nifti1Image(brain, image.affine @ np.diag([5, 5, 1, 1])), file)
        by = maker(location="uniform", brain="mask", lesions=(1, 1), seam_margin=9, attempts=20)
        by.records["image0"] = replace(by.scans.records[0], entry={"mask": str(file)})
        told, _ = made(by, tmp_path / f"out{value}")
        candidates.append(told["lesions"][0]["placement"]["candidates"])
    assert candidates[0] == candidates[1]


def test_scans_whose_zero_is_not_dark_need_another_match(data_set: Path, tmp_path: Path) -> None:
    for path in data_set.parent.glob("*.nii.gz"):
        volume = nib.load(path)
        values = np.asarray(volume.dataobj, np.float32)
        if path.name.startswith("image"):
            inside = values > 0.1 * values.max()
            values = np.where(inside, (values - values[inside].mean()) / values[inside].std(), 0)
        nib.save(nib.Nifti1Image(values.astype(np.float32), volume.affine), tmp_path / path.name)
    shutil.copy(data_set, tmp_path)
    settings = AugmentSettings(
        lesions=(1, 1), seam_margin=99, contrast_range=(0.1, 9), attempts=1, sizes={"small": 1, "medium": 1}
    )
    summary = augment(tmp_path / data_set.name, tmp_path / "gain", settings)
    assert len(summary["failed"]) == 4 and not summary["refused"]
    assert all('use match="mean_std"' in error for error in summary["failed"].values())
    summary = augment(tmp_path / data_set.name, tmp_path / "out", replace(settings, match="mean_std"))
    assert summary["made"] and not summary["failed"]
