"""Settings of a training, and the presets."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any

from monai_consingan.errors import ConSinGANError
from monai_consingan.fields import Settings, option
from monai_consingan.stage_sizes import stage_sizes
from monai_consingan.tasks import PRECISIONS, get_task

__all__ = ["PRESETS", "TrainingSettings", "preset_settings"]


@dataclass(frozen=True)
class TrainingSettings(Settings):
    """What a training of ConSinGAN depends on, besides its slices and its seed.

    Args:
        task: one of :py:data:`monai_consingan.tasks.TASKS`.
        region: ``"roi"``, a crop around the alteration at native resolution, or ``"slice"``, the whole slice resized
            to 250 x 250 as published.
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

    Raises:
        ConSinGANError: a setting is out of range.
    """

    task: str
    region: str = option(
        "roi",
        "What the networks see: a crop around the lesion at native resolution, or whole slices at 250 x 250.",
        choices=("roi", "slice"),
    )
    stages: int = option(3, "Number of stages.")
    min_size: int | None = option(None, "Smaller side of the coarsest stage, in pixels.")
    max_size: int = option(250, "Largest side that the networks see, in pixels.")
    iterations: int = option(200, "Iterations a stage.")
    channels: int = option(32, "Filters of every layer.")
    num_layers: int = 3
    negative_slope: float | None = None
    lr_scale: float = option(0.1, "Factor of the learning rate for every stage below the newest.")
    concurrent_stages: int = option(3, "How many of the newest stages are trained together.")
    learning_rate: float = 5e-4
    augment: bool = True
    discriminator_steps: int = option(3, "Steps of the discriminator an iteration.")
    settle: float | None = option(None, "End a stage once it changes by less than this share, such as 0.05.")
    precision: str = option("float32", "Precision of the arithmetic on a GPU: float32, tf32, bf16.")
    plain: bool = option(False, "Compute as in the textbook: slower, for comparisons.")

    def __post_init__(self) -> None:
        super().__post_init__()
        get_task(self.task)
        counts = ("max_size", "iterations", "channels", "num_layers", "concurrent_stages", "discriminator_steps")
        for name, minimum in {"stages": 2, **dict.fromkeys(counts, 1)}.items():
            if getattr(self, name) < minimum:
                raise ConSinGANError(
                    f"{name.replace('_', ' ')} is {getattr(self, name)}, but must be {minimum} or more."
                )
        if self.settle is not None and not 0 < self.settle < 1:
            raise ConSinGANError(f"settle is {self.settle}, but must be above 0 and below 1: a share such as 0.05.")
        if self.precision not in PRECISIONS:
            raise ConSinGANError(f"precision is {self.precision!r}, but must be one of {', '.join(PRECISIONS)}.")
        if self.min_size is not None and self.min_size < 1:
            raise ConSinGANError(f"min size is {self.min_size}, but must be 1 or more pixels.")
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

    def sizes(self, image_size: tuple[int, int]) -> list[tuple[int, ...]]:
        """Size of every stage for slices of ``image_size`` (height, width).

        Raises:
            ConSinGANError: the settings do not fit that size.
        """
        smaller = math.ceil(min(image_size) * min(self.max_size / max(image_size), 1))
        if self.min_size is None and smaller < self.field_of_view:
            raise ConSinGANError(
                f"max size is {self.max_size} pixels, and the smaller side of the image at its full size "
                f"{tuple(image_size)} is {smaller} then, but the discriminator sees patches of {self.field_of_view}: "
                "raise max size, or take larger slices."
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


def _paper(task: str, stages: int, min_size: int, iterations: int = 1000) -> TrainingSettings:
    return TrainingSettings(task, region="slice", stages=stages, min_size=min_size, iterations=iterations, channels=64)


PRESETS: dict[str, TrainingSettings | None] = {
    "quick": None,
    "standard": None,
    "harmonization-1": _paper("harmonization", 6, 120),
    "harmonization-2": _paper("harmonization", 3, 120),
    "harmonization-3": _paper("harmonization", 6, 240),
    "harmonization-4": _paper("harmonization", 3, 240),
    "editing-1": _paper("editing", 6, 25),
    "editing-2": _paper("editing", 3, 25),
    "editing-3": _paper("editing", 6, 240),
    "editing-4": _paper("editing", 3, 240),
}
"""Presets by name: the eight published settings, and ``quick`` (for a CPU) and ``standard``, which are for any task."""


def preset_settings(name: str, task: str, **overrides: Any) -> TrainingSettings:
    """Settings of a preset for a task, some of them replaced.

    Args:
        name: a key of :py:data:`PRESETS`.
        task: the task; a published setting is for its own task only.
        overrides: settings to replace; those that are ``None`` are not.

    Raises:
        ConSinGANError: an unknown preset, one of another task, or settings out of range.

    Example::

        >>> preset_settings("quick", "editing", iterations=50).iterations
        50
    """
    if name not in PRESETS:
        raise ConSinGANError(f"preset is {name!r}, but must be one of {', '.join(PRESETS)}.")
    chosen = {key: value for key, value in overrides.items() if value is not None}
    kind = get_task(task)
    settings = PRESETS[name]
    if settings is None:
        iterations, channels = (200, 32) if name == "quick" else (kind.iterations, 64)
        stages = 3 if name == "quick" else kind.num_stages
        region = "roi" if kind.image_input else "slice"
        settings = TrainingSettings(task, region=region, stages=stages, iterations=iterations, channels=channels)
        if region == "slice":
            settings = replace(settings, min_size=kind.min_size)
    elif settings.task != task:
        raise ConSinGANError(
            f"preset {name!r} is for task {settings.task!r}, but the task is {task!r}: choose another."
        )
    return replace(settings, **chosen)
