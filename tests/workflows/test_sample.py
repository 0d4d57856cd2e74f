from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from monai_consingan.data import load_scan
from monai_consingan.errors import ConSinGANError
from monai_consingan.models import TrainedModel
from monai_consingan.models.model import new_networks
from monai_consingan.workflows.sample import draw_image, oriented, sample


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, tiny: Any) -> dict[str, Path]:
    """Untrained models whose noise matters, by task."""
    paths = {}
    for task in ("generation", "retarget", "animation", "editing", "harmonization"):
        settings = tiny(task, stages=3, min_size=16)
        generator, discriminator = new_networks(settings, (32, 40), seed=3)
        for body in generator.body:
            body.fixed_noise.normal_(generator=torch.Generator().manual_seed(1))  # type: ignore[operator]
            body.noise_amplitude.fill_(1.0)  # type: ignore[operator]
        with torch.no_grad():
            for weight in generator.parameters():
                weight.mul_(5)
        paths[task] = tmp_path_factory.mktemp(task) / "model.pt"
        TrainedModel(generator, discriminator, settings, 3).save(paths[task])
    return paths


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


@pytest.mark.parametrize("task", ["generation", "retarget", "animation"])
def test_draws_images_of_the_trained_size(models: dict[str, Path], tmp_path: Path, task: str) -> None:
    report = sample(models[task], tmp_path / "out", count=2, animate=False)
    first, second = (read(tmp_path / "out" / f"sample-00{number}.png") for number in (0, 1))
    assert first.shape == second.shape == (32, 40)
    assert first.dtype == np.uint16
    assert first.std() > 0
    assert (first != second).any()
    assert report["files"] == ["sample-000.png", "sample-001.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.json", *report["files"]]


def test_every_size_is_multiplied(models: dict[str, Path], tmp_path: Path) -> None:
    trained = TrainedModel.load(models["generation"]).generator.stage_sizes
    report = sample(models["generation"], tmp_path / "a", count=1, size=2.0)
    assert report["stage_sizes"] == [[2 * side for side in size] for size in trained]
    assert read(tmp_path / "a" / "sample-000.png").shape == (64, 80)
    report = sample(models["generation"], tmp_path / "b", count=1, size=(48, 20))
    assert report["size"] == [48, 20]
    assert report["stage_sizes"][0] == [round(trained[0][0] * 1.5), round(trained[0][1] / 2)]
    assert read(tmp_path / "b" / "sample-000.png").shape == (48, 20)


def test_the_size_is_that_of_the_picture_also_where_it_is_turned(models: dict[str, Path], tmp_path: Path) -> None:
    shutil.copy(models["generation"], tmp_path / "model.pt")
    view = {"affine": np.diag([-1.0, 1, 5, 1]).tolist(), "axis": 2}  # rows are shown as columns
    (tmp_path / "report.json").write_text(json.dumps({"view": view}))
    for name, size, shape in (("a", (48, 20), (48, 20)), ("b", None, (40, 32)), ("c", 2.0, (80, 64))):
        report = sample(tmp_path / "model.pt", tmp_path / name, count=1, size=size)
        assert tuple(report["size"]) == read(tmp_path / name / "sample-000.png").shape == shape


def test_seed_and_number_decide(models: dict[str, Path], tmp_path: Path) -> None:
    for name, seed, count in (("a", 1, 2), ("b", 1, 3), ("c", 2, 2)):
        sample(models["generation"], tmp_path / name, count=count, seed=seed)
    first, again, other = ((tmp_path / name / "sample-001.png").read_bytes() for name in "abc")
    assert first == again != other


def test_drawing_leaves_the_global_random_state(models: dict[str, Path]) -> None:
    before = torch.random.get_rng_state()
    draw_image(TrainedModel.load(models["generation"]).generator, 0, 0)
    assert torch.equal(torch.random.get_rng_state(), before)


def frames_of(path: Path) -> list[np.ndarray]:
    with Image.open(path) as picture:
        return [np.asarray(frame.convert("L")).astype(int) for frame in ImageSequence.Iterator(picture)]


def test_animation_walks_from_the_reconstruction(models: dict[str, Path], tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        sample(models["animation"], tmp_path / name, frames=4, seed=seed)
    first, again, other = ((tmp_path / name / "sample-000.gif").read_bytes() for name in "abc")
    assert first == again != other
    frames = frames_of(tmp_path / "a" / "sample-000.gif")
    assert len(frames) == 4
    assert all((frame != frames[0]).any() for frame in frames[1:])
    generator = TrainedModel.load(models["animation"]).generator
    with torch.no_grad():
        still = generator(generator.body[0].fixed_noise)[0, 0].numpy()
    assert np.abs(frames[0] - (still + 1) / 2 * 255).max() <= 1


def test_lowest_stages_are_held_still(models: dict[str, Path], tmp_path: Path) -> None:
    moved = []
    for still in (0, 2):
        sample(models["animation"], tmp_path / str(still), frames=3, start_scale=still)
        frames = frames_of(tmp_path / str(still) / "sample-000.gif")
        moved.append(np.abs(frames[2] - frames[0]).mean())
    assert 0 < moved[1] < moved[0]


def test_headers_say_that_it_is_synthetic(models: dict[str, Path], tmp_path: Path) -> None:
    sample(models["generation"], tmp_path / "still", count=1)
    sample(models["animation"], tmp_path / "moving", frames=2)
    assert Image.open(tmp_path / "still/sample-000.png").info["Description"] == "synthetic, monai-consingan"
    assert Image.open(tmp_path / "moving/sample-000.gif").info["comment"] == b"synthetic, monai-consingan"


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_of_several_sequences_lie_as_those_of_the_scan(tmp_path: Path, tiny: Any, axis: int) -> None:
    settings = tiny("generation", stages=2, min_size=16)
    TrainedModel(*new_networks(settings, (24, 32), seed=3, in_channels=2), settings, 3).save(tmp_path / "model.pt")
    affine = np.diag([1.0, 2.0, 5.0, 1.0])
    (tmp_path / "report.json").write_text(json.dumps({"view": {"affine": affine.tolist(), "axis": axis}}))
    sample(tmp_path, tmp_path / "out", count=1)
    made = nib.load(tmp_path / "out/sample-000.nii.gz")
    shape = [24, 32]
    shape.insert(axis, 1)
    assert made.shape == (*shape, 2)
    assert made.header.get_zooms()[:3] == (1, 2, 5) and np.array_equal(made.affine, affine)
    assert made.header["descrip"].item() == b"synthetic, monai-consingan"
    assert made.header.get_xyzt_units()[0] == "mm"


@pytest.mark.parametrize(("task", "command"), [("harmonization", "harmonize"), ("editing", "remove")])
def test_models_that_redraw_are_refused(models: dict[str, Path], tmp_path: Path, task: str, command: str) -> None:
    with pytest.raises(ConSinGANError, match=f"monai-consingan {command} --model"):
        sample(models[task], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("task", "given", "words"),
    [
        ("generation", {"animate": True}, "leave --animate out"),
        ("generation", {"size": 0.0}, "scale is 0.0"),
        ("generation", {"size": 0.1}, "3 pixels or more"),
        ("generation", {"size": (5000, 40)}, "at most 4096"),
        ("generation", {"size": (5, 5, 5)}, "2 axes"),
        ("generation", {"frames": 50}, "frames is 50, but only animations have that"),
        ("animation", {"start_scale": 1, "animate": False}, "start scale is 1, but only animations"),
        ("animation", {"size": 2.0}, "leave the size out"),
        ("animation", {"frames": 1}, "frames is 1"),
        ("animation", {"start_scale": 3}, "start scale is 3"),
    ],
)
def test_numbers_out_of_range(
    models: dict[str, Path], tmp_path: Path, task: str, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConSinGANError, match=words):
        sample(models[task], tmp_path / "out", **given)
    assert list(tmp_path.iterdir()) == []


def test_run_tells_which_way_is_up(models: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(models["generation"].read_bytes())
    sample(tmp_path, tmp_path / "stored", count=1)
    affine = np.diag([1.0, 1.0, 5.0, 1.0]).tolist()
    (tmp_path / "report.json").write_text(json.dumps({"view": {"affine": affine, "axis": 2}}))
    sample(tmp_path, tmp_path / "axial", count=1)
    (tmp_path / "report.json").write_text(json.dumps({"view": {"affine": np.eye(3).tolist(), "axis": None}}))
    sample(tmp_path, tmp_path / "picture", count=1)
    (tmp_path / "report.json").write_text("{}")
    sample(tmp_path, tmp_path / "unknown", count=1)
    stored, axial, picture, unknown = (
        read(tmp_path / name / "sample-000.png") for name in ("stored", "axial", "picture", "unknown")
    )
    assert np.array_equal(axial, stored.T[::-1, ::-1])
    assert np.array_equal(picture, stored.T)
    assert np.array_equal(unknown, stored)
    assert np.array_equal(load_scan(tmp_path / "picture" / "sample-000.png")[0], stored)


def test_oriented_without_affine_is_as_stored() -> None:
    image = torch.arange(6.0).reshape(1, 2, 3)
    assert np.array_equal(oriented(image, None, None).values, image[0])
