"""What the commands print when they are done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click


def show_case(report: Mapping[str, Any], output: Path, done: str, quiet: bool) -> None:
    """Print where the results of ``harmonize``, ``paste`` or ``remove`` are, and their main numbers.

    What the user should know before the result is used goes to the standard error stream, also if the rest is quiet.
    """
    for warning in report["warnings"]:
        click.echo(f"Warning: {output}: {warning}", err=True)
    if quiet:
        return
    place = report["placement"]
    where = f"voxel {tuple(place['position'])}, " if "position" in place else ""
    inserts = report["command"] != "remove"
    of_what = "of the donor lesion's" if inserts else "of the lesion's is left"
    click.echo(f"{done}: {output}")
    slices = "" if place["axis"] is None else f"slices {runs_of_numbers(place['slices'])} along axis {place['axis']}, "
    click.echo(f"  place         {where}{slices}{place['how']}")
    if why := place.get("slices_because"):
        click.echo(f"  slices        {why}")
    click.echo(f"  contrast kept {_compared(report, 'contrast_kept')}: fraction {of_what}")
    click.echo(f"  seam          {_compared(report, 'seam')}: 1 is like the tissue around")
    click.echo(f"  time          {report['seconds']:.0f} s")
    click.echo(f"  look at       {output / 'figure.png'}")


def show_training(report: Mapping[str, Any] | None, output: Path) -> None:
    """Print what ``train`` or ``cohort`` made; no report stands for a run that was finished before."""
    if report is None:
        click.echo(f"{output} is finished already: nothing to do.")
        return
    of_what = f"crops of {len(report['inputs'])} scans," if report["command"] == "cohort" else "slices of"
    click.echo(f"Model trained: {output / 'model.pt'}")
    click.echo(
        f"  task          {report['task']}, {report['slices']} {of_what} {' x '.join(map(str, report['image_size']))} "
        "pixels"
    )
    click.echo(
        f"  reconstruction {report['reconstruction_rmse']:.4f} root mean square error, of intensities from -1 to 1"
    )
    click.echo(f"  time          {report['seconds']:.0f} s")
    click.echo(f"  look at       {output / 'figure.png'}")


def runs_of_numbers(numbers: Sequence[int]) -> str:
    """Rising numbers in words, such as 3, 7 to 9."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def show_table(rows: Sequence[Sequence[str]]) -> None:
    """Print a table in columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _compared(report: Mapping[str, Any], name: str) -> str:
    from monai_consingan.workflows.outputs import shown_number

    shown, naive = shown_number(report[name], 2, "not measurable"), f"{name}_naive"
    if report["command"] == "paste" or naive not in report:
        return shown
    return f"{shown} (naive {shown_number(report[naive], 2, 'not measurable')})"
