"""The one way in which a model redraws a lesion: in its region, or anywhere in a host, trained if need be."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor

from monai_consingan.arrays import as_array, as_scan, in_all, wrap_like
from monai_consingan.data import IntensityScale, Region, named_sequences, slice_axis
from monai_consingan.distance import bounding_box
from monai_consingan.inferers import ConSinGANRegionInferer
from monai_consingan.methods import BENT_COMPOSITES, BlendSettings
from monai_consingan.models.bank import ModelBank
from monai_consingan.models.model import ModelRequest, TrainedModel, given_model, model_file
from monai_consingan.models.training import fingerprint, train_model
from monai_consingan.settings import Training, TrainingSettings
from monai_consingan.transforms import BlendBack, LesionAlteration


@dataclass
class Redrawn:
    """What :py:class:`Redrawing` made.

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


@dataclass(frozen=True)
class Redrawing:
    """A model that redraws lesions and their surroundings, given or still to be trained, and where it is used.

    Settings of 3 spatial dims make the region a box, and all is done in space.

    Args:
        settings: settings of the training, or of the model; those for either kind of scan
            (:py:class:`monai_consingan.workflows.TrainingByScan`) are chosen of when a lesion is redrawn.
        blend: where the redrawn image is used.
        model: a trained model; ``None`` trains one on the region.
        start: a trained model whose weights the training starts from.
        bank: models of earlier trainings: this one takes place only if its model is not there, and leaves it there.
        seed: seed of the training.
        device: where to train.
        progress: whether to show progress on the standard error stream.
        files: files of the given models, for reports.

    Example::

        redrawn = Redrawing(settings, BlendSettings())(pasted.image, pasted.mask, host, axis=2)
    """

    settings: Training
    blend: BlendSettings
    model: TrainedModel | None = None
    start: TrainedModel | None = None
    bank: ModelBank | None = None
    seed: int = 0
    device: str = "cpu"
    progress: bool = False
    files: Mapping[str, Path] = field(default_factory=dict)

    @classmethod
    def chosen(
        cls,
        task: str,
        usual: BlendSettings,
        asked: ModelRequest,
        dims: int | None,
        **how: Any,
    ) -> Redrawing:
        """What a user asked for, completed by what is usual for the task.

        Args:
            task: the task.
            usual: where the redrawn image is used if what is asked for does not say.
            asked: what that is.
            dims: 2 for slices, 3 for work in space, if that is asked for.
            how: ``seed``, ``device`` and ``progress``.

        Raises:
            ConSinGANError: models that cannot be used, or not together.
        """
        settings, trained, begun = asked.load(task, dims)
        given = {name: path for name in ("model", "start") if (path := getattr(asked, name)) is not None}
        files = {name: model_file(path) for name, path in given.items()}
        bank = None if asked.bank is None else ModelBank(asked.bank)
        return cls(settings, asked.blend or usual, trained, begun, bank, files=files, **how)

    def __call__(
        self,
        naive: MetaTensor,
        mask: MetaTensor,
        host: MetaTensor,
        training: MetaTensor | None = None,
        *,
        axis: int | None,
        dims: int | None = None,
        folder: str | Path | None = None,
    ) -> Redrawn:
        """Redraw a lesion.

        Args:
            naive: image with the pasted or filled lesion, ``(C, *spatial)``.
            mask: where that lesion is, ``(1, *spatial)``.
            host: the image before the lesion was pasted or filled.
            training: image on the same grid whose slices of the region are trained on; ``None`` for the host.
            axis: spatial axis perpendicular to the slices; ``None`` in 2D; of no account in space.
            dims: 2 for slices, 3 for work in space; ``None`` does what the settings are for, which is slices if they
                are for either.
            folder: folder for the training's checkpoint, from which a killed run goes on; a bank keeps its own.

        Returns:
            The result; outside its alteration mask it has the bits of the host.

        Raises:
            ConSinGANError: the region does not fit the settings or the model, or the model is of other sequences.
        """
        settings, blend, model = self.settings.for_dims(dims), self.blend, self.model
        given = self.start if model is None else model
        if given is not None:
            given.check_sequences(naive)
        axis, dims = axis if settings.spatial_dims == 2 else None, settings.spatial_dims
        alteration = LesionAlteration(blend.mode, blend.dilation_mm, blend.softness_mm, axis, dims)(mask, naive, host)
        inferer = ConSinGANRegionInferer(
            settings.task, axis, settings.region, settings.max_size, blend.level_mm, blend.detail_mm, dims
        )
        size = None if given is None else given.image_size
        shown = host if training is None else training
        slices, region, scale = inferer.look(naive, mask, alteration.mask, shown, size, padded=model is not None)
        begin = time.perf_counter()
        trained = self._trained(slices, settings, named_sequences(naive), folder) if model is None else model
        seconds = time.perf_counter() - begin if model is None else 0.0
        full = inferer.redraw(naive, trained.generator, region, scale)
        bends = dims == 3 and blend.mode in BENT_COMPOSITES
        image: Any = BlendBack(bends)(naive, full, alteration.weight)
        return Redrawn(image, alteration.mask, region, scale, trained, seconds)

    def _trained(
        self, slices: torch.Tensor, settings: TrainingSettings, sequences: tuple[str, ...], folder: str | Path | None
    ) -> TrainedModel:
        """The model of a training, which has a checkpoint in the folder until it is done."""
        how: dict[str, Any] = {name: getattr(self, name) for name in ("seed", "device", "start", "progress")}
        how["sequences"] = sequences
        if self.bank is not None:
            return self.bank.model_for(slices, settings, **how)
        if folder is None:
            return train_model(slices, settings, **how)
        more = [] if self.start is None else self.start.weights
        checkpoint = Path(folder) / f"checkpoint-{fingerprint(slices, settings, self.seed, *more)[:16]}.pt"
        model = train_model(slices, settings, checkpoint=checkpoint, **how)
        checkpoint.unlink(missing_ok=True)
        return model


class RedrawsAnywhere:
    """Models that redraw a lesion in a host, wherever it is.

    Args:
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        spacing: mm per spatial axis; ``None`` takes it from a MetaTensor's affine, and 1 mm for other arrays.
    """

    def __init__(self, axis: int | None = None, spacing: Sequence[float] | float | None = None) -> None:
        self.axis = axis
        self.spacing = spacing

    def redraw(
        self,
        naive: NdarrayOrTensor,
        mask: NdarrayOrTensor,
        host: NdarrayOrTensor,
        model: TrainedModel,
        blend: BlendSettings,
    ) -> Any:
        """Let a model redraw a lesion and its surroundings; no more of the image is looked at than that needs.

        Args:
            naive: image with the pasted or filled lesion, (C, \\*spatial).
            mask: where that lesion is, (1, \\*spatial).
            host: the image before.
            model: the model.
            blend: where the redrawn image is used.

        Returns:
            An image of the kind, type and metadata of ``naive``.

        Raises:
            ConSinGANError: the lesion does not fit into the region that the model is for.
        """
        scan, lesion = as_scan(naive, self.spacing), as_array(mask) > 0
        axis = slice_axis(scan, self.axis)
        inside = _near(lesion, axis, model.settings.spatial_dims, model.image_size)
        parts = (_like(scan, as_array(image)[inside]) for image in (naive, lesion.astype(np.uint8), host))
        redrawn = Redrawing(model.settings, blend, model)(*parts, axis=axis)
        result = as_array(naive).copy()
        result[inside] = as_array(redrawn.image)
        return wrap_like(result, naive)


class SharedModel(RedrawsAnywhere):
    """One model for all hosts, such as a cohort's, to redraw any place of scans that it has not seen.

    Takes the place of :py:class:`~monai_consingan.models.HostModels` in
    :py:class:`monai_consingan.transforms.RandLesiond` and :py:class:`monai_consingan.transforms.RandLesionRemovald`: no
    host has to be prepared.

    Args:
        model: the model, its file, or the folder of a run.
        task: ``"harmonization"`` or ``"editing"``: what it must be for.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        spacing: mm per spatial axis; ``None`` takes it from a MetaTensor's affine, and 1 mm for other arrays.

    Raises:
        ConSinGANError: no model, or one for another task.

    Example::

        RandLesiond(["image", "label"], donors=cases, models=SharedModel("cohort", "harmonization"))
    """

    def __init__(
        self,
        model: str | Path | TrainedModel,
        task: str,
        *,
        axis: int | None = None,
        spacing: Sequence[float] | float | None = None,
    ) -> None:
        super().__init__(axis, spacing)
        self.model = given_model(model, task)
        self.task = task

    def find(self, host: NdarrayOrTensor, label: NdarrayOrTensor | None = None) -> TrainedModel:
        """The model, for any host of its sequences.

        Raises:
            ConSinGANError: the host has other sequences.
        """
        self.model.check_sequences(host)
        return self.model


def _near(lesion: np.ndarray, axis: int | None, dims: int, size: Sequence[int]) -> tuple[slice, ...]:
    """What has to be looked at to redraw a lesion, (1, \\*spatial): its slices, or a box that holds the model's."""
    if dims == 3:
        return in_all(bounding_box(lesion[0], size))
    box = bounding_box(lesion[0])
    return in_all([part if number == axis else slice(None) for number, part in enumerate(box)])


def _like(scan: MetaTensor, values: np.ndarray) -> MetaTensor:
    """Values with a scan's spacing and the names of its sequences."""
    names = named_sequences(scan)
    like = MetaTensor(torch.from_numpy(np.ascontiguousarray(values)), affine=scan.affine)
    like.meta |= {"sequences": list(names)} if names else {}
    return like
