"""The ways to put a lesion into a scan, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from monai_consingan.errors import ConSinGANError
from monai_consingan.workflows.redraw import PUBLISHED_BLENDS, BlendSettings

__all__ = [
    "DEFAULT_INSERTION",
    "DEFAULT_REDRAWN_INSERTION",
    "INSERTION_METHODS",
    "MODEL_FREE_INSERTIONS",
    "InsertionMethod",
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
"""The method that is hardest to tell from real tissue, and keeps the lesion."""

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
