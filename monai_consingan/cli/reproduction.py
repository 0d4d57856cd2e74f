"""The command that runs the published experiments again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from monai_consingan.cli.lean import import_monai
from monai_consingan.cli.options import inception_options, run_options
from monai_consingan.cli.results import show_table
from monai_consingan.cli.types import PATH


@click.command()
@click.argument("dataset", type=PATH, metavar="DATASET")
@click.option(
    "--output",
    type=PATH,
    required=True,
    help="Folder for tables, panels, report.html, report.pdf and all models; to go on, the same.",
)
@click.option(
    "--settings",
    multiple=True,
    metavar="NAMES",
    help="Settings to run, such as harmonization-1,editing-2; may be given several times [default: all eight].",
)
@click.option("--slices", type=click.IntRange(1), metavar="N", help="At most N slices of each group, for trials.")
@click.option("--iterations", type=int, help="Iterations a stage, for trials [default: 1000, as published].")
@click.option("--channels", type=int, help="Filters of every layer, for trials [default: 64, as published].")
@inception_options
@run_options
def reproduce(dataset: Path, output: Path, settings: tuple[str, ...], dims: str, quiet: bool, **options: Any) -> None:
    """Run the eight published settings over a data set, and print the published numbers beside the new ones.

    DATASET is a folder with post-contrast T1 scans of patients with brain metastases (NIfTI, or folders of DICOM) and
    masks of their lesions, whose values end in 1 where a lesion enhances and in 2 where it is necrotic: that of
    Ocaña-Tienda et al. (2023), or one like it. Files may have any names that tell scans from masks; what was matched,
    and what not and why, is printed first.

    The whole takes hours on a GPU. A killed run goes on where it was when the same command is given again.
    """
    import_monai()
    from monai_consingan.workflows import reproduce as run
    from monai_consingan.workflows.reproduction import reproduction_table

    names = [name.strip() for part in settings for name in part.split(",") if name.strip()] or None
    report = run(dataset, output, settings=names, dims=int(dims), progress=not quiet, **options)
    if quiet:
        return
    click.echo(f"Reproduced: {output}")
    show_table(reproduction_table(report))
    for warning in report["warnings"]:
        click.echo(f"Warning: {warning}")
    click.echo(f"  look at  {output / 'report.html'}")
