"""The commands that train models and draw from them, and the demo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from monai_consingan.cli.ahead import compile_ahead
from monai_consingan.cli.lean import import_monai
from monai_consingan.cli.options import (
    axis_option,
    dims_option,
    given_only,
    output_options,
    run_options,
    seed_option,
    training_options,
    training_settings,
)
from monai_consingan.cli.results import show_training
from monai_consingan.cli.types import NUMBERS, PATH, NumbersCommand
from monai_consingan.tasks import TASKS


@click.command()
@click.option("--output", type=PATH, default=Path("demo"), show_default=True, help="Folder for the results.")
@seed_option("Seed of everything random.")
@click.option("--quiet", is_flag=True, help="Show neither progress nor result.")
@output_options
def demo(output: Path, seed: int, quiet: bool, overwrite: bool) -> None:
    """Put a lesion in and take one out, on the scan that comes with the package (a few minutes)."""
    import_monai()
    from monai_consingan.workflows.demo import demo as run

    page = run(output, seed=seed, overwrite=overwrite, progress=not quiet)
    if not quiet:
        click.echo(f"Look at {page}")


@click.command()
@click.argument("images", nargs=-1, required=True, type=PATH, metavar="IMAGE...")
@click.option("--task", required=True, type=click.Choice(list(TASKS)), help="What the model is for.")
@click.option("--output", type=PATH, required=True, metavar="RUN", help="Folder for the model.")
@click.option("--resume", is_flag=True, help="Go on with a training that was ended; give all else as before.")
@click.option(
    "--slice",
    "slices",
    type=int,
    multiple=True,
    help="Slice to train on, may be given several times [default: all that show enough of the head].",
)
@axis_option
@dims_option
@click.option(
    "--model", "start", type=PATH, metavar="RUN", help="Start from a trained model (same stages, channels, size)."
)
@click.option(
    "--fine-tune",
    type=PATH,
    multiple=True,
    metavar="NAIVE",
    help="With --model: train its last stage once more, with this naive image as its input; one for each IMAGE.",
)
@training_options
@run_options
@output_options
def train(images: tuple[Path, ...], output: Path, quiet: bool, **options: Any) -> None:
    """Train one model on slices of one scan or several, or with --dims 3 on whole volumes.

    With --region slice the slices are resized to 250 x 250, with --region roi they keep their size up to --max-size.
    RUN gets model.pt, figure.png and report.json. Until then it holds checkpoint.pt, from which --resume goes on.
    """
    import_monai()
    from monai_consingan.workflows.train import train_run

    task = options["task"]
    settings = training_settings(options, task, options["start"], dims=options.pop("dims"))
    compile_ahead({"dims": 2, **options}, settings)
    report = train_run(images, output, settings=settings, progress=not quiet, **given_only(**options))
    if not quiet:
        show_training(report, output)


@click.command(cls=NumbersCommand)
@click.argument("run", type=PATH)
@click.option("--output", type=PATH, help="Folder for the images [default: RUN/samples].")
@click.option("--count", type=click.IntRange(1), help="How many [default: 4 images, or 1 animation].")
@click.option("--scale", type=float, help="Size of the images as a multiple of the trained one [default: 1].")
@click.option("--size", type=NUMBERS, metavar="H W", help="Size of the images in pixels; of volumes H W D.")
@click.option(
    "--animate/--still", default=None, help="Make GIFs that move [default: if the model's task is animation]."
)
@click.option("--frames", type=click.IntRange(2), help="Frames of a GIF [default: 50].")
@click.option("--start-scale", type=click.IntRange(0), help="Lowest stages that are held still in a GIF [default: 1].")
@seed_option("Seed of the noise.")
@click.option("--quiet", is_flag=True, help="Do not show the result.")
@output_options
def sample(
    run: Path, output: Path | None, size: tuple[int, ...] | None, scale: float | None, quiet: bool, **options: Any
) -> None:
    """Draw new images, of any size, from a model of the task generation, retarget or animation.

    RUN is the folder of a training, or its model.pt.
    """
    import_monai()
    from monai_consingan.workflows.sample import sample as draw

    if output is None:
        output = (run if run.is_dir() else run.parent) / "samples"
    if size is not None and scale is not None:
        raise click.UsageError("--size and --scale are both given: leave one out")
    report = draw(run, output, size=size if scale is None else scale, **options)
    if not quiet:
        click.echo(f"{len(report['files'])} drawn: {output}")
        click.echo(f"  size          {' x '.join(map(str, report['size']))} pixels")
        click.echo(f"  time          {report['seconds']:.0f} s")


@click.command()
@click.argument("run", type=PATH)
@click.argument("picture", type=PATH)
@click.option("--output", type=PATH, help="Folder for the images [default: RUN/painted].")
@click.option(
    "--stage",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Stage that the picture goes in at; the higher, the more of it is kept.",
)
@click.option("--count", type=click.IntRange(1), default=1, show_default=True, help="How many, each with other noise.")
@seed_option("Seed of the noise of all but the first.")
@click.option("--quiet", is_flag=True, help="Do not show the result.")
@output_options
def paint_to_image(run: Path, picture: Path, output: Path | None, quiet: bool, **options: Any) -> None:
    """Make a real image of a painted one: a grey PICTURE, such as a PNG of sample that was painted over.

    RUN is the folder of a training on slices of one sequence, or its model.pt; any task but animation. The picture is
    put in at the coarsest stage, or a higher one: it says where things are, and the model what they look like.
    """
    import_monai()
    from monai_consingan.workflows.redraw_picture import paint_to_image as paint

    output = output or (run if run.is_dir() else run.parent) / "painted"
    report = paint(run, picture, output, **options)
    if not quiet:
        click.echo(f"{len(report['files'])} made: {output}")


@click.command()
@click.argument("run", type=PATH)
@click.argument("picture", type=PATH)
@click.option("--output", type=PATH, help="Folder for the image [default: RUN/enlarged].")
@click.option("--factor", type=float, default=2.0, show_default=True, help="How much larger.")
@seed_option("Seed of the noise.")
@click.option("--quiet", is_flag=True, help="Do not show the result.")
@output_options
def super_resolution(run: Path, picture: Path, output: Path | None, quiet: bool, **options: Any) -> None:
    """Make a grey PICTURE larger by a model's last stage, which is applied as often as that takes.

    RUN is the folder of a training on slices of one sequence, or its model.pt; any task but animation. The picture is
    best the image that the model was trained on, as sample would show it. The detail is invented.
    """
    import_monai()
    from monai_consingan.workflows.redraw_picture import super_resolution as enlarge

    output = output or (run if run.is_dir() else run.parent) / "enlarged"
    report = enlarge(run, picture, output, **options)
    if not quiet:
        click.echo(f"Enlarged: {output / report['files'][0]}")
        sizes = report["sizes"]
        click.echo(f"  size          {' x '.join(map(str, sizes[-1]))} pixels, in {len(sizes)} steps")
