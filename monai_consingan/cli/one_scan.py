"""The commands that put lesions in and take them out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from monai_consingan.cli.ahead import compile_ahead
from monai_consingan.cli.lean import import_monai
from monai_consingan.cli.options import (
    blend_options,
    blend_settings,
    lesion_options,
    output_options,
    run_options,
    seed_option,
    sequence_options,
    taken,
    together,
    training_options,
    training_settings,
)
from monai_consingan.cli.results import show_case
from monai_consingan.cli.types import LESION, NUMBERS, PATH, SYMMETRY, NumbersCommand
from monai_consingan.methods import (
    DEFAULT_INSERTION,
    DEFAULT_REDRAWN_INSERTION,
    FILLINGS,
    INSERTION_METHODS,
    MATCHES,
    MODEL_FREE_INSERTIONS,
    REMOVAL_BLEND,
    TRAINING_TISSUES,
    USUAL_FILLINGS,
)

_REDRAWN = [name for name in INSERTION_METHODS if name not in MODEL_FREE_INSERTIONS]

_source_options = together(
    click.option(
        "--host",
        type=PATH,
        multiple=True,
        required=True,
        help="Scan that gets the lesion: NIfTI, NRRD, DICOM folder, PNG; given several times, its sequences.",
    ),
    click.option(
        "--donor",
        type=PATH,
        multiple=True,
        required=True,
        help="Scan that the lesion comes from, or its sequences; it may be the host.",
    ),
    click.option("--donor-label", type=PATH, help="Label of the donor's lesions; a BANK has its own."),
    click.option("--host-label", type=PATH, help="Label of the lesions that the host has already."),
    click.option("--output", type=PATH, required=True, help="Folder for the results."),
    click.option(
        "--lesion",
        type=LESION,
        metavar="N|largest|random",
        help="Which lesion of a donor that has several, by its number from 1, the largest, or by chance "
        "[default: largest].",
    ),
    click.option("--donor-slice", type=int, help="Slice of the donor to take [default: the whole lesion]."),
    click.option("--host-slice", type=int, help="Slice of the host that the lesion goes to."),
    click.option("--at", type=NUMBERS, metavar="X Y Z", help="Voxel of the host for the lesion's centre."),
    click.option(
        "--offset", type=NUMBERS, metavar="ROW COL", help="Shift from the lesion's place in the donor, in voxels."
    ),
    click.option(
        "--match",
        type=click.Choice(MATCHES),
        help="How the donor's intensities are fitted to the host's around the lesion.",
    ),
    click.option(
        "--oedema",
        is_flag=True,
        help="Also take what touches the lesion in the donor's label with other values than --lesion-labels, within "
        "the host's tissue; that of a BANK comes along anyway.",
    ),
    click.option(
        "--mass-effect",
        type=float,
        metavar="SHARE",
        help="Share of its volume, 0 to 0.8, by which the lesion first pushes the tissue around it aside [default: 0].",
    ),
)

_strict = click.option(
    "--strict", is_flag=True, help="Write nothing if the result does not pass its checks [default: warn]."
)


@click.command(cls=NumbersCommand)
@_source_options
@lesion_options
@sequence_options
@click.option(
    "--method",
    help=f"How the lesion is blended in. Without a model: {', '.join(MODEL_FREE_INSERTIONS)}; with one: "
    f"{', '.join(_REDRAWN)} (as published). [default: {DEFAULT_INSERTION}, or {DEFAULT_REDRAWN_INSERTION} if an "
    "option of a model is given]",
)
@training_options
@blend_options
@run_options
@_strict
@output_options
def harmonize(output: Path, quiet: bool, **options: Any) -> None:
    """Put a donor's lesion into a host and blend it in.

    Without --at or --offset a place is found. Without --donor-slice the whole lesion is moved, in space, or slice by
    slice where slices are thick. The folder gets image, label, naive (the mere paste), alteration (where the image may
    differ from the host), figure.png, report.json, and model.pt if a model was trained.
    """
    usual = INSERTION_METHODS.get(options["method"] or DEFAULT_REDRAWN_INSERTION)
    settings = training_settings(options, "harmonization", options["start"], needed=False, dims=options["dims"])
    blend = blend_settings(options, None if usual is None else usual.redrawn)
    import_monai()
    compile_ahead(options, settings, blend, usual.redrawn if options["method"] and usual else None)
    from monai_consingan.workflows import LesionSource
    from monai_consingan.workflows import harmonize as run

    source = LesionSource(**taken(LesionSource, options))
    report = run(source, output, settings=settings, blend=blend, progress=not quiet, **options)
    show_case(report, output, "Lesion inserted", quiet)


@click.command(cls=NumbersCommand)
@_source_options
@lesion_options
@sequence_options
@seed_option("Seed of the place.")
@click.option("--quiet", is_flag=True, help="Do not show the result.")
@_strict
@output_options
def paste(output: Path, quiet: bool, **options: Any) -> None:
    """Paste a donor's lesion into a host, and no more: nothing is trained."""
    import_monai()
    from monai_consingan.workflows import LesionSource
    from monai_consingan.workflows import paste as run

    report = run(LesionSource(**taken(LesionSource, options)), output, **options)
    show_case(report, output, "Lesion pasted", quiet)


@click.command(cls=NumbersCommand)
@click.option(
    "--image",
    type=PATH,
    multiple=True,
    required=True,
    help="Scan to take the lesion out of: NIfTI, NRRD, DICOM folder, PNG; given several times, its sequences.",
)
@click.option("--label", type=PATH, required=True, help="Label of its lesions.")
@click.option("--output", type=PATH, required=True, help="Folder for the results.")
@click.option("--slice", "slice_index", type=int, help="Slice to work on [default: all that hold the lesion].")
@click.option(
    "--method",
    "methods",
    multiple=True,
    type=click.Choice(list(FILLINGS)),
    help="How the lesion is filled; given several times, the next one is tried when one will not do. "
    f"[default: {', '.join(USUAL_FILLINGS)}]",
)
@click.option(
    "--symmetry",
    type=SYMMETRY,
    metavar="centre|estimate|MM",
    help="Where left mirrors to right: the image's centre, estimated from the image, or a position in mm (RAS+).",
)
@click.option("--margin", "margin_mm", type=float, metavar="MM", help="How far beyond the label is filled.")
@click.option(
    "--train-on",
    type=click.Choice(TRAINING_TISSUES),
    help="Train on the other hemisphere's tissue, or on the scan as it is.",
)
@lesion_options
@sequence_options
@training_options
@blend_options
@run_options
@_strict
@output_options
def remove(output: Path, quiet: bool, **options: Any) -> None:
    """Take a lesion out: fill it with healthy tissue.

    Any option of a model, such as --preset, also trains a ConSinGAN that redraws what was filled. The folder gets
    image, label (of the lesions that stay), naive (the mere filling), alteration (where the image may differ from the
    scan), figure.png, report.json and, if one was trained, model.pt.
    """
    settings = training_settings(options, "editing", options["start"], needed=False, dims=options["dims"])
    blend = blend_settings(options, REMOVAL_BLEND)
    import_monai()
    compile_ahead(options, settings, blend)
    from monai_consingan.workflows import LesionTarget
    from monai_consingan.workflows import remove as run

    target = LesionTarget(**taken(LesionTarget, options))
    report = run(target, output, settings=settings, blend=blend, progress=not quiet, **options)
    show_case(report, output, "Lesion removed", quiet)
