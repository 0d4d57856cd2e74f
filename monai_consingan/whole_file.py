"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from uuid import uuid4

from monai_consingan.errors import ConSinGANError

_TEMPORARY = re.compile(r"\.[0-9a-f]{8,}\.tmp\..+")


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Write a file under a temporary name beside it, that takes its place when complete and vanishes otherwise.

    Args:
        path: the file.

    Yields:
        The temporary name, with the same suffix.

    Raises:
        OSError: the file cannot be written.

    Example::

        with whole_file("report.json") as path:
            path.write_text("{}")
    """
    path = Path(path)
    temporary = path.with_name(f".{uuid4().hex}.tmp.{path.name}")
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def leftovers(path: str | Path) -> list[Path]:
    """What is left of a file that a kill kept from being written."""
    path = Path(path)
    return sorted(path.parent.glob(f".*.tmp.{escape(path.name)}"))


def is_leftover(path: str | Path) -> bool:
    """Whether a file is what is left of any that a kill kept from being written."""
    return _TEMPORARY.fullmatch(Path(path).name) is not None


def sweep(folder: str | Path) -> None:
    """Remove what is left in a folder of files that kills kept from being written; nobody may be writing there."""
    folder = Path(folder)
    for path in list(folder.iterdir()) if folder.is_dir() else ():
        if is_leftover(path):
            path.unlink(missing_ok=True)


def unwritable(path: str | Path, error: OSError) -> ConSinGANError:
    """The error for an output that the system refuses to write."""
    return ConSinGANError(
        f"output {path} cannot be written ({error.strerror or error}): free some space, or give a folder that you may "
        "write to."
    )
