"""The command that trains models of hosts in advance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from monai_consingan.cli.options import (
    axis_option,
    crop_options,
    dims_option,
    given_only,
    run_options,
    training_options,
    training_settings,
)
from monai_consingan.cli.types import PATH
from monai_consingan.errors import ConSinGANError
from monai_consingan.tasks import TASKS


@click.command()
@click.argument("images", nargs=-1, required=True, type=PATH, metavar="IMAGE...")
@click.option("--output", type=PATH, required=True, metavar="BANK", help="Folder of the models; it may hold some.")
@click.option(
    "--task",
    type=click.Choice([name for name, task in TASKS.items() if task.image_input]),
    default="harmonization",
    show_default=True,
    help="Whether lesions are put in or taken out.",
)
@click.option(
    "--label", "labels", type=PATH, multiple=True, help="For editing: label of the lesions, one for each IMAGE."
)
@crop_options
@axis_option
@dims_option
@training_options
@run_options
def bank(
    images: tuple[Path, ...],
    output: Path,
    task: str,
    labels: tuple[Path, ...],
    quiet: bool,
    **options: Any,
) -> None:
    """Train a model for every scan, so that lesions can be put in or taken out on the fly.

    RandLesiond and RandLesionRemovald find the models in BANK. Scans that have one already are passed over, and a
    training that was ended goes on where it was.
    """
    wanted = len(images) if task == "editing" else 0
    if len(labels) != wanted:
        raise ConSinGANError(f"{len(labels)} labels are given for {len(images)} images: for {task} give {wanted}.")
    from monai_consingan.models import prepare_bank

    settings = training_settings(options, task, dims=options.pop("dims"))
    names = prepare_bank(
        [{"image": image, "label": label} for image, label in zip(images, labels or [None] * len(images), strict=True)],
        output,
        task,
        settings,
        progress=not quiet,
        **given_only(**options),
    )
    if not quiet:
        click.echo(f"{len(names)} of {len(images)} scans have a model for {task}: {output}")
