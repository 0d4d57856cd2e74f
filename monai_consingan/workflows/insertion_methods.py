"""The ways to put a lesion into a scan, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from monai_consingan.errors import ConSinGANError
from monai_consingan.workflows.redraw import PUBLISHED_BLENDS, BlendSettings

__all__ = [
    "DEFAULT_INSERTION",
    "DEFAULT_REDRAWN_INSERTION",
    "INSERTION_METHODS",
    "MODEL_FREE_INSERTIONS",
    "InsertionMethod",
    "chosen_insertion",
    "insertion_method",
]


@dataclass(frozen=True)
class InsertionMethod:
    """How a lesion is pasted, and where a ConSinGAN of the host then redraws it.

    Args:
        paste_blend: how it is pasted (``blend`` of :py:class:`monai_consingan.transforms.PasteLesion`).
        match: how its intensities are fitted to the host's (``match`` of the same).
        redrawn: where the redrawn image is used; ``None`` needs no model.
    """

    paste_blend: str
    match: str = "gain"
    redrawn: BlendSettings | None = None


INSERTION_METHODS: Mapping[str, InsertionMethod] = MappingProxyType(
    {
        "tissue": InsertionMethod("tissue"),
        "tissue-consingan": InsertionMethod("tissue", redrawn=BlendSettings("outside", detail_mm=1.0)),
        "consingan": InsertionMethod("hard", "none", PUBLISHED_BLENDS["harmonization"]),
        "consingan-band": InsertionMethod("hard", redrawn=BlendSettings("band")),
        "poisson": InsertionMethod("poisson"),
        "crossfade": InsertionMethod("crossfade"),
        "feather": InsertionMethod("feather"),
        "naive": InsertionMethod("hard"),
    }
)
"""Methods by name.

``"tissue"``: the tissue blend (:py:class:`monai_consingan.transforms.TissueBlend`), which needs no model.
``"tissue-consingan"``: the same, whose middle frequencies around the lesion are then redrawn; the lesion itself stays
as it was blended.
``"consingan"``: as published, the redrawn image with a soft edge over a paste at the donor's intensities.
``"consingan-band"``: redrawn in a band along the border of a paste. The others need no model either.
"""

MODEL_FREE_INSERTIONS = tuple(name for name, method in INSERTION_METHODS.items() if method.redrawn is None)
"""Names of the methods that need no model."""

DEFAULT_INSERTION = "tissue"
"""The method that is hardest to tell from real tissue of those that keep the lesion."""

DEFAULT_REDRAWN_INSERTION = "tissue-consingan"
"""The method where a model is asked for."""


def insertion_method(name: str) -> InsertionMethod:
    """The method of a name.

    Raises:
        ConSinGANError: there is none.
    """
    if name not in INSERTION_METHODS:
        raise ConSinGANError(f"method is {name!r}, but must be one of {', '.join(INSERTION_METHODS)}.")
    return INSERTION_METHODS[name]


def chosen_insertion(method: str | None, **of_model: Any) -> str:
    """The name of the method that a user has chosen, by name or by what else is given.

    Args:
        method: the name; ``None`` for :py:data:`DEFAULT_REDRAWN_INSERTION` if anything of a model is given, else for
            :py:data:`DEFAULT_INSERTION`.
        of_model: what belongs to a model, ``None`` where it is not given.

    Raises:
        ConSinGANError: there is no such method, or it needs no model but something of one is given.
    """
    given = [name for name, value in of_model.items() if value is not None]
    if method is None:
        return DEFAULT_REDRAWN_INSERTION if given else DEFAULT_INSERTION
    if given and insertion_method(method).redrawn is None:
        raise ConSinGANError(
            f"method is {method!r}, which uses no model, but {given[0]} is {of_model[given[0]]}: leave it out, or "
            "choose another method."
        )
    return method
