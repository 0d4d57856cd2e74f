"""What the texts of options mean."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

PATH = click.Path(path_type=Path)
_NUMBER = re.compile(r"-?\d+")
_SHARE = r"\d+(?:\.\d+)?"


class _Parsed(click.ParamType):
    """A text that a function understands.

    Args:
        name: what it is called.
        parse: what it means; raises :py:class:`ValueError` where it means nothing.
        wanted: what it must be, for the error.
    """

    def __init__(self, name: str, parse: Callable[[str], Any], wanted: str) -> None:
        self.name, self.parse, self.wanted = name, parse, wanted

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """What a text means; what is none was understood before."""
        if not isinstance(value, str):
            return value
        try:
            return self.parse(value)
        except ValueError:
            self.fail(f"{value!r} must be {self.wanted}", param, ctx)


def _matched(pattern: str, text: str) -> re.Match[str]:
    found = re.fullmatch(pattern, text)
    if found is None:
        raise ValueError(text)
    return found


def _numbers(text: str) -> tuple[int, ...]:
    parts = [part for part in re.split(r"[,\s]+", text.strip()) if part]
    if not parts:
        raise ValueError(text)
    return tuple(int(_matched(_NUMBER.pattern, part)[0]) for part in parts)


def _range(text: str) -> tuple[int, ...]:
    numbers = _numbers(text)
    return numbers * 2 if len(numbers) == 1 else numbers


def _weights(text: str) -> dict[str, float]:
    found = [_matched(rf"([a-z]+)(?:=({_SHARE}))?", part.strip()) for part in text.split(",")]
    weights = {part[1]: float(part[2] or 1) for part in found}
    if len(weights) < len(found):
        raise ValueError(text)
    return weights


def _names(text: str) -> tuple[str, ...]:
    return tuple(_matched(r"(?s).+", name.strip())[0] for name in text.split(","))


def _millimetres(text: str) -> tuple[float, float]:
    found = _matched(rf"({_SHARE})(?:,({_SHARE}))?", text.strip())
    return float(found[1]), float(found[2] or found[1])


def _shard(text: str) -> tuple[int, int]:
    found = _matched(r"(\d+)/(\d+)", text)
    return int(found[1]), int(found[2])


NUMBERS = _Parsed("numbers", _numbers, "whole numbers, such as 1,4")
RANGE = _Parsed("numbers", _range, NUMBERS.wanted)
"""Two numbers, or one that counts for both."""
WEIGHTS = _Parsed("weights", _weights, "names with their weights, such as small=2,medium=1")
NAMES = _Parsed("names", _names, "names, such as t1,t1ce")
MILLIMETRES = _Parsed("millimetres", _millimetres, "one or two numbers of mm, such as 4,12")
SHARD = _Parsed("shard", _shard, "a part and the number of parts, such as 1/4")
LESION = _Parsed("lesion", lambda text: int(text) if text.isdecimal() else text, "a number, largest or random")
SYMMETRY = _Parsed(
    "symmetry",
    lambda text: text if text in ("centre", "estimate") else float(text),
    "'centre', 'estimate' or a position in mm",
)


class NumbersCommand(click.Command):
    """A command whose options of numbers may be followed by several, as in ``--at 96 110 6``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Join the numbers that follow such an option."""
        several = {name for param in self.params if param.type in (NUMBERS, RANGE) for name in param.opts}
        joined: list[str] = []
        takes, numbers = False, 0
        for arg in args:
            if takes and _NUMBER.fullmatch(arg):
                joined[len(joined) - bool(numbers) :] = [f"{joined[-1]},{arg}" if numbers else arg]
                numbers += 1
            else:
                joined.append(arg)
                takes, numbers = arg in several, 0
        return super().parse_args(ctx, joined)
