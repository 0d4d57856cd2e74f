"""Settings of a training, and the presets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

from monai_consingan.errors import ConSinGANError, check_choice
from monai_consingan.fields import Settings, option
from monai_consingan.tasks import PRECISIONS, get_task, stage_sizes

REGIONS = ("roi", "slice")
"""What the networks can see: a crop around the lesion, or whole slices."""


@dataclass(frozen=True)
class TrainingSettings(Settings):
    """What a training of ConSinGAN depends on, besides its slices and its seed.

    In space (``spatial_dims`` is 3) everything that is said of slices holds for boxes of a volume.

    Args:
        task: one of :py:data:`monai_consingan.tasks.TASKS`.
        region: ``"roi"``, a crop around the alteration at native resolution, or ``"slice"``, the whole slice resized
            to 250 x 250 as published (in space: the whole volume, resized to a cube).
        stages: number of stages.
        min_size: smaller side of the coarsest stage in pixels; ``None`` for half of that of the largest stage.
        max_size: largest side allowed, in pixels.
        iterations: iterations a stage.
        channels: filters of every layer of both networks.
        num_layers: layers of a stage, and of the discriminator between head and tail.
        negative_slope: slope of the LeakyReLUs below zero; ``None`` for the task's.
        lr_scale: factor of the learning rate for every stage below the newest.
        concurrent_stages: how many of the newest stages are trained together.
        learning_rate: the full learning rate.
        augment: whether the stage-0 input is augmented (harmonization and editing).
        discriminator_steps: steps of the discriminator an iteration.
        settle: end a stage when reconstruction and critic change by less than this share
            (:py:class:`monai_consingan.engines.StageSettling`); ``None`` never does.
        precision: ``"float32"``, ``"tf32"`` or ``"bf16"`` (:py:class:`monai_consingan.engines.TrainingSteps`).
        plain: whether to take the textbook's path, which is slower and the same up to rounding.
        spatial_dims: 2 for networks that work on slices, 3 for networks that work in space.

    Raises:
        ConSinGANError: a setting is out of range.
    """

    task: str
    region: str = option(
        "roi",
        "What the networks see: a crop around the lesion at native resolution, or whole slices at 250 x 250.",
        choices=REGIONS,
    )
    stages: int = option(3, "Number of stages.", at_least=2)
    min_size: int | None = option(None, "Smaller side of the coarsest stage, in pixels.", at_least=1)
    max_size: int = option(250, "Largest side that the networks see, in pixels.", at_least=1)
    iterations: int = option(200, "Iterations a stage.", at_least=1)
    channels: int = option(32, "Filters of every layer.", at_least=1)
    num_layers: int = field(default=3, metadata={"at_least": 1})
    negative_slope: float | None = None
    lr_scale: float = option(0.1, "Factor of the learning rate for every stage below the newest.")
    concurrent_stages: int = option(3, "How many of the newest stages are trained together.", at_least=1)
    learning_rate: float = 5e-4
    augment: bool = True
    discriminator_steps: int = option(3, "Steps of the discriminator an iteration.", at_least=1)
    settle: float | None = option(None, "End a stage once it changes by less than this share, such as 0.05.")
    precision: str = option("float32", "Precision of the arithmetic on a GPU: float32, tf32, bf16.")
    plain: bool = option(False, "Compute as in the textbook: slower, for comparisons.")
    spatial_dims: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        get_task(self.task)
        if self.spatial_dims not in (2, 3):
            raise ConSinGANError(f"spatial dims is {self.spatial_dims}, but must be 2 (slices) or 3 (volumes).")
        if self.spatial_dims == 3 and self.task == "animation":
            raise ConSinGANError("The task 'animation' makes moving slices: train it with 2 spatial dims.")
        if self.settle is not None and not 0 < self.settle < 1:
            raise ConSinGANError(f"settle is {self.settle}, but must be above 0 and below 1: a share such as 0.05.")
        check_choice(PRECISIONS, precision=self.precision)
        if not 0 < self.learning_rate <= 1 or not 0 <= self.lr_scale <= 1:
            raise ConSinGANError(
                f"The learning rate is {self.learning_rate} and its scaling {self.lr_scale}, but the rate must lie "
                "above 0 and both at most at 1."
            )

    @property
    def field_of_view(self) -> int:
        """Width in pixels of the discriminator's patch; an image must not be smaller at any stage."""
        return 2 * self.num_layers + 5

    @property
    def slope(self) -> float:
        """Slope of the LeakyReLUs below zero."""
        return get_task(self.task).negative_slope if self.negative_slope is None else self.negative_slope

    def for_dims(self, dims: int | None) -> TrainingSettings:
        """These settings, which are for slices (2) or for work in space (3) and nothing else.

        Args:
            dims: what is asked for, if anything.

        Raises:
            ConSinGANError: that is something else.
        """
        if dims not in (None, self.spatial_dims):
            what = {2: "redraws slices", 3: "redraws in space"}[self.spatial_dims]
            raise ConSinGANError(
                f"dims is {dims}, but the model {what}: leave dims out, or give a preset or a model for {dims} dims."
            )
        return self

    def sizes(self, image_size: Sequence[int]) -> list[tuple[int, ...]]:
        """Size of every stage for slices of ``image_size`` (height, width), or boxes of a volume.

        Raises:
            ConSinGANError: the settings do not fit that size.
        """
        if len(image_size) != self.spatial_dims:
            raise ConSinGANError(
                f"The images to train on have the size {tuple(image_size)}, but the settings are for "
                f"{self.spatial_dims} spatial dims: make them agree."
            )
        smaller = math.ceil(min(image_size) * min(self.max_size / max(image_size), 1))
        if self.min_size is None and smaller < self.field_of_view:
            else_do = "take larger slices" if self.spatial_dims == 2 else "work by slices (dims 2)"
            raise ConSinGANError(
                f"max size is {self.max_size} pixels, and the smaller side of the image at its full size "
                f"{tuple(image_size)} is {smaller} then, but the discriminator sees patches of {self.field_of_view}: "
                f"raise max size, or {else_do}."
            )
        min_size = max(self.field_of_view, (smaller + 1) // 2) if self.min_size is None else self.min_size
        sizes = stage_sizes(
            image_size, min_size=min_size, max_size=self.max_size, num_stages=self.stages, task=self.task
        )
        if min(sizes[0]) < self.field_of_view:
            raise ConSinGANError(
                f"min size is {min_size} pixels, which makes the coarsest stage {sizes[0]}, but the discriminator sees "
                f"patches of {self.field_of_view} pixels: raise min size to {self.field_of_view} or more."
            )
        return sizes

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainingSettings:
        """The settings that ``as_dict`` gave.

        Raises:
            ConSinGANError: an unknown setting.
        """
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown or "task" not in values:
            raise ConSinGANError(
                f"The settings lack a task or name unknown ones: {', '.join(sorted(unknown)) or 'task'}."
            )
        return cls(**values)


@dataclass(frozen=True)
class TrainingByScan:
    """Settings of a training of slices and of one in space, of which the scan decides
    (:py:func:`monai_consingan.data.work_dims`).

    Takes the place of :py:class:`TrainingSettings` wherever a scan's lesions are redrawn.

    Args:
        slices: for scans of thick slices or of too few voxels for a network in space, and where slices are asked for.
        space: for volumes of nearly cubic voxels.

    Raises:
        ConSinGANError: they are not for 2 and 3 spatial dims, or not for one task.
    """

    slices: TrainingSettings
    space: TrainingSettings

    spatial_dims: ClassVar[None] = None
    """Neither 2 nor 3, as long as no scan has decided."""

    def __post_init__(self) -> None:
        dims = self.slices.spatial_dims, self.space.spatial_dims
        if dims != (2, 3) or self.slices.task != self.space.task:
            raise ConSinGANError(
                f"The settings are for {dims[0]} and {dims[1]} spatial dims and for the tasks {self.slices.task!r} and "
                f"{self.space.task!r}: give those of one task for 2 and 3."
            )

    @property
    def task(self) -> str:
        """The task."""
        return self.slices.task

    def for_dims(self, dims: int | None) -> TrainingSettings:
        """The settings for slices (2, and where nothing is asked for) or for work in space (3)."""
        return self.space if dims == 3 else self.slices

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain values, which JSON gives back alike."""
        return {"slices": self.slices.as_dict(), "space": self.space.as_dict()}


Training = TrainingSettings | TrainingByScan
"""Settings of a training, for one kind of scans or for both."""


def training_from_dict(values: Mapping[str, Any]) -> Training:
    """The settings that ``as_dict`` of either gave.

    Raises:
        ConSinGANError: an unknown setting.
    """
    if values.keys() != {"slices", "space"}:
        return TrainingSettings.from_dict(dict(values))
    return TrainingByScan(*(TrainingSettings.from_dict(values[name]) for name in ("slices", "space")))


def _paper(task: str, stages: int, min_size: int) -> TrainingSettings:
    return TrainingSettings(task, region="slice", stages=stages, min_size=min_size, iterations=1000, channels=64)


PRESETS: dict[str, TrainingSettings | None] = {
    "quick": None,
    "standard": None,
    "quick-3d": None,
    "standard-3d": None,
    "harmonization-1": _paper("harmonization", 6, 120),
    "harmonization-2": _paper("harmonization", 3, 120),
    "harmonization-3": _paper("harmonization", 6, 240),
    "harmonization-4": _paper("harmonization", 3, 240),
    "editing-1": _paper("editing", 6, 25),
    "editing-2": _paper("editing", 3, 25),
    "editing-3": _paper("editing", 6, 240),
    "editing-4": _paper("editing", 3, 240),
}
"""Presets by name: the eight published settings, and ``quick`` (for a CPU) and ``standard``, which are for any task, as
are their like for volumes."""


def _for_any_task(name: str, task: str) -> TrainingSettings:
    """Settings of a preset that is for any task."""
    kind, quick = get_task(task), name.startswith("quick")
    if name.endswith("-3d"):
        size: dict[str, Any] = {"iterations": 60, "channels": 16, "max_size": 64}
        if not quick:
            size = {"iterations": 300, "max_size": 96}
        return TrainingSettings(task, spatial_dims=3, **size)
    size = {"iterations": 200} if quick else {"iterations": kind.iterations, "channels": 64, "stages": kind.num_stages}
    if not kind.image_input:
        return TrainingSettings(task, region="slice", min_size=kind.min_size, **size)
    return TrainingSettings(task, **size)


def preset_settings(name: str, task: str, **overrides: Any) -> TrainingSettings:
    """Settings of a preset for a task, some of them replaced.

    Args:
        name: a key of :py:data:`PRESETS`.
        task: the task; a published setting is for its own task only.
        overrides: settings to replace; those that are ``None`` are not. With ``spatial_dims=3`` ``quick`` stands for
            ``quick-3d``, and ``standard`` for ``standard-3d``.

    Raises:
        ConSinGANError: an unknown preset, one of another task, or settings out of range.

    Example::

        >>> preset_settings("quick", "editing", iterations=50).iterations
        50
    """
    check_choice(PRESETS, preset=name)
    chosen = {key: value for key, value in overrides.items() if value is not None}
    dims = chosen.get("spatial_dims")
    if dims == 3 and name in ("quick", "standard"):
        name += "-3d"
    settings = PRESETS[name] or _for_any_task(name, task)
    if settings.task != task:
        raise ConSinGANError(
            f"preset {name!r} is for task {settings.task!r}, but the task is {task!r}: choose another."
        )
    if dims not in (None, settings.spatial_dims):
        raise ConSinGANError(
            f"preset {name!r} is for {settings.spatial_dims} spatial dims, not {dims}: choose quick or standard for "
            "slices, quick-3d or standard-3d for volumes."
        )
    return replace(settings, **chosen)


def training_preset(name: str, task: str, **overrides: Any) -> Training:
    """Settings of a preset as :py:func:`preset_settings` gives them, but for either kind of scan where nothing decides.

    ``quick`` and ``standard`` stand for ``quick-3d`` and ``standard-3d`` in a volume of nearly cubic voxels, unless
    ``spatial_dims`` or whole slices (``region``) are asked for.

    Args:
        name: a key of :py:data:`PRESETS`.
        task: the task.
        overrides: settings to replace; those that are ``None`` are not.

    Raises:
        ConSinGANError: as :py:func:`preset_settings`.
    """
    slices = preset_settings(name, task, **overrides)
    decided = overrides.get("spatial_dims") is not None or overrides.get("region") == "slice"
    if decided or f"{name}-3d" not in PRESETS or not get_task(task).image_input:
        return slices
    return TrainingByScan(slices, preset_settings(name, task, **{**overrides, "spatial_dims": 3}))
