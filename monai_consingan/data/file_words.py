"""What the names of a case's files say: what tells its sequences apart, and what they have in common."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from monai_consingan.names import safe_name, unique_names

_SUFFIX = re.compile(r"(\.(nii|gz|nrrd|nhdr|mha|mhd|png|jpe?g|dcm))+$", re.IGNORECASE)
_ENDS = re.compile(r"^[\W_]+|[\W_]+$")  # of no words
_WORD = re.compile(r"[^\W_]+")


def told_apart(paths: Sequence[Path]) -> list[str] | None:
    """What tells files apart by their names; ``None`` where nothing does, or names may be those of people."""
    names = [safe_name(own, "") for _, own, _ in _parts(paths)]
    return names if names and all(names) and unique_names(names) == names else None


def in_common(paths: Sequence[Path]) -> str | None:
    """What the names of several files have before and after what tells them apart; ``None`` where nothing does.

    Example:
        >>> in_common([Path("P_1_t1_reg.nii.gz"), Path("P_1_t2_reg.nii.gz")])
        'P_1_reg'
    """
    if told_apart(paths) is None:
        return None
    before, _, after = _parts(paths)[0]
    return _ENDS.sub("", _ENDS.sub("", before) + after)


def _parts(paths: Sequence[Path]) -> list[tuple[str, str, str]]:
    """The words of each file's name that others have too, those in between, and those after them."""
    if not all(_SUFFIX.search(path.name) and path.suffix.lower() != ".dcm" for path in paths):
        return []
    stems = [_SUFFIX.sub("", path.name) for path in paths]
    words = [list(_WORD.finditer(stem)) for stem in stems]
    shortest = min(map(len, words))
    start = next((n for n in range(shortest) if len({found[n][0] for found in words}) > 1), shortest)
    shortest -= start
    end = next((n for n in range(shortest) if len({found[-1 - n][0] for found in words}) > 1), shortest)
    end = 0 if end == shortest else end  # else one would be left without a name
    parts = []
    for stem, found in zip(stems, words, strict=True):
        own = found[start : len(found) - end]
        first, last = (own[0].start(), own[-1].end()) if own else (len(stem), len(stem))
        parts.append((stem[:first], stem[first:last], stem[last:]))
    return parts
