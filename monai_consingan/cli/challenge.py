"""The command that lets a segmenter look for lesions whose place is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from monai_consingan.cli.lean import import_monai
from monai_consingan.cli.options import data_set_options, given_only, lesion_options, settings_options, taken
from monai_consingan.cli.results import show_table
from monai_consingan.cli.types import PATH, NumbersCommand
from monai_consingan.data_set_settings import AugmentSettings


@click.command(cls=NumbersCommand)
@click.argument("segmenter")
@click.argument("scans", type=PATH, metavar="DATALIST_OR_FOLDER")
@click.option("--output", type=PATH, required=True, help="Folder for the result, in which a killed run goes on.")
@settings_options(AugmentSettings)
@data_set_options
@lesion_options
@click.option("--twins/--no-twins", default=True, show_default=True, help="Whether lesions are taken out too.")
@click.option("--jobs", type=int, default=1, show_default=True, help="Number of processes that make scans.")
@click.option("--quiet", is_flag=True, help="Show neither progress nor result.")
def challenge(segmenter: str, scans: Path, output: Path, twins: bool, jobs: int, quiet: bool, **options: Any) -> None:
    """Put lesions of known size and place into scans, and see what a segmenter finds.

    SEGMENTER is its command line, with {image} where the scan's path goes and {mask} for the path of the mask that it
    writes, such as "python segment.py {image} {mask}". Lesions are also taken out, to see what is still found there.
    The folder gets report.html and report.json with what was found, by size, contrast and depth in the head.
    """
    import_monai()
    from monai_consingan.workflows.challenge import challenge as run

    settings = AugmentSettings(**taken(AugmentSettings, options))
    how: dict[str, Any] = {"twins": twins, "jobs": jobs, "progress": not quiet}
    report = run(segmenter, scans, output, settings=settings, **how, **given_only(**options))
    if quiet:
        return
    click.echo(f"Challenge: {output}")
    rows = [["lesions", "by", "class", "number", "found", "Dice", "found before"]]
    for part in ("inserted", "removed"):
        for title, classes in report[part].items():
            for name, row in classes.items():
                shares = (f"{row[key]:.3f}" for key in ("found", "dice", "found_before"))
                rows.append([part, title, name, str(row["lesions"]), *shares])
    show_table(rows)
    for part, mean in report["false_positives"].items():
        click.echo(f"  false positives a scan, {part}: {'-' if mean is None else f'{mean:.2f}'}")
    click.echo(f"  look at   {output / 'report.html'}")
