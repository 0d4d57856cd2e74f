"""A report as one HTML file, with its figures inside."""

from __future__ import annotations

import base64
import html
import mimetypes
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from monai_consingan.errors import ConSinGANError

COLOURS = """
:root {
  color-scheme: light dark;
  --ground: #ffffff; --text: #1b1b1b; --soft: #595959; --line: #c9c9c9; --chosen: #dcebf7; --button: #f1f1f1;
  --accept: #00664a; --reject: #a33d00; --unsure: #6a3d8f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #161616; --text: #ececec; --soft: #ababab; --line: #4a4a4a; --chosen: #16384f; --button: #2a2a2a;
    --accept: #4fd0a5; --reject: #ffa366; --unsure: #cfa5f0;
  }
}
"""
"""The colours of all pages, light and dark, as the reader's system asks for."""

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--ground); max-width: 72rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .3rem; }
h2 { font-size: 1.2rem; margin-top: 2.2rem; border-bottom: 1px solid var(--line); }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .25rem .9rem .25rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
figure { margin: 1rem 0; break-inside: avoid; }
img { max-width: 100%; height: auto; background: #fff; }
figcaption { color: var(--soft); font-size: .9rem; }
"""


@dataclass(frozen=True)
class ReportSection:
    """A part of a report; what is empty is left out.

    Attributes:
        heading: its heading.
        text: paragraphs, separated by empty lines.
        table: rows of a table, the first one its header. Numbers get four significant digits.
        figure: path of an image file to embed.
        caption: what stands below the figure; also its description for those who cannot see it.
    """

    heading: str
    text: str = ""
    table: Sequence[Sequence[object]] = ()
    figure: str | os.PathLike[str] | None = None
    caption: str = ""


def write_html_report(
    path: str | os.PathLike[str], *, title: str, sections: Sequence[ReportSection], text: str = ""
) -> None:
    """Write a report that needs no other file: a page of HTML with the figures embedded.

    Arguments and errors are those of :func:`write_reports`.
    """
    parts = [f"<h1>{html.escape(title)}</h1>", *_paragraphs(text)]
    for section in sections:
        parts += [f"<h2>{html.escape(section.heading)}</h2>", *_paragraphs(section.text)]
        if section.table:
            parts.append(_table(section.table))
        if section.figure is not None:
            parts.append(_figure(Path(section.figure), section.caption or section.heading))
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{COLOURS}{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )
    Path(path).write_text(page, encoding="utf-8", errors="replace")


def _paragraphs(text: str) -> list[str]:
    """The paragraphs of a text as HTML."""
    return [f"<p>{html.escape(' '.join(part.split()))}</p>" for part in text.split("\n\n") if part.strip()]


def cell_text(value: object) -> str:
    """What stands in a table for a value."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _cell(value: object) -> str:
    """A value as escaped text."""
    return html.escape(cell_text(value))


def _table(rows: Sequence[Sequence[object]]) -> str:
    """Rows as an HTML table, the first one as its header."""
    head = "".join(f'<th scope="col">{_cell(value)}</th>' for value in rows[0])
    body = "\n".join("<tr>" + "".join(f"<td>{_cell(value)}</td>" for value in row) + "</tr>" for row in rows[1:])
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _figure(path: Path, caption: str) -> str:
    """An image file as an HTML figure."""
    kind = mimetypes.guess_type(path.name)[0] or ""
    if not kind.startswith("image/"):
        raise ConSinGANError(f"The figure {path} is not an image by its suffix: give a .png, .jpg, .gif or .svg file.")
    try:
        data = base64.b64encode(path.read_bytes()).decode("ascii")
    except OSError as error:
        reason = error.strerror
        raise ConSinGANError(f"The figure {path} cannot be read ({reason}): give the path of a file.") from error
    text = html.escape(caption)
    return f'<figure>\n<img src="data:{kind};base64,{data}" alt="{text}">\n<figcaption>{text}</figcaption>\n</figure>'
