"""One model for all hosts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from monai.config import NdarrayOrTensor

from monai_consingan.models.anywhere import RedrawsAnywhere
from monai_consingan.models.model import TrainedModel, given_model


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
