"""What the transforms ask of models that redraw lesions; who has such models hands them over."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from monai_consingan.errors import ConSinGANError
from monai_consingan.methods import BlendSettings


@runtime_checkable
class RedrawingModels(Protocol):
    """Models that redraw lesions in their hosts, such as :class:`monai_consingan.models.HostModels`.

    Attributes:
        task: ``"harmonization"`` for lesions that are put in, ``"editing"`` for those that are taken out.
    """

    task: str

    def find(self, host: Any, label: Any = None) -> Any | None:
        """The model of a host, in whatever form :meth:`redraw` takes it, or None where there is none.

        Args:
            host: image of shape (1, \\*spatial).
            label: its lesions, (1, \\*spatial).
        """

    def redraw(self, naive: Any, mask: Any, host: Any, model: Any, blend: BlendSettings) -> Any:
        """Let a model redraw a lesion.

        Args:
            naive: image with the pasted or filled lesion, (1, \\*spatial).
            mask: above 0 where that lesion is.
            host: the image before.
            model: the host's model.
            blend: where the redrawn image is used.

        Returns:
            An image of the kind, type and metadata of ``naive``.

        Raises:
            NoPlaceError: the lesion does not fit into what the model redraws.
        """


def check_models(models: Any, task: str, bank: Any = None) -> None:
    """Refuse what is no models for a task, and say what to write instead.

    Args:
        models: None, or what was handed over as models.
        task: the task that they are needed for.
        bank: what was given as ``bank``, the name and the form of older versions.

    Raises:
        ConSinGANError: for anything but None and models of this task.
    """
    if bank is not None or not (models is None or isinstance(models, RedrawingModels)):
        given = models if bank is None else bank
        folder = str(given) if isinstance(given, (str, Path)) else "bank"
        raise ConSinGANError(
            f"{'models' if bank is None else 'bank'} is {given!r}, but models are handed over: with HostModels of "
            f'monai_consingan.models give models=HostModels("{folder}", "{task}").'
        )
    if models is not None and models.task != task:
        raise ConSinGANError(f"The models are for task {models.task!r}, but {task!r} is needed: give others.")


def check_blend(redrawn: BlendSettings | None) -> BlendSettings | None:
    """Refuse what does not say where a redrawn image is used."""
    if redrawn is None or isinstance(redrawn, BlendSettings):
        return redrawn
    raise ConSinGANError(f"redrawn is {redrawn!r}; give BlendSettings of monai_consingan.methods.")
