"""What an evaluation found, as tables and as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_consingan.figures import ReportSection, write_reports
from monai_consingan.workflows.outputs import shown_number

_IMAGES_TEXT = """
FID and KID tell how far the Inception features of synthetic images are from those of real ones; smaller is nearer. The
FID grows as the number of images falls: read it beside the floor, which is the distance between two halves of the real
images, and beside the distance of as many synthetic images from one half. The KID does not grow, and its interval tells
how sure it is.
"""

_FRD_TEXT = """
The FRD is the logarithm of a distance of radiomic features, such as texture. It is biased as the FID is: read it beside
its floor.
"""

_RESULTS_TEXT = """
Seam: steps of intensity across the lesion's border, relative to the tissue around; 1 is like it. Seam through: the
same from slice to slice. Level jump: how far slices of the lesion lie above or below their neighbours, relative to the
tissue around; far above 1 are bands. Texture: fine
structure where something was altered, relative to the tissue around; 1 is like it, below is smoother. A lesion has a
border and a texture of its own: compare what was put in with the naive image. Contrast, rim and
core, size: what is kept of the donor's lesion (1 is all); after a removal, what is left of the lesion's contrast (0 is
nothing). Changed outside: voxels that differ outside the alteration mask, which must be 0. In brackets: the naive
image.
"""


def images_table(images: Mapping[str, Any]) -> list[list[str]]:
    """Rows of FID, KID and, if it was computed, FRD, the first one the header.

    Args:
        images: ``images`` of what :func:`~monai_consingan.workflows.evaluate.evaluate` returned.
    """

    def with_interval(values: Mapping[str, float]) -> list[str]:
        """A value, and its interval in words."""
        return [shown_number(values["value"]), f"{shown_number(values['lower'])} to {shown_number(values['upper'])}"]

    floor, radiomics = images["n_floor"], images.get("radiomics")
    rows = [
        ["", "images", "FID", "KID", "95% interval"],
        [
            "real and synthetic",
            f"{images['n_real']} and {images['n_synthetic']}",
            shown_number(images["fid"]),
            *with_interval(images["kid"]),
        ],
    ]
    if floor:
        rows += [
            [
                "real and real",
                f"{floor} and {floor}",
                shown_number(images["fid_floor"]),
                *with_interval(images["kid_floor"]),
            ],
            ["real and synthetic, as many", f"{floor} and {floor}", shown_number(images["fid_at_n_floor"]), "", ""],
        ]
    if radiomics is not None:
        columns = [
            ["FRD", "95% interval"],
            *(with_interval(radiomics[key]) for key in ("frd", "frd_floor", "frd_at_n_floor")),
        ]
        rows = [row + more for row, more in zip(rows, columns, strict=False)]
    return rows


def results_table(results: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Rows of the measures of results, the first one the header; with several sequences a row for each, the lead first.

    Args:
        results: what :func:`~monai_consingan.workflows.results.evaluate_result` returned.
    """
    columns = {
        "seam": "seam",
        "seam through": "seam_through",
        "level jump": "level_jump_through",
        "texture": "texture",
        "contrast kept": "contrast_kept",
        "rim-core kept": "rim_core_kept",
        "size kept": "size_kept",
    }
    for shown, name in list(columns.items()):
        if name in ("seam_through", "level_jump_through") and not any(name in result for result in results):
            del columns[shown]
    rows = [["result", "command", *columns, "changed outside"]]
    for result in results:
        sequences = result.get("sequences", {})
        outside, label = str(result.get("changed_outside", "-")), result["folder"]
        first = f"{label}, {result['lead']}" if sequences else label
        others = [(f"{label}, {name}", table, "") for name, table in sequences.items() if name != result["lead"]]
        for name, table, changed in [(first, result, outside), *others]:
            cells = [_with_naive(table, measure) for measure in columns.values()]
            rows.append([name, result["command"], *cells, changed])
    return rows


def warnings_of(report: Mapping[str, Any]) -> list[str]:
    """Sentences on what must be known before the numbers are used.

    Args:
        report: what :func:`~monai_consingan.workflows.evaluate.evaluate` returned.
    """
    warnings = list(report.get("images", {}).get("warnings", ()))
    images = report.get("images", {})
    radiomics = images.get("radiomics", images)
    if images and any(radiomics[number] != images[number] for number in ("n_real", "n_synthetic")):
        warnings.append(
            f"The FRD is of {radiomics['n_real']} real and {radiomics['n_synthetic']} synthetic images only: "
            "the others have features that are no numbers."
        )
    for result in report.get("results", ()):
        if result.get("changed_outside"):
            warnings.append(f"{result['folder']} differs outside its alteration mask.")
    return warnings


def write_evaluation_page(
    path: str | Path, report: Mapping[str, Any], *, images_figure: Path, figures: Sequence[Path]
) -> None:
    """Write an evaluation as one page of HTML, and as PDF beside it.

    Args:
        path: the page.
        report: what was measured.
        images_figure: figure of the images, if there are any.
        figures: one figure for each result; those that do not exist are left out.
    """
    sections = []
    if "images" in report:
        table, text = images_table(report["images"]), _IMAGES_TEXT
        text += _FRD_TEXT if "radiomics" in report["images"] else ""
        caption = "Some of the images, evenly spread over each set."
        sections.append(ReportSection("Synthetic and real images", text, table, images_figure, caption))
    if "results" in report:
        sections.append(ReportSection("Results", _RESULTS_TEXT, results_table(report["results"])))
        for result, figure in zip(report["results"], figures, strict=True):
            if figure.is_file():
                sections.append(ReportSection(result["folder"], figure=figure))
    warnings = "\n\n".join(f"Warning: {warning}" for warning in warnings_of(report))
    write_reports(path, title="Evaluation", text=warnings, sections=sections)


def _with_naive(result: Mapping[str, Any], name: str) -> str:
    if name not in result:
        return "-"
    naive = f"{name}_naive"
    shown = [shown_number(result[key], 2, "not measurable") for key in (name, naive) if key in result]
    return shown[0] + "".join(f" ({other})" for other in shown[1:])
