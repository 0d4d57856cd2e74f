"""The commands that augment a whole data set."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monai_consingan.cli.options import (
    NUMBERS,
    PATH,
    NumbersCommand,
    blend_settings,
    composite_options,
    given_only,
    lesion_options,
    run_options,
    together,
    training_options,
    training_settings,
)
from monai_consingan.methods import FILLINGS, USUAL_FILLINGS

if TYPE_CHECKING:
    from monai_consingan.methods import BlendSettings

__all__ = ["augment", "merge", "twins"]

_SETTINGS = (
    *("per_scan", "method", "on_failure", "location", "brain", "edge_mm", "clearance_mm", "flip_prob", "rotate_range"),
    *("scale_range", "match", "attempts", "contrast_range", "seam_margin", "lesion_labels", "axis", "seed", "sizes"),
)
_TWIN_SETTINGS = ("method", "on_failure", "margin_mm", "most_contrast", "most_seam", "lesion_labels", "axis", "seed")
_RUN = (
    "model",
    "bank",
    "crops",
    "side",
    "channel",
    "lesion_mask",
    "device",
    "jobs",
    "threads",
    "shard",
    "backend",
    "address",
    "gpus",
)
_MODEL_FREE = ["tissue", "poisson", "crossfade", "feather", "naive"]


class _Sizes(click.ParamType):
    """Weights by name."""

    name = "sizes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, float]:
        """The weights of a text."""
        if isinstance(value, dict):
            return value
        found = [re.fullmatch(r"([a-z]+)(?:=(\d+(?:\.\d+)?))?", part.strip()) for part in str(value).split(",")]
        sizes = {part[1]: float(part[2] or 1) for part in found if part is not None}
        if len(sizes) < len(found):
            self.fail(f"{value!r} must be classes of sizes, such as small=2,medium=1", param, ctx)
        return sizes


class _Shard(click.ParamType):
    """A part of a whole."""

    name = "shard"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """The number of the part and of all parts."""
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"(\d+)/(\d+)", str(value))
        if found is None:
            self.fail(f"{value!r} must be a part and the number of parts, such as 1/4", param, ctx)
        return int(found[1]), int(found[2])


_data_set_options = together(
    click.option("--output", type=PATH, required=True, help="Folder for the result, in which a killed run goes on."),
    click.option("--channel", type=int, help="Number of the image to work on where a scan has several."),
    click.option("--lesion-mask", metavar="NAME", help="Part of the name of the lesions' masks in a BIDS folder."),
    lesion_options,
    training_options,
    click.option("--model", type=PATH, metavar="RUN", help="Use a trained model for all scans."),
    click.option(
        "--bank", type=PATH, metavar="FOLDER", help="Folder of the scans' models [default: models in the output]."
    ),
    click.option("--crops", type=int, help="Crops of a scan that its model is trained on. [default: 3]"),
    click.option("--side", type=int, help="Height and width of these in pixels. [default: 96]"),
    composite_options,
    run_options,
    click.option("--jobs", type=int, default=1, show_default=True, help="Number of processes."),
    click.option("--threads", type=int, default=1, show_default=True, help="Threads of each."),
    click.option(
        "--backend",
        type=click.Choice(["loky", "dask", "ray"]),
        default="loky",
        show_default=True,
        help="Where the processes are: on this machine, or on a cluster.",
    ),
    click.option("--address", help="Address of a cluster of Dask or Ray [default: start one on this machine]."),
    click.option("--gpus", type=float, help="GPUs that each process gets from Ray, such as 1 or 0.5. [default: none]"),
    click.option("--shard", type=_Shard(), metavar="I/N", help="Make only a part, as in a job array; then run merge."),
)


@click.command(cls=NumbersCommand)
@click.argument("data_set", type=PATH, metavar="DATALIST_OR_FOLDER")
@click.option("--per-scan", type=int, required=True, help="Synthetic scans for each training scan.")
@click.option("--lesions", type=NUMBERS, metavar="1,3", help="New lesions in each: smallest and largest number.")
@click.option(
    "--method",
    type=click.Choice([*_MODEL_FREE, "tissue-consingan", "consingan-band", "consingan"]),
    help="How lesions are put in, the last three with a model of the host. [default: tissue, or "
    "tissue-consingan if an option of a model is given]",
)
@click.option(
    "--on-failure",
    type=click.Choice([*_MODEL_FREE, "drop"]),
    help="What is tried with a lesion that fails the checks. [default: tissue]",
)
@click.option(
    "--sizes",
    type=_Sizes(),
    metavar="small=2,medium=1",
    help="How often donors of each size are drawn: small (below 6 mm), medium, large (15 mm or more). [default: all "
    "donors alike]",
)
@click.option(
    "--location",
    metavar="alike|uniform|MAP",
    help="Where lesions go: where tissue is like the donor's, anywhere in the head, or by a map of chances (a file, or "
    "the key of each scan's own in the datalist). [default: alike]",
)
@click.option(
    "--brain", metavar="KEY", help="Key of each scan's brain mask in the datalist, for lesions to stay inside."
)
@click.option("--edge", "edge_mm", type=float, metavar="MM", help="Distance to keep from the edge of the head.")
@click.option("--clearance", "clearance_mm", type=float, metavar="MM", help="Distance to keep from other lesions.")
@click.option("--flip", "flip_prob", type=float, help="Probability of a flip, for each axis.")
@click.option("--rotate", "rotate_range", type=float, metavar="DEGREES", help="Largest angle that a lesion is turned.")
@click.option("--scale", "scale_range", type=float, nargs=2, help="Smallest and largest factor of a lesion's size.")
@click.option(
    "--match", type=click.Choice(["gain", "mean_std", "none"]), help="How intensities are fitted to the host."
)
@click.option("--attempts", type=int, help="Draws of donor and place that a lesion gets.")
@click.option("--contrast", "contrast_range", type=float, nargs=2, help="Share of the contrast that must be kept.")
@click.option("--seam-margin", type=float, help="Factor by which the seams of real lesions may be exceeded.")
@_data_set_options
def augment(**options: Any) -> int:
    """Make synthetic training scans of a data set: a datalist in JSON, or a folder of nnU-Net or BIDS.

    Donors and hosts are training scans of the same fold. The folder gets images (each with its provenance in JSON),
    labels, instances (numbers of the lesions), datalist.json, datalist-fold-N.json, manifest.csv, summary.json and
    models. A run that was killed goes on when the same command is given again. The exit code is 1 if a scan failed.
    """
    from monai_consingan.methods import DEFAULT_REDRAWN_INSERTION, INSERTION_METHODS
    from monai_consingan.workflows.augmentation import AugmentSettings
    from monai_consingan.workflows.augmentation import augment as run

    chosen = given_only(**{name: options[name] for name in _SETTINGS})
    lesions = options["lesions"]
    if lesions is not None:
        chosen["lesions"] = lesions if len(lesions) > 1 else lesions * 2
    usual = INSERTION_METHODS[DEFAULT_REDRAWN_INSERTION].redrawn
    return _run(run, AugmentSettings(**chosen), "harmonization", options, usual)


@click.command(cls=NumbersCommand)
@click.argument("data_set", type=PATH, metavar="DATALIST_OR_FOLDER")
@click.option(
    "--method",
    type=click.Choice(["consingan", "fill"]),
    help="Redraw what was filled, or leave it. [default: fill, or consingan if an option of a model is given]",
)
@click.option(
    "--on-failure",
    type=click.Choice(["fill", "drop"]),
    help="What becomes of a removal that fails the checks. [default: fill]",
)
@click.option(
    "--filling",
    "fillings",
    multiple=True,
    type=click.Choice(FILLINGS),
    help="How lesions are filled; given several times, the next one is tried when one will not do. "
    f"[default: {', '.join(USUAL_FILLINGS)}]",
)
@click.option("--margin", "margin_mm", type=float, metavar="MM", help="How far beyond the label is filled.")
@click.option("--most-contrast", type=float, help="Share of a lesion's contrast that may be left.")
@click.option("--most-seam", type=float, help="Largest seam around what was filled.")
@_data_set_options
def twins(**options: Any) -> int:
    """Make a lesion-free twin of every training scan of a data set that has lesions.

    Takes the data sets of augment, and leaves the same files, with removed (numbers of the lesions that were there)
    instead of instances.
    """
    from monai_consingan.methods import REMOVAL_BLEND
    from monai_consingan.workflows.augmentation import TwinSettings, free_twins

    chosen = given_only(**{name: options[name] for name in _TWIN_SETTINGS}, fillings=options["fillings"] or None)
    return _run(free_twins, TwinSettings(**chosen), "editing", options, REMOVAL_BLEND)


@click.command()
@click.argument("output", type=PATH)
@click.option("--quiet", is_flag=True, help="Do not show the result.")
def merge(output: Path, quiet: bool) -> int:
    """Write the lists of an augmented data set whose shards have ended. The exit code is 1 if scans are missing."""
    from monai_consingan.workflows.augmentation import merge as run

    return _show(run(output), output, quiet)


def _run(
    run: Callable[..., dict[str, Any]],
    settings: Any,
    task: str,
    options: Mapping[str, Any],
    usual: BlendSettings | None = None,
) -> int:
    """Start one of the workflows and show what came of it; the exit code."""
    summary = run(
        options["data_set"],
        options["output"],
        settings,
        training=training_settings(options, task, needed=False),
        blend=blend_settings(options, settings.redrawn or usual),
        progress=not options["quiet"],
        **given_only(**{name: options[name] for name in _RUN}),
    )
    return _show(summary, options["output"], options["quiet"])


def _show(summary: Mapping[str, Any], output: Path, quiet: bool) -> int:
    """Print what came of it, failures always; the exit code."""
    for name, error in summary["failed"].items():
        click.echo(f"Failed: {name}: {error}", err=True)
    if summary.get("missing"):
        click.echo(f"Missing: {summary['missing']} scans are still to be made.", err=True)
    if not quiet:
        click.echo(f"Synthetic scans: {output}")
        click.echo(f"  made      {summary['made']}, dropped {summary['dropped']}, failed {len(summary['failed'])}")
        for title in ("lesions", "refused"):
            counts = ", ".join(f"{count} x {name}" for name, count in summary.get(title, {}).items())
            if counts:
                click.echo(f"  {title:<9} {counts}")
        if "lesions" in summary:
            click.echo(f"  look at   {output / 'manifest.csv'}")
    return 1 if summary["failed"] or summary.get("missing") else 0
