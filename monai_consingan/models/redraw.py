"""The heart of every workflow: train on the region, redraw the naive image, blend back."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from monai.data import MetaTensor

from monai_consingan.arrays import spacing_of
from monai_consingan.data import IntensityScale, Region, named_sequences
from monai_consingan.inferers import redraw_region
from monai_consingan.methods import BlendSettings
from monai_consingan.models.bank import ModelBank
from monai_consingan.models.model import TrainedModel
from monai_consingan.models.training import fingerprint, train_model
from monai_consingan.settings import TrainingSettings
from monai_consingan.transforms import BlendBack, LesionAlteration, region_slices

__all__ = ["Redrawn", "redraw"]


@dataclass
class Redrawn:
    """What :py:func:`redraw` made.

    Args:
        image: the result on the host's grid.
        alteration: 1 where the result may differ from the host, uint8.
        region: the part of the image that the networks saw.
        scale: intensities of the host that are -1 and 1 to the networks.
        model: the model that redrew.
        seconds_training: how long its training took.
    """

    image: MetaTensor
    alteration: MetaTensor
    region: Region
    scale: IntensityScale
    model: TrainedModel
    seconds_training: float


def redraw(
    naive: MetaTensor,
    mask: MetaTensor,
    training: list[MetaTensor],
    *,
    host: MetaTensor,
    axis: int | None,
    settings: TrainingSettings,
    blend: BlendSettings,
    model: TrainedModel | None = None,
    start: TrainedModel | None = None,
    bank: ModelBank | None = None,
    seed: int = 0,
    device: str = "cpu",
    working_folder: str | Path | None = None,
    progress: bool = False,
) -> Redrawn:
    """Train a model on the region around a lesion (unless one is given) and let it redraw the naive image there.

    Settings of 3 spatial dims make the region a box, and all is done in space.

    Args:
        naive: image with the pasted or filled lesion, ``(C, *spatial)``.
        mask: where that lesion is, ``(1, *spatial)``.
        training: images on the same grid whose slices of the region are trained on.
        host: the image before the lesion was pasted or filled.
        axis: spatial axis perpendicular to the slices; ``None`` in 2D; of no account in space.
        settings: settings of the training, or of the model.
        blend: where the redrawn image is used.
        model: a trained model to use instead.
        start: a trained model whose weights the training starts from.
        bank: models of earlier trainings: this one takes place only if its model is not there, and leaves it there.
        seed: seed of the training.
        device: where to compute.
        working_folder: folder for the training's checkpoint, from which a killed run goes on; a bank keeps its own.
        progress: whether to show progress.

    Returns:
        The result; outside its alteration mask it has the bits of the host.

    Raises:
        ConSinGANError: the region does not fit the settings or the model, or the model is of other sequences.
    """
    given = start if model is None else model
    if given is not None:
        given.check_sequences(naive)
    dims = settings.spatial_dims
    axis = axis if dims == 2 else None
    alteration = LesionAlteration(blend.mode, blend.dilation_mm, blend.softness_mm, axis, dims)(mask, naive, host)
    slices, region, scale = region_slices(
        naive,
        mask,
        alteration.mask,
        training,
        axis=axis,
        region=settings.region,
        max_side=settings.max_size,
        size=None if given is None else given.image_size,
    )
    seconds = 0.0
    if model is None:
        names = named_sequences(naive)
        how: dict[str, Any] = {
            "seed": seed,
            "device": device,
            "start": start,
            "progress": progress,
            "sequences": names,
        }
        begin = time.perf_counter()
        if bank is not None:
            model = bank.model_for(slices, settings, **how)
        else:
            model = _train(slices, settings, working_folder, **how)
        seconds = time.perf_counter() - begin
    full = redraw_region(
        naive,
        model.generator,
        task=settings.task,
        region=region,
        scale=scale,
        spacing=spacing_of(naive),
        level_mm=blend.level_mm,
        detail_mm=blend.detail_mm,
    )
    image: Any = BlendBack()(naive, full, alteration.weight)
    return Redrawn(image, alteration.mask, region, scale, model, seconds)


def _train(
    slices: torch.Tensor,
    settings: TrainingSettings,
    folder: str | Path | None,
    *,
    start: TrainedModel | None,
    **how: Any,
) -> TrainedModel:
    """Train, with a checkpoint in the folder until that is done."""
    if folder is None:
        return train_model(slices, settings, start=start, **how)
    more = [] if start is None else list(start.generator.state_dict().values())
    checkpoint = Path(folder) / f"checkpoint-{fingerprint(slices, settings, how['seed'], *more)[:16]}.pt"
    model = train_model(slices, settings, checkpoint=checkpoint, start=start, **how)
    checkpoint.unlink(missing_ok=True)
    return model
