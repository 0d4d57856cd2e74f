"""The errors and warnings that users see."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["ConSinGANError", "ConSinGANWarning", "NoPlaceError", "check_choice", "check_least", "is_out_of_memory"]

_MEMORY_WORDS = ("allocate memory", "not enough memory", "out of memory", "bad_alloc", "size calculation overflowed")


class ConSinGANError(ValueError):
    """A request that cannot be carried out as given.

    Its message is one sentence for the user: it names the file or the argument, the value found there and what to do.
    The command line prints the sentence alone, without a traceback, and ends with a non-zero exit code.
    """


class NoPlaceError(ConSinGANError):
    """There is no place for a lesion, none to take its tissue from, or it does not fit where it should go.

    The scans and chance decide on this, and not the request: random transforms leave such a lesion out and go on, and
    removals try their next method. All other errors are raised by them.
    """


class ConSinGANWarning(UserWarning):
    """What a user should know of a result that was made all the same.

    Its message is one sentence, like that of an error. The command line prints it as one line on the standard error
    stream, and hides the warnings of libraries.
    """


def check_choice(choices: Iterable[str], **given: Any) -> None:
    """Refuse what is none of some choices.

    Args:
        choices: the names to choose from.
        given: the values, by what the user calls them.

    Raises:
        ConSinGANError: the first value that is no choice.
    """
    for name, value in given.items():
        if value not in choices:
            raise ConSinGANError(f"{name.replace('_', ' ')} is {value!r}, but must be one of {', '.join(choices)}.")


def check_least(least: float, **given: float | None) -> None:
    """Refuse numbers that are too small.

    Args:
        least: the smallest number that makes sense.
        given: the numbers, by what the user calls them; ``None`` where there is none.

    Raises:
        ConSinGANError: the first number below it, or that is NaN.
    """
    for name, value in given.items():
        if value is not None and not value >= least:
            raise ConSinGANError(f"{name.replace('_', ' ')} is {value}, but must be {least:g} or more.")


def is_out_of_memory(error: BaseException | None) -> bool:
    """Tell whether an error, or one that it was raised from, says that there is not enough memory.

    Python and NumPy raise ``MemoryError``. PyTorch raises an error of its own for a GPU, and a mere ``RuntimeError``
    for the CPU, whose message tells, or that a size does not even fit an integer.
    """
    while error is not None:
        words = str(error).lower() if isinstance(error, RuntimeError) else ""
        if isinstance(error, MemoryError) or any(word in words for word in _MEMORY_WORDS):
            return True
        error = error.__cause__
    return False
