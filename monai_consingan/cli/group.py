"""The command ``monai-consingan``: its subcommands, and how their errors end."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import click

from monai_consingan import __version__
from monai_consingan.cli.augment import augment, merge, twins
from monai_consingan.cli.bank import bank, cohort
from monai_consingan.cli.evaluation import challenge, evaluate, reproduce
from monai_consingan.cli.lean import OWN_PROCESS
from monai_consingan.cli.lesions import harmonize, paste, remove
from monai_consingan.cli.models import demo, paint_to_image, sample, super_resolution, train
from monai_consingan.cli.new_lesions import lesions
from monai_consingan.cli.nnunet import nnunet
from monai_consingan.cli.review import keep, reading
from monai_consingan.errors import ConSinGANError, ConSinGANWarning, is_out_of_memory

INTERRUPTED = 130


class _Program(click.Group):
    """A group whose errors are one sentence on the standard error stream, without a traceback."""

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Run a command and exit: 0, 1 after an error, 2 after a wrong option, 130 after an interrupt."""
        # Ignite logs an exception before it passes it on: the user gets it once, below.
        logging.getLogger("monai_consingan.engines").setLevel(logging.CRITICAL)
        logging.getLogger("ignite").setLevel(logging.CRITICAL)
        extra["standalone_mode"] = False
        if args is None:  # as the program that was started, and not as a function
            extra["obj"] = OWN_PROCESS
        try:
            with _own_warnings_only():
                code = super().main(args, prog_name, **extra)
        except click.Abort:
            sys.exit(_fail("interrupted.", INTERRUPTED))
        except click.ClickException as error:
            context = getattr(error, "ctx", None)
            hint = f" (see {context.command_path} --help)" if context is not None else ""
            sys.exit(_fail(error.format_message().rstrip(".") + hint + ".", error.exit_code))
        except ConSinGANError as error:
            sys.exit(_fail(str(error)))
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            sys.exit(
                _fail(f"{place}{error.strerror or error}: give a path that can be used, with space and permission.")
            )
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            sys.exit(_fail("there is not enough memory: take fewer or smaller slices, or fewer channels."))
        sys.exit(code if isinstance(code, int) else 0)


@contextmanager
def _own_warnings_only() -> Iterator[None]:
    """Show this package's warnings as one line each, and those of libraries only to who asks for them (``-W``)."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        """Print a warning as one line."""
        click.echo(f"Warning: {' '.join(str(message).split())}", err=True)

    with warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("ignore")
            warnings.simplefilter("default", ConSinGANWarning)
            warnings.showwarning = show
        yield


def _fail(sentence: str, code: int = 1) -> int:
    click.echo(f"Error: {' '.join(sentence.split())}", err=True)
    return code


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="monai-consingan")
def main() -> None:
    """Put brain metastases into MR scans, and take them out."""


for _command in (
    demo,
    harmonize,
    remove,
    paste,
    train,
    sample,
    paint_to_image,
    super_resolution,
    bank,
    cohort,
    lesions,
    augment,
    twins,
    merge,
    keep,
    reading,
    challenge,
    evaluate,
    reproduce,
    nnunet,
):
    main.add_command(_command)
