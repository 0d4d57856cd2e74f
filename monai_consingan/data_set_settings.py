"""What a user asks of a whole data set: synthetic scans, or lesion-free twins."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from monai_consingan.errors import ConSinGANError
from monai_consingan.fields import Settings, option
from monai_consingan.methods import (
    DEFAULT_INSERTION,
    DEFAULT_REDRAWN_INSERTION,
    FILLINGS,
    INSERTION_METHODS,
    MATCHES,
    MODEL_FREE_INSERTIONS,
    MOST_MASS_EFFECT,
    REMOVAL_BLEND,
    USUAL_FILLINGS,
    BlendSettings,
)

SIZE_CLASSES: dict[str, tuple[float, float]] = {
    "small": (0.0, 6.0),
    "medium": (6.0, 15.0),
    "large": (15.0, 30.0),
    "giant": (30.0, float("inf")),
}
"""Classes of lesions by the diameter in mm of the ball (in 2D, the disc) of the same size: from, and below."""

BACKENDS = ("loky", "dask", "ray")
"""Where processes are: on this machine, or on a cluster of Dask or Ray."""


class CaseSettings(Settings, ABC):
    """What `augment` and `twins` ask for alike, each as a dataclass."""

    method: str | None
    on_failure: str
    lesion_labels: tuple[int, ...]
    axis: int | None
    dims: int | None
    seed: int
    lead: str | None

    command: ClassVar[str]
    """Who takes the settings."""
    task: ClassVar[str]
    """The task of models that redraw."""
    numbers: ClassVar[str]
    """What the files with the numbers of the lesions are called."""
    usual: ClassVar[str]
    """The method where none is given."""

    @property
    def ways(self) -> tuple[str, ...]:
        """The method and the one to fall back to, in the order in which they are tried."""
        return tuple(how for how in dict.fromkeys((self.method or self.usual, self.on_failure)) if how != "drop")

    @property
    @abstractmethod
    def redrawn(self) -> BlendSettings | None:
        """Where the method uses a redrawn image; ``None`` if it needs no model."""

    def _as_tuples(self, *names: str) -> None:
        for name in names:
            object.__setattr__(self, name, tuple(getattr(self, name)))


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
            Empty draws all donors alike, but no giant ones unless there are no others.
        min_volume: smallest volume in mm3 (in 2D, area in mm2) of a new lesion; smaller ones are no donors.
        min_cnr: smallest contrast-to-noise ratio, brighter or darker, of a lesion in its donor
            (:py:func:`monai_consingan.metrics.contrast_to_noise`); of several label values the one that stands out most
            counts.
        location: ``"alike"``, where the tissue is like that around the donor's lesion
            (:py:func:`monai_consingan.transforms.find_placement`), ``"uniform"``, anywhere in the head, or a file with
            a prior map, or the key of each scan's map in a datalist; a place's chance is then proportional to the map
            at the lesion's centre. A map is brought to each host by its world coordinates.
        brain: key of each scan's brain mask in a datalist: lesions then stay inside of it, 3 mm from its edge. Without
            it, and in scans without the key, they stay inside the head.
        edge_mm, clearance_mm: distances to keep from the edge of the head and from other lesions, see
            :py:func:`monai_consingan.transforms.find_placement`.
        flip_prob, rotate_range, scale_range: see :py:class:`monai_consingan.transforms.RandLesion`.
        match: how the donor's intensities are fitted to the host's, ``"gain"``, ``"mean_std"`` or ``"none"``; ``None``
            leaves it to the method.
        mass_effect: share of its volume by which a lesion first pushes the tissue around it aside, 0 to 0.8
            (:py:class:`monai_consingan.transforms.PasteLesion`).
        attempts: how many draws of donor and place a lesion gets until one passes.
        contrast_range: smallest and largest share of the lesion's contrast-to-noise ratio in its donor that it must
            have in its host.
        seam_margin: the seam may be so many times what the lesion brings along from its donor
            (:py:func:`monai_consingan.metrics.expected_seam`), and so many times less in the sequence that leads.
        lesion_labels: label values that make a lesion one, and that it is measured by; empty for all. A lesion is all
            that touches it in the label: other values, such as oedema, move along and stay what they are.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        dims: 3 to work in space, 2 to work slice by slice; ``None`` does what a model, or settings of a training, that
            are given are for, and else works in each scan in space unless an axis is given, or slices are thick
            (:py:func:`monai_consingan.data.work_dims`). Lesions are measured as without a model.
        lead: name of the sequence in which lesions are measured and places are looked for; ``None`` takes for each
            lesion the one in which it stands out most.
        seed: seed of everything random.

    Raises:
        ConSinGANError: a setting is out of range.
    """

    per_scan: int = option(1, "Synthetic scans for each training scan.", required=True, at_least=1)
    lesions: tuple[int, int] = option((1, 3), "New lesions in each: smallest and largest number.", metavar="1,3")
    method: str | None = option(
        None,
        "How lesions are put in, the last three with a model of the host. "
        f"[default: {DEFAULT_INSERTION}, or {DEFAULT_REDRAWN_INSERTION} if an option of a model is given]",
        choices=INSERTION_METHODS,
    )
    on_failure: str = option(
        "tissue",
        "What is tried with a lesion that fails the checks. [default: tissue]",
        choices=(*MODEL_FREE_INSERTIONS, "drop"),
    )
    sizes: Mapping[str, float] = option(
        dict,
        "How often donors of each size are drawn: small (below 6 mm), medium, large (15 mm or more), giant (30 mm or "
        "more). [default: all donors alike, but giant ones only if there are no others]",
        metavar="small=2,medium=1",
    )
    min_volume: float = option(10.0, "Smallest volume of a new lesion. [default: 10]", metavar="MM3", at_least=0)
    min_cnr: float = option(2.0, "Smallest contrast-to-noise ratio of a lesion in its donor. [default: 2]", at_least=0)
    location: str = option(
        "alike",
        "Where lesions go: where tissue is like the donor's, anywhere in the head, or by a map of chances (a file, or "
        "the key of each scan's own in the datalist). [default: alike]",
        metavar="alike|uniform|MAP",
    )
    brain: str = option("", "Key of each scan's brain mask in the datalist, for lesions to stay inside.", metavar="KEY")
    edge_mm: float | None = option(
        None, "Distance to keep from the edge of the head.", flag="edge", metavar="MM", at_least=0
    )
    clearance_mm: float = option(
        5.0, "Distance to keep from other lesions.", flag="clearance", metavar="MM", at_least=0
    )
    flip_prob: float = option(0.5, "Probability of a flip, for each axis.", flag="flip", at_least=0, at_most=1)
    rotate_range: float = option(
        30.0, "Largest angle that a lesion is turned.", flag="rotate", metavar="DEGREES", at_least=0
    )
    scale_range: tuple[float, float] = option(
        (0.8, 1.2), "Smallest and largest factor of a lesion's size.", flag="scale"
    )
    match: str | None = option(None, "How intensities are fitted to the host.", choices=MATCHES)
    mass_effect: float = option(
        0.0,
        "Share of its volume, 0 to 0.8, by which a lesion first pushes the tissue around it aside. [default: 0]",
        metavar="SHARE",
        at_least=0,
        at_most=MOST_MASS_EFFECT,
    )
    attempts: int = option(10, "Draws of donor and place that a lesion gets.", at_least=1)
    contrast_range: tuple[float, float] = option(
        (0.5, 2.0), "Share of the contrast-to-noise ratio that must be kept.", flag="contrast"
    )
    seam_margin: float = option(2.0, "Factor by which a seam may exceed what the lesion brings along.", at_least=1)
    lesion_labels: tuple[int, ...] = ()
    axis: int | None = None
    dims: int | None = None
    lead: str | None = option(
        None,
        "Sequence that lesions are measured in. [default: for each lesion the one in which it stands out most]",
        metavar="NAME",
    )
    seed: int = 0

    command, task, numbers, usual = "augment", "harmonization", "instances", DEFAULT_INSERTION

    def __post_init__(self) -> None:
        self._as_tuples("lesions", "scale_range", "contrast_range", "lesion_labels")
        super().__post_init__()
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
        lesion_labels: label values that are removed; empty for all. Others, such as oedema, are left as they are.
        fill_labels: label values that are removed as well where they touch a lesion.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        dims: see :py:class:`AugmentSettings`.
        lead: name of the sequence in which lesions are measured; ``None`` takes the one in which each stands out most.
        seed: seed of the trainings.

    Raises:
        ConSinGANError: a setting is out of range.
    """

    method: str | None = option(
        None,
        "Redraw what was filled, or leave it. [default: fill, or consingan if an option of a model is given]",
        choices=("consingan", "fill"),
    )
    on_failure: str = option(
        "fill", "What becomes of a removal that fails the checks. [default: fill]", choices=("fill", "drop")
    )
    fillings: tuple[str, ...] = option(
        USUAL_FILLINGS,
        "How lesions are filled; given several times, the next one is tried when one will not do. "
        f"[default: {', '.join(USUAL_FILLINGS)}]",
        flag="filling",
        choices=FILLINGS,
    )
    symmetry: str | float = "estimate"
    margin_mm: float = option(1.5, "How far beyond the label is filled.", flag="margin", metavar="MM")
    most_contrast: float = option(0.5, "Share of a lesion's contrast that may be left.")
    most_seam: float = option(2.0, "Largest seam around what was filled.")
    lesion_labels: tuple[int, ...] = ()
    fill_labels: tuple[int, ...] = option(
        (),
        "Label values, such as oedema, that are filled with the lesions of --lesion-labels that they touch. [default: "
        "they are left]",
        metavar="1",
    )
    axis: int | None = None
    dims: int | None = None
    lead: str | None = option(
        None,
        "Sequence that lesions are measured in. [default: for each lesion the one in which it stands out most]",
        metavar="NAME",
    )
    seed: int = 0

    command, task, numbers, usual = "twins", "editing", "removed", "fill"

    def __post_init__(self) -> None:
        self._as_tuples("fillings", "lesion_labels", "fill_labels")
        super().__post_init__()
        if self.fill_labels and not self.lesion_labels:
            raise ConSinGANError(
                f"fill labels is {self.fill_labels}, but all label values are removed: give the lesion labels, or "
                "leave it out."
            )
        for name in ("most_contrast", "most_seam"):
            if not getattr(self, name) > 0:
                raise ConSinGANError(f"{name.replace('_', ' ')} is {getattr(self, name)}, but must be above 0.")

    @property
    def redrawn(self) -> BlendSettings | None:
        """Where a redrawn image is used; ``None`` if no model is needed."""
        return REMOVAL_BLEND if self.method == "consingan" else None
