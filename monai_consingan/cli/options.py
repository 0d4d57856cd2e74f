"""Options that several commands share, and what they mean to the workflows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import click

from monai_consingan.cli.types import NAMES, NUMBERS, PATH, RANGE, WEIGHTS
from monai_consingan.errors import ConSinGANError
from monai_consingan.fields import Settings
from monai_consingan.methods import BlendSettings
from monai_consingan.settings import Training, TrainingSettings, training_preset

Function = TypeVar("Function", bound=Callable[..., Any])

PRESET_NAMES = (
    "quick, standard, quick-3d, standard-3d; as published: harmonization-1 to harmonization-4, editing-1 to editing-4"
)


def together(*decorators: Callable[[Any], Any]) -> Callable[[Function], Function]:
    """Several options as one decorator, in the order in which help shows them."""

    def decorate(function: Function) -> Function:
        """Add all of the options to a command."""
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


axis_option = click.option(
    "--axis", type=int, help="Axis perpendicular to the slices: 0, 1 or 2 [default: the one of thick slices]."
)


def seed_option(help: str) -> Callable[[Function], Function]:
    """The seed, and what it is the seed of."""
    return click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help=help)


output_options = click.option("--overwrite", is_flag=True, help="Use an output folder that holds something already.")

run_options = together(
    seed_option("Seed of everything random."),
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
    axis_option,
    click.option(
        "--dims",
        type=click.IntRange(2, 3),
        help="Work slice by slice (2) or in space (3). [default: 3 unless an axis or a slice is given, or slices are "
        "thick; what a model or preset that is given is for]",
    ),
)


def _sequences(help: str) -> Callable[[Function], Function]:
    return click.option("--sequences", type=NAMES, metavar="NAMES", help=help)


data_set_options = together(
    _sequences(
        "Sequences to work on, by their names in the data set; of BIDS by suffixes, such as "
        "T1w,ce-gadolinium_T1w,FLAIR. [default: all; of BIDS, T1w]"
    ),
    click.option(
        "--channel",
        type=int,
        help="Number from 0 of the one sequence to work on, which is all that the result has. [default: all of them]",
    ),
    click.option("--lesion-mask", metavar="NAME", help="Part of the name of the lesions' masks in a BIDS folder."),
)
"""What is taken of a data set."""

sequence_options = together(
    _sequences(
        "Sequences to work on, such as t1,t1ce; or the names of all, in the order of the files or of the volumes of a "
        "4D file. [default: all, named by what tells their files apart]"
    ),
    click.option(
        "--lead",
        metavar="NAME",
        help="Sequence that lesions are measured in. [default: the one in which the lesion stands out most]",
    ),
    click.option(
        "--resample",
        is_flag=True,
        default=None,
        help="Bring sequences on other grids to that of the lead [default: refuse them].",
    ),
)

dims_option = click.option(
    "--dims",
    type=click.IntRange(2, 3),
    help="Train on slices (2) or on volumes (3). [default: what the preset is for, quick and standard for slices]",
)

_TYPES: dict[Any, dict[str, Any]] = {
    int: {"type": int},
    float: {"type": float},
    str: {"type": str},
    bool: {"is_flag": True},
    tuple[float, float]: {"type": float, "nargs": 2},
    tuple[int, int]: {"type": RANGE},
    tuple[str, ...]: {"multiple": True},
    tuple[int, ...]: {"type": NUMBERS},
    Mapping[str, float]: {"type": WEIGHTS},
}
"""What :py:func:`click.option` is told of the types of settings."""


def settings_options(settings: type[Settings]) -> Callable[[Function], Function]:
    """The options of the fields of settings that have a help text, in their order; without a default of their own."""
    hints, options = get_type_hints(settings), []
    for entry in fields(settings):
        how = {key: value for key, value in entry.metadata.items() if not key.startswith("at_")}
        if not how:
            continue
        hint = hints[entry.name]
        if type(None) in get_args(hint):
            hint, _ = get_args(hint)
        flag, choices = how.pop("flag", entry.name), how.pop("choices", None)
        how |= _TYPES[hint] | ({} if choices is None else {"type": click.Choice(list(choices))})
        options.append(click.option(f"--{flag.replace('_', '-')}", entry.name, default=None, **how))
    return together(*options)


def taken(settings: type[Any], options: dict[str, Any], *leave: str) -> dict[str, Any]:
    """The options that were given for the fields of settings; they are taken out of ``options``, given or not.

    Args:
        settings: the dataclass.
        options: options of a command by the names of the fields.
        leave: fields that are left there.
    """
    names = [entry.name for entry in fields(settings) if entry.name in options and entry.name not in leave]
    return given_only(**{name: options.pop(name) for name in names})


crop_options = together(
    click.option("--crops", type=int, help="Crops of a scan that its model is trained on. [default: 3]"),
    click.option(
        "--side", type=int, help="Height and width (and depth) of these in pixels. [default: 96, of boxes 48]"
    ),
)

training_options = together(
    click.option(
        "--preset",
        default="quick",
        show_default=True,
        help=f"Settings to begin with: {PRESET_NAMES}. In space quick and standard are quick-3d and standard-3d.",
    ),
    settings_options(TrainingSettings),
)

composite_options = settings_options(BlendSettings)

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


def given_only(**options: Any) -> dict[str, Any]:
    """The options that were given: those that are neither ``None`` nor an empty choice of several."""
    return {name: value for name, value in options.items() if value is not None and value != ()}


def refuse_given(names: Iterable[str], why: str) -> None:
    """Refuse options of the command that were given although they mean nothing beside the others.

    Args:
        names: their parameters.
        why: the end of the sentence that says so.

    Raises:
        click.UsageError: one was given.
    """
    context = click.get_current_context()
    for name in names:
        if context.get_parameter_source(name) not in (None, click.core.ParameterSource.DEFAULT):
            flag = next(parameter for parameter in context.command.params if parameter.name == name).opts[0]
            raise click.UsageError(f"{flag} is given, {why}: leave it out", context)


def training_settings(
    options: dict[str, Any], task: str, start: Path | None = None, needed: bool = True, dims: int | None = None
) -> Training | None:
    """Settings of a training from :py:data:`training_options`; ``None`` if a trained model is used instead.

    Args:
        options: the options of the command; those of the training are taken out.
        task: the task.
        start: model that the training starts from, whose settings hold unless others are given.
        needed: whether there have to be settings; otherwise ``None`` if none are given.
        dims: 2 for slices, 3 for volumes, if that was asked for.

    Raises:
        ConSinGANError: settings out of range, or settings beside a model that has its own.
    """
    chosen, preset = taken(TrainingSettings, options, "task"), options.pop("preset")
    in_dims = given_only(spatial_dims=dims)
    source = click.get_current_context().get_parameter_source("preset")
    has_preset = source is not click.core.ParameterSource.DEFAULT
    if not needed and not chosen and not has_preset:
        return None
    if start is not None and not has_preset:
        from monai_consingan.models.model import TrainedModel, fold_models

        file = next(iter(fold_models(start).values()), start)
        return replace(TrainedModel.load(file, task=task).settings, **chosen, **in_dims)
    if options.get("model") is not None:
        chosen |= {"preset": preset} if has_preset else {}
        if chosen:
            name, value = next(iter(chosen.items()))
            raise ConSinGANError(
                f"--{name.replace('_', '-')} is {value}, but --model {options['model']} brings its own settings: leave "
                "one of the two out."
            )
        return None
    return training_preset(preset, task, **chosen, **in_dims)


def blend_settings(options: dict[str, Any], usual: BlendSettings | None) -> BlendSettings | None:
    """Where the redrawn image is used, from :py:data:`composite_options`, which are taken out, and what is usual.

    Returns:
        ``None`` if nothing is given.
    """
    chosen = taken(BlendSettings, options)
    return replace(usual or BlendSettings(), **chosen) if chosen else None
