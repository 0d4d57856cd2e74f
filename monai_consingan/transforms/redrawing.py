"""What the transforms ask of models that redraw lesions, and redrawing by them; who has models hands them over."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from monai.config import NdarrayOrTensor
from monai.transforms import RandomizableTransform

from monai_consingan.arrays import as_array, check_number, wrap_like
from monai_consingan.errors import ConSinGANError, ConSinGANWarning
from monai_consingan.methods import BlendSettings
from monai_consingan.transforms.host_knowledge import HostKnowledge


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


@runtime_checkable
class NamedModels(RedrawingModels, Protocol):
    """Models that have names, by which those of a host are found again on a crop of it."""

    def key(self, host: Any, label: Any = None) -> str:
        """The name of a host's model, whether or not there is one; the arguments are those of ``find``."""

    def load(self, key: str) -> Any | None:
        """The model of a name, or None where there is none."""


def named_model(models: RedrawingModels | None, host: Any, label: Any) -> dict[Hashable, Any]:
    """The name of a host's model, as one of its facts (:class:`monai_consingan.transforms.PrepareHostd`).

    Args:
        models: models, or None.
        host: image of shape (C, \\*spatial).
        label: its lesions, (1, \\*spatial), or None.
    """
    return {("model", models.task): models.key(host, label)} if isinstance(models, NamedModels) else {}


@dataclass(frozen=True)
class HostQuestions:
    """What a transform of lesions asks about a whole host (:class:`monai_consingan.transforms.PrepareHostd`).

    It holds nothing of chance, of donors or of a call, so that it is the same in every run: a data set that is kept on
    the disk is known by what its transforms are.

    Args:
        models: models, or None.
        remove: what takes lesions out and asks for itself, or None for lesions that are put in.
    """

    models: RedrawingModels | None
    remove: Any = None

    def of_host(self, host: NdarrayOrTensor, label: NdarrayOrTensor | None) -> dict[Hashable, Any]:
        """The answers for a host, (C, \\*spatial), with its lesions, (1, \\*spatial), or None."""
        if self.remove is None:
            return named_model(self.models, host, label)
        return self.remove.of_host(host, label) | ({} if label is None else named_model(self.models, host, label))


def host_model(
    models: RedrawingModels | None, host: Any, label: Any, known: HostKnowledge | None
) -> Callable[[Any, Any, Any, BlendSettings], Any] | None:
    """A host's model as a function that redraws a lesion.

    Args:
        models: models, or None.
        host: image of shape (C, \\*spatial).
        label: its lesions, (1, \\*spatial), or None.
        known: what is known of the image. If that tells the model, it may be a crop of the host, of which the model
            gets to see parts that lie as they did in the host.

    Returns:
        Function of the arguments of :meth:`RedrawingModels.redraw` but for the model, or None where there is no model.
    """
    if models is None:
        return None
    key = None if known is None else known.facts.get(("model", models.task))
    model = models.load(key) if key is not None and isinstance(models, NamedModels) else models.find(host, label)
    if model is None:
        return None
    turn = None if known is None or not known.turn.turns else known.turn

    def redrawn(naive: Any, mask: Any, host: Any, blend: BlendSettings) -> Any:
        """The image that the model makes of a naive one."""
        if turn is None:
            return models.redraw(naive, mask, host, model, blend)
        made = models.redraw(turn.upright(naive), turn.upright(mask), turn.upright(host), model, blend)
        return wrap_like(turn.turned(as_array(made)), naive)

    return redrawn


class RandRedrawnLesion(RandomizableTransform):
    """Base of the random transforms whose lesions models can redraw.

    Args:
        prob: probability that anything is done.
        task: the task that models are needed for.
        models: models of the task; None redraws nothing.
        redrawn: where the redrawn image is used, or None, to be checked.
        bank: the name and the form of ``models`` in older versions, which are refused.

    Raises:
        ConSinGANError: an argument is none of these, and what to write instead.
    """

    def __init__(
        self, prob: float, task: str, models: RedrawingModels | None, redrawn: BlendSettings | None, bank: Any
    ) -> None:
        RandomizableTransform.__init__(self, check_number(prob, "prob", 0, 1))
        if bank is not None or not (models is None or isinstance(models, RedrawingModels)):
            given = models if bank is None else bank
            folder = str(given) if isinstance(given, (str, Path)) else "bank"
            raise ConSinGANError(
                f"{'models' if bank is None else 'bank'} is {given!r}, but models are handed over: with HostModels of "
                f'monai_consingan.models give models=HostModels("{folder}", "{task}").'
            )
        if models is not None and models.task != task:
            raise ConSinGANError(f"The models are for task {models.task!r}, but {task!r} is needed: give others.")
        if not (redrawn is None or isinstance(redrawn, BlendSettings)):
            raise ConSinGANError(f"redrawn is {redrawn!r}; give BlendSettings of monai_consingan.methods.")
        self.models = models
        self._warned: set[str] = set()

    def _known(self, known: HostKnowledge | None, image: NdarrayOrTensor) -> HostKnowledge | None:
        """What is known of an image by what is known of its host (:meth:`HostKnowledge.of_image`), if that is given.

        If that is of another host, a warning says so.
        """
        part = None if known is None else known.of_image(image)
        if known is not None and part is None:
            self._warn(
                "What is known of the host is not used, as this image is no part of it, or its intensities were "
                "changed: put this transform before those that do that."
            )
        return part

    def _warn(self, message: str, kind: str = "") -> None:
        """Warn of something once, or of a kind of thing."""
        if (kind or message) not in self._warned:
            self._warned.add(kind or message)
            warnings.warn(message, ConSinGANWarning, 3)
