"""The command ``monai-consingan``: its subcommands, and how their errors end."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NoReturn

import click

from monai_consingan import __version__
from monai_consingan.cli.lean import OWN_PROCESS
from monai_consingan.errors import ConSinGANError, ConSinGANWarning, is_out_of_memory

INTERRUPTED = 130

_COMMANDS = {
    "demo": ("models", "Put a lesion in and take one out, on the scan that comes with the package (a few minutes)."),
    "harmonize": ("one_scan", "Put a donor's lesion into a host and blend it in."),
    "remove": ("one_scan", "Take a lesion out: fill it with healthy tissue."),
    "paste": ("one_scan", "Paste a donor's lesion into a host, and no more: nothing is trained."),
    "train": ("models", "Train one model on slices of one scan or several, or with --dims 3 on whole volumes."),
    "sample": ("models", "Draw new images, of any size, from a model of the task generation, retarget or animation."),
    "paint-to-image": (
        "models",
        "Make a real image of a painted one: a grey PICTURE, such as a PNG of sample that was painted over.",
    ),
    "super-resolution": (
        "models",
        "Make a grey PICTURE larger by a model's last stage, which is applied as often as that takes.",
    ),
    "bank": ("bank", "Train a model for every scan, so that lesions can be put in or taken out on the fly."),
    "cohort": (
        "bank",
        "Train one model on crops of the training scans of a data set: a datalist, or a folder of nnU-Net or BIDS.",
    ),
    "lesions": (
        "data_sets",
        "Make new lesions with their labels of those of donors: a data set, or images each followed by its label.",
    ),
    "augment": (
        "data_sets",
        "Make synthetic training scans of a data set: a datalist in JSON, or a folder of nnU-Net or BIDS.",
    ),
    "twins": ("data_sets", "Make a lesion-free twin of every training scan of a data set that has lesions."),
    "merge": ("data_sets", "Write the lists of an augmented data set whose shards have ended."),
    "keep": ("review", "Write the lists of an augmented data set, or a bank of lesions, without what was rejected."),
    "reading": (
        "review",
        "Let people tell real from synthetic without knowing which is which, and score what they say.",
    ),
    "challenge": ("evaluation", "Put lesions of known size and place into scans, and see what a segmenter finds."),
    "evaluate": ("evaluation", "Measure what results are worth."),
    "reproduce": (
        "evaluation",
        "Run the eight published settings over a data set, and print the published numbers beside the new ones.",
    ),
    "nnunet": ("data_sets", "Say how nnU-Net v2 trains with lesions that are put in on the fly."),
}
"""The commands: the file that each is in, which is imported when the command is asked for, and how its help begins."""


class _Program(click.Group):
    """A group whose commands are imported one by one, and whose errors are a sentence on the standard error stream."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is asked for, which is imported now."""
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None:
            file, _ = _COMMANDS[str(command.name)]
            command = getattr(import_module(f"monai_consingan.cli.{file}"), str(command.name).replace("-", "_"))
        return name, command, rest

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


for _name, (_, _text) in _COMMANDS.items():
    main.add_command(click.Command(_name, help=_text))
