"""The workflows with models of volumes: on a head of noise of 26 voxels a side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner

from monai_consingan.cli import main
from monai_consingan.errors import ConSinGANError
from monai_consingan.models import TrainedModel
from monai_consingan.workflows import LesionSource, LesionTarget, harmonize, remove
from monai_consingan.workflows.augmentation import AugmentSettings, TwinSettings, augment, free_twins
from monai_consingan.workflows.sample import sample
from monai_consingan.workflows.train import train_run

SMALL = ["--stages", "2", "--iterations", "1", "--channels", "2", "--min-size", "11", "--quiet"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An image with a lesion, and its label."""
    folder = tmp_path_factory.mktemp("space")
    rng = np.random.default_rng(0)
    places = np.stack(np.indices((26, 26, 26))) - 12.5
    image = np.where((places**2).sum(axis=0) < 12**2, rng.normal(400, 20, (26, 26, 26)), 0)
    label = (((places - np.array([4, 0, 1])[:, None, None, None]) ** 2).sum(axis=0) < 3**2).astype(np.uint8)
    image[label > 0] += 300
    affine = np.diag([-1.0, -1.0, 1.0, 1.0])
    for name, array in (("image", image.astype(np.int16)), ("label", label)):
        nib.save(nib.Nifti1Image(array, affine), folder / f"{name}.nii.gz")
    return folder / "image.nii.gz", folder / "label.nii.gz"


@pytest.fixture
def settings(tiny: Any) -> Any:
    return lambda task, **other: tiny(task, spatial_dims=3, min_size=11, channels=2, iterations=1, **other)


def raw(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj)


def check_bits(folder: Path, before: Path) -> None:
    """What is outside the alteration mask is as it was, in a result that was changed through the slices too."""
    altered, image = raw(folder / "alteration.nii.gz") > 0, raw(folder / "image.nii.gz")
    assert image.dtype == np.int16 and np.array_equal(image[~altered], raw(before)[~altered])
    assert not np.array_equal(image, raw(folder / "naive.nii.gz"))
    assert np.array_equal(nib.load(folder / "image.nii.gz").affine, nib.load(before).affine)


@pytest.mark.parametrize("method", ["tissue-consingan", "consingan", "consingan-band"])
def test_harmonize(files: tuple[Path, Path], settings: Any, tmp_path: Path, method: str) -> None:
    image, label = files
    source = LesionSource(image, image, label, at=(8, 13, 13))
    report = harmonize(source, tmp_path / "out", method=method, settings=settings("harmonization"), seed=1)
    assert report["placement"]["dims"] == report["settings"]["spatial_dims"] == 3
    assert report["settings"]["region_taken"]["axis"] is None
    assert len(report["settings"]["region_taken"]["size"]) == 3
    check_bits(tmp_path / "out", image)
    model = TrainedModel.load(tmp_path / "out", task="harmonization")
    assert len(model.image_size) == 3
    if method == "tissue-consingan":
        harmonize(source, tmp_path / "again", method=method, model=tmp_path / "out", seed=1)
        for name in ("image", "alteration", "label"):
            assert np.array_equal(raw(tmp_path / "out" / f"{name}.nii.gz"), raw(tmp_path / "again" / f"{name}.nii.gz"))
        by_slices = LesionSource(image, image, label, at=(8, 13, 13), dims=2)
        with pytest.raises(ConSinGANError, match="dims is 2, but the model redraws in space"):
            harmonize(by_slices, tmp_path / "none", method=method, model=tmp_path / "out")
        with pytest.raises(ConSinGANError, match="dims is 3, but axis is 2"):
            harmonize(LesionSource(image, image, label, axis=2), tmp_path / "none", model=tmp_path / "out")
        assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("dims", [2, 3])
def test_several_sequences(files: tuple[Path, Path], tiny: Any, tmp_path: Path, dims: int) -> None:
    """Each is redrawn in its own intensities by one model, which knows their names and refuses others."""
    image, label = files
    for name in ("t1", "t2"):
        stored = nib.load(image)
        values = np.asarray(stored.dataobj) * (1 if name == "t1" else 2)
        nib.save(nib.Nifti1Image(values.astype(np.int16), stored.affine), tmp_path / f"case_{name}.nii.gz")
    both = [tmp_path / f"case_{name}.nii.gz" for name in ("t1", "t2")]
    settings = tiny("harmonization", spatial_dims=dims, min_size=11, channels=2, iterations=1)
    how: dict[str, Any] = {"method": "consingan-band", "seed": 1}
    source = LesionSource(both, both, label, at=(8, 13, 13))
    harmonize(source, tmp_path / "out", settings=settings, **how)
    model = TrainedModel.load(tmp_path / "out")
    assert model.in_channels == 2 and model.sequences == ("t1", "t2")
    altered = raw(tmp_path / "out" / "alteration.nii.gz") > 0
    results = sorted((tmp_path / "out").rglob("*t[12].nii.gz"))
    images = [path for path in results if "naive" not in path.name]
    assert len(images) == 2, results
    for path, before in zip(images, both, strict=True):
        assert np.array_equal(raw(path)[~altered], raw(before)[~altered])
        assert not np.array_equal(raw(path), raw(before))
    with pytest.raises(ConSinGANError, match="model was trained on the sequences t1, t2, but the image has"):
        harmonize(
            LesionSource(both[::-1], both[::-1], label, at=(8, 13, 13)),
            tmp_path / "none",
            model=tmp_path / "out",
            **how,
        )
    with pytest.raises(ConSinGANError, match="model was trained on the sequences t1, t2, but the image has"):
        harmonize(LesionSource(image, image, label, at=(8, 13, 13)), tmp_path / "none", model=tmp_path / "out", **how)
    assert not (tmp_path / "none").exists()


def test_remove(files: tuple[Path, Path], settings: Any, tmp_path: Path) -> None:
    image, label = files
    target = LesionTarget(image, label, methods=("biharmonic",), dims=3, train_on="image")
    report = remove(target, tmp_path / "out", settings=settings("editing"))
    assert report["placement"]["dims"] == report["settings"]["spatial_dims"] == 3
    check_bits(tmp_path / "out", image)


def test_commands(files: tuple[Path, Path], tmp_path: Path) -> None:
    """Every door of the command line takes the dims from the option, or from the preset."""
    image, label = map(str, files)

    def run(*words: str) -> None:
        done = CliRunner().invoke(main, [*words])
        assert done.exit_code == 0, done.output

    place = ["--host", image, "--donor", image, "--donor-label", label, "--at", "8", "13", "13"]
    how = ["--method", "tissue-consingan", "--dims", "3"]
    run("harmonize", *place, *how, "--output", str(tmp_path / "a"), *SMALL)
    how = ["--preset", "quick-3d", "--method", "biharmonic", "--train-on", "image"]
    run("remove", "--image", image, "--label", label, *how, "--output", str(tmp_path / "b"), *SMALL)
    for task, dims in (("generation", ["--dims", "3"]), ("retarget", ["--preset", "quick-3d"])):
        run("train", image, "--task", task, *dims, "--output", str(tmp_path / task), *SMALL)
        assert TrainedModel.load(tmp_path / task, task=task).settings.spatial_dims == 3
    run("sample", str(tmp_path / "generation"), "--count", "1", "--size", "30", "26", "24", "--quiet")
    (drawn,) = (tmp_path / "generation" / "samples").glob("*.nii.gz")
    assert raw(drawn).shape == (30, 26, 24)
    run("bank", image, "--dims", "3", "--side", "20", "--output", str(tmp_path / "bank"), *SMALL)
    (stored,) = (tmp_path / "bank").glob("*.pt")
    assert TrainedModel.load(stored).image_size == (20, 20, 20)


def test_samples_have_voxels_of_the_scan_s_orientation(files: tuple[Path, Path], settings: Any, tmp_path: Path) -> None:
    train_run([files[0]], tmp_path / "run", task="retarget", settings=settings("retarget", max_size=20))
    assert (tmp_path / "run" / "figure.png").is_file()
    report = sample(tmp_path / "run", tmp_path / "drawn", count=2)
    assert report["files"] == ["sample-000.nii.gz", "sample-001.nii.gz"]
    first, second = (nib.load(tmp_path / "drawn" / name) for name in report["files"])
    assert first.shape == (20, 20, 20) and not np.array_equal(first.dataobj, second.dataobj)
    assert np.allclose(np.diag(first.affine)[:3] / np.array([-1, -1, 1]), 24 / 20, atol=0.1)
    with pytest.raises(ConSinGANError, match="draws images of 3 axes"):
        sample(tmp_path / "run", tmp_path / "none", size=(20, 20))
    with pytest.raises(ConSinGANError, match="volumes are taken whole: leave slices out"):
        train_run([files[0]], tmp_path / "none", task="retarget", settings=settings("retarget"), slices=[3])


def test_data_sets(files: tuple[Path, Path], settings: Any, tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text(json.dumps({"training": [{"image": str(files[0]), "label": str(files[1])}]}))
    for make, task, chosen in (
        (
            augment,
            "harmonization",
            AugmentSettings(
                method="consingan-band",
                lesions=(1, 1),
                seam_margin=99,
                dims=3,
                contrast_range=(0.01, 99),
                attempts=9,
                clearance_mm=0,
                edge_mm=0,
                scale_range=(0.7, 0.8),
                on_failure="drop",
            ),
        ),
        (free_twins, "editing", TwinSettings(method="consingan", fillings=("biharmonic",), most_seam=99, dims=3)),
    ):
        folder = tmp_path / task
        summary = make(tmp_path / "list.json", folder, chosen, training=settings(task), crops=1, side=24)
        assert summary["made"] == 1 and not summary["failed"], summary
        (told,) = (json.loads(path.read_text()) for path in folder.rglob("images/*.json"))
        assert told["dims"] == told["training"]["spatial_dims"] == 3
        assert [lesion["how"] for lesion in told["lesions"]] == [chosen.method]
    with pytest.raises(ConSinGANError, match="dims is 2, but the model redraws in space"):
        augment(tmp_path / "list.json", tmp_path / "none", AugmentSettings(dims=2), training=settings("harmonization"))
