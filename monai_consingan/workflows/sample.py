"""New images from a trained model."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.data import MetaTensor
from PIL import Image

from monai_consingan.data.save import DESCRIPTION, write_picture
from monai_consingan.errors import ConSinGANError, check_least
from monai_consingan.figures import SliceView, slice_view
from monai_consingan.inferers import noise_of
from monai_consingan.models.model import TrainedModel, model_file
from monai_consingan.networks import ConSinGANGenerator
from monai_consingan.tasks import get_task
from monai_consingan.text_files import read_json_dictionary
from monai_consingan.workflows.outputs import REPORT_NAME, describe_inputs, output_folder, versions, write_report

MAX_SIDE = 4096
_FRAMES, _FRAME_MS = 50, 100
_CLOSENESS = 0.1  # how strongly every step of an animation is drawn back to the reconstruction's noise
_SMOOTHNESS = 0.9  # how much of a step is that of the frame before
_COMMANDS = {"harmonization": "harmonize", "editing": "remove"}


def sample(
    run: str | Path,
    output: str | Path,
    *,
    count: int | None = None,
    size: float | Sequence[int] | None = None,
    seed: int = 0,
    animate: bool | None = None,
    frames: int | None = None,
    start_scale: int | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Draw new images from a model of the task generation, retarget or animation.

    Args:
        run: folder of a training, or its ``model.pt``.
        output: folder for ``sample-000.png`` and so on (16 bit grey, the right way up if the run knows it),
            ``sample-000.gif``, or of a model of volumes or of several sequences ``sample-000.nii.gz`` (from -1 to 1,
            with the voxels' size and orientation if the run knows them), and ``report.json``.
        count: how many; by default 4 images, or 1 animation.
        size: height and width (and depth) of the images in pixels, or a factor of the trained ones; ``None`` for those.
        seed: seed of the noise: an image depends on it and on its number only.
        animate: whether to make animations; by default if the model's task is animation, which it must be.
        frames: frames of an animation; ``None`` for 50.
        start_scale: how many of the lowest stages an animation holds still; ``None`` for 1.
        overwrite: whether the folder may hold something already.

    Returns:
        The report.

    Raises:
        ConSinGANError: a model of a task that redraws images, a size or number out of range, numbers of an animation
            for still images, or a folder that cannot be used.
    """
    begin = time.perf_counter()
    model = TrainedModel.load(run)
    task = model.settings.task
    if get_task(task).image_input:
        raise ConSinGANError(
            f"model {run} is of the task {task!r}, which redraws given images and draws no new ones: use it with "
            f"monai-consingan {_COMMANDS[task]} --model {run}."
        )
    moving = task == "animation" if animate is None else animate
    given = {name: number for name, number in (("frames", frames), ("start_scale", start_scale)) if number is not None}
    if given and not moving:
        name, number = next(iter(given.items()))
        raise ConSinGANError(
            f"{name.replace('_', ' ')} is {number}, but only animations have that, and model {run} of the task "
            f"{task!r} draws still images: leave it out, or animate a model of the task 'animation'."
        )
    walk = {"frames": _FRAMES, "start_scale": 1} | given
    count = count or (1 if moving else 4)
    path = model_file(run)
    affine, axis = run_view(path.with_name(REPORT_NAME))
    picture = model.settings.spatial_dims == 2 and model.in_channels == 1
    across = picture and oriented(torch.zeros(1, 2, 3), affine, axis).values.shape == (3, 2)  # rows are stored columns
    wanted = size[::-1] if across and isinstance(size, Sequence) else size
    with output_folder(output, overwrite=overwrite, inputs=[path, path.with_name(REPORT_NAME)]) as folder:
        files = []
        for number in range(count):
            if moving:
                if size is not None:
                    raise ConSinGANError(
                        f"size is {size}, but an animation moves around the trained noise and has its size "
                        f"{model.image_size}: leave the size out."
                    )
                shown = draw_animation(model, **walk, seed=seed, number=number)
                files.append(f"sample-{number:03d}.gif")
                _save_gif(folder / files[-1], [oriented(image, affine, axis).values for image in shown])
            else:
                image = draw_image(model.generator, seed, number, wanted)
                if picture:
                    files.append(f"sample-{number:03d}.png")
                    write_picture(folder / files[-1], grey_levels(oriented(image, affine, axis).values, np.uint16))
                else:
                    files.append(f"sample-{number:03d}.nii.gz")
                    _save_volume(folder / files[-1], image, affine, axis)
        sizes = _sizes(model.generator, None if moving else wanted)
        report = {
            "command": "sample",
            "task": task,
            "inputs": describe_inputs({"model": path}),
            "files": files,
            "size": sizes[-1][::-1] if across else sizes[-1],
            "stage_sizes": sizes,
            "settings": walk if moving else {},
            "seed": seed,
            "versions": versions(),
            "seconds": time.perf_counter() - begin,
        }
        write_report(folder / REPORT_NAME, report)
    return report


@torch.no_grad()
def draw_image(
    generator: ConSinGANGenerator, seed: int, number: int, size: float | Sequence[int] | None = None
) -> torch.Tensor:
    """An image of new noise.

    Args:
        generator: a trained generator whose input is noise.
        seed: seed of the noise.
        number: number of the image, which has noise of its own.
        size: height and width in pixels, or a factor; the sizes of all stages are multiplied alike.

    Returns:
        A tensor (C, H, W) or (C, H, W, D) in [-1, 1].

    Raises:
        ConSinGANError: a size out of range.
    """
    sizes = _sizes(generator, size)
    first, *noise = [noise_of(generator, stage, sizes[stage], seed, number, 0) for stage in range(len(sizes))]
    image: torch.Tensor = generator(first, noise, sizes)[0]
    return image


@torch.no_grad()
def draw_animation(
    model: TrainedModel,
    *,
    frames: int,
    start_scale: int,
    seed: int,
    number: int = 0,
) -> list[torch.Tensor]:
    """A random walk of the noise around that of the reconstruction (Shaham et al., SinGAN, ICCV 2019).

    Args:
        model: a model of the task animation.
        frames: how many frames; the first one is the reconstruction.
        start_scale: how many of the lowest stages are held still.
        seed: seed of the walk.
        number: number of the animation.

    Returns:
        Tensors (1, H, W) in [-1, 1].

    Raises:
        ConSinGANError: a model of another task, or numbers out of range.
    """
    generator = model.generator
    if model.settings.task != "animation":
        raise ConSinGANError(
            f"The model is of the task {model.settings.task!r}, but only models of the task 'animation' can be "
            "animated: leave --animate out, or train one with --task animation."
        )
    check_least(2, frames=frames)
    if not 0 <= start_scale < generator.num_stages:
        raise ConSinGANError(
            f"start scale is {start_scale}, but of {generator.num_stages} stages only 0 to {generator.num_stages - 1} "
            "can be held still."
        )
    fixed = [torch.as_tensor(body.fixed_noise) for body in generator.body]
    before, now = list(fixed), list(fixed)
    images = []
    for frame in range(frames):
        images.append(generator(now[0], now[1:])[0])
        for stage in range(start_scale, generator.num_stages):
            noise = noise_of(generator, stage, generator.stage_sizes[stage], seed, number, frame + 1)
            step = _SMOOTHNESS * (now[stage] - before[stage]) + (1 - _SMOOTHNESS) * noise
            if frame == 0:
                step = 0.05 * (noise - fixed[stage])
            before[stage] = now[stage]
            now[stage] = _CLOSENESS * fixed[stage] + (1 - _CLOSENESS) * (now[stage] + step)
    return images


def oriented(image: torch.Tensor, affine: Sequence[Sequence[float]] | None, axis: int | None) -> SliceView:
    """A slice the right way up; of a volume the middle one, and of several sequences the first.

    Args:
        image: (C, H, W) or (C, H, W, D), with the axes as stored in the scan that the model was trained on.
        affine: affine of that scan, if it is known.
        axis: its spatial axis perpendicular to the slices.
    """
    image = image[:1]
    if image.ndim == 4:
        axis = 2 if axis is None else axis
        image = image.select(1 + axis, image.shape[1 + axis] // 2)
    if affine is None or len(affine) == 0:
        return slice_view(image.numpy())
    if axis is None:
        return slice_view(MetaTensor(image, affine=torch.as_tensor(affine)))
    return slice_view(MetaTensor(image.unsqueeze(1 + axis), affine=torch.as_tensor(affine)), axis=axis, index=0)


def run_view(report: Path) -> tuple[list[list[float]] | None, int | None]:
    """How the slices of a run lie in space, from its report, if it is there."""
    try:
        view = read_json_dictionary(report, "report")["view"]
        affine, axis = np.asarray(view["affine"], dtype=np.float64), view["axis"]
    except (ValueError, KeyError, TypeError):
        return None, None
    if affine.shape not in ((3, 3), (4, 4)) or not np.isfinite(affine).all() or axis not in (None, 0, 1, 2):
        return None, None
    return affine.tolist(), axis


def _sizes(generator: ConSinGANGenerator, size: float | Sequence[int] | None) -> list[list[int]]:
    """Sizes of all stages for images of another size."""
    trained = generator.stage_sizes
    if size is None:
        return [list(stage) for stage in trained]
    if isinstance(size, Sequence):
        target = [int(side) for side in size]
    else:
        if not (math.isfinite(size) and size > 0):
            raise ConSinGANError(f"scale is {size}, but must be a number above 0.")
        target = [round(side * size) for side in trained[-1]]
    if len(target) != len(trained[-1]):
        raise ConSinGANError(f"size is {tuple(target)}, but the model draws images of {len(trained[-1])} axes.")
    factors = [new / old for new, old in zip(target, trained[-1], strict=True)]
    sizes = [[round(side * factor) for side, factor in zip(stage, factors, strict=True)] for stage in trained]
    if min(sizes[0]) < 3 or max(target) > MAX_SIDE:
        raise ConSinGANError(
            f"size is {tuple(target)} pixels, with {tuple(sizes[0])} at the coarsest stage, but stages must have 3 "
            f"pixels or more and images at most {MAX_SIDE} a side: choose another size."
        )
    return sizes


def grey_levels(values: np.ndarray, kind: type[np.unsignedinteger[Any]]) -> np.ndarray:
    """Intensities from -1 to 1 as the whole range of a kind of numbers."""
    return np.rint((np.clip(values, -1, 1) + 1) / 2 * np.iinfo(kind).max).astype(kind)


def _save_volume(path: Path, image: torch.Tensor, affine: Sequence[Sequence[float]] | None, axis: int | None) -> None:
    """Write (C, *spatial) as NIfTI, a slice as a volume of one, and sequences along the fourth axis."""
    values = image.numpy().astype(np.float32)
    values = np.expand_dims(values, 3 if axis is None else 1 + axis) if values.ndim == 3 else values
    space = np.asarray(affine, np.float64) if affine is not None and len(affine) == 4 else np.eye(4)
    made = nib.Nifti1Image(values[0] if len(values) == 1 else np.moveaxis(values, 0, -1), space)
    made.header.set_xyzt_units("mm")
    made.header["descrip"] = DESCRIPTION.encode()
    nib.save(made, path)


def _save_gif(path: Path, frames: Sequence[np.ndarray]) -> None:
    first, *others = [Image.fromarray(np.ascontiguousarray(grey_levels(values, np.uint8))) for values in frames]
    moving: dict[str, Any] = {"save_all": True, "append_images": others, "duration": _FRAME_MS, "loop": 0}
    first.save(path, format="GIF", optimize=False, comment=DESCRIPTION.encode(), **moving)
