"""The ways to put a lesion into a scan and to take one out, by name: plain data for all who offer them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from monai_consingan.errors import ConSinGANError

__all__ = [
    "DEFAULT_INSERTION",
    "DEFAULT_REDRAWN_INSERTION",
    "FILLINGS",
    "INSERTION_METHODS",
    "MODEL_FREE_INSERTIONS",
    "PUBLISHED_BLENDS",
    "REMOVAL_BLEND",
    "USUAL_FILLINGS",
    "BlendSettings",
    "InsertionMethod",
    "chosen_insertion",
    "insertion_method",
]


@dataclass(frozen=True)
class BlendSettings:
    """Where and how the redrawn image replaces the naive one.

    Args:
        mode: ``"band"``, only a band along the lesion's border, which keeps what is inside, ``"outside"``, only the
            part of it outside the lesion, ``"whole"``, the lesion and its surroundings, or ``"smooth"``, the same as
            published (:py:func:`monai_consingan.transforms.alteration_weight`).
        dilation_mm: how far the replacement reaches beyond the border (for a band, to both sides).
        softness_mm: width of the soft edge beyond that.
        level_mm: the redrawn image takes over the naive image's level, averaged over this distance (the standard
            deviation of a gaussian in the slice), as a generator with norms does not keep it by itself; 0 leaves it.
        detail_mm: likewise it takes over what is finer than this of the naive image, as a generator blurs it; 0 leaves
            it. Between the two the redrawn image counts.
    """

    mode: str = "band"
    dilation_mm: float = 1.0
    softness_mm: float = 2.0
    level_mm: float = 3.0
    detail_mm: float = 0.0

    def __post_init__(self) -> None:
        for name in ("level_mm", "detail_mm"):
            if not getattr(self, name) >= 0:
                raise ConSinGANError(f"{name} is {getattr(self, name)}, but must be 0 or more mm.")
        if 0 < self.level_mm <= self.detail_mm:
            raise ConSinGANError(
                f"detail_mm is {self.detail_mm} and level_mm {self.level_mm}: nothing is left of the redrawn image; "
                "give a smaller detail_mm."
            )

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain values."""
        return asdict(self)


PUBLISHED_BLENDS = {
    "harmonization": BlendSettings("smooth", 7.0, 5.0, level_mm=0.0),
    "editing": BlendSettings("smooth", 20.0, 5.0, level_mm=0.0),
}
"""What was published, in pixels of a slice of 250 x 250, or mm of a field of view of 250 mm: the lesion dilated by 7
(editing: 20), smoothed with a gaussian of 5, and redrawn at the generator's own level."""


REMOVAL_BLEND = BlendSettings("band", detail_mm=1.0)
"""Where a filled lesion is redrawn if nothing else is asked for: its texture stays that of the filling."""


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


FILLINGS = ("matched_mirror", "matched_nearby", "moved_mirror", "poisson_mirror", "mirror", "flipud", "biharmonic")
"""All ways, see :class:`monai_consingan.transforms.RemoveLesion`."""


USUAL_FILLINGS = ("matched_mirror", "matched_nearby", "biharmonic")
"""What is tried where nothing else is asked for, in this order."""
