"""What a segmenter found of lesions whose size and place are known, as tables and as a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from monai_consingan.data_set_settings import SIZE_CLASSES
from monai_consingan.figures import ReportSection, write_reports
from monai_consingan.workflows.outputs import shown_number

_CONTRASTS = {"below 3": (-math.inf, 3.0), "3 to 6": (3.0, 6.0), "from 6": (6.0, math.inf)}
_DEPTHS_MM = {"below 20 mm": (-math.inf, 20.0), "20 to 35 mm": (20.0, 35.0), "from 35 mm": (35.0, math.inf)}


@dataclass(frozen=True)
class AskedLesion:
    """A lesion that was put in or taken out, and what the segmenter made of its place.

    Args:
        scan: the synthetic scan.
        lesion: its number there.
        kind: ``"put in"`` or ``"taken out"``.
        diameter_mm: diameter of the ball (in 2D, the disc) of its size.
        size: its class of sizes.
        cnr: its contrast-to-noise ratio; NaN of what was taken out.
        depth_mm: distance of its centre from the edge of the head; NaN where the head fills the image.
        found: whether the prediction touches it.
        dice: Dice of it and what touches it.
        found_before: whether the prediction touches this place in the scan as it was.
    """

    scan: str
    lesion: int
    kind: str
    diameter_mm: float
    size: str
    cnr: float
    depth_mm: float
    found: bool
    dice: float
    found_before: bool


def challenge_tables(lesions: Sequence[AskedLesion]) -> dict[str, dict[str, dict[str, float]]]:
    """Numbers of lesions, share found and mean Dice: of all, and by size, contrast and depth."""
    groups: dict[str, dict[str, list[AskedLesion]]] = {"all": {"all": list(lesions)}}
    groups["size"] = {name: [lesion for lesion in lesions if lesion.size == name] for name in SIZE_CLASSES}
    for title, measure, classes in (("cnr", "cnr", _CONTRASTS), ("depth", "depth_mm", _DEPTHS_MM)):
        groups[title] = {
            name: [lesion for lesion in lesions if low <= abs(getattr(lesion, measure)) < high]
            for name, (low, high) in classes.items()
        }
    return {title: {name: _row(found) for name, found in classes.items() if found} for title, classes in groups.items()}


def _row(lesions: Sequence[AskedLesion]) -> dict[str, float]:
    return {
        "lesions": len(lesions),
        "found": float(np.mean([lesion.found for lesion in lesions])),
        "dice": float(np.mean([lesion.dice for lesion in lesions])),
        "found_before": float(np.mean([lesion.found_before for lesion in lesions])),
    }


_TEXT = """
Lesions of known size and place were put into real scans, and lesions were taken out of others. The tables show what a
segmenter made of them. A lesion counts as found if what was segmented touches it.
"""

_MEASURES = {"cnr": "contrast to noise", "depth": "depth in the head"}

_HEADS = {
    "inserted": ("Lesions that were put in", "found", "found there before: chance and what the scan had already"),
    "removed": ("Lesions that were taken out", "still found: false positives", "found before the removal"),
}


def _sized(name: str) -> str:
    """A class of sizes with its diameters; any other class as it is."""
    low, high = SIZE_CLASSES.get(name, (math.nan, math.nan))
    if math.isnan(low):
        return name
    return f"{name}, below {high:g} mm" if low == 0 else f"{name}, from {low:g} mm"


def write_challenge_page(path: Path, report: Mapping[str, Any]) -> None:
    """Write the tables of a report as a page, and as a PDF beside it."""
    write_reports(path, title="What a segmenter finds", text=_TEXT, sections=_sections(report))


def _sections(report: Mapping[str, Any]) -> list[ReportSection]:
    sections = []
    for part, (heading, found, before) in _HEADS.items():
        rows: list[list[object]] = [["by", "class", "lesions", found, "Dice", before]]
        for title, classes in report[part].items():
            for name, row in classes.items():
                shares = (shown_number(row[key], 3, "-") for key in ("found", "dice", "found_before"))
                rows.append([_MEASURES.get(title, title), _sized(name), int(row["lesions"]), *shares])
        if len(rows) > 1:
            sections.append(ReportSection(heading, table=rows))
    rows = [["scans with", "false positives a scan"]]
    for part, mean in report["false_positives"].items():
        rows.append([_HEADS[part][0].lower(), "-" if mean is None else f"{mean:.2f}"])
    return [*sections, ReportSection("False positives", "What touches no lesion of the scan's label.", rows)]
