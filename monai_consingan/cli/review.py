"""The commands around looking at results."""

from __future__ import annotations

from pathlib import Path

import click

from monai_consingan.cli.options import PATH

__all__ = ["keep"]


@click.command()
@click.argument("output", type=PATH)
@click.option("--decisions", type=PATH, required=True, help="The decisions.json that was saved on review.html.")
@click.option(
    "--unsure",
    type=click.Choice(["keep", "drop"]),
    default="drop",
    show_default=True,
    help="What becomes of lesions that were not decided for good.",
)
@click.option(
    "--rest",
    type=click.Choice(["error", "keep", "drop"]),
    default="error",
    show_default=True,
    help="What becomes of lesions that nothing was decided on.",
)
@click.option("--quiet", is_flag=True, help="Do not show the result.")
def keep(output: Path, decisions: Path, unsure: str, rest: str, quiet: bool) -> None:
    """Write the lists of an augmented data set without what was rejected.

    Scans of which a lesion was rejected leave datalist.json, its folds, manifest.csv and the lists of nnU-Net. No scan
    is deleted. kept.json tells what was rejected; delete it and run merge to take everything back.
    """
    from monai_consingan.workflows.augmentation import keep as run

    kept = run(output, decisions, unsure=unsure, rest=rest)
    if not quiet:
        click.echo(f"Lists: {output}")
        click.echo(
            f"  lesions   {kept['accepted']} accepted, {len(kept['rejected_lesions'])} rejected, "
            f"{len(kept['unsure_lesions'])} unsure, {len(kept['not_decided'])} not decided"
        )
        click.echo(f"  scans     {len(kept['left_out'])} left out")
