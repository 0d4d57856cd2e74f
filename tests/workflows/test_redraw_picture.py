from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from monai_consingan.data import example
from monai_consingan.data.pyramid import resize
from monai_consingan.errors import ConSinGANError
from monai_consingan.inferers import noise_of, painted
from monai_consingan.models import TrainedModel
from monai_consingan.networks.blocks import upsample
from monai_consingan.tasks import get_task
from monai_consingan.workflows.redraw_picture import paint_to_image, super_resolution
from monai_consingan.workflows.sample import oriented, run_view
from monai_consingan.workflows.train import train_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, tiny: Any) -> dict[str, Path]:
    """Models of a slice of the packaged example, by task."""
    folder = tmp_path_factory.mktemp("runs")
    for task in ("generation", "editing", "animation"):
        train_run([example().image], folder / task, task=task, settings=tiny(task, stages=3, min_size=16), slices=[5])
    return {task: folder / task for task in ("generation", "editing", "animation")}


def _save(path: Path, picture: torch.Tensor, run: Path) -> np.ndarray:
    """Save (1, H, W) as a user sees it, 16 bit deep, and give it as it is read back."""
    shown = oriented(picture, *run_view(run / "report.json")).values
    deep = np.rint((np.clip(shown, -1, 1) + 1) / 2 * 65535).astype(np.uint16)
    Image.fromarray(deep).save(path)
    return deep


def _read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(np.float64) / 65535 * 2 - 1


def _painting(model: TrainedModel) -> torch.Tensor:
    """Flat shapes of the trained size, not symmetric in any way."""
    picture = torch.full((1, *model.image_size), -1.0)
    height, width = model.image_size
    picture[:, height // 4 : height // 2, width // 5 : width // 2] = 0.3
    picture[:, height // 2 :, : width // 3] = 0.8
    return picture


@pytest.mark.parametrize("task", ["generation", "editing"])
def test_a_painted_picture_goes_in_at_the_coarsest_stage(runs: dict[str, Path], tmp_path: Path, task: str) -> None:
    model = TrainedModel.load(runs[task])
    picture = _painting(model)
    _save(tmp_path / "painted.png", picture, runs[task])
    report = paint_to_image(runs[task], tmp_path / "painted.png", tmp_path / "out", count=2)
    assert report["files"] == ["image-000.png", "image-001.png"]
    coarse = resize(picture[None], model.generator.stage_sizes[0]).clamp(-1, 1)
    with torch.no_grad():
        made = model.generator(get_task(task).fixed_input(coarse, model.generator.body[0].fixed_noise))[0]
    expected = oriented(made, *run_view(runs[task] / "report.json")).values
    first, second = (_read(tmp_path / "out" / name) for name in report["files"])
    np.testing.assert_allclose(first, expected, atol=2e-3)
    assert (first != second).any()


@pytest.mark.parametrize("task", ["generation", "editing"])
def test_a_picture_goes_in_at_a_higher_stage(runs: dict[str, Path], tmp_path: Path, task: str) -> None:
    generator = TrainedModel.load(runs[task]).generator
    picture = _painting(TrainedModel.load(runs[task]))
    _save(tmp_path / "painted.png", picture, runs[task])
    report = paint_to_image(runs[task], tmp_path / "painted.png", tmp_path / "out", stage=1, seed=4)
    assert report["stage"] == 1
    size, last = generator.stage_sizes[1:]
    noise = [noise_of(generator, 0, size, 4, 0, 0), *(generator.body[stage].fixed_noise for stage in (1, 2))]
    coarse = get_task(task).fixed_input(resize(picture[None], size).clamp(-1, 1), noise[0])
    with torch.no_grad():
        made = generator(coarse, noise[1:], [size, size, last])[0]
    expected = oriented(made, *run_view(runs[task] / "report.json")).values
    np.testing.assert_allclose(_read(tmp_path / "out" / "image-000.png"), expected, atol=2e-3)


def test_a_picture_of_another_size_scales_all_stages(runs: dict[str, Path]) -> None:
    model = TrainedModel.load(runs["editing"])
    picture = resize(_painting(model)[None], [2 * side for side in model.image_size])
    assert painted(model.generator, picture, "editing").shape == picture.shape[1:]
    with pytest.raises(ConSinGANError, match="too small"):
        painted(model.generator, picture[..., :4, :4], "editing")


@pytest.mark.parametrize("factor", [1.5, 4.0])
def test_the_last_stage_is_applied_again_and_again(runs: dict[str, Path], tmp_path: Path, factor: float) -> None:
    model = TrainedModel.load(runs["generation"])
    generator, last = model.generator, model.generator.num_stages - 1
    picture = _painting(model)
    _save(tmp_path / "picture.png", picture, runs["generation"])
    report = super_resolution(runs["generation"], tmp_path / "picture.png", tmp_path / "out", factor=factor, seed=3)
    step = max(new / old for new, old in zip(generator.stage_sizes[-1], generator.stage_sizes[-2], strict=True))
    times = len(report["sizes"])
    assert times == max(1, round(math.log(factor) / math.log(max(step, 1.05))))
    assert report["sizes"][-1] == [round(side * factor) for side in model.image_size]
    with torch.no_grad():
        coarse = resize(picture[None], generator.stage_sizes[0]).clamp(-1, 1)
        features = generator.features(coarse, None, None, last)
        for number, size in enumerate(report["sizes"], start=1):
            body = generator.body[last]
            wide = [side + 2 * body.num_layers for side in size]
            noise = noise_of(generator, last, size, 3, number, 0)
            features = body.layers(upsample(features, wide) + body.noise_amplitude * noise) + upsample(features, size)
        made = generator.render(features)[0]
    expected = oriented(made, *run_view(runs["generation"] / "report.json")).values
    found = _read(tmp_path / "out" / "image-000.png")
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_pictures_of_other_sizes_and_depths_are_taken(runs: dict[str, Path], tmp_path: Path) -> None:
    Image.fromarray(np.full((40, 30, 3), 128, np.uint8)).save(tmp_path / "colour.png")
    paint_to_image(runs["editing"], tmp_path / "colour.png", tmp_path / "out")
    shown = oriented(
        torch.zeros(1, *TrainedModel.load(runs["editing"]).image_size), *run_view(runs["editing"] / "report.json")
    )
    assert _read(tmp_path / "out" / "image-000.png").shape == shown.values.shape


def test_what_cannot_be_redrawn_is_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(tmp_path / "picture.png")
    (tmp_path / "text.png").write_text("no picture")
    out = tmp_path / "out"
    with pytest.raises(ConSinGANError, match="any task but animation"):
        paint_to_image(runs["animation"], tmp_path / "picture.png", out)
    with pytest.raises(ConSinGANError, match=r"picture .*text\.png cannot be read"):
        paint_to_image(runs["editing"], tmp_path / "text.png", out)
    with pytest.raises(ConSinGANError, match="count is 0"):
        paint_to_image(runs["editing"], tmp_path / "picture.png", out, count=0)
    with pytest.raises(ConSinGANError, match=r"stage is 3, but the model has the stages 0 to 2"):
        paint_to_image(runs["editing"], tmp_path / "picture.png", out, stage=3)
    for factor in (1.0, 1000.0, float("nan")):
        with pytest.raises(ConSinGANError, match="factor is"):
            super_resolution(runs["editing"], tmp_path / "picture.png", out, factor=factor)
    assert not out.exists()
