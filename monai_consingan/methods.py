"""The ways to put a lesion into a scan and to take one out, by name: plain data for all who offer them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from monai_consingan.errors import ConSinGANError, check_choice
from monai_consingan.fields import Settings, option

__all__ = [
    "BENT_COMPOSITES",
    "BLENDS",
    "COMPOSITES",
    "DEFAULT_INSERTION",
    "DEFAULT_REDRAWN_INSERTION",
    "FILLINGS",
    "INSERTION_METHODS",
    "MATCHES",
    "MODEL_FREE_INSERTIONS",
    "MOST_MASS_EFFECT",
    "PUBLISHED_BLENDS",
    "REMOVAL_BLEND",
    "TRAINING_TISSUES",
    "USUAL_FILLINGS",
    "BlendSettings",
    "Filling",
    "InsertionMethod",
    "chosen_insertion",
    "insertion_method",
]

BLENDS = ("hard", "feather", "poisson", "crossfade", "tissue")
"""How a lesion can be pasted (:py:class:`monai_consingan.transforms.PasteLesion`)."""

MATCHES = ("gain", "mean_std", "none", "scale")
"""How its intensities can be fitted to the host's (the same)."""

MOST_MASS_EFFECT = 0.8
"""Largest share of its volume by which a lesion may push tissue aside: the rest is pressed together where it comes."""

TRAINING_TISSUES = ("mirror", "image")
"""What a model that redraws a filled lesion is trained on: the other hemisphere's tissue, or the image as it is."""

COMPOSITES = ("whole", "band", "outside", "smooth")
"""Where a redrawn image can be used (:py:func:`monai_consingan.transforms.alteration_weight`)."""
BENT_COMPOSITES = ("band", "outside")
"""Those of them that change tissue along a lesion's border only; in space such a change bends as the host does."""


@dataclass(frozen=True)
class BlendSettings(Settings):
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

    In space, what a band or its outer part changes bends as the host does
    (:py:class:`monai_consingan.transforms.BlendBack`).
    """

    mode: str = option(
        "band",
        "Where the redrawn image is used: over the whole lesion, in a band along its border, outside it only, or over "
        "the whole lesion with the edge smoothed as published.",
        flag="composite",
        choices=COMPOSITES,
    )
    dilation_mm: float = option(1.0, "How far beyond the lesion's border.", flag="dilation", metavar="MM")
    softness_mm: float = option(2.0, "Width of the soft edge beyond that.", flag="softness", metavar="MM")
    level_mm: float = option(
        3.0, "What is coarser than this is not redrawn; 0: all is.", flag="level", metavar="MM", at_least=0
    )
    detail_mm: float = option(
        0.0, "What is finer than this is not redrawn; 0: all is.", flag="detail", metavar="MM", at_least=0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if 0 < self.level_mm <= self.detail_mm:
            raise ConSinGANError(
                f"detail_mm is {self.detail_mm} and level_mm {self.level_mm}: nothing is left of the redrawn image; "
                "give a smaller detail_mm."
            )


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
        "poisson": InsertionMethod("poisson"),
        "crossfade": InsertionMethod("crossfade"),
        "feather": InsertionMethod("feather"),
        "naive": InsertionMethod("hard"),
        "tissue-consingan": InsertionMethod("tissue", redrawn=BlendSettings("outside", detail_mm=1.0)),
        "consingan-band": InsertionMethod("hard", redrawn=BlendSettings("band")),
        "consingan": InsertionMethod("hard", "scale", PUBLISHED_BLENDS["harmonization"]),
    }
)
"""Methods by name.

``"tissue"``: the tissue blend (:py:class:`monai_consingan.transforms.TissueBlend`), which needs no model.
``"tissue-consingan"``: the same, whose middle frequencies around the lesion are then redrawn; the lesion itself stays
as it was blended.
``"consingan"``: as published, the redrawn image with a soft edge over a paste at the donor's intensities, which are
matched by gain only where donor and host are clearly of other scales.
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
    check_choice(INSERTION_METHODS, method=name)
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


@dataclass(frozen=True)
class Filling:
    """How a removed lesion is filled.

    Args:
        source: where the tissue comes from: ``"mirror"``, the other hemisphere, ``"flip"``, the flipped image, or
            ``"nearby"``.
        words: the same as part of a sentence.
        plane: whether the plane of symmetry has a say.
    """

    source: str
    words: str
    plane: bool = True


FILLINGS: Mapping[str, Filling] = MappingProxyType(
    {
        "matched_mirror": Filling(
            "mirror", "with the tissue of the other hemisphere that fits best, made as rough as the tissue around"
        ),
        "matched_nearby": Filling(
            "nearby", "with the tissue nearby that fits best, made as rough as the tissue around"
        ),
        "moved_mirror": Filling(
            "mirror", "with the tissue of the other hemisphere that fits best, with the texture that it has there"
        ),
        "poisson_mirror": Filling(
            "mirror",
            "with the tissue of the other hemisphere at the same place, its intensities fitted to the border",
        ),
        "mirror": Filling("mirror", "with the tissue of the other hemisphere at the same place"),
        "flipud": Filling("flip", "with the tissue at the same place of the flipped image", plane=False),
        "biharmonic": Filling(
            "nearby", "smoothly from its border, as the other hemisphere has no tissue that would do", plane=False
        ),
    }
)
"""All ways by name, see :class:`monai_consingan.transforms.RemoveLesion`."""


USUAL_FILLINGS = ("matched_mirror", "matched_nearby", "biharmonic")
"""What is tried where nothing else is asked for, in this order."""
