"""A report as PDF, to print and to leaf through."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from monai_consingan.errors import ConSinGANError
from monai_consingan.figures.report import ReportSection, cell_text, write_html_report
from monai_consingan.whole_file import whole_file

if TYPE_CHECKING:  # Matplotlib comes when something is drawn
    from matplotlib.backends.backend_pdf import PdfPages
    from matplotlib.figure import Figure

# Inches; A4 across, as figures and tables are wide.
PAGE_WIDTH, PAGE_HEIGHT, MARGIN, GAP = 11.69, 8.27, 0.6, 0.12
TITLE, HEADING, TEXT, SMALLEST = 17.0, 12.5, 9.5, 4.0  # points
_LINE = 1.35  # height of a line in sizes of its letters
_LETTER = 0.56  # mean width of a letter in its size, rather too much
_BOLD = 1.2  # how much wider bold letters are
_POINTS = 72.0


class _Pages:
    """Pages that are filled from the top, and begun when there is no room left."""

    def __init__(self, pdf: PdfPages) -> None:
        self.pdf = pdf
        self.figure: Figure | None = None
        self.top = 0.0

    @property
    def width(self) -> float:
        """What a line may be long, in inches."""
        return PAGE_WIDTH - 2 * MARGIN

    def room(self, height: float) -> Figure:
        """The page that the next ``height`` inches go to."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        if self.figure is None or self.top + height > PAGE_HEIGHT - MARGIN:
            self.close()
            self.figure = Figure(figsize=(PAGE_WIDTH, PAGE_HEIGHT), facecolor="white")
            FigureCanvasAgg(self.figure)
            self.top = MARGIN
        return self.figure

    def close(self) -> None:
        """Write the page."""
        if self.figure is not None:
            self.pdf.savefig(self.figure)
            self.figure = None

    def line(self, cells: Sequence[tuple[float, str]], size: float, **style: Any) -> None:
        """Write texts beside each other, each with its distance from the left margin in inches."""
        height = size * _LINE / _POINTS
        figure = self.room(height)
        y = 1 - (self.top + height / 2) / PAGE_HEIGHT
        for left, text in cells:
            figure.text((MARGIN + left) / PAGE_WIDTH, y, text, size=size, va="center", parse_math=False, **style)
        self.top += height

    def paragraph(self, text: str, size: float, **style: Any) -> None:
        """Write a text in lines."""
        letters = int(self.width * _POINTS / (size * _LETTER))
        for line in textwrap.wrap(" ".join(text.split()), letters):
            self.line([(0.0, line)], size, **style)
        self.top += GAP

    def table(self, rows: Sequence[Sequence[object]]) -> None:
        """Write rows in columns; what does not fit gets smaller, and then what is longest gets several lines."""
        texts = [[cell_text(value) for value in row] for row in rows]
        wide = [
            [int(np.ceil(_BOLD * len(text))) for text in texts[0]],
            *([len(text) for text in row] for row in texts[1:]),
        ]
        letters = np.max(wide, axis=0) + 2
        most = self.width * _POINTS / _LETTER
        size = min(TEXT, max(most / letters.sum(), 0.75 * TEXT if letters.max() > 60 else SMALLEST))
        spare = int(most / size) - int(letters.sum() - letters.max())
        letters[letters.argmax()] = max(min(int(letters.max()), spare), 12)
        starts = np.concatenate([[0], np.cumsum(letters)[:-1]]) * size * _LETTER / _POINTS
        for number, row in enumerate(texts):
            wrapped = [
                textwrap.wrap(text, max(int(width) - 2, 1)) or [""] for text, width in zip(row, letters, strict=True)
            ]
            for index in range(max(len(lines) for lines in wrapped)):
                cells = [
                    (float(start), lines[index])
                    for start, lines in zip(starts, wrapped, strict=True)
                    if index < len(lines)
                ]
                self.line(cells, size, weight="bold" if number == 0 else "normal")
        self.top += GAP

    def image(self, path: Path) -> None:
        """Show a picture, as wide as the page where its height allows that."""
        try:
            with Image.open(path) as picture:
                values = np.asarray(picture.convert("RGB"))
        except OSError as error:
            raise ConSinGANError(
                f"The figure {path} cannot be read ({error}): give the path of a PNG or JPEG file."
            ) from error
        high, wide = values.shape[:2]
        most = PAGE_HEIGHT - 2 * MARGIN - HEADING * _LINE / _POINTS - 4 * GAP
        width = min(self.width, most * wide / high)
        height = width * high / wide
        figure = self.room(height)
        bottom = 1 - (self.top + height) / PAGE_HEIGHT
        axes = figure.add_axes((MARGIN / PAGE_WIDTH, bottom, width / PAGE_WIDTH, height / PAGE_HEIGHT))
        axes.imshow(values, interpolation="none", aspect="auto")
        axes.set_axis_off()
        self.top += height + GAP


def write_pdf_report(
    path: str | os.PathLike[str], *, title: str, sections: Sequence[ReportSection], text: str = ""
) -> None:
    """Write a report as PDF in A4: what :func:`write_html_report` writes as a page, on sheets.

    The same report gives the same bytes. A part with a figure begins a new sheet if it does not fit on this one.
    Arguments and errors are those of :func:`write_reports`.
    """
    from matplotlib.backends.backend_pdf import PdfPages  # which takes a while, with all that fonts need

    with PdfPages(path, metadata={"Title": title, "CreationDate": None, "Producer": None, "Creator": None}) as pdf:
        pages = _Pages(pdf)
        pages.paragraph(title, TITLE, weight="bold")
        _paragraphs(pages, text)
        for section in sections:
            if section.figure is not None:
                pages.room(_least_height(Path(section.figure), section))
            else:
                pages.room(6 * TEXT * _LINE / _POINTS)
            pages.top += GAP
            pages.paragraph(section.heading, HEADING, weight="bold")
            _paragraphs(pages, section.text)
            if section.table:
                pages.table(section.table)
            if section.figure is not None:
                pages.image(Path(section.figure))
                pages.paragraph(section.caption, TEXT, color="0.35")
        pages.close()


def write_reports(
    page: str | os.PathLike[str], *, title: str, sections: Sequence[ReportSection], text: str = ""
) -> None:
    """Write a report as a page of HTML and, beside it under the same name, as PDF; each appears whole or not at all.

    Args:
        page: where to write the page, such as ``report.html``.
        title: title of the report.
        sections: its parts, in order.
        text: paragraphs below the title, separated by empty lines.

    Raises:
        ConSinGANError: when a figure cannot be read or is not an image.
        OSError: the files cannot be written.
    """
    for path, write in ((Path(page), write_html_report), (Path(page).with_suffix(".pdf"), write_pdf_report)):
        with whole_file(path) as temporary:
            write(temporary, title=title, sections=sections, text=text)


def _paragraphs(pages: _Pages, text: str) -> None:
    for part in text.split("\n\n"):
        if part.strip():
            pages.paragraph(part, TEXT)


def _least_height(figure: Path, section: ReportSection) -> float:
    """Inches that a part takes whose figure is to stand below its heading, at most those of a sheet."""
    width = PAGE_WIDTH - 2 * MARGIN
    try:
        with Image.open(figure) as picture:
            height = width * picture.height / picture.width
    except OSError:  # told when it is shown
        height = 0.0
    lines = 3 + len(section.text) * TEXT * _LETTER / _POINTS / width + len(section.table)
    most = PAGE_HEIGHT - 2 * MARGIN
    wanted = height + HEADING * _LINE / _POINTS + lines * TEXT * _LINE / _POINTS + 4 * GAP
    return float(min(wanted, most))
