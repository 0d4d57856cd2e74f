"""The commands that put lesions in and take them out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from monai_consingan.cli.options import (
    NUMBERS,
    PATH,
    NumbersCommand,
    blend_options,
    blend_settings,
    given_only,
    lesion_options,
    output_options,
    run_options,
    training_options,
    training_settings,
)
from monai_consingan.cli.results import show_case
from monai_consingan.methods import FILLINGS, USUAL_FILLINGS

if TYPE_CHECKING:
    from monai_consingan.workflows import LesionSource

__all__ = ["harmonize", "paste", "remove"]

Function = TypeVar("Function", bound=Callable[..., Any])

_SOURCE = (
    click.option("--host", type=PATH, required=True, help="Scan that gets the lesion: NIfTI, NRRD, DICOM folder, PNG."),
    click.option("--donor", type=PATH, required=True, help="Scan that the lesion comes from; it may be the host."),
    click.option("--donor-label", type=PATH, required=True, help="Label of the donor's lesions."),
    click.option("--host-label", type=PATH, help="Label of the lesions that the host has already."),
    click.option("--output", type=PATH, required=True, help="Folder for the results."),
    click.option("--donor-slice", type=int, help="Slice of the donor to take [default: the whole lesion]."),
    click.option("--host-slice", type=int, help="Slice of the host that the lesion goes to."),
    click.option("--at", type=NUMBERS, metavar="X Y Z", help="Voxel of the host for the lesion's centre."),
    click.option(
        "--offset", type=NUMBERS, metavar="ROW COL", help="Shift from the lesion's place in the donor, in voxels."
    ),
    click.option(
        "--match",
        type=click.Choice(["gain", "mean_std", "none"]),
        help="How the donor's intensities are fitted to the host's around the lesion.",
    ),
)


def _source_options(function: Function) -> Function:
    for option in reversed(_SOURCE):
        function = option(function)
    return function


def _source(options: dict[str, Any]) -> LesionSource:
    from monai_consingan.workflows import LesionSource

    names = (
        "host",
        "donor",
        "donor_label",
        "host_label",
        "lesion_labels",
        "donor_slice",
        "host_slice",
        "axis",
        "at",
        "offset",
        "match",
    )
    return LesionSource(**given_only(**{name: options[name] for name in names}))


@click.command(cls=NumbersCommand)
@_source_options
@lesion_options
@click.option(
    "--method",
    help="How the lesion is blended in. Without a model: tissue, poisson, crossfade, feather, naive; with one: "
    "tissue-consingan, consingan-band, consingan (as published). [default: tissue, or tissue-consingan if an option of "
    "a model is given]",
)
@training_options
@blend_options
@run_options
@output_options
def harmonize(
    output: Path,
    model: Path | None,
    start: Path | None,
    bank: Path | None,
    seed: int,
    device: str,
    overwrite: bool,
    quiet: bool,
    method: str | None,
    **options: Any,
) -> None:
    """Put a donor's lesion into a host and blend it in.

    Without --at or --offset a place is found. Without --donor-slice the whole lesion is moved, slice by slice, with one
    model. The folder gets image, label, naive (the mere paste), alteration (where the image may differ from the host),
    figure.png, report.json and model.pt.
    """
    from monai_consingan.methods import DEFAULT_REDRAWN_INSERTION, INSERTION_METHODS
    from monai_consingan.workflows import harmonize as run

    usual = INSERTION_METHODS.get(method or DEFAULT_REDRAWN_INSERTION)
    report = run(
        _source(options),
        output,
        method=method,
        settings=training_settings(
            {**options, "model": model},
            "harmonization",
            start,
            needed=False,
        ),
        blend=blend_settings(options, None if usual is None else usual.redrawn),
        model=model,
        start=start,
        bank=bank,
        seed=seed,
        device=device,
        overwrite=overwrite,
        progress=not quiet,
    )
    show_case(report, output, "Lesion inserted", quiet)


@click.command(cls=NumbersCommand)
@_source_options
@lesion_options
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Seed of the place.")
@click.option("--quiet", is_flag=True, help="Do not show the result.")
@output_options
def paste(output: Path, seed: int, overwrite: bool, quiet: bool, **options: Any) -> None:
    """Paste a donor's lesion into a host, and no more: nothing is trained."""
    from monai_consingan.workflows import paste as run

    report = run(_source(options), output, seed=seed, overwrite=overwrite)
    show_case(report, output, "Lesion pasted", quiet)


@click.command(cls=NumbersCommand)
@click.option(
    "--image", type=PATH, required=True, help="Scan to take the lesion out of: NIfTI, NRRD, DICOM folder, PNG."
)
@click.option("--label", type=PATH, required=True, help="Label of its lesions.")
@click.option("--output", type=PATH, required=True, help="Folder for the results.")
@click.option("--slice", "slice_index", type=int, help="Slice to work on [default: all that hold the lesion].")
@click.option(
    "--method",
    "methods",
    multiple=True,
    type=click.Choice(FILLINGS),
    help="How the lesion is filled; given several times, the next one is tried when one will not do. "
    f"[default: {', '.join(USUAL_FILLINGS)}]",
)
@click.option(
    "--symmetry",
    metavar="centre|estimate|MM",
    help="Where left mirrors to right: the image's centre, estimated from the image, or a position in mm (RAS+).",
)
@click.option("--margin", type=float, metavar="MM", help="How far beyond the label is filled.")
@click.option(
    "--train-on",
    type=click.Choice(["mirror", "image"]),
    help="Train on the other hemisphere's tissue, or on the scan as it is.",
)
@lesion_options
@training_options
@blend_options
@run_options
@output_options
def remove(
    output: Path,
    model: Path | None,
    start: Path | None,
    bank: Path | None,
    seed: int,
    device: str,
    overwrite: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Take a lesion out: fill it with healthy tissue.

    Any option of a model, such as --preset, also trains a ConSinGAN that redraws what was filled. The folder gets
    image, label (of the lesions that stay), naive (the mere filling), alteration (where the image may differ from the
    scan), figure.png, report.json and, if one was trained, model.pt.
    """
    from monai_consingan.methods import REMOVAL_BLEND
    from monai_consingan.workflows import LesionTarget
    from monai_consingan.workflows import remove as run

    settings = training_settings({**options, "model": model}, "editing", start, needed=False)
    names = ("image", "label", "lesion_labels", "slice_index", "axis", "train_on")
    target = LesionTarget(
        **given_only(
            **{name: options[name] for name in names},
            methods=options["methods"] or None,
            symmetry=_symmetry(options["symmetry"]),
            margin_mm=options["margin"],
        )
    )
    report = run(
        target,
        output,
        settings=settings,
        blend=blend_settings(options, REMOVAL_BLEND),
        model=model,
        start=start,
        bank=bank,
        seed=seed,
        device=device,
        overwrite=overwrite,
        progress=not quiet,
    )
    show_case(report, output, "Lesion removed", quiet)


def _symmetry(text: str | None) -> str | float | None:
    if text in (None, "centre", "estimate"):
        return text
    try:
        return float(text or "")
    except ValueError as error:
        message = f"{text!r} must be 'centre', 'estimate' or a position in mm"
        raise click.BadParameter(message, param_hint="'--symmetry'") from error
