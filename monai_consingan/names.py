"""Names of files and folders that are made of other names: safe, and each one's own."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

_LONGEST = 150  # so that there is room for what is put before and behind a name, of 255 bytes
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def safe_name(name: str, instead: str) -> str:
    """A name that is good for a file or folder everywhere, and leads to no other folder.

    It has letters of ASCII, digits, dots, dashes and underscores, neither begins nor ends with a dot or dash, and has
    at most 150 characters; all else becomes a dash. A name that is good stays as it is.

    Args:
        name: any text, such as the name of a patient's folder.
        instead: the name to take where nothing is left of the other.

    Example::

        safe_name("a/x y", "case")  # "a-x-y"
        safe_name("..", "case")  # "case"
    """
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")[:_LONGEST].rstrip(".-")
    return instead if not safe or _RESERVED.fullmatch(safe) else safe


def unique_names(names: Sequence[str], taken: Iterable[str] = ()) -> list[str]:
    """Safe names, each of which is there once, also where upper and lower case are the same.

    The first of those that have the same name keeps it, and the others get a number: ``p``, ``p_2``. A number is never
    one that makes it the name of another, so ``p``, ``p``, ``p_2`` become ``p``, ``p_3``, ``p_2``.

    Args:
        names: the names, which are safe.
        taken: more names that are given away already.
    """
    used = {name.casefold() for name in taken}
    claimed = {name.casefold() for name in names} | used
    given = []
    for name in names:
        chosen, number = name, 1
        while chosen.casefold() in used or (number > 1 and chosen.casefold() in claimed):
            number += 1
            chosen = f"{name}_{number}"
        used.add(chosen.casefold())
        given.append(chosen)
    return given


def real_path(path: str | Path) -> Path:
    """Where a path leads, absolute and without links; one of a link that leads to itself stays as it is."""
    return Path(os.path.realpath(path))
