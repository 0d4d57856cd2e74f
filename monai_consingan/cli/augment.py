"""The commands that augment a whole data set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monai_consingan.cli.options import (
    NUMBERS,
    PATH,
    NumbersCommand,
    blend_settings,
    given_only,
    lesion_options,
    run_options,
    training_options,
    training_settings,
)

if TYPE_CHECKING:
    from monai_consingan.workflows.augmentation import AugmentSettings

__all__ = ["augment", "merge"]

_SETTINGS = (
    *("per_scan", "method", "on_failure", "location", "edge_mm", "clearance_mm", "flip_prob", "rotate_range"),
    *("scale_range", "match", "attempts", "contrast_range", "seam_margin", "lesion_labels", "axis", "seed"),
)
_CLASSICAL = ["poisson", "crossfade", "feather", "naive"]


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


@click.command(cls=NumbersCommand)
@click.argument("data_set", type=PATH, metavar="DATALIST_OR_FOLDER")
@click.option("--output", type=PATH, required=True, help="Folder for the augmented data set.")
@click.option("--per-scan", type=int, required=True, help="Synthetic scans for each training scan.")
@click.option("--lesions", type=NUMBERS, metavar="1,3", help="New lesions in each: smallest and largest number.")
@click.option("--method", type=click.Choice(["consingan", *_CLASSICAL]), help="How lesions are put in.")
@click.option(
    "--on-failure",
    type=click.Choice([*_CLASSICAL, "drop"]),
    help="What is tried with a lesion that fails the checks. [default: poisson]",
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
@click.option("--channel", type=int, help="Number of the image to work on where a scan has several.")
@click.option("--lesion-mask", metavar="NAME", help="Part of the name of the lesions' masks in a BIDS folder.")
@lesion_options
@training_options
@click.option("--model", type=PATH, metavar="RUN", help="Use a trained model for all hosts.")
@click.option(
    "--bank", type=PATH, metavar="FOLDER", help="Folder of the hosts' models [default: models in the output]."
)
@click.option("--crops", type=int, help="Crops of a host that its model is trained on. [default: 3]")
@click.option("--side", type=int, help="Height and width of these in pixels. [default: 96]")
@click.option("--composite", type=click.Choice(["whole", "band"]), help="Where the redrawn image is used.")
@click.option("--dilation", type=float, metavar="MM", help="How far beyond the lesion's border.")
@click.option("--softness", type=float, metavar="MM", help="Width of the soft edge beyond that.")
@run_options
@click.option("--jobs", type=int, default=1, show_default=True, help="Number of processes.")
@click.option("--threads", type=int, default=1, show_default=True, help="Threads of each.")
@click.option("--shard", type=_Shard(), metavar="I/N", help="Make only a part, as in a job array; then run merge.")
def augment(
    data_set: Path,
    output: Path,
    model: Path | None,
    channel: int | None,
    lesion_mask: str | None,
    device: str,
    jobs: int,
    threads: int,
    shard: tuple[int, int] | None,
    quiet: bool,
    **options: Any,
) -> int:
    """Make synthetic training scans of a data set: a datalist in JSON, or a folder of nnU-Net or BIDS.

    Donors and hosts are training scans of the same fold. The folder gets images (each with its provenance in JSON),
    labels, instances (numbers of the lesions), datalist.json, datalist-fold-N.json, manifest.csv, summary.json and
    models. A run that was killed goes on when the same command is given again. The exit code is 1 if a scan failed.
    """
    from monai_consingan.workflows import BlendSettings
    from monai_consingan.workflows.augmentation import augment as run

    settings = _settings(options)
    training = None
    if settings.method == "consingan":
        training = training_settings({**options, "model": model}, "harmonization")
    summary = run(
        data_set,
        output,
        settings,
        training=training,
        blend=blend_settings(options, BlendSettings()),
        model=model,
        channel=channel,
        lesion_mask=lesion_mask,
        device=device,
        jobs=jobs,
        threads=threads,
        shard=shard,
        progress=not quiet,
        **given_only(bank=options["bank"], crops=options["crops"], side=options["side"]),
    )
    return _show(summary, output, quiet)


@click.command()
@click.argument("output", type=PATH)
@click.option("--quiet", is_flag=True, help="Do not show the result.")
def merge(output: Path, quiet: bool) -> int:
    """Write the lists of an augmented data set whose shards have ended. The exit code is 1 if scans are missing."""
    from monai_consingan.workflows.augmentation import merge as run

    return _show(run(output), output, quiet)


def _settings(options: Mapping[str, Any]) -> AugmentSettings:
    from monai_consingan.workflows.augmentation import AugmentSettings

    chosen = given_only(**{name: options[name] for name in _SETTINGS}, sizes=options["sizes"])
    lesions = options["lesions"]
    if lesions is not None:
        chosen["lesions"] = lesions if len(lesions) > 1 else lesions * 2
    return AugmentSettings(**chosen)


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
