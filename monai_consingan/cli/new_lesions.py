"""The command that makes new lesions."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import click

from monai_consingan.cli.lean import import_monai
from monai_consingan.cli.options import (
    data_set_options,
    given_only,
    run_options,
    settings_options,
    taken,
)
from monai_consingan.cli.types import MILLIMETRES, NUMBERS, PATH, NumbersCommand
from monai_consingan.lesion_settings import LesionSettings


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
