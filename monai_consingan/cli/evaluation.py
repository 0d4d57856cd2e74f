"""The command that measures what results are worth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from monai_consingan.cli.lean import import_monai
from monai_consingan.cli.options import axis_option, inception_options, output_options, refuse_given, seed_option
from monai_consingan.cli.results import show_table
from monai_consingan.cli.types import PATH

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
