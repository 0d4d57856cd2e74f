"""How a model of any kind redraws a lesion anywhere in a host, and one model for all hosts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor

from monai_consingan.arrays import as_array, in_all, spacing_of, wrap_like
from monai_consingan.data import named_sequences, slice_axis
from monai_consingan.distance import bounding_box
from monai_consingan.methods import BlendSettings
from monai_consingan.models.model import TrainedModel, given_model
from monai_consingan.models.redraw import Redrawing


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


def as_scan(image: NdarrayOrTensor, spacing: Sequence[float] | float | None = None) -> MetaTensor:
    """An image with its spacing, and its orientation if that is known."""
    if isinstance(image, MetaTensor) and spacing is None:
        return image
    affine = np.diag([*spacing_of(image, spacing), 1.0])
    return MetaTensor(torch.from_numpy(np.ascontiguousarray(as_array(image))), affine=torch.from_numpy(affine))


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
