"""Looking at results before they are used: a page in the browser, and what is decided there."""

from __future__ import annotations

from .decisions import Decisions, read_decisions
from .page import CARDS, MADE, PAGE, ReviewEntry, write_review

__all__ = ["CARDS", "MADE", "PAGE", "Decisions", "ReviewEntry", "read_decisions", "write_review"]
