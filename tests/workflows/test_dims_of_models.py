"""Models are trained in space for volumes of nearly cubic voxels and on slices for thick ones, if nothing says else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner

from monai_consingan.cli import main
from monai_consingan.errors import ConSinGANError
from monai_consingan.models import HostModels, TrainedModel
from monai_consingan.settings import TrainingByScan
from monai_consingan.workflows import LesionSource, LesionTarget, harmonize, remove
from monai_consingan.workflows.augmentation import AugmentSettings, TwinSettings, augment, free_twins
from monai_consingan.workflows.train import train_run

Case = tuple[Path, Path]
SMALL = ["--stages", "2", "--iterations", "1", "--channels", "2", "--min-size", "11", "--quiet"]


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Callable[[float], Case]:
    """A head of noise of 26 voxels a side with a lesion, and its label; slices as thick as asked for."""
    folder = tmp_path_factory.mktemp("scans")
    rng = np.random.default_rng(0)
    places = np.stack(np.indices((26, 26, 26))) - 12.5
    image = np.where((places**2).sum(axis=0) < 12**2, rng.normal(400, 20, (26, 26, 26)), 0)
    label = (((places - np.array([4, 0, 1])[:, None, None, None]) ** 2).sum(axis=0) < 3**2).astype(np.uint8)
    image[label > 0] += 300

    def write(thickness: float) -> Case:
        affine = np.diag([-1.0, -1.0, thickness, 1.0])
        paths = folder / f"image-{thickness}.nii.gz", folder / f"label-{thickness}.nii.gz"
        for path, array in zip(paths, (image.astype(np.int16), label), strict=True):
            nib.save(nib.Nifti1Image(array, affine), path)
        return paths

    return write


@pytest.fixture
def either(tiny: Any) -> Callable[[str], TrainingByScan]:
    def of_task(task: str) -> TrainingByScan:
        small = {"min_size": 11, "channels": 2, "iterations": 1}
        return TrainingByScan(tiny(task, **small), tiny(task, spatial_dims=3, **small))

    return of_task


def source(case: Case, **more: Any) -> LesionSource:
    return LesionSource(case[0], case[0], case[1], at=(8, 13, 13), **more)


def target(case: Case, **more: Any) -> LesionTarget:
    return LesionTarget(*case, methods=("biharmonic",), train_on="image", **more)


def check(report: dict[str, Any], folder: Path, dims: int, thick: bool) -> None:
    """The paste, the settings and the model are all of the dims; a scan of thick slices says why."""
    assert report["placement"]["dims"] == report["settings"]["spatial_dims"] == dims
    assert TrainedModel.load(folder).settings.spatial_dims == dims
    assert len(report["settings"]["region_taken"]["size"]) == dims
    assert ("too thick" in report["placement"].get("slices_because", "")) is thick


@pytest.mark.parametrize(
    ("thickness", "asked", "dims"),
    [(1.0, {}, 3), (2.5, {}, 3), (3.0, {}, 2), (1.0, {"axis": 2}, 2), (1.0, {"dims": 2}, 2), (3.0, {"dims": 3}, 3)],
)
def test_the_scan_decides(
    case: Any, either: Any, tmp_path: Path, thickness: float, asked: dict[str, int], dims: int
) -> None:
    files, thick = case(thickness), thickness > 2.5 and dims == 2
    report = harmonize(source(files, **asked), tmp_path / "in", settings=either("harmonization"))
    check(report, tmp_path / "in", dims, thick)
    report = remove(target(files, **asked), tmp_path / "out", settings=either("editing"))
    check(report, tmp_path / "out", dims, thick)


def test_a_slice_is_asked_for(case: Any, either: Any, tmp_path: Path) -> None:
    image, label = case(1.0)
    asked = LesionSource(image, image, label, at=(8, 13), donor_slice=13, host_slice=4)
    check(harmonize(asked, tmp_path / "in", settings=either("harmonization")), tmp_path / "in", 2, thick=False)
    report = remove(target((image, label), slice_index=13), tmp_path / "out", settings=either("editing"))
    check(report, tmp_path / "out", 2, thick=False)


def test_what_is_given_holds(case: Any, either: Any, tmp_path: Path) -> None:
    """Settings of one kind, a model, and one to start from: of slices for a volume, in space for thick slices."""
    for dims, files in ((2, case(1.0)), (3, case(3.0))):
        folder = tmp_path / str(dims)
        settings = either("harmonization")
        report = harmonize(source(files), folder / "own", settings=settings.for_dims(dims))
        check(report, folder / "own", dims, thick=False)
        report = harmonize(source(files), folder / "used", model=folder / "own")
        assert report["placement"]["dims"] == report["settings"]["spatial_dims"] == dims
        for name, given in (("alone", None), ("either", settings)):
            report = harmonize(source(files), folder / name, start=folder / "own", settings=given)
            check(report, folder / name, dims, thick=False)


def test_models_of_hosts(case: Any, either: Any, tmp_path: Path) -> None:
    """Each host of a data set, or of a bank, gets a model of its kind; a run goes on as it was begun."""
    scans = [case(1.0), case(3.0)]
    entries = [{"image": str(image), "label": str(label)} for image, label in scans]
    (tmp_path / "list.json").write_text(json.dumps({"training": entries}))
    easy: dict[str, Any] = {"contrast_range": (0.01, 99), "seam_margin": 99, "clearance_mm": 0, "edge_mm": 0}
    easy |= {"lesions": (1, 1), "scale_range": (0.7, 0.8), "on_failure": "tissue"}
    for make, task, chosen in (
        (augment, "harmonization", AugmentSettings(method="consingan-band", **easy)),
        (free_twins, "editing", TwinSettings(method="consingan", fillings=("biharmonic",), most_seam=99)),
    ):
        how: dict[str, Any] = {"training": either(task), "crops": 1, "side": 20}
        for _ in range(2):
            make(tmp_path / "list.json", tmp_path / task, chosen, **how)
        told = [json.loads(path.read_text()) for path in sorted((tmp_path / task).rglob("*.json"))]
        made = {one["host"]["scan"]: one for one in told if isinstance(one, dict) and "host" in one}
        assert sorted((one["dims"], one["training"]["spatial_dims"]) for one in made.values()) == [(2, 2), (3, 3)]
        assert not any(warning for one in made.values() for warning in one["warnings"])
        models = [TrainedModel.load(path) for path in (tmp_path / task / "models").glob("*.pt")]
        assert sorted(len(model.image_size) for model in models) == [2, 3]
    models = HostModels(tmp_path / "harmonization" / "models", "harmonization", either("harmonization"), axis=2)
    assert {models.settings_for(np.zeros((1, 9, 9, 9))).spatial_dims} == {2}


def test_commands(case: Any, tmp_path: Path) -> None:
    """The presets quick and standard are for volumes where scans are; training and cohort make models of slices."""

    def run(name: str, *words: str | Path) -> list[int]:
        """The dims of the models that a command leaves."""
        done = CliRunner().invoke(main, [*map(str, words), "--output", str(tmp_path / name), *SMALL])
        assert done.exit_code == 0, done.output
        files = [path for path in (tmp_path / name).rglob("*.pt") if "checkpoint" not in path.name]
        return sorted(TrainedModel.load(path).settings.spatial_dims for path in files)

    (image, label), (thick, _) = case(1.0), case(3.0)
    place = ["--host", image, "--donor", image, "--donor-label", label, "--at", "8", "13", "13"]
    fill = ["--image", image, "--label", label, "--method", "biharmonic", "--train-on", "image"]
    assert run("a", "harmonize", *place) == run("b", "remove", *fill) == [3]
    assert run("c", "harmonize", *place, "--preset", "standard") == [3]
    assert run("d", "harmonize", *place, "--region", "slice", "--max-size", "30") == [2]
    assert run("e", "harmonize", *place, "--dims", "2") == run("f", "remove", *fill, "--axis", "1") == [2]
    assert run("g", "bank", image, thick, "--side", "20", "--crops", "1") == [2, 3]
    assert run("h", "bank", image, "--start", tmp_path / "e") == [2]
    assert run("i", "train", image, "--task", "harmonization") == [2]
    (tmp_path / "list.json").write_text(json.dumps({"training": [{"image": str(image)}]}))
    assert run("j", "cohort", tmp_path / "list.json", "--side", "20", "--crops", "1") == [2]


def test_training_goes_on_from_a_model_in_space(case: Any, either: Any, tmp_path: Path) -> None:
    """Settings for either kind of scan follow the model that a training starts from."""
    image, _ = case(1.0)
    how: dict[str, Any] = {"task": "editing", "settings": either("editing")}
    train_run([image], tmp_path / "slices", **how)
    train_run([image], tmp_path / "space", task="editing", settings=how["settings"].space)
    train_run([image], tmp_path / "more", start=tmp_path / "space", **how)
    dims = [TrainedModel.load(tmp_path / name).settings.spatial_dims for name in ("slices", "space", "more")]
    assert dims == [2, 3, 3]


def test_a_volume_too_thin_for_a_network_in_space(case: Any, either: Any, tmp_path: Path) -> None:
    """It is worked on by slices; where space is asked for, the sentence says what does, and nothing is left."""
    thin = []
    for path in case(1.0):
        stored = nib.load(path)
        nib.save(stored.slicer[..., 9:18], tmp_path / path.name)
        thin.append(tmp_path / path.name)
    asked: dict[str, Any] = {"at": (8, 13, 4)}
    with pytest.raises(ConSinGANError, match=r"is 9.*patches of 11: raise max size, or work by slices \(dims 2\)"):
        harmonize(
            LesionSource(thin[0], thin[0], thin[1], dims=3, **asked), tmp_path / "none", method="tissue-consingan"
        )
    assert not (tmp_path / "none").exists()
    given = LesionSource(thin[0], thin[0], thin[1], **asked)
    inserted = harmonize(given, tmp_path / "out", settings=either("harmonization"))
    removed = remove(LesionTarget(thin[0], thin[1]), tmp_path / "removed", settings=either("editing"))
    for report, folder in ((inserted, "out"), (removed, "removed")):
        check(report, tmp_path / folder, 2, thick=False)
        assert report["placement"]["slices_because"].startswith("9 voxels along an axis are too few for a network in")
    models = HostModels(tmp_path / "bank", "harmonization", either("harmonization"))
    assert models.settings_for(np.zeros((1, 20, 20, 9), np.float32)).spatial_dims == 2
    assert models.settings_for(np.zeros((1, 20, 20, 11), np.float32)).spatial_dims == 3
