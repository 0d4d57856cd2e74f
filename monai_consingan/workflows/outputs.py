"""A folder of results that appears whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monai_consingan.errors import ConSinGANError
from monai_consingan.whole_file import unwritable

__all__ = ["REPORT_NAME", "check_output", "output_folder"]

REPORT_NAME = "report.json"
_PARTIAL = ".partial"


def check_output(path: str | Path, *, overwrite: bool = False) -> None:
    """Refuse an output folder that holds something already; what a killed run left in it does not count.

    Raises:
        ConSinGANError: it does and ``overwrite`` is not set, or it is a file, or cannot be looked into.
    """
    path = Path(path)
    try:
        is_folder = path.is_dir()
        holds = {item.name for item in path.iterdir()} - {_PARTIAL} if is_folder else set()
        is_file = not is_folder and path.exists()
    except OSError as error:
        raise unwritable(path, error) from error
    if is_file:
        raise ConSinGANError(f"output {path} is a file: give a folder.")
    if holds and not overwrite:
        raise ConSinGANError(f"output {path} is not empty: give another folder, or --overwrite.")


@contextmanager
def output_folder(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Work in a hidden folder inside the output folder, and move its files up when all went well.

    After an error or an interrupt the hidden folder is removed, and the output folder too if it is new. After a kill it
    stays, and the next run with the same output finds there what was left, such as the checkpoint of a training.

    Args:
        path: the output folder; nothing is written outside of it.
        overwrite: whether a folder that holds something may be used; its other files are left alone.

    Yields:
        The hidden folder.

    Raises:
        ConSinGANError: the folder holds something already, is a file, or cannot be written to (no permission, no
            space).
    """
    path = Path(path)
    check_output(path, overwrite=overwrite)
    partial = path / _PARTIAL
    created = _missing_parents(path)
    try:
        partial.mkdir(parents=True, exist_ok=True)
        yield partial
        _move_up(partial, path)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        for folder in created:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        if isinstance(error, OSError):
            raise unwritable(path, error) from error
        raise


def _missing_parents(path: Path) -> list[Path]:
    """Folders that do not exist yet, innermost first, from ``path`` upwards."""
    missing = []
    while not path.exists():
        missing.append(path)
        path = path.parent
    return missing


def _move_up(partial: Path, path: Path) -> None:
    """Move all files up, the report last: a folder with a report is complete."""
    (path / REPORT_NAME).unlink(missing_ok=True)
    for item in sorted(partial.iterdir(), key=lambda item: (item.name == REPORT_NAME, item.name)):
        os.replace(item, path / item.name)
    partial.rmdir()
