"""What a trained model makes of a picture: a real image of a painted one, and a larger one of an image."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from monai_consingan.data.pyramid import resize
from monai_consingan.data.save import write_picture
from monai_consingan.errors import ConSinGANError, check_least
from monai_consingan.inferers import coarse_input, noise_of, painted
from monai_consingan.models.model import TrainedModel, model_file
from monai_consingan.networks import ConSinGANGenerator
from monai_consingan.tasks import get_task
from monai_consingan.workflows.outputs import REPORT_NAME, describe_inputs, output_folder, versions, write_report
from monai_consingan.workflows.sample import MAX_SIDE, grey_levels, oriented, run_view

__all__ = ["enlarged", "paint_to_image", "super_resolution"]


def paint_to_image(
    run: str | Path,
    picture: str | Path,
    output: str | Path,
    *,
    stage: int = 0,
    count: int = 1,
    seed: int = 0,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Make a real image of a painted one (Shaham et al., SinGAN, ICCV 2019; Hinz et al., ConSinGAN, WACV 2021).

    The picture, made as small as a stage, takes the place of the image that the reconstruction starts from: where
    things are comes from the picture, what they look like from the model.

    Args:
        run: folder of a training on slices of one sequence, or its ``model.pt``; any task but animation.
        picture: a grey picture, black for -1 and white for 1, oriented as ``sample`` and ``figure.png`` show slices; of
            another size than the model's it is resized.
        output: folder for ``image-000.png`` and so on (16 bit grey) and ``report.json``.
        stage: at which stage, from 0, the coarsest; the higher, the more of the picture is kept.
        count: how many images: the first with the noise of the reconstruction (of stages that have their trained
            size), others with new noise.
        seed: seed of the new noise.
        overwrite: whether the folder may hold something already.

    Returns:
        The report.

    Raises:
        ConSinGANError: a model or a picture that cannot be used, a stage that the model has not, a count below 1, or a
            folder that cannot be used.
    """
    check_least(1, count=count)
    with _redrawing("paint-to-image", run, picture, output, seed, overwrite) as redrawing:
        generator, task = redrawing.model.generator, redrawing.model.settings.task
        for number in range(count):
            redrawing.save(painted(generator, redrawing.picture, task, seed, number, stage))
        redrawing.report["stage"] = stage
    return redrawing.report


def super_resolution(
    run: str | Path,
    picture: str | Path,
    output: str | Path,
    *,
    factor: float = 2.0,
    seed: int = 0,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Make an image larger, with detail of its own kind (Shaham et al., SinGAN, ICCV 2019).

    The image goes through the model, and its features then again and again through the last stage, which enlarges them
    by about as much as in the training each time.

    Args:
        run, picture, seed, overwrite: see :py:func:`paint_to_image`; the picture is best the image that the model was
            trained on, as ``sample`` would show it.
        output: folder for ``image-000.png`` and ``report.json``.
        factor: how much larger, above 1.

    Returns:
        The report.

    Raises:
        ConSinGANError: a model or a picture that cannot be used, a factor that is not above 1 or makes a side longer
            than 4096 pixels, or a folder that cannot be used.
    """
    with _redrawing("super-resolution", run, picture, output, seed, overwrite) as redrawing:
        generator, task = redrawing.model.generator, redrawing.model.settings.task
        image, sizes = enlarged(generator, redrawing.picture, task, factor, seed)
        redrawing.save(image)
        redrawing.report |= {"factor": factor, "sizes": sizes}
    return redrawing.report


@torch.no_grad()
def enlarged(
    generator: ConSinGANGenerator, picture: torch.Tensor, task: str, factor: float, seed: int = 0
) -> tuple[torch.Tensor, list[list[int]]]:
    """A picture as a generator's last stage enlarges it, applied as often as the factor asks for.

    Args:
        generator, picture, task: see :py:func:`painted`.
        factor: how much larger, above 1.
        seed: seed of the noise of every enlargement.

    Returns:
        The image, (C, \\*spatial) in [-1, 1], and the sizes that it went through.

    Raises:
        ConSinGANError: a factor out of range.
    """
    trained, last = generator.stage_sizes[-1], generator.num_stages - 1
    if not factor > 1 or max(trained) * factor > MAX_SIDE:
        raise ConSinGANError(
            f"factor is {factor:g}, but must be above 1 and make no side of {tuple(trained)} longer than {MAX_SIDE}."
        )
    step = max(1.05, max(new / old for new, old in zip(trained, generator.stage_sizes[-2], strict=True)))
    times = max(1, round(math.log(factor) / math.log(step)))
    features = generator.features(coarse_input(generator, picture, task), None, None, last)
    sizes = []
    for number in range(1, times + 1):
        size = [round(side * factor ** (number / times)) for side in trained]
        noise = noise_of(generator, last, size, seed, number, 0)
        features = generator.refine(features, [noise] * last, [size] * (last + 1), last, last)
        sizes.append(size)
    return generator.render(features)[0], sizes


@dataclass
class _Redrawing:
    """A model, its picture, and the files that come of them."""

    model: TrainedModel
    picture: torch.Tensor
    folder: Path
    view: tuple[list[list[float]] | None, int | None]
    report: dict[str, Any]

    def save(self, image: torch.Tensor) -> None:
        """Write one more image."""
        name = f"image-{len(self.report['files']):03d}.png"
        write_picture(self.folder / name, grey_levels(oriented(image, *self.view).values, np.uint16))
        self.report["files"].append(name)


@contextmanager
def _redrawing(
    command: str, run: str | Path, picture: str | Path, output: str | Path, seed: int, overwrite: bool
) -> Iterator[_Redrawing]:
    """A redrawing whose files appear in the output folder when all went well."""
    begin = time.perf_counter()
    model, path = TrainedModel.load(run), model_file(run)
    if get_task(model.settings.task).fixed_input_is_noise or model.settings.spatial_dims != 2 or model.in_channels != 1:
        raise ConSinGANError(
            f"model {run} is of the task {model.settings.task!r}, in {model.settings.spatial_dims}D, of "
            f"{model.in_channels} sequences, but {command} takes one of slices of one sequence, of any task but "
            "animation."
        )
    view = run_view(path.with_name(REPORT_NAME))
    values = _read(Path(picture), model.image_size, view)
    inputs = [path, path.with_name(REPORT_NAME), picture]
    with output_folder(output, overwrite=overwrite, inputs=inputs) as folder:
        redrawing = _Redrawing(model, values, folder, view, {"command": command, "files": []})
        yield redrawing
        redrawing.report |= {
            "task": model.settings.task,
            "inputs": describe_inputs({"model": path, "picture": Path(picture)}),
            "seed": seed,
            "versions": versions(),
            "seconds": time.perf_counter() - begin,
        }
        write_report(folder / REPORT_NAME, redrawing.report)


def _read(path: Path, size: tuple[int, ...], view: tuple[list[list[float]] | None, int | None]) -> torch.Tensor:
    """A grey picture as the model sees it, (1, 1, H, W) in [-1, 1].

    Raises:
        ConSinGANError: it cannot be read.
    """
    try:
        with Image.open(path) as opened:
            deep = opened.mode.startswith("I")
            values = np.asarray(opened if deep else opened.convert("L"), np.float32)
    except (OSError, UnidentifiedImageError) as error:
        raise ConSinGANError(f"picture {path} cannot be read ({error}): give a grey PNG.") from error
    where = oriented(torch.arange(math.prod(size), dtype=torch.float64).reshape(1, *size), *view).values.astype(int)
    scaled = torch.from_numpy(values / (65535 if deep else 255) * 2 - 1)[None, None]
    shown = resize(scaled, where.shape).clamp(-1, 1)
    stored = torch.empty(math.prod(size))
    stored[torch.from_numpy(where.ravel())] = shown.ravel()
    return stored.reshape(1, 1, *size)
