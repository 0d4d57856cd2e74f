"""What a user asks of an augmentation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, cast

from monai_consingan.errors import ConSinGANError
from monai_consingan.methods import (
    DEFAULT_INSERTION,
    INSERTION_METHODS,
    MODEL_FREE_INSERTIONS,
    REMOVAL_BLEND,
    USUAL_FILLINGS,
    BlendSettings,
)
from monai_consingan.transforms import FillLesion
from monai_consingan.transforms.insertion.match import MATCHES

__all__ = ["SIZE_CLASSES", "AugmentSettings", "CaseSettings", "TwinSettings"]

SIZE_CLASSES: dict[str, tuple[float, float]] = {
    "small": (0.0, 6.0),
    "medium": (6.0, 15.0),
    "large": (15.0, float("inf")),
}
"""Classes of lesions by the diameter in mm of the ball (in 2D, the disc) of the same size: from, and below."""


class CaseSettings:
    """What `augment` and `twins` ask for alike, each as a dataclass."""

    method: str | None
    on_failure: str
    lesion_labels: tuple[int, ...]
    axis: int | None
    seed: int

    usual: ClassVar[str]
    """The method where none is given."""

    @property
    def ways(self) -> tuple[str, ...]:
        """The method and the one to fall back to, in the order in which they are tried."""
        return tuple(how for how in dict.fromkeys((self.method or self.usual, self.on_failure)) if how != "drop")

    @property
    def redrawn(self) -> BlendSettings | None:
        """Where the method uses a redrawn image; ``None`` if it needs no model."""
        raise NotImplementedError

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain values, which JSON gives back alike."""
        values = asdict(cast(Any, self))
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}

    def _as_tuples(self, *names: str) -> None:
        for name in names:
            object.__setattr__(self, name, tuple(getattr(self, name)))

    def _check_choices(self, **choices: tuple[str | None, ...]) -> None:
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ConSinGANError(
                    f"{name.replace('_', ' ')} is {getattr(self, name)!r}, but must be one of "
                    f"{', '.join(filter(None, allowed))}."
                )

    def _check_least(self, least: float, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if value is not None and not value >= least:
                raise ConSinGANError(f"{name.replace('_', ' ')} is {value}, but must be {least:g} or more.")


@dataclass(frozen=True)
class AugmentSettings(CaseSettings):
    """What a synthetic scan depends on, besides the data set and the training of models.

    Args:
        per_scan: synthetic scans for each training scan.
        lesions: smallest and largest number of new lesions in each.
        method: how lesions are put in, a key of :py:data:`monai_consingan.workflows.INSERTION_METHODS`; by default
            ``"tissue"``, or ``"tissue-consingan"`` if anything of a model is given.
        on_failure: what happens where a lesion fails the checks or its model cannot be used: a method without a model
            to try instead, or ``"drop"``, which leaves the lesion out.
        sizes: how often each class of donors' sizes is drawn, relative to the others
            (:py:data:`monai_consingan.workflows.augmentation.SIZE_CLASSES`); classes that are not named are not drawn.
            Empty draws all donors alike.
        location: ``"alike"``, where the tissue is like that around the donor's lesion
            (:py:func:`monai_consingan.transforms.find_placement`), ``"uniform"``, anywhere in the head, or a file with
            a prior map, or the key of each scan's map in a datalist; a place's chance is then proportional to the map
            at the lesion's centre. A map is brought to each host by its world coordinates.
        brain: key of each scan's brain mask in a datalist: lesions then stay inside of it, 3 mm from its edge. Without
            it, and in scans without the key, they stay inside the head.
        edge_mm, clearance_mm: distances to keep from the edge of the head and from other lesions, see
            :py:func:`monai_consingan.transforms.find_placement`.
        flip_prob, rotate_range, scale_range: see :py:class:`monai_consingan.transforms.RandPasteLesion`.
        match: how the donor's intensities are fitted to the host's, ``"gain"``, ``"mean_std"`` or ``"none"``; ``None``
            leaves it to the method.
        attempts: how many draws of donor and place a lesion gets until one passes.
        contrast_range: smallest and largest share of the donor lesion's contrast that must be kept.
        seam_margin: the seam must lie in the range of the data set's own lesions, widened by this factor to both sides.
        lesion_labels: label values that are lesions; empty for all.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        seed: seed of everything random.

    Raises:
        ConSinGANError: a setting is out of range.
    """

    per_scan: int = 1
    lesions: tuple[int, int] = (1, 3)
    method: str | None = None
    on_failure: str = "tissue"
    sizes: Mapping[str, float] = field(default_factory=dict)
    location: str = "alike"
    brain: str = ""
    edge_mm: float | None = None
    clearance_mm: float = 5.0
    flip_prob: float = 0.5
    rotate_range: float = 30.0
    scale_range: tuple[float, float] = (0.8, 1.2)
    match: str | None = None
    attempts: int = 10
    contrast_range: tuple[float, float] = (0.5, 2.0)
    seam_margin: float = 2.0
    lesion_labels: tuple[int, ...] = ()
    axis: int | None = None
    seed: int = 0

    usual: ClassVar[str] = DEFAULT_INSERTION

    def __post_init__(self) -> None:
        self._as_tuples("lesions", "scale_range", "contrast_range", "lesion_labels")
        self._check_choices(
            method=(*INSERTION_METHODS, None), on_failure=(*MODEL_FREE_INSERTIONS, "drop"), match=(*MATCHES, None)
        )
        self._check_least(1, "per_scan", "attempts", "seam_margin")
        self._check_least(0, "clearance_mm", "rotate_range", "edge_mm")
        if len(self.lesions) != 2 or not 1 <= self.lesions[0] <= self.lesions[1]:
            raise ConSinGANError(f"lesions is {self.lesions}: give a smallest and a largest number, from 1.")
        unknown = set(self.sizes) - set(SIZE_CLASSES)
        if unknown or (self.sizes and not (min(self.sizes.values()) >= 0 and sum(self.sizes.values()) > 0)):
            raise ConSinGANError(
                f"sizes is {dict(self.sizes)}: give a number of 0 or more for one of {', '.join(SIZE_CLASSES)}."
            )
        for name in ("scale_range", "contrast_range"):
            given = getattr(self, name)
            if len(given) != 2 or not 0 < given[0] <= given[1]:
                raise ConSinGANError(f"{name.replace('_', ' ')} is {given}: give two rising numbers above 0.")
        if not 0 <= self.flip_prob <= 1:
            raise ConSinGANError(f"flip prob is {self.flip_prob}, but must lie between 0 and 1.")

    @property
    def redrawn(self) -> BlendSettings | None:
        """Where the method uses a redrawn image; ``None`` if it needs no model."""
        return INSERTION_METHODS[self.method or DEFAULT_INSERTION].redrawn


@dataclass(frozen=True)
class TwinSettings(CaseSettings):
    """What a lesion-free twin depends on, besides the data set and the training of models.

    Args:
        method: ``"fill"``, which leaves it as it was filled, or ``"consingan"``, whose model redraws that; by default
            the first, or the second if anything of a model is given.
        on_failure: what happens where a lesion's removal fails the checks or its model cannot be used: ``"fill"`` or
            ``"drop"``. A twin of which a lesion cannot be removed is dropped.
        fillings: ways to fill, tried in this order (:py:class:`monai_consingan.transforms.RemoveLesion`).
        symmetry: where left mirrors to right: ``"centre"``, ``"estimate"`` or a position in mm.
        margin_mm: how far beyond the label is filled.
        most_contrast: largest share of the lesion's contrast that may be left, brighter or darker.
        most_seam: largest seam around what was filled (:py:func:`monai_consingan.metrics.seam`).
        lesion_labels: label values that are lesions; empty for all.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        seed: seed of the trainings.

    Raises:
        ConSinGANError: a setting is out of range.
    """

    method: str | None = None
    on_failure: str = "fill"
    fillings: tuple[str, ...] = USUAL_FILLINGS
    symmetry: str | float = "estimate"
    margin_mm: float = 1.5
    most_contrast: float = 0.5
    most_seam: float = 2.0
    lesion_labels: tuple[int, ...] = ()
    axis: int | None = None
    seed: int = 0

    usual: ClassVar[str] = "fill"

    def __post_init__(self) -> None:
        self._as_tuples("fillings", "lesion_labels")
        self._check_choices(method=("consingan", "fill", None), on_failure=("fill", "drop"))
        for name in ("most_contrast", "most_seam"):
            if not getattr(self, name) > 0:
                raise ConSinGANError(f"{name.replace('_', ' ')} is {getattr(self, name)}, but must be above 0.")
        self.filler  # noqa: B018 it checks the rest

    @property
    def filler(self) -> FillLesion:
        """What fills lesions."""
        return FillLesion(self.fillings, self.symmetry, self.margin_mm, axis=self.axis)

    @property
    def redrawn(self) -> BlendSettings | None:
        """Where a redrawn image is used; ``None`` if no model is needed."""
        return REMOVAL_BLEND if self.method == "consingan" else None
