"""One model for every host of a data set, trained in advance and found again by the host itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cachetools import LRUCache
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor

from monai_consingan.arrays import as_array, as_scan, check_shape
from monai_consingan.data import load_label, load_scan, named_sequences, slice_axis, work_dims
from monai_consingan.errors import ConSinGANError, check_least
from monai_consingan.folder_lock import leaving_nothing
from monai_consingan.models.bank import ModelBank
from monai_consingan.models.host_crops import crop_side, host_crops
from monai_consingan.models.model import TrainedModel, dims_to_train, given_model, settings_to_train
from monai_consingan.models.redraw import RedrawsAnywhere
from monai_consingan.settings import Training, TrainingSettings
from monai_consingan.tasks import get_task


class HostModels(RedrawsAnywhere):
    """Models of a bank that are found by a host's own voxels, to redraw any place of that host.

    With settings of 3 spatial dims the models are of boxes, and redraw in space. Settings for either kind of scan
    (:py:func:`monai_consingan.workflows.training_preset`), such as those by default, give each host a model of its
    kind: in space unless ``axis`` is given, its slices are thick, or it is too thin for a network in space.

    A model is trained on a few crops of its host (``host_crops``). It is found by the host's intensities, not by
    its name, so that it can never be another scan's: the host has to be, voxel by voxel, what the model was prepared
    with. In a pipeline that is what reaches the first random transform. A model for editing is found by the host and
    the outline of its lesions, as its crops keep clear of these.

    Args:
        bank: the bank, or its folder.
        task: ``"harmonization"`` or ``"editing"``.
        settings: settings of the trainings, by default those of ``start``, or the preset ``quick``, which is
            ``quick-3d`` in space. With the region ``"slice"`` whole slices are trained on instead of crops.
        crops: number of crops, each of a slice of its own as far as there are as many.
        side: height and width (and depth) of a crop in pixels, or the image's, where that is smaller; ``None`` for 96,
            of boxes 48. With ``start`` crops are as large as its own.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        spacing: mm per spatial axis; ``None`` takes it from a MetaTensor's affine, and 1 mm for other arrays.
        start: a model, such as a cohort's, its file or the folder of a run, whose weights every training starts from;
            fewer iterations then do. It must have the same networks.
        seed: seed of the crops' places and of the trainings.
        keep: models that are kept in memory, in every process by itself.

    Raises:
        ConSinGANError: settings of another task, or numbers out of range.

    Example::

        models = HostModels("bank", "harmonization")
        models.prepare(host)
        model = models.find(host)
    """

    def __init__(
        self,
        bank: str | Path | ModelBank,
        task: str,
        settings: Training | None = None,
        *,
        crops: int = 3,
        side: int | None = None,
        axis: int | None = None,
        spacing: Sequence[float] | float | None = None,
        start: str | Path | TrainedModel | None = None,
        seed: int = 0,
        keep: int = 4,
    ) -> None:
        super().__init__(axis, spacing)
        self.bank = bank if isinstance(bank, ModelBank) else ModelBank(bank)
        self.start = None if start is None else given_model(start, task)
        if (settings is not None and settings.task != task) or not get_task(task).image_input:
            given = task if settings is None else settings.task
            raise ConSinGANError(
                f"The settings are for task {given!r} and the task is {task!r}: give harmonization or editing for both."
            )
        self.settings = settings_to_train(task, settings, self.start)
        if side is not None and self.start is not None:
            raise ConSinGANError(f"side is {side}, but crops are as large as those of start: leave side out.")
        check_least(1, crops=crops, side=side, keep=keep)
        self.task = task
        self.crops = crops
        self.side = side
        self.seed = seed
        self.keep = keep
        self._models: LRUCache[str, TrainedModel] = LRUCache(keep)

    def __getstate__(self) -> dict[str, Any]:
        """What goes to other processes: all but the models, which they read for themselves."""
        return {**self.__dict__, "_models": LRUCache(self.keep)}

    def settings_for(self, host: NdarrayOrTensor) -> TrainingSettings:
        """The settings of a host's model, (C, \\*spatial)."""
        return self._settings_for(as_scan(host, self.spacing))

    def _settings_for(self, scan: MetaTensor) -> TrainingSettings:
        return self.settings.for_dims(dims_to_train(self.settings, scan) or work_dims(scan, self.axis))

    def key(self, host: NdarrayOrTensor, label: NdarrayOrTensor | None = None) -> str:
        """The name in the bank of a host's model, whether or not it is there."""
        scan = as_scan(host, self.spacing)
        settings = self._settings_for(scan)
        return self.bank.key(self._content(scan, label, settings), settings, seed=self.seed, start=self.start)

    def _side(self, settings: TrainingSettings) -> int:
        """Height and width of a crop in pixels, if it is as large as it is asked for."""
        return crop_side(settings, self.side if self.start is None else max(self.start.image_size))

    def find(self, host: NdarrayOrTensor, label: NdarrayOrTensor | None = None) -> TrainedModel | None:
        """The model of a host, or ``None`` if the bank has none.

        Args:
            host: (C, \\*spatial).
            label: its lesions, which only models for editing depend on.

        Raises:
            ConSinGANError: the model's file is damaged.
        """
        return self.load(self.key(host, label))

    def load(self, key: str) -> TrainedModel | None:
        """The model of a name that :meth:`key` gives, or ``None`` if the bank has none.

        Raises:
            ConSinGANError: the model's file is damaged.
        """
        model = self._models.get(key)
        if model is None and (model := self.bank.load(key)) is not None:
            self._models[key] = model
        return model

    def prepare(
        self,
        host: NdarrayOrTensor,
        label: NdarrayOrTensor | None = None,
        *,
        device: str | torch.device = "cpu",
        progress: bool = False,
    ) -> TrainedModel:
        """The model of a host, trained if the bank has none.

        Args:
            host: (C, \\*spatial).
            label: its lesions, needed for editing.
            device: where to train.
            progress: whether to show progress on the standard error stream.

        Raises:
            ConSinGANError: a host that cannot be trained on.
        """
        scan = as_scan(host, self.spacing)
        settings = self._settings_for(scan)
        content = self._content(scan, label, settings)
        how: dict[str, Any] = {"seed": self.seed, "start": self.start}
        if (found := self.bank.load(self.bank.key(content, settings, **how))) is not None:
            return found
        lesions = label if self.task == "editing" else None
        slices = host_crops(
            scan,
            settings,
            label=lesions,
            crops=self.crops,
            side=self._side(settings) if self.start is None else self.start.image_size,
            axis=self.axis,
            seed=self.seed,
        )
        how |= {"device": device, "progress": progress}
        return self.bank.model_for(slices, settings, content=content, sequences=named_sequences(host), **how)

    def _content(
        self, scan: MetaTensor, label: NdarrayOrTensor | None, settings: TrainingSettings
    ) -> list[torch.Tensor]:
        """What a host's model is found by: all that its crops depend on besides the settings and the seed.

        But for the spacing, which readers know to some digits only, and by which no more than the head is found.
        """
        axis = slice_axis(scan, self.axis)
        rule = torch.tensor([-1 if axis is None else axis, self.crops, self._side(settings)])
        content = [torch.from_numpy(np.ascontiguousarray(as_array(scan), np.float32)), rule]
        if self.task == "editing":
            if label is None:
                raise ConSinGANError("A host's model for editing depends on its lesions: give their label.")
            check_shape(as_array(label), (1, *scan.shape[1:]), name="label", other="its host")
            content.append(torch.from_numpy(np.packbits(as_array(label) > 0)))
        return content


def prepare_bank(
    hosts: Iterable[Any],
    bank: str | Path | ModelBank | HostModels,
    task: str = "harmonization",
    settings: Training | None = None,
    *,
    image_key: str = "image",
    label_key: str = "label",
    device: str | torch.device = "cpu",
    progress: bool = False,
    **rule: Any,
) -> list[str]:
    """Train a model for every host, so that :py:class:`monai_consingan.transforms.RandLesiond` finds it.

    The hosts have to be what that transform gets: give a dataset with the transforms that go before it. Those that the
    bank has a model for are passed over, so a run that was killed goes on where it was.

    Args:
        hosts: dictionaries with image and label, such as a dataset gives, or images alone; arrays, tensors or paths,
            whose files are read as :py:func:`monai_consingan.data.load_scan` and MONAI's ``LoadImage`` do alike. For
            editing, hosts without a lesion are passed over.
        bank: the bank, its folder, or :py:class:`HostModels` that say it all.
        task: ``"harmonization"``, or ``"editing"`` for :py:class:`monai_consingan.transforms.RandLesionRemovald`.
        settings: settings of the trainings, as of :py:class:`HostModels`.
        image_key: key of the image.
        label_key: key of the label, needed for editing.
        device: where to train.
        progress: whether to show progress on the standard error stream.
        rule: more arguments of :py:class:`HostModels`, for whom looks for the models too.

    Returns:
        The names of the models in the bank, in the order of their hosts.

    Raises:
        ConSinGANError: a host that cannot be trained on, or a bank that cannot be written to.

    Example::

        prepare_bank([{"image": "scan.nii.gz"}], "bank")
    """
    models = bank if isinstance(bank, HostModels) else HostModels(bank, task, settings, **rule)
    if models.task != task:
        raise ConSinGANError(f"The bank is for task {models.task!r}, but {task!r} is asked for: give one of them.")
    names = []
    with leaving_nothing(models.bank.folder):
        for item in hosts:
            pair: Any = (item[image_key], item.get(label_key)) if isinstance(item, Mapping) else (item, None)
            image, label = _read(*pair, needs_label=models.task == "editing")
            if label is not None and not (as_array(label) > 0).any():
                continue
            models.prepare(image, label, device=device, progress=progress)
            names.append(models.key(image, label))
    return names


def _read(image: Any, label: Any, *, needs_label: bool) -> tuple[Any, Any]:
    """Image and label, which are read if they are paths; no label where none is needed."""
    if isinstance(image, (str, Path)):
        image = load_scan(image)
    if not needs_label:
        return image, None
    if isinstance(label, (str, Path)):
        label = load_label(label, image=image, allow_empty=True)
    return image, label
