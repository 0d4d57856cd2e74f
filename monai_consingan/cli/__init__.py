"""The command line: thin, and quick to answer ``--help``, as what computes is imported when a command runs."""

from __future__ import annotations

from .group import main

__all__ = ["main"]
