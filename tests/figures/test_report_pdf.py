from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from PIL import Image

from monai_consingan.errors import ConSinGANError
from monai_consingan.figures import ReportSection, write_pdf_report, write_reports

WORDS = "A sentence that is long enough to need more than one line on a page that lies across, as it says again. "


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.fromarray(np.full((60, 200, 3), (250, 10, 10), np.uint8)).save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The pages that are written."""
    written: list[Figure] = []

    def savefig(self: PdfPages, figure: Figure, save: Any = PdfPages.savefig, **options: Any) -> None:
        written.append(figure)
        save(self, figure, **options)

    monkeypatch.setattr(PdfPages, "savefig", savefig)
    return written


def sections(picture: Path) -> list[ReportSection]:
    wide = [["name", *(f"a long heading {n}" for n in range(12))], *[[f"row {n}", *[0.123456] * 12] for n in range(50)]]
    told = [["measure", "value", "meaning"], ["seam", 1.5, WORDS * 3]]
    return [
        ReportSection("Wide", WORDS * 30, wide),
        ReportSection("Told", "100 $ and 5 $ < 6 & more", told, picture, WORDS),
        ReportSection("More", figure=picture, caption="Short."),
    ]


def test_all_stands_on_the_pages_and_overlaps_nowhere(picture: Path, tmp_path: Path, pages: list[Figure]) -> None:
    parts = sections(picture)
    write_pdf_report(tmp_path / "report.pdf", title="Title", text=f"{WORDS}\n\n{WORDS}", sections=parts)
    texts = [[text.get_text() for text in page.texts] for page in pages]
    everything = " ".join(text for page in texts for text in page)
    assert everything.split().count("Title") == 1
    for row in parts[0].table:
        for value in row:
            assert (f"{value:.4g}" if isinstance(value, float) else value) in everything
    assert "100 $ and 5 $ < 6 & more" in everything
    assert sum(len(page.axes) for page in pages) == 2
    for page in pages:
        renderer = page.canvas.get_renderer()  # type: ignore[attr-defined]
        boxes = [text.get_window_extent(renderer) for text in page.texts if text.get_text()]
        boxes += [axes.get_window_extent(renderer) for axes in page.axes]
        inside = page.bbox
        for number, box in enumerate(boxes):
            assert inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1
            for other in boxes[:number]:
                across = min(box.x1, other.x1) - max(box.x0, other.x0)
                down = min(box.y1, other.y1) - max(box.y0, other.y0)
                assert across < 1 or down < 1


def test_the_file_is_a_pdf_with_these_pages_and_pictures(picture: Path, tmp_path: Path, pages: list[Figure]) -> None:
    for name in ("one.pdf", "two.pdf"):
        write_pdf_report(tmp_path / name, title="Title", sections=sections(picture))
    data = (tmp_path / "one.pdf").read_bytes()
    assert data == (tmp_path / "two.pdf").read_bytes()
    assert data.startswith(b"%PDF-")
    assert 2 * len(re.findall(rb"/Type /Page\b", data)) == len(pages)
    assert len(re.findall(rb"/Subtype /Image\b", data)) == 2


def test_both_kinds_are_written_whole_or_not_at_all(picture: Path, tmp_path: Path) -> None:
    page = tmp_path / "out" / "report.html"
    page.parent.mkdir()
    write_reports(page, title="Title", sections=sections(picture))
    assert sorted(path.name for path in page.parent.iterdir()) == ["report.html", "report.pdf"]
    before = page.with_suffix(".pdf").read_bytes()
    (tmp_path / "broken.png").write_text("no picture")
    with pytest.raises(ConSinGANError, match=r"broken\.png cannot be read"):
        write_reports(page, title="Other", sections=[ReportSection("A", figure=tmp_path / "broken.png")])
    assert page.with_suffix(".pdf").read_bytes() == before
    assert len(list(page.parent.iterdir())) == 2
