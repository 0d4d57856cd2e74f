"""One model for every host of a data set, trained in advance and found again by the host itself."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor
from monai.transforms import LoadImage

from monai_consingan.data import IntensityScale, Region, slice_axis, slice_region
from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms import head_mask, head_slices
from monai_consingan.transforms._arrays import as_array, check_shape, spacing_of, wrap_like
from monai_consingan.workflows.model import TrainedModel
from monai_consingan.workflows.model_bank import ModelBank
from monai_consingan.workflows.redraw import BlendSettings, redraw
from monai_consingan.workflows.settings import TrainingSettings, preset_settings

__all__ = ["HostModels", "host_crops", "prepare_bank"]

_DRAWS = 32  # places looked at for a crop


class HostModels:
    """Models of a bank that are found by a host's own voxels, to redraw any place of that host.

    A model is trained on a few crops of its host (:py:func:`host_crops`). It is found by the host's intensities, not by
    its name, so that it can never be another scan's: the host has to be, voxel by voxel, what the model was prepared
    with. In a pipeline that is what reaches the first random transform. A model for editing is found by the host and
    the outline of its lesions, as its crops keep clear of these.

    Args:
        bank: the bank, or its folder.
        task: ``"harmonization"`` or ``"editing"``.
        settings: settings of the trainings, by default the preset ``quick``. With the region ``"slice"`` whole slices
            are trained on instead of crops.
        crops: number of crops, each of a slice of its own as far as there are as many.
        side: height and width of a crop in pixels, or the image's, where that is smaller.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        spacing: mm per spatial axis; ``None`` takes it from a MetaTensor's affine, and 1 mm for other arrays.
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
        settings: TrainingSettings | None = None,
        *,
        crops: int = 3,
        side: int = 96,
        axis: int | None = None,
        spacing: Sequence[float] | float | None = None,
        seed: int = 0,
        keep: int = 4,
    ) -> None:
        self.bank = bank if isinstance(bank, ModelBank) else ModelBank(bank)
        self.settings = preset_settings("quick", task) if settings is None else settings
        if self.settings.task != task or task not in ("harmonization", "editing"):
            raise ConSinGANError(
                f"The settings are for task {self.settings.task!r} and the task is {task!r}: give harmonization or "
                "editing for both."
            )
        for name, number in (("crops", crops), ("side", side), ("keep", keep)):
            if number < 1:
                raise ConSinGANError(f"{name} is {number}, but must be 1 or more.")
        self.crops = crops
        self.side = min(side, self.settings.max_size)
        self.axis = axis
        self.spacing = spacing
        self.seed = seed
        self.keep = keep
        self._models: OrderedDict[str, TrainedModel] = OrderedDict()

    @classmethod
    def of(cls, bank: str | Path | ModelBank | HostModels, task: str, **rule: Any) -> HostModels:
        """The models of a bank, by the other arguments of this class, unless they are given as such.

        Raises:
            ConSinGANError: the given ones are for another task.
        """
        if not isinstance(bank, HostModels):
            return cls(bank, task, **rule)
        if bank.settings.task != task:
            raise ConSinGANError(f"The bank is for task {bank.settings.task!r}, but {task!r} is needed: give another.")
        return bank

    def __getstate__(self) -> dict[str, Any]:
        """What goes to other processes: all but the models, which they read for themselves."""
        return {**self.__dict__, "_models": OrderedDict()}

    def key(self, host: NdarrayOrTensor, label: NdarrayOrTensor | None = None) -> str:
        """The name in the bank of a host's model, whether or not it is there."""
        return self.bank.key(self._content(host, label), self.settings, seed=self.seed)

    def find(self, host: NdarrayOrTensor, label: NdarrayOrTensor | None = None) -> TrainedModel | None:
        """The model of a host, or ``None`` if the bank has none.

        Args:
            host: (1, \\*spatial).
            label: its lesions, which only models for editing depend on.

        Raises:
            ConSinGANError: the model's file is damaged.
        """
        key = self.key(host, label)
        model = self._models.pop(key, None) or self.bank.load(key)
        if model is not None:
            self._models[key] = model
            if len(self._models) > self.keep:
                self._models.popitem(last=False)
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
            host: (1, \\*spatial).
            label: its lesions, needed for editing.
            device: where to train.
            progress: whether to show progress on the standard error stream.

        Raises:
            ConSinGANError: a host of several channels, or one that cannot be trained on.
        """
        content = self._content(host, label)
        if (found := self.bank.find(content, self.settings, seed=self.seed)) is not None:
            return found
        lesions = label if self.settings.task == "editing" else None
        slices = host_crops(
            self._scan(host),
            self.settings,
            label=lesions,
            crops=self.crops,
            side=self.side,
            axis=slice_axis(self._scan(host), self.axis),
            seed=self.seed,
        )
        return self.bank.model_for(
            slices, self.settings, seed=self.seed, device=device, content=content, progress=progress
        )

    def redraw(
        self,
        naive: NdarrayOrTensor,
        mask: NdarrayOrTensor,
        host: NdarrayOrTensor,
        model: TrainedModel,
        blend: BlendSettings,
    ) -> Any:
        """Let a host's model redraw a lesion and its surroundings.

        Args:
            naive: image with the pasted or filled lesion, (1, \\*spatial).
            mask: where that lesion is.
            host: the image before.
            model: the host's model.
            blend: where the redrawn image is used.

        Returns:
            An image of the kind, type and metadata of ``naive``.

        Raises:
            ConSinGANError: the lesion does not fit into the region that the model is for.
        """
        scan, lesion = self._scan(naive), as_array(mask) > 0
        axis = slice_axis(scan, self.axis)
        near: list[slice] = [slice(None)] * lesion.ndim
        if axis is not None:  # the other slices stay as they are
            held = np.flatnonzero(lesion.any(axis=tuple(i for i in range(4) if i != 1 + axis)))
            near[1 + axis] = slice(int(held[0]), int(held[-1]) + 1)
        inside = tuple(near)
        parts = (_like(scan, as_array(image)[inside]) for image in (naive, lesion.astype(np.uint8), host))
        part, marks, tissue = parts
        redrawn = redraw(part, marks, [tissue], axis=axis, settings=self.settings, blend=blend, model=model)
        result = as_array(naive).copy()
        result[inside] = as_array(redrawn.image)
        return wrap_like(result, naive)

    def _scan(self, image: NdarrayOrTensor) -> MetaTensor:
        """An image with its spacing, and its orientation if that is known."""
        if isinstance(image, MetaTensor) and self.spacing is None:
            return image
        affine = np.diag([*spacing_of(image, self.spacing), 1.0])
        return MetaTensor(torch.from_numpy(np.ascontiguousarray(as_array(image))), affine=torch.from_numpy(affine))

    def _content(self, host: NdarrayOrTensor, label: NdarrayOrTensor | None) -> list[torch.Tensor]:
        """All that the crops of a host depend on besides the settings and the seed."""
        axis = slice_axis(self._scan(host), self.axis)
        rule = torch.tensor([-1 if axis is None else axis, self.crops, self.side])
        spacing = torch.tensor(np.round(spacing_of(host, self.spacing), 3))
        content = [torch.from_numpy(np.ascontiguousarray(as_array(host), np.float32)), rule, spacing]
        if self.settings.task == "editing":
            if label is None:
                raise ConSinGANError("A host's model for editing depends on its lesions: give their label.")
            check_shape(as_array(label), (1, *host.shape[1:]), name="label", other="its host")
            content.append(torch.from_numpy(np.packbits(as_array(label) > 0)))
        return content


def host_crops(
    host: MetaTensor,
    settings: TrainingSettings,
    *,
    label: NdarrayOrTensor | None = None,
    crops: int = 3,
    side: int = 96,
    axis: int | None = None,
    seed: int = 0,
) -> torch.Tensor:
    """What a model of a host is trained on: crops of slices that spread evenly over the head.

    Of 32 places drawn in the head of each slice the one is taken whose crop holds the fewest voxels of lesions, and of
    these the one that holds the most of the head.

    Args:
        host: (1, \\*spatial).
        settings: settings of the training; with the region ``"slice"`` the whole slices are taken.
        label: lesions to keep clear of.
        crops: number of crops.
        side: height and width of a crop in pixels, or the image's, where that is smaller.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        seed: seed of the places.

    Returns:
        The crops, each in its own intensities, (crops, 1, h, w) in [-1, 1].

    Raises:
        ConSinGANError: a host of several channels, or without a head.
    """
    if host.shape[0] != 1:
        raise ConSinGANError(f"A host has {host.shape[0]} channels, but models are of one: give one of them.")
    along = slice_axis(host, axis)
    candidates = head_slices(host, along)
    taken = [candidates[int((number + 0.5) * len(candidates) / crops)] for number in range(crops)]
    head = head_mask(as_array(host)[0], spacing=spacing_of(host))
    lesions = np.zeros(head.shape, bool) if label is None else as_array(label)[0] > 0
    rng = np.random.RandomState(seed % 2**32)
    stack = []
    for index in taken:
        plane: Any = ... if along is None else (..., index, *[slice(None)] * (head.ndim - 1 - along))
        if settings.region == "slice":
            where = np.zeros((1, *head.shape), np.uint8)
            where[plane] = 1
            region = slice_region(where, axis=along, side=settings.max_size)
        else:
            region = _crop(head[plane], lesions[plane], index, along, side, rng)
        crop = region.take(host)
        stack.append(IntensityScale.fit(crop).apply(crop))
    return torch.cat(stack)


def _like(scan: MetaTensor, values: np.ndarray) -> MetaTensor:
    """Values with a scan's spacing."""
    return MetaTensor(torch.from_numpy(np.ascontiguousarray(values)), affine=scan.affine)


def _crop(
    head: np.ndarray, lesions: np.ndarray, index: int, axis: int | None, side: int, rng: np.random.RandomState
) -> Region:
    """The best of some places of a slice."""
    spots = np.argwhere(head)
    size = np.minimum(side, head.shape)
    starts = np.clip(spots[rng.randint(len(spots), size=_DRAWS)] - size // 2, 0, np.array(head.shape) - size)

    def rank(start: np.ndarray) -> tuple[int, int]:
        rows, columns = (slice(low, low + length) for low, length in zip(start, size, strict=True))
        return int(lesions[rows, columns].sum()), -int(head[rows, columns].sum())

    row, column = (int(low) for low in min(starts, key=rank))
    height, width = (int(length) for length in size)
    return Region(axis, (index,), (row, column), (row + height, column + width), (height, width))


def prepare_bank(
    hosts: Iterable[Any],
    bank: str | Path | ModelBank | HostModels,
    task: str = "harmonization",
    settings: TrainingSettings | None = None,
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
            which MONAI's ``LoadImage`` reads.
        bank: the bank, its folder, or :py:class:`HostModels` that say it all.
        task: ``"harmonization"``, or ``"editing"`` for :py:class:`monai_consingan.transforms.RandLesionRemovald`.
        settings: settings of the trainings, by default the preset ``quick``.
        image_key: key of the image.
        label_key: key of the label, needed for editing.
        device: where to train.
        progress: whether to show progress on the standard error stream.
        rule: more arguments of :py:class:`HostModels`, for whom looks for the models too.

    Returns:
        The name of each host's model in the bank.

    Raises:
        ConSinGANError: a host that cannot be trained on, or a bank that cannot be written to.

    Example::

        prepare_bank([{"image": "scan.nii.gz"}], "bank")
    """
    models = HostModels.of(bank, task, settings=settings, **rule)
    load = LoadImage(image_only=True, ensure_channel_first=True)
    names = []
    for item in hosts:
        pair: Any = (item[image_key], item.get(label_key)) if isinstance(item, Mapping) else (item, None)
        image, label = (load(part) if isinstance(part, (str, Path)) else part for part in pair)
        models.prepare(image, label, device=device, progress=progress)
        names.append(models.key(image, label))
    return names
