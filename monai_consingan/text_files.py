"""Text files of users: JSON and tables, as any program may have written them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from monai_consingan.errors import ConSinGANError


def read_json(path: str | Path, what: str, *, remedy: str = "give a JSON file") -> Any:
    """Read a JSON file in UTF-8, with or without a byte order mark.

    Args:
        path: the file.
        what: what it is to the user, for errors.
        remedy: what the user can do, for errors.

    Raises:
        ConSinGANError: missing, unreadable, in another encoding, no JSON, or nested too deeply.
    """
    try:
        return json.loads(_text(Path(path)))
    except RecursionError as error:
        raise ConSinGANError(f"{what} {path} cannot be read (it is nested too deeply): {remedy}.") from error
    except (OSError, ValueError) as error:
        raise ConSinGANError(f"{what} {path} cannot be read ({_reason(error)}): {remedy}.") from error


def read_json_dictionary(path: str | Path, what: str, *, remedy: str = "give a JSON file") -> dict[str, Any]:
    """Read a JSON file that holds a dictionary.

    Args:
        path, what, remedy: as of :py:func:`read_json`.

    Raises:
        ConSinGANError: as :py:func:`read_json`, or it holds something else.
    """
    found = read_json(path, what, remedy=remedy)
    if not isinstance(found, dict):
        raise ConSinGANError(f"{what} {path} holds no dictionary: {remedy}.")
    return found


def read_table(path: str | Path, what: str) -> list[dict[str, str]]:
    """Read a table in UTF-8, separated by tabs, with or without a byte order mark.

    Args:
        path: the file, whose first line names the columns.
        what: what it is to the user, for errors.

    Returns:
        A dictionary for each row that is not empty: names of columns in small letters, and cells, without the spaces
        around them.

    Raises:
        ConSinGANError: missing, unreadable, in another encoding, or with a row that is longer than the first line.
    """
    try:
        lines = list(csv.reader(_text(Path(path)).splitlines(), delimiter="\t"))
    except (OSError, ValueError, csv.Error) as error:
        raise ConSinGANError(
            f"{what} {path} cannot be read ({_reason(error)}): give a table in UTF-8, separated by tabs."
        ) from error
    rows = [[cell.strip() for cell in line] for line in lines]
    names = [name.lower() for name in rows[0]] if rows else []
    for number, row in enumerate(rows, start=1):
        if len(row) > len(names):
            raise ConSinGANError(
                f"{what} {path} has {len(row)} cells in line {number}, but {len(names)} columns: mend the row."
            )
    return [dict(zip(names, row, strict=False)) for row in rows[1:] if any(row)]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8-sig")


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is no UTF-8: save it as UTF-8"
    return f"{error.strerror or error}" if isinstance(error, OSError) else f"{error}"
