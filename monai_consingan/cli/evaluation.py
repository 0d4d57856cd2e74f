"""The commands that measure: what results are worth, what a segmenter finds, and the published experiments again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from monai_consingan.cli.lean import import_monai
from monai_consingan.cli.options import (
    axis_option,
    data_set_options,
    given_only,
    inception_options,
    lesion_options,
    output_options,
    refuse_given,
    run_options,
    seed_option,
    settings_options,
    taken,
)
from monai_consingan.cli.results import show_table
from monai_consingan.cli.types import PATH, NumbersCommand
from monai_consingan.data_set_settings import AugmentSettings

_OF_IMAGES = ("inception", "dims", "frd", "max_slices", "axis", "lead", "seed", "device")


@click.command()
@click.argument("images", nargs=-1, type=PATH, metavar="[REAL SYNTHETIC]")
@click.option(
    "--results",
    type=PATH,
    multiple=True,
    metavar="FOLDER",
    help="Folder that harmonize, remove or paste wrote, or a folder of such folders; may be given several times.",
)
@click.option(
    "--output",
    type=PATH,
    required=True,
    help="Folder for report.json, report.html, report.pdf and, of images, images.png.",
)
@click.option(
    "--originals",
    type=PATH,
    metavar="FOLDER",
    help="With --results: folder of the scans that they were made of, to count what changed outside the alteration "
    "mask [default: count it against the naive image].",
)
@inception_options
@click.option("--frd", is_flag=True, help="Give the Frechet radiomic distance too; needs frd-score and pyradiomics.")
@click.option("--max-slices", type=click.IntRange(2), metavar="N", help="At most N images of each set [default: all].")
@axis_option
@click.option(
    "--lead",
    metavar="SEQUENCE",
    help="The sequence that is compared of images with several [default: of results the one that the lesion was "
    "measured in].",
)
@seed_option("Seed of all draws.")
@click.option("--device", default="cpu", show_default=True, help="Where Inception runs: cpu, cuda, cuda:1, mps.")
@click.option("--quiet", is_flag=True, help="Show neither progress nor result.")
@output_options
def evaluate(images: tuple[Path, ...], output: Path, dims: str, quiet: bool, **options: Any) -> None:
    """Measure what results are worth.

    \b
    Two ways, which may be combined:
      evaluate REAL SYNTHETIC --output OUT      compare sets of images
      evaluate --results FOLDER --output OUT    measure results one by one

    REAL and SYNTHETIC are folders of pictures (PNG), of volumes (NIfTI, NRRD) or of results of this program, a DICOM
    series, a volume, or a datalist (JSON). Files such as a_t1.nii.gz and a_flair.nii.gz are sequences of one case, of
    which --lead chooses one. Slices of volumes are scaled to 8 bits each. Reported are FID, by
    pytorch-fid, and KID with a 95% interval, and the same of two halves of the real images as the floor; with fewer
    than 50 images or 10 volumes a ranking means nothing, and a warning says so.

    For results: the seam at the border, texture, what is kept of the lesion's contrast, rim and size, and how many
    voxels changed outside the alteration mask, which must be none.
    """
    if len(images) not in (0, 2) or not (images or options["results"]):
        raise click.UsageError("give REAL and SYNTHETIC images, or --results", click.get_current_context())
    if not images:
        refuse_given(_OF_IMAGES, "but no REAL and SYNTHETIC images are compared")
    if not options["results"]:
        refuse_given(("originals",), "but there are no --results")
    import_monai()
    from monai_consingan.workflows import evaluate as run
    from monai_consingan.workflows.evaluation_page import images_table, results_table, warnings_of

    pair = (images[0], images[1]) if images else None
    report = run(output, images=pair, dims=int(dims), progress=not quiet, **options)
    if quiet:
        return
    click.echo(f"Evaluated: {output}")
    if "images" in report:
        show_table(images_table(report["images"]))
    if "results" in report:
        show_table(results_table(report["results"]))
    for warning in warnings_of(report):
        click.echo(f"Warning: {warning}")
    click.echo(f"  look at  {output / 'report.html'}")


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
