"""What a workflow writes: one run at a time, whole or not at all, never in place of what is read; and its report."""

from __future__ import annotations

import json
import math
import os
import platform
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from monai_consingan import __version__
from monai_consingan.data import SequenceFiles, Stored, file_sha256
from monai_consingan.data.stored import public_name
from monai_consingan.errors import ConSinGANError
from monai_consingan.folder_lock import is_lock, locked
from monai_consingan.names import real_path
from monai_consingan.whole_file import is_leftover, sweep, unwritable

REPORT_NAME = "report.json"
_PARTIAL = ".partial"
_OWN = re.compile(
    r"((image|label|naive|alteration)\.(nii\.gz|png)|(figure|images)\.png|(report|review)\.(json|html|pdf)|model\.pt"
    r"|(sample|image)-\d{3,}\.(png|gif|nii\.gz))",
    re.IGNORECASE,
)
_OF_SEQUENCES = re.compile(r"(image|naive)_.+\.(nii\.gz|png)", re.IGNORECASE)
_CHECKPOINT = re.compile(r"checkpoint[^.]*\.pt")


def check_output(path: str | Path, *, overwrite: bool = False, besides: Iterable[str] = ()) -> None:
    """Refuse an output folder that holds something already; what a killed run left in it does not count.

    Args:
        path: the folder.
        overwrite: whether it may hold something.
        besides: names in it that do not count either.

    Raises:
        ConSinGANError: it does and ``overwrite`` is not set, or it is a file, or cannot be looked into.
    """
    path = Path(path)
    try:
        is_folder = path.is_dir()
        holds = {item.name for item in path.iterdir()} - {_PARTIAL, *besides} if is_folder else set()
        is_file = not is_folder and os.path.lexists(path)
    except OSError as error:
        raise unwritable(path, error) from error
    if is_file:
        raise ConSinGANError(f"output {path} is a file: give a folder.")
    if not overwrite and not all(is_lock(name) or is_leftover(name) for name in holds):
        ended = any(_CHECKPOINT.fullmatch(name) for name in holds)  # lies here for --resume only
        resume = "go on with the training that was ended by --resume, " if ended else ""
        raise ConSinGANError(f"output {path} is not empty: {resume}give another folder, or --overwrite.")


def check_inputs(path: str | Path, inputs: Iterable[str | Path | None]) -> None:
    """Refuse an output folder in which results would take the place of something that is read.

    Args:
        path: the folder.
        inputs: the files and folders that are read; ``None`` for none.

    Raises:
        ConSinGANError: an input is the folder itself, or lies in it under a name that results have.
    """
    folder = real_path(path)
    for given in inputs:
        for place in () if given is None else (Path(given).absolute(), real_path(given)):
            taken = _OWN.fullmatch(place.name) or _OF_SEQUENCES.fullmatch(place.name)
            if real_path(place) == folder or (real_path(place.parent) == folder and taken):
                raise ConSinGANError(
                    f"output {path} would take the place of {given}, which is read: give another folder."
                )


def refuse_links(path: str | Path) -> None:
    """Refuse a folder that holds a link to a folder, through which results would be written somewhere else.

    Raises:
        ConSinGANError: it holds one.
    """
    for item in sorted(Path(path).iterdir()) if Path(path).is_dir() else ():
        if item.is_symlink() and item.is_dir():
            raise ConSinGANError(
                f"output {path} holds the link {item.name}, which leads out of it: put a folder in its place."
            )


@contextmanager
def output_folder(
    path: str | Path, *, overwrite: bool = False, inputs: Iterable[str | Path | None] = ()
) -> Iterator[Path]:
    """Work in a hidden folder inside the output folder, and move its files up when all went well.

    After an error or an interrupt the hidden folder is removed, and the output folder too if it is new. After a kill it
    stays, and the next run with the same output finds there what was left of a training, its checkpoint, and no more.

    Args:
        path: the output folder; nothing is written outside of it.
        overwrite: whether a folder that holds something may be used. An earlier result stays until the new one is
            whole, and then goes with all its files; what is not a result's is left alone.
        inputs: what is read, which results do not replace.

    Yields:
        The hidden folder.

    Raises:
        ConSinGANError: the folder holds something already, is a file, is in use by another run, is where an input is,
            or cannot be written to (no permission, no space).
    """
    check_output(path, overwrite=overwrite)
    check_inputs(path, inputs)
    with locked(path):
        check_output(path, overwrite=overwrite)  # as another run may just have ended
        with whole_result(path) as partial:
            yield partial


@contextmanager
def whole_result(path: str | Path) -> Iterator[Path]:
    """The hidden folder of :py:func:`output_folder`, in a folder that is locked already."""
    path = Path(path)
    partial = path / _PARTIAL
    try:
        _only_checkpoints(partial)
        sweep(path)
        partial.mkdir(parents=True, exist_ok=True)
        yield partial
        _move_up(partial, path)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if isinstance(error, OSError):
            raise unwritable(path, error) from error
        raise


def _only_checkpoints(partial: Path) -> None:
    """Remove what a killed run left, but for the checkpoints from which trainings go on."""
    if partial.is_symlink() or partial.is_file():
        partial.unlink()
    for item in list(partial.iterdir()) if partial.is_dir() else ():
        if (item / _PARTIAL).is_dir() and not item.is_symlink():  # a result that is a part of this one
            _only_checkpoints(item / _PARTIAL)
            for rest in set(item.iterdir()) - {item / _PARTIAL}:
                shutil.rmtree(rest) if rest.is_dir() and not rest.is_symlink() else rest.unlink()
        elif item.is_dir() and not item.is_symlink():
            shutil.rmtree(item)
        elif item.is_symlink() or not _CHECKPOINT.fullmatch(item.name):
            item.unlink()


def _move_up(partial: Path, path: Path) -> None:
    """Put all files in the place of the earlier result's, the report last: a folder with a report is complete."""
    for item in list(partial.iterdir()):
        if _CHECKPOINT.fullmatch(item.name):  # of another training that was killed
            item.unlink()
    new = sorted(partial.iterdir(), key=lambda item: (item.name == REPORT_NAME, item.name))
    old = _files_of_result(path)
    (path / REPORT_NAME).unlink(missing_ok=True)
    for item in old:
        if item.name not in {kept.name for kept in new}:
            item.unlink(missing_ok=True)
    for item in new:
        if item.is_dir() and (path / item.name).is_dir():
            _move_up(item, path / item.name)
        else:
            os.replace(item, path / item.name)
    partial.rmdir()


def _files_of_result(path: Path) -> list[Path]:
    """The files of an earlier result, which is told by its report; of several sequences those that it lists."""
    try:
        report = json.loads((path / REPORT_NAME).read_text(encoding="utf-8"))
        if "command" not in report:
            return []
        listed = {name for names in report.get("sequence_files", {}).values() for name in names}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return []
    of_sequences = {name for name in listed if _OF_SEQUENCES.fullmatch(name)}
    return [item for item in path.iterdir() if _OWN.fullmatch(item.name) or item.name in of_sequences]


def versions() -> dict[str, str]:
    """Versions of what the numbers of a run depend on; Numba's only where it is installed."""
    found = {"python": platform.python_version(), "monai-consingan": __version__}
    for name in ("torch", "monai", "numpy", "scipy", "nibabel", "numba"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def describe_inputs(inputs: Mapping[str, str | Path | Stored | SequenceFiles | None]) -> dict[str, Any]:
    """Name (:py:func:`monai_consingan.data.stored.public_name`) and SHA-256 of every input that is given.

    Args:
        inputs: files by what they are, or what was read of them, which is not read again. Of several sequences, each
            from its own file, there is a list.
    """
    told: dict[str, Any] = {}
    for name, given in inputs.items():
        if isinstance(given, SequenceFiles | Stored):
            told[name] = given.described()
        elif given is not None:
            told[name] = {"file": public_name(given), "sha256": file_sha256(given)}
    return told


def write_report(path: str | Path, report: Mapping[str, Any]) -> None:
    """Write a report as JSON; what is not a finite number becomes ``null``."""
    Path(path).write_text(json.dumps(_plain(report), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, range, np.ndarray)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    if isinstance(value, Path):
        return value.name
    return value


def shown_number(value: float | None, decimals: int | None = None, none: str = "-") -> str:
    """A number for a table: four digits, or with so many decimals; ``none`` where there is none."""
    if value is None or math.isnan(value):
        return none
    return f"{value:.4g}" if decimals is None else f"{value:.{decimals}f}"
