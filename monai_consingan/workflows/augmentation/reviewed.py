"""What of an augmentation is looked at, and what was rejected then."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai_consingan.errors import ConSinGANError
from monai_consingan.text_files import read_json_dictionary
from monai_consingan.workflows.review import ReviewEntry

KEPT = "kept.json"
"""What was rejected, in the output folder (:py:func:`monai_consingan.workflows.augmentation.keep`)."""

_NUMBERS = ("diameter_mm", "contrast_kept", "cnr", "seam", "seam_through", "black_gained")


def review_entries(told: Mapping[str, Any]) -> list[ReviewEntry]:
    """What the page for the review shows of a synthetic scan.

    Args:
        told: the scan's provenance.
    """
    return [
        ReviewEntry(
            told["name"],
            lesion["instance"],
            "put in" if "donor" in lesion else "taken out",
            told["host"]["scan"],
            lesion.get("donor", {}).get("scan", ""),
            tuple(told.get("sequences", ("1",))),
            {name: float(lesion[name]) for name in _NUMBERS if isinstance(lesion.get(name), int | float)},
            (*told["warnings"], *lesion["warnings"]),
        )
        for lesion in told["lesions"]
    ]


def left_out(folder: Path) -> set[str]:
    """The synthetic scans that lists leave out, as they were rejected.

    Args:
        folder: the output folder.

    Raises:
        ConSinGANError: what was noted of them is damaged.
    """
    path = folder / KEPT
    if not path.is_file():
        return set()
    remedy = "delete it, and all scans are in the lists again"
    names = read_json_dictionary(path, "list of what was rejected", remedy=remedy).get("left_out")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConSinGANError(f"list of what was rejected {path} names no scans: {remedy}.")
    return set(names)
