"""The commands that train models in advance: one for every scan, or one for all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from monai_consingan.cli.ahead import compile_ahead
from monai_consingan.cli.lean import import_monai
from monai_consingan.cli.options import (
    axis_option,
    crop_options,
    data_set_options,
    dims_option,
    given_only,
    output_options,
    refuse_given,
    run_options,
    training_options,
    training_settings,
)
from monai_consingan.cli.results import show_training
from monai_consingan.cli.types import NUMBERS, PATH, NumbersCommand
from monai_consingan.errors import ConSinGANError
from monai_consingan.tasks import TASKS

_task_option = click.option(
    "--task",
    type=click.Choice([name for name, task in TASKS.items() if task.image_input]),
    default="harmonization",
    show_default=True,
    help="Whether lesions are put in or taken out.",
)


@click.command()
@click.argument("images", nargs=-1, required=True, type=PATH, metavar="IMAGE...")
@click.option("--output", type=PATH, required=True, metavar="BANK", help="Folder of the models; it may hold some.")
@_task_option
@click.option(
    "--label", "labels", type=PATH, multiple=True, help="For editing: label of the lesions, one for each IMAGE."
)
@crop_options
@click.option(
    "--start", type=PATH, metavar="RUN", help="Start from a trained model, as of a cohort; fewer --iterations then do."
)
@axis_option
@click.option(
    "--dims",
    type=click.IntRange(2, 3),
    help="Train on slices (2) or on boxes of the volume (3). [default: for each scan 3 unless an axis is given or its "
    "slices are thick; what a start or preset that is given is for]",
)
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
    import_monai()
    from monai_consingan.models import prepare_bank

    settings = training_settings(options, task, options["start"], dims=options.pop("dims"))
    compile_ahead(options, settings)
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


@click.command(cls=NumbersCommand)
@click.argument("data_set", type=PATH, metavar="DATALIST_OR_FOLDER")
@click.option("--output", type=PATH, required=True, metavar="RUN", help="Folder for the model.")
@_task_option
@crop_options
@click.option(
    "--held-out", type=int, metavar="FOLD", help="Leave out the scans that this fold is validated with. [default: none]"
)
@click.option(
    "--each-fold",
    is_flag=True,
    help="Train a model for each fold, on its own scans only: RUN/fold-0 and so on. augment and twins take RUN.",
)
@click.option(
    "--lesion-labels",
    type=NUMBERS,
    metavar="1,4",
    help="For editing: label values that are lesions, which crops keep clear of [default: all].",
)
@data_set_options
@click.option("--resume", is_flag=True, help="Go on with a training that was ended; give all else as before.")
@axis_option
@dims_option
@training_options
@run_options
@output_options
def cohort(data_set: Path, output: Path, task: str, each_fold: bool, quiet: bool, **options: Any) -> None:
    """Train one model on crops of the training scans of a data set: a datalist, or a folder of nnU-Net or BIDS.

    The RUN serves scans that it has not seen: as --model of harmonize, remove, augment and twins, as --start of
    these and of bank, and on the fly by SharedModel. It gets model.pt, figure.png and report.json; until then
    it holds checkpoint.pt, from which --resume goes on.
    """
    import_monai()
    from monai_consingan.workflows.cohort import cohort_folds, cohort_run

    if each_fold:
        refuse_given(("held_out",), "but --each-fold takes the scans of each fold only")
    settings = training_settings(options, task, dims=options.pop("dims"))
    compile_ahead({"dims": 2, **options}, settings)
    given = {"task": task, "settings": settings, "progress": not quiet, **given_only(**options)}
    if each_fold:
        reports = {f"fold-{fold}": report for fold, report in cohort_folds(data_set, output, **given).items()}
    else:
        reports = {"": cohort_run(data_set, output, **given)}
    if quiet:
        return
    for name, report in reports.items():
        show_training(report, output / name)
