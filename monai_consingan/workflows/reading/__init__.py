"""Blinded reading: can people tell what was made from what is real?"""

from __future__ import annotations

from .make import make_reading
from .score import score_reading

__all__ = ["make_reading", "score_reading"]
