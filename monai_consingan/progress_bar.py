"""What is told of a run while it goes on, which never ends it."""

from __future__ import annotations

import io
import sys
from typing import Any

from tqdm import tqdm


class ForgivingStderr(io.TextIOBase):
    """The standard error stream, of which it is no error that it is closed or that its reader has left."""

    def write(self, text: str) -> int:
        """Write a text if somebody reads it."""
        try:
            if sys.stderr is not None:
                sys.stderr.write(text)
        except (OSError, ValueError):
            pass
        return len(text)

    def flush(self) -> None:
        """Pass on what was written if somebody reads it."""
        try:
            if sys.stderr is not None:
                sys.stderr.flush()
        except (OSError, ValueError):
            pass

    def isatty(self) -> bool:
        """Whether a terminal shows it."""
        try:
            return sys.stderr is not None and sys.stderr.isatty()
        except ValueError:
            return False


def progress_bar(total: int, done: int, what: str, *, show: bool = True) -> Any:
    """A bar on the standard error stream, with the time that is left; into a file or a pipe a line now and then only.

    Args:
        total: number of steps.
        done: how many of them were done before.
        what: its title.
        show: whether it is shown.
    """
    stream = ForgivingStderr()
    return tqdm(
        total=total,
        initial=done,
        desc=what,
        disable=not show,
        file=stream,
        mininterval=0.2 if stream.isatty() else 15.0,
        bar_format="{desc} {percentage:3.0f}%|{bar:30}| {n_fmt}/{total_fmt}{postfix} [{elapsed}<{remaining}]",
    )
