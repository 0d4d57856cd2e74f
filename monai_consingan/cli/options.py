"""Options that several commands share, and what they mean to the workflows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from monai_consingan.errors import ConSinGANError

if TYPE_CHECKING:
    from monai_consingan.methods import BlendSettings
    from monai_consingan.settings import TrainingSettings

__all__ = [
    "NUMBERS",
    "PATH",
    "NumbersCommand",
    "blend_options",
    "blend_settings",
    "composite_options",
    "given_only",
    "inception_options",
    "lesion_options",
    "output_options",
    "run_options",
    "together",
    "training_options",
    "training_settings",
]

Function = TypeVar("Function", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)
PRESET_NAMES = "quick, standard; as published: harmonization-1 to harmonization-4, editing-1 to editing-4"
_NUMBER = re.compile(r"-?\d+")


class _Numbers(click.ParamType):
    """Whole numbers, separated by commas or spaces."""

    name = "numbers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """The numbers of a text."""
        if isinstance(value, tuple):
            return value
        parts = [part for part in re.split(r"[,\s]+", str(value).strip()) if part]
        if not parts or not all(_NUMBER.fullmatch(part) for part in parts):
            self.fail(f"{value!r} must be whole numbers, such as 1,4", param, ctx)
        return tuple(int(part) for part in parts)


NUMBERS = _Numbers()


class NumbersCommand(click.Command):
    """A command whose options of the type :py:data:`NUMBERS` may be followed by several numbers: ``--at 96 110 6``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Join the numbers that follow such an option."""
        several = {name for param in self.params if param.type is NUMBERS for name in param.opts}
        joined: list[str] = []
        numbers: list[str] | None = None
        for arg in args:
            if numbers is not None and _NUMBER.fullmatch(arg):
                numbers.append(arg)
                joined[-1] = ",".join(numbers)
                continue
            if arg in several:
                joined += [arg, ""]
                numbers = []
                continue
            if numbers == []:
                joined.pop()
            numbers = None
            joined.append(arg)
        if numbers == []:
            joined.pop()
        return super().parse_args(ctx, joined)


def together(*decorators: Callable[[Any], Any]) -> Callable[[Function], Function]:
    """Several options as one decorator, in the order in which help shows them."""

    def decorate(function: Function) -> Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


output_options = together(
    click.option("--overwrite", is_flag=True, help="Use an output folder that holds something already."),
)

run_options = together(
    click.option(
        "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Seed of everything random."
    ),
    click.option("--device", default="cpu", show_default=True, help="Where to train: cpu, cuda, cuda:1, mps."),
    click.option("--quiet", is_flag=True, help="Show neither progress nor result."),
)

inception_options = together(
    click.option(
        "--inception",
        type=PATH,
        metavar="FILE",
        help="Inception weights of pytorch-fid [default: the file that MONAI_CONSINGAN_INCEPTION names, or else its "
        "download].",
    ),
    click.option(
        "--dims",
        type=click.Choice(["64", "192", "768", "2048"]),
        default="2048",
        show_default=True,
        help="Inception features; published FIDs have 2048.",
    ),
)

lesion_options = together(
    click.option(
        "--lesion-labels", type=NUMBERS, metavar="1,4", help="Label values that are the lesion [default: all]."
    ),
    click.option(
        "--axis", type=int, help="Axis perpendicular to the slices: 0, 1 or 2 [default: the one of thick slices]."
    ),
)

training_options = together(
    click.option("--preset", default="quick", show_default=True, help=f"Settings to begin with: {PRESET_NAMES}."),
    click.option(
        "--region",
        type=click.Choice(["roi", "slice"]),
        help="What the networks see: a crop around the lesion at native resolution, or whole slices at 250 x 250.",
    ),
    click.option("--stages", type=int, help="Number of stages."),
    click.option("--min-size", type=int, help="Smaller side of the coarsest stage, in pixels."),
    click.option("--max-size", type=int, help="Largest side that the networks see, in pixels."),
    click.option("--iterations", type=int, help="Iterations a stage."),
    click.option("--channels", type=int, help="Filters of every layer."),
    click.option("--lr-scale", type=float, help="Factor of the learning rate for every stage below the newest."),
    click.option("--concurrent-stages", type=int, help="How many of the newest stages are trained together."),
    click.option("--discriminator-steps", type=int, help="Steps of the discriminator an iteration."),
    click.option("--settle", type=float, help="End a stage once it changes by less than this share, such as 0.05."),
    click.option("--precision", help="Precision of the arithmetic on a GPU: float32, tf32, bf16."),
    click.option("--plain", is_flag=True, default=None, help="Compute as in the textbook: slower, for comparisons."),
)

composite_options = together(
    click.option(
        "--composite",
        type=click.Choice(["whole", "band", "outside", "smooth"]),
        help="Where the redrawn image is used: over the whole lesion, in a band along its border, outside it only, or "
        "over the whole lesion with the edge smoothed as published.",
    ),
    click.option("--dilation", type=float, metavar="MM", help="How far beyond the lesion's border."),
    click.option("--softness", type=float, metavar="MM", help="Width of the soft edge beyond that."),
    click.option("--level", type=float, metavar="MM", help="What is coarser than this is not redrawn; 0: all is."),
    click.option("--detail", type=float, metavar="MM", help="What is finer than this is not redrawn; 0: all is."),
)

blend_options = together(
    click.option("--model", type=PATH, metavar="RUN", help="Use a trained model (a file, or the folder of a run)."),
    click.option(
        "--start",
        type=PATH,
        metavar="RUN",
        help="Start the training from a trained model, as of a neighbouring slice; fewer --iterations then do.",
    ),
    click.option(
        "--bank",
        type=PATH,
        metavar="FOLDER",
        help="Folder of models: take the one of an earlier training that was the same, or leave it there.",
    ),
    composite_options,
)

_TRAINING = (
    "region",
    "stages",
    "min_size",
    "max_size",
    "iterations",
    "channels",
    "lr_scale",
    "concurrent_stages",
    "discriminator_steps",
    "settle",
    "precision",
    "plain",
)


def given_only(**options: Any) -> dict[str, Any]:
    """The options that were given: those that are not ``None``."""
    return {name: value for name, value in options.items() if value is not None}


def training_settings(
    options: Mapping[str, Any], task: str, start: Path | None = None, needed: bool = True
) -> TrainingSettings | None:
    """Settings of a training from :py:data:`training_options`; ``None`` if a trained model is used instead.

    Args:
        options: the options of the command.
        task: the task.
        start: model that the training starts from, whose settings hold unless others are given.
        needed: whether there have to be settings; otherwise ``None`` if none are given.

    Raises:
        ConSinGANError: settings out of range, or settings beside a model that has its own.
    """
    chosen = given_only(**{name: options[name] for name in _TRAINING})
    source = click.get_current_context().get_parameter_source("preset")
    has_preset = source is not click.core.ParameterSource.DEFAULT
    if not needed and not chosen and not has_preset:
        return None
    if start is not None and not has_preset:
        from dataclasses import replace

        from monai_consingan.models import TrainedModel

        return replace(TrainedModel.load(start, task=task).settings, **chosen)
    if options.get("model") is not None:
        chosen |= {"preset": options["preset"]} if has_preset else {}
        if chosen:
            name, value = next(iter(chosen.items()))
            raise ConSinGANError(
                f"--{name.replace('_', '-')} is {value}, but --model {options['model']} brings its own settings: leave "
                "one of the two out."
            )
        return None
    from monai_consingan.settings import preset_settings

    return preset_settings(options["preset"], task, **chosen)


def blend_settings(options: Mapping[str, Any], usual: BlendSettings | None) -> BlendSettings | None:
    """Where the redrawn image is used, from :py:data:`composite_options` and what is usual; ``None`` if not given."""
    from dataclasses import replace

    from monai_consingan.methods import BlendSettings

    chosen = given_only(
        mode=options["composite"],
        dilation_mm=options["dilation"],
        softness_mm=options["softness"],
        level_mm=options["level"],
        detail_mm=options["detail"],
    )
    return replace(usual or BlendSettings(), **chosen) if chosen else None
