"""The ways to fill a lesion that is removed, by name, in one place."""

from __future__ import annotations

__all__ = ["FILLINGS", "USUAL_FILLINGS"]

FILLINGS = ("matched_mirror", "matched_nearby", "moved_mirror", "poisson_mirror", "mirror", "flipud", "biharmonic")
"""All ways, see :class:`monai_consingan.transforms.RemoveLesion`."""

USUAL_FILLINGS = ("matched_mirror", "matched_nearby", "biharmonic")
"""What is tried where nothing else is asked for, in this order."""
