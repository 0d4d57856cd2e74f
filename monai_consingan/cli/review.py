"""The commands around looking at results."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from monai_consingan.cli.lean import import_monai
from monai_consingan.cli.options import output_options, refuse_given, seed_option
from monai_consingan.cli.results import show_table
from monai_consingan.cli.types import PATH


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
    """Write the lists of an augmented data set, or a bank of lesions, without what was rejected.

    Scans with a rejected lesion leave datalist.json, its folds, manifest.csv and the lists of nnU-Net. No scan is
    deleted. kept.json says what was rejected; delete it and run merge to take everything back. Of a bank, bank.json
    says it.
    """
    import_monai()
    from monai_consingan.data.lesion_bank import is_lesion_bank
    from monai_consingan.workflows.augmentation import keep as run
    from monai_consingan.workflows.lesion_review import keep_lesions

    of_bank = is_lesion_bank(output)
    kept = (keep_lesions if of_bank else run)(output, decisions, unsure=unsure, rest=rest)
    if not quiet:
        click.echo(f"{'Bank' if of_bank else 'Lists'}: {output}")
        click.echo(
            f"  lesions   {kept['accepted']} accepted, {len(kept['rejected_lesions'])} rejected, "
            f"{len(kept['unsure_lesions'])} unsure, {len(kept['not_decided'])} not decided"
        )
        click.echo(f"  {'lesions' if of_bank else 'scans  '}   {len(kept['left_out'])} left out")


@click.command()
@click.argument("result", type=PATH, required=False)
@click.option("--real", type=PATH, metavar="DATASET", help="Data set with real scans, as augment takes it.")
@click.option("--output", type=PATH, help="Folder for page, which readers get, and key.json, which they must not see.")
@click.option("--number", type=int, default=40, show_default=True, help="Number of cases, half of them real.")
@seed_option("Seed of the choice and the order of the cases.")
@output_options
@click.option("--score", "answers", type=PATH, multiple=True, metavar="ANSWERS", help="Score a reader's answers.json.")
@click.option("--key", type=PATH, help="With --score: the key.json of the reading.")
def reading(
    result: Path | None,
    answers: tuple[Path, ...],
    key: Path | None,
    real: Path | None,
    output: Path | None,
    **options: Any,
) -> None:
    """Let people tell real from synthetic without knowing which is which, and score what they say.

    \b
    Two ways:
      reading RESULT --real DATASET --output OUT    make the page, of a result of augment or twins
      reading --score ANSWERS ... --key KEY         score answers, one file for each reader
    """
    import_monai()
    from monai_consingan.workflows.reading import make_reading, score_reading

    if answers:
        if key is None or result is not None:
            raise click.UsageError("give --score with --key, and no result", click.get_current_context())
        refuse_given(("real", "output", *options), "but --score makes no page")
        _show_scores(score_reading(answers, key))
        return
    if result is None or real is None or output is None:
        raise click.UsageError(
            "give a result with --real and --output, or --score with --key", click.get_current_context()
        )
    refuse_given(("key",), "but there is no --score")
    click.echo(f"Page for the readers: {make_reading(result, real, output, **options)}")
    click.echo(f"Key, not for them: {output / 'key.json'}")


def _show_scores(scores: Mapping[str, Any]) -> None:
    names = ("sensitivity", "specificity", "accuracy", "auc")
    rows = [["reader", *names, "seconds a case"]]
    for number, reader in enumerate(scores["readers"], start=1):
        shares = (reader[name] for name in names)
        shown = [f"{share['value']:.3f} ({share['low']:.3f} to {share['high']:.3f})" for share in shares]
        rows.append([str(number), *shown, f"{reader['seconds']:.1f}"])
    rows.append(["mean", *(f"{scores['together'][name]:.3f}" for name in names), ""])
    for who, shares in scores["published"].items():
        rows.append([who, *(f"{shares[name]:.3f}" if name in shares else "" for name in names), ""])
    click.echo(f"Cases: {scores['cases']}")
    show_table(rows)
    if scores["kappa"] is not None:
        click.echo(
            f"  agreement {scores['kappa']:.3f} ({'Cohen' if len(scores['readers']) == 2 else 'Fleiss'}'s kappa)"
        )
