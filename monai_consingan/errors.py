"""The error that users see."""

from __future__ import annotations

__all__ = ["ConSinGANError"]


class ConSinGANError(ValueError):
    """A request that cannot be carried out as given.

    Its message is one sentence for the user: it names the file or the argument, the value found there and what to do.
    The command line prints the sentence alone, without a traceback, and ends with a non-zero exit code.
    """
