"""The published numbers beside the new ones, as tables, and a page with panels as published."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_consingan.data import load_label, load_scan
from monai_consingan.figures import (
    Panel,
    ReportSection,
    difference_panel,
    save_panel,
    slice_view,
    write_reports,
)
from monai_consingan.whole_file import whole_file
from monai_consingan.workflows.outputs import shown_number
from monai_consingan.workflows.reproduction.folder import ReproductionCase, ReproductionFolder
from monai_consingan.workflows.reproduction.measures import MEASURES, REAL_IMAGE
from monai_consingan.workflows.reproduction.published import PublishedGroup

PAGE = "report.html"
_TITLE = "The published experiments, run again"
_TEXT = """
FID and KID tell how far the Inception features of naive images and results are from those of the real slices, which are
the slices before anything was done to them; for harmonization the FID from the slices that the lesions come from stands
beside it, as the publication does not say which were taken. Smaller is nearer, and nearest is what changes nothing.
Minutes are those of one model's training. Seam and texture are relative to the tissue around (1 is like it); contrast,
rim and core, and size are what is kept of the donor's lesion (1 is all), or, after a removal, what is left of the
lesion's contrast (0 is nothing); all are medians over the slices. Changed outside counts the pixels that differ outside
the alteration masks, which must be none.
"""
_FLAT = (
    *("group", "slices", "image", "preset", "fid_published", "fid", "fid_donors", "kid", "kid_lower", "kid_upper"),
    *("minutes_published", "minutes", "minutes_of", *MEASURES, "changed_outside"),
)


def reproduction_table(report: Mapping[str, Any]) -> list[list[str]]:
    """Rows with the published and the new numbers, the first one the header.

    Args:
        report: what :func:`~monai_consingan.workflows.reproduce` returned.
    """
    columns = ["FID published", "FID", "FID donors", "KID (95% interval)", "min published", "min"]
    rows = [["", *columns, *(name.replace("_", " ") for name in MEASURES), "changed outside"]]
    for group in report["groups"]:
        heading = f"{group['task']}, {group['slices']} slice{'s' * (group['slices'] > 1)}"
        rows.append([heading, *[""] * (len(rows[0]) - 1)])
        for row in group["rows"]:
            rows.append(
                [
                    row["image"],
                    shown_number(row["fid_published"]),
                    shown_number(row.get("fid")),
                    shown_number(row.get("fid_donors")),
                    _kid(row.get("kid")),
                    shown_number(row.get("minutes_published")),
                    shown_number(row.get("minutes")),
                    *(shown_number(row[name], 2) for name in MEASURES),
                    str(row.get("changed_outside", "-")),
                ]
            )
        if floor := group["floor"]:
            name = f"real and real, {floor['images']} each"
            values = [name, "-", shown_number(floor["fid"]), "-", _kid(floor["kid"])]
            rows.append([*values, *["-"] * (len(rows[0]) - len(values))])
    return rows


def _kid(kid: Mapping[str, float] | None) -> str:
    if kid is None:
        return "-"
    return f"{shown_number(kid['value'])} ({shown_number(kid['lower'])} to {shown_number(kid['upper'])})"


def write_pages(
    folder: ReproductionFolder,
    groups: Sequence[PublishedGroup],
    cases: Sequence[ReproductionCase],
    report: Mapping[str, Any],
) -> None:
    """Write ``table.md``, ``table.csv``, ``panels``, and the page as HTML and PDF.

    Args:
        folder: the output folder, with all models.
        groups: the groups that were run.
        cases: all cases.
        report: what was measured.
    """
    table = reproduction_table(report)
    warnings = [f"Warning: {warning}" for warning in report["warnings"]]
    lines = [f"# {_TITLE}", "", *_markdown(table), "", *(line for warning in warnings for line in (warning, ""))]
    _write_text(folder.path / "table.md", "\n".join(lines))
    _write_text(folder.path / "table.csv", _csv(report))
    sections = [ReportSection("Published and new numbers", _TEXT, table)]
    panels = folder.path / "panels"
    panels.mkdir(exist_ok=True)
    for group, measured in zip(groups, report["groups"], strict=True):
        of_task = [case for case in cases if case.task == group.task][: measured["slices"]]
        for case in of_task:
            path = panels / f"{group.name}_{case.name}.png"
            with whole_file(path) as temporary:
                _save_case_panel(temporary, folder, group, case)
            names = ", ".join(setting.name for setting in group.settings)
            sections.append(ReportSection(f"{case.name}: {names}", _about(case), figure=path, caption=_CAPTION))
    write_reports(folder.path / PAGE, title=_TITLE, text="\n\n".join(warnings), sections=sections)


_CAPTION = (
    "Slice, naive image, and for each setting the result and the result minus the naive image; the lesion is outlined, "
    "and enlarged below."
)


def _about(case: ReproductionCase) -> str:
    """A sentence on a case."""
    facts = case.facts
    where = (
        f"the lesion of slice {facts['donor_slice']} in slice {facts['host_slice']}, which has none"
        if case.task == "harmonization"
        else f"slice {facts['slice']}, its lesions taken out"
    )
    return (
        f"Scan {facts['scan']}: {where}. {facts['enhancing_pixels']} enhancing and {facts['necrotic_pixels']} necrotic "
        f"pixels of {case.pixel_mm:.2f} mm."
    )


def _save_case_panel(path: Path, folder: ReproductionFolder, group: PublishedGroup, case: ReproductionCase) -> None:
    """Draw slice, naive image, results and differences of a case."""
    real = load_scan(case.file(REAL_IMAGE[case.task]))
    lesion = slice_view(load_label(case.file("label"), image=real))
    outline = {"lesion": lesion}
    before = slice_view(real)
    naive = slice_view(load_scan(folder.model(group.settings[0].preset, case) / "naive.nii.gz"))
    shown = outline if case.task == "editing" else {}
    panels = [Panel(REAL_IMAGE[case.task], before, shown, focus=lesion), Panel("naive", naive, outline, focus=lesion)]
    for setting in group.settings:
        result = slice_view(load_scan(folder.model(setting.preset, case) / "image.nii.gz"))
        panels += [
            Panel(setting.name, result, outline, focus=lesion),
            difference_panel(result, naive, title=f"{setting.name} - naive", contours=outline, focus=lesion),
        ]
    save_panel(path, panels, title=case.name.replace("-", ", slice ").capitalize())


def _markdown(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as a table in Markdown."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return [lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]]


def _csv(report: Mapping[str, Any]) -> str:
    """All rows of all groups, one a line, with all digits."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _FLAT, restval="", lineterminator="\n")
    writer.writeheader()
    for group in report["groups"]:
        for row in group["rows"]:
            kid = row.get("kid") or {}
            spread = {"kid": kid.get("value"), "kid_lower": kid.get("lower"), "kid_upper": kid.get("upper")}
            flat = {"group": group["name"], "slices": group["slices"], **row, **spread}
            writer.writerow({name: flat.get(name) for name in _FLAT})
    return text.getvalue()


def _write_text(path: Path, text: str) -> None:
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
