"""Train one model on slices of one scan or several, or on whole volumes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from monai_consingan.data.pyramid import resize
from monai_consingan.errors import ConSinGANError
from monai_consingan.figures import Panel, difference_panel, save_panel
from monai_consingan.folder_lock import locked
from monai_consingan.inferers import coarse_input
from monai_consingan.models.model import MODEL_NAME, TrainedModel, model_file, settings_to_train
from monai_consingan.models.training import check_device, fingerprint, train_model
from monai_consingan.settings import Training, TrainingSettings
from monai_consingan.tasks import get_task
from monai_consingan.whole_file import leftovers, unwritable
from monai_consingan.workflows.outputs import (
    REPORT_NAME,
    check_inputs,
    check_output,
    describe_inputs,
    versions,
    whole_result,
    write_report,
)
from monai_consingan.workflows.sample import draw_image, oriented
from monai_consingan.workflows.training_slices import TrainingSlices, take_slices

CHECKPOINT_NAME = "checkpoint.pt"


def train_run(
    images: Sequence[str | Path],
    output: str | Path,
    *,
    task: str,
    settings: Training | None = None,
    slices: Sequence[int] | None = None,
    axis: int | None = None,
    start: str | Path | None = None,
    fine_tune: Sequence[str | Path] | None = None,
    seed: int = 0,
    device: str = "cpu",
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = False,
) -> dict[str, Any] | None:
    """Train one model on slices of one scan or several.

    The intensities of every scan are brought to [-1, 1] by themselves. With the region ``"slice"`` slices are resized
    to a square as published; with ``"roi"`` they keep their size up to ``max_size``, and must then agree in shape. With
    settings of 3 spatial dims the box of the head of every scan is trained on instead of slices.

    Args:
        images: the scans.
        output: folder that gets ``model.pt``, ``figure.png`` and ``report.json`` when the training is done, and holds
            ``checkpoint.pt`` until then.
        task: the task of the model.
        settings: settings of the training, by default the preset ``quick``, or those of ``start``.
        slices: slices to train on, the same of every scan; ``None`` takes all that
            :py:func:`monai_consingan.transforms.head_slices` finds.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        start: model, or folder of a run, to start from; it must have the same networks. A model that is given with
            ``settings=None`` brings its own.
        fine_tune: naive images on the grids of ``images``, one for each: the last stage of ``start`` is trained once
            more with them as its input, as published.
        seed: seed of everything random.
        device: where to train.
        resume: whether to go on from the folder's checkpoint, to the bytes of a training that was never ended; there
            may be none yet.
        overwrite: whether the folder may hold something already; a result in it stays until the new one is whole.
        progress: whether to show progress on the standard error stream.

    Returns:
        The report, or ``None`` if the run that is to be resumed is finished.

    Raises:
        ConSinGANError: an input is bad, the settings do not fit, the folder cannot be used or holds another training.
    """
    begin = time.perf_counter()
    folder = TrainingFolder(output, resume, overwrite)
    folder.check([*images, start, *(fine_tune or ())])
    check_device(device)
    if fine_tune and start is None:
        raise ConSinGANError("Fine-tuning needs a trained model to start from: give one.")
    earlier = None if start is None else TrainedModel.load(start, task=task)
    settings = settings_for(task, settings, earlier)
    found = take_slices(images, fine_tune, slices, axis, settings)
    found.inputs |= describe_inputs({} if start is None else {"model": model_file(start)})
    how: dict[str, Any] = {"seed": seed, "device": device, "progress": progress}
    return folder.train("train", found, settings, earlier=earlier, begin=begin, **how)


def settings_for(task: str, settings: Training | None, earlier: TrainedModel | None = None) -> TrainingSettings:
    """The settings that are given, or those of an earlier model, or the preset ``quick``; for slices where none say.

    A model of slices serves scans of either kind; one of volumes has to be asked for.

    Raises:
        ConSinGANError: they are for another task.
    """
    return settings_to_train(task, settings, earlier).for_dims(None)


@dataclass(frozen=True)
class TrainingFolder:
    """The folder of a training, in which a killed one goes on.

    Args:
        output: the folder.
        resume: whether to go on from its checkpoint.
        overwrite: whether it may hold something already.
    """

    output: str | Path
    resume: bool = False
    overwrite: bool = False

    def check(self, inputs: Iterable[str | Path | None] = ()) -> None:
        """Refuse a folder that cannot be used, or that holds an input.

        Raises:
            ConSinGANError: so it is.
        """
        path = Path(self.output)
        check_output(path, overwrite=self.overwrite or (self.resume and _is_run(path)))
        check_inputs(path, inputs)

    def train(
        self,
        command: str,
        found: TrainingSlices,
        settings: TrainingSettings,
        *,
        seed: int = 0,
        device: str = "cpu",
        earlier: TrainedModel | None = None,
        sources: Sequence[str] = (),
        progress: bool = False,
        begin: float,
    ) -> dict[str, Any] | None:
        """Train, and write model, figure and report.

        Args:
            command: the command, for the report.
            found: what is trained on.
            settings: settings of the training.
            seed: seed of everything random.
            device: where to train.
            earlier: a model to start from.
            sources: hashes of the scans of a cohort.
            progress: whether to show progress.
            begin: when the command began (:py:func:`time.perf_counter`).

        Returns:
            The report, or ``None`` if the run that is to be resumed is finished.

        Raises:
            ConSinGANError: the settings do not fit, or the folder cannot be used or holds another training.
        """
        output, resume = Path(self.output), self.resume
        settings.sizes(found.images.shape[2:])
        more = [] if found.naive is None else [found.naive]
        more += [] if earlier is None else earlier.weights
        identity = fingerprint(found.images, settings, seed, *more)
        checkpoint = output / CHECKPOINT_NAME
        with locked(output):
            self.check()
            trained_before = resume and checkpoint.exists()
            if resume and not trained_before and (output / REPORT_NAME).exists():
                _check_finished(output, identity)
                return None
            try:
                for path in [*([] if resume else [checkpoint]), *leftovers(checkpoint)]:
                    path.unlink(missing_ok=True)
                began = time.perf_counter()
                model = train_model(
                    found.images,
                    settings,
                    seed=seed,
                    device=device,
                    checkpoint=checkpoint,
                    start=earlier,
                    stage_input=found.naive,
                    sequences=found.sequences,
                    sources=sources,
                    progress=progress,
                )
                seconds_training = time.perf_counter() - began
                with whole_result(output) as folder:
                    model.save(folder / MODEL_NAME)
                    reconstruction = _reconstruct(model, found.images)
                    _save_figure(folder / "figure.png", model, found, reconstruction)
                    missed = reconstruction - _at_full_size(found.images, model)
                    report = {
                        "command": command,
                        "task": settings.task,
                        "inputs": found.inputs,
                        "slices": len(found.images),
                        "slices_taken": found.taken,
                        "image_size": list(model.image_size),
                        "stage_sizes": [list(size) for size in model.generator.stage_sizes],
                        "settings": settings.as_dict(),
                        "seed": seed,
                        "fingerprint": identity,
                        "versions": versions(),
                        "view": {"affine": found.affine, "axis": found.axis},
                        "reconstruction_rmse": float(missed.square().mean().sqrt()),
                        "resumed": trained_before,
                        "seconds_training": seconds_training,
                        "seconds": time.perf_counter() - begin,
                    }
                    write_report(folder / REPORT_NAME, report)
                checkpoint.unlink(missing_ok=True)
            except OSError as error:
                raise unwritable(output, error) from error
        return report


def _is_run(output: Path) -> bool:
    """Whether a folder holds a run, finished or killed."""
    return any((output / name).exists() for name in (CHECKPOINT_NAME, REPORT_NAME)) or any(
        leftovers(output / CHECKPOINT_NAME)
    )


def _check_finished(output: Path, identity: str) -> None:
    """Refuse to take a finished run for that of another training."""
    try:
        found = json.loads((output / REPORT_NAME).read_text(encoding="utf-8")).get("fingerprint")
    except (OSError, ValueError, AttributeError) as error:
        raise ConSinGANError(f"{output / REPORT_NAME} cannot be read: give another folder, or --overwrite.") from error
    if found != identity:
        raise ConSinGANError(
            f"output {output} holds a finished training with other images, settings or seed: give those of that "
            "training, another folder, or --overwrite."
        )


def _at_full_size(images: torch.Tensor, model: TrainedModel) -> torch.Tensor:
    return resize(images, model.image_size).clamp(-1, 1)


@torch.no_grad()
def _reconstruct(model: TrainedModel, images: torch.Tensor) -> torch.Tensor:
    coarse = coarse_input(model.generator, _at_full_size(images, model), model.settings.task)
    return torch.cat([model.generator(part) for part in coarse.split(1)])


def _save_figure(path: Path, model: TrainedModel, found: TrainingSlices, reconstruction: torch.Tensor) -> None:
    """Draw the middle slice, its reconstruction, and for models that draw images some of these."""
    index = len(found.images) // 2
    real = oriented(_at_full_size(found.images, model)[index], found.affine, found.axis)
    again = oriented(reconstruction[index], found.affine, found.axis)
    panels = [Panel("slice", real), Panel("reconstruction", again), difference_panel(again, real)]
    if not get_task(model.settings.task).image_input:
        drawn = [oriented(draw_image(model.generator, 0, number), found.affine, found.axis) for number in range(3)]
        panels[2:] = [Panel(f"sample {number}", view) for number, view in enumerate(drawn)]
    save_panel(path, panels, title=f"Model of the task {model.settings.task}")
