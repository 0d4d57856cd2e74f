"""The commands that make data: new lesions, and synthetic scans of a whole data set, on disk or in nnU-Net."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from monai_consingan.cli.ahead import compile_ahead
from monai_consingan.cli.lean import import_monai
from monai_consingan.cli.options import (
    blend_settings,
    composite_options,
    crop_options,
    data_set_options,
    given_only,
    lesion_options,
    run_options,
    settings_options,
    taken,
    together,
    training_options,
    training_settings,
)
from monai_consingan.cli.types import MILLIMETRES, NUMBERS, PATH, SHARD, NumbersCommand
from monai_consingan.data_set_settings import BACKENDS, AugmentSettings, TwinSettings
from monai_consingan.lesion_settings import LesionSettings
from monai_consingan.methods import DEFAULT_REDRAWN_INSERTION, REMOVAL_BLEND, BlendSettings, insertion_method

_data_set_options = together(
    click.option("--output", type=PATH, required=True, help="Folder for the result, in which a killed run goes on."),
    data_set_options,
    lesion_options,
    training_options,
    click.option(
        "--model",
        type=PATH,
        metavar="RUN",
        help="Use a trained model for all scans, or those of cohort --each-fold for the scans of each fold.",
    ),
    click.option(
        "--start",
        type=PATH,
        metavar="RUN",
        help="Start the scans' models from a trained model, as of a cohort, or from those of cohort --each-fold; fewer "
        "--iterations then do.",
    ),
    click.option(
        "--bank", type=PATH, metavar="FOLDER", help="Folder of the scans' models [default: models in the output]."
    ),
    crop_options,
    composite_options,
    run_options,
    click.option("--jobs", type=int, default=1, show_default=True, help="Number of processes."),
    click.option("--threads", type=int, default=1, show_default=True, help="Threads of each."),
    click.option(
        "--backend",
        type=click.Choice(BACKENDS),
        default="loky",
        show_default=True,
        help="Where the processes are: on this machine, or on a cluster.",
    ),
    click.option("--address", help="Address of a cluster of Dask or Ray [default: start one on this machine]."),
    click.option("--gpus", type=float, help="GPUs that each process gets from Ray, such as 1 or 0.5. [default: none]"),
    click.option("--shard", type=SHARD, metavar="I/N", help="Make only a part, as in a job array; then run merge."),
)


@click.command(cls=NumbersCommand)
@click.argument("data_set", type=PATH, metavar="DATALIST_OR_FOLDER")
@settings_options(AugmentSettings)
@click.option("--donors", type=PATH, metavar="BANK", help="Bank of lesions to take instead of those of the scans.")
@_data_set_options
def augment(**options: Any) -> int:
    """Make synthetic training scans of a data set: a datalist in JSON, or a folder of nnU-Net or BIDS.

    Donors and hosts are training scans of the same fold. The folder gets images (each with its provenance in JSON),
    labels, instances (numbers of the lesions), review.html (all lesions in three planes, to accept or reject),
    datalist.json, datalist-fold-N.json, manifest.csv, summary.json and models. A run that was killed goes on when the
    same command is given again. The exit code is 1 if a scan failed.
    """
    settings = AugmentSettings(**taken(AugmentSettings, options))
    return _run("augment", settings, options, insertion_method(DEFAULT_REDRAWN_INSERTION).redrawn)


@click.command(cls=NumbersCommand)
@click.argument("data_set", type=PATH, metavar="DATALIST_OR_FOLDER")
@settings_options(TwinSettings)
@_data_set_options
def twins(**options: Any) -> int:
    """Make a lesion-free twin of every training scan of a data set that has lesions.

    Takes the data sets of augment, and leaves the same files, with removed (numbers of the lesions that were there)
    instead of instances.
    """
    return _run("free_twins", TwinSettings(**taken(TwinSettings, options)), options, REMOVAL_BLEND)


@click.command()
@click.argument("output", type=PATH)
@click.option("--quiet", is_flag=True, help="Do not show the result.")
def merge(output: Path, quiet: bool) -> int:
    """Write the lists of an augmented data set whose shards have ended. The exit code is 1 if scans are missing."""
    from monai_consingan.workflows.augmentation import merge as run

    return _show(run(output), output, quiet)


def _run(
    workflow: str,
    settings: AugmentSettings | TwinSettings,
    options: dict[str, Any],
    usual: BlendSettings | None,
) -> int:
    """Start one of the workflows, by its name, and show what came of it; the exit code."""
    output, quiet = options["output"], options.pop("quiet")
    training = training_settings(options, settings.task, options["start"], needed=False, dims=settings.dims)
    blend = blend_settings(options, settings.redrawn or usual)
    import_monai()
    compile_ahead(options, training, blend, settings.redrawn)
    run = getattr(import_module("monai_consingan.workflows.augmentation"), workflow)
    summary = run(settings=settings, training=training, blend=blend, progress=not quiet, **given_only(**options))
    return _show(summary, output, quiet)


def _show(summary: Mapping[str, Any], output: Path, quiet: bool) -> int:
    """Print what came of it, failures always; the exit code."""
    scans: dict[str, list[str]] = {}
    for name, error in summary["failed"].items():
        scans.setdefault(error, []).append(name)
    for error, names in scans.items():
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        click.echo(f"Error: {', '.join(names[:3])}{more}: {error}", err=True)
    if summary.get("missing"):
        click.echo(f"Missing: {summary['missing']} scans are still to be made.", err=True)
    if not quiet:
        click.echo(f"Synthetic scans: {output}")
        click.echo(f"  made      {summary['made']}, dropped {summary['dropped']}, failed {len(summary['failed'])}")
        left = summary.get("left_out", [])
        counts = {title: summary.get(title, {}) for title in ("lesions", "refused")}
        counts["left out"] = Counter(lesion["why"] for lesion in left)
        counts["left"] = {f"label value {value}": count for value, count in summary.get("labels_left", {}).items()}
        for title, numbers in counts.items():
            if numbers:
                click.echo(f"  {title:<9} " + ", ".join(f"{count} x {name}" for name, count in numbers.items()))
        if "lesions" in summary:
            click.echo(f"  look at   {output / 'review.html'}")
    return 1 if summary["failed"] or summary.get("missing") else 0


@click.command(cls=NumbersCommand)
@click.argument("donors", type=PATH, nargs=-1, required=True, metavar="DATALIST_OR_FOLDER | IMAGE LABEL ...")
@click.option(
    "--output", type=PATH, required=True, metavar="BANK", help="Folder for the lesions; a killed run goes on."
)
@click.option("--number", type=int, default=20, show_default=True, help="How many lesions.")
@click.option(
    "--diameter", type=MILLIMETRES, metavar="4,12", help="Their diameters in mm. [default: those of the donors]"
)
@settings_options(LesionSettings)
@click.option("--lead", metavar="SEQUENCE", help="The sequence that lesions are measured in. [default: found]")
@click.option("--lesion-labels", type=NUMBERS, metavar="1,4", help="Label values that are the lesion [default: all].")
@data_set_options
@run_options
def lesions(donors: tuple[Path, ...], output: Path, number: int, quiet: bool, lead: str | None, **options: Any) -> None:
    """Make new lesions with their labels of those of donors: a data set, or images each followed by its label.

    A data set is a datalist in JSON, or a folder of nnU-Net or BIDS. An image may have several sequences in 4D.

    A handful of donors will do. The BANK gets lesions (image, label and valid of each), bank.json, lesions.png and
    review.html, and is taken by augment --donors, harmonize --donor and load_bank in Python. Where scans have folds,
    each lesion is made of one fold's donors only.
    """
    import_monai()
    from monai_consingan.workflows.lesions import make_lesions

    options["lead"] = int(lead) if lead is not None and lead.isdecimal() else lead
    settings = LesionSettings(**taken(LesionSettings, options))
    if len(donors) > 1 and len(donors) % 2:
        raise click.UsageError(f"{len(donors)} files are given: give one data set, or each IMAGE with its LABEL")
    pairs = list(zip(donors[::2], donors[1::2], strict=False))
    made = make_lesions(pairs or donors[0], output, number, settings, progress=not quiet, **given_only(**options))
    if not quiet:
        kinds = Counter(lesion["kind"] for lesion in made["lesions"])
        sizes = [lesion["diameter_mm"] for lesion in made["lesions"]]
        click.echo(f"Bank of lesions: {output}")
        click.echo(f"  lesions   {', '.join(f'{count} x {kind}' for kind, count in sorted(kinds.items()))}")
        click.echo(f"  diameter  {min(sizes):.1f} to {max(sizes):.1f} mm")
        click.echo(f"  look at   {output / 'review.html'}")


@click.command()
@click.option("--trainer-folder", is_flag=True, help="Print the folder for nnUNet_extTrainer, and nothing else.")
def nnunet(trainer_folder: bool) -> None:
    """Say how nnU-Net v2 trains with lesions that are put in on the fly."""
    from monai_consingan.nnunet import trainer_folder as folder

    if trainer_folder:
        click.echo(folder())
        return
    click.echo('pip install "monai-consingan[nnunet]"')
    click.echo("export nnUNet_extTrainer=$(monai-consingan nnunet --trainer-folder)")
    click.echo("nnUNetv2_train DATASET 3d_fullres FOLD -tr nnUNetTrainerLesions")
