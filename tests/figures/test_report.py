from __future__ import annotations

import base64
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_consingan.errors import ConSinGANError
from monai_consingan.figures import ReportSection, write_html_report

VOID = {"meta", "img"}


class Page(HTMLParser):
    """Checks that tags are nested, and collects text and attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.images: list[dict[str, str | None]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.open[-1] if self.open else "", data))


@pytest.fixture
def figure(tmp_path: Path) -> Path:
    path = tmp_path / "figure.png"
    Image.fromarray(np.eye(8, dtype=np.uint8) * 255).save(path)
    return path


def test_page_is_whole_and_holds_its_figures(tmp_path: Path, figure: Path) -> None:
    section = ReportSection(
        "Seam", "First.\n\nSecond\nline.", [("measure", "value"), ("seam", 1.23456), ("voxels", 7)], figure, "A caption"
    )
    write_html_report(tmp_path / "report.html", title="Report", text="Intro", sections=[section, ReportSection("End")])
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert text.startswith("<!DOCTYPE html>")
    assert [data for tag, data in page.texts if tag == "p"] == ["Intro", "First.", "Second line."]
    assert [data for tag, data in page.texts if tag in ("th", "td")] == [
        "measure",
        "value",
        "seam",
        "1.235",
        "voxels",
        "7",
    ]
    assert [data for tag, data in page.texts if tag in ("h1", "h2")] == ["Report", "Seam", "End"]
    (image,) = page.images
    assert image["alt"] == "A caption"
    kind, data = str(image["src"]).split(",")
    assert kind == "data:image/png;base64" and base64.b64decode(data) == figure.read_bytes()
    assert "http" not in text


def test_whatever_is_written_stays_text(tmp_path: Path, figure: Path) -> None:
    nasty = """<script>alert("1")</script> & 'x'"""
    section = ReportSection(nasty, nasty, [(nasty,), (nasty,)], figure, nasty)
    write_html_report(tmp_path / "report.html", title=nasty, text=nasty, sections=[section])
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert "<script" not in text
    assert page.images[0]["alt"] == nasty
    assert {data for tag, data in page.texts if tag != "style"} == {nasty}


def test_figure_must_be_an_image_that_exists(tmp_path: Path) -> None:
    for name, message in (("missing.png", "missing.png cannot be read"), ("table.csv", "not an image")):
        with pytest.raises(ConSinGANError, match=message):
            write_html_report(tmp_path / "r.html", title="t", sections=[ReportSection("s", figure=tmp_path / name)])
    assert not (tmp_path / "r.html").exists()
