"""The page on which lesions are looked at one by one, and accepted or rejected."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from monai_consingan.figures.report import COLOURS
from monai_consingan.whole_file import whole_file

PAGE = "review.html"
"""The page's name."""

CARDS = "review"
"""The folder beside it that holds the pictures."""

MADE = "made"
"""The kind of a lesion that is new, and in no scan yet."""


@dataclass(frozen=True)
class ReviewEntry:
    """What the page shows of one lesion.

    Args:
        case: the synthetic scan; of a new lesion, what it looks like.
        lesion: the lesion's number in it.
        kind: ``"put in"``, ``"taken out"``, or ``"made"``, where the lesion that it is made of is
            shown before.
        host: name of the scan that was changed.
        donor: name of the scan that the lesion comes from; empty where there is none.
        sequences: names of the sequences, the rows of its pictures.
        numbers: measures by name; what is no finite number is shown as not measurable.
        warnings: sentences.
    """

    case: str
    lesion: int
    kind: str
    host: str = ""
    donor: str = ""
    sequences: tuple[str, ...] = ("1",)
    numbers: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What names it among all of a run."""
        return f"{self.case}#{self.lesion}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the page."""
        start = f"{CARDS}/{self.case}_{self.lesion}"
        return {
            "key": self.key,
            **asdict(self),
            "numbers": {name: value if math.isfinite(value) else None for name, value in self.numbers.items()},
            "cards": {name: f"{start}_{name}.png" for name in ("before", "after", "outline")},
        }


def write_review(folder: str | Path, run: str, entries: Sequence[ReviewEntry], *, title: str) -> Path:
    """Write ``review.html``, which needs nothing but the pictures in the folder ``review`` beside it.

    Args:
        folder: the folder of the results.
        run: what tells this run from others: its decisions are refused for another one.
        entries: the lesions.
        title: the page's title.

    Returns:
        The page.

    Raises:
        OSError: it cannot be written.
    """
    content = {"run": run, "title": title, "entries": [entry.as_dict() for entry in entries]}
    page = Path(folder) / PAGE
    with whole_file(page) as path:
        path.write_text(fill_page("review", content), encoding="utf-8")
    return page


def fill_page(name: str, content: Mapping[str, Any]) -> str:
    """A page with its style, its script and its content inside.

    Args:
        name: ``"review"`` or ``"reading"``, whose body and script go into the frame of all pages.
        content: plain values, which the script finds, with the page's ``title``.
    """
    assets = files("monai_consingan.workflows.review") / "assets"
    parts = {
        "title": escape(content["title"]),
        "style": COLOURS + (assets / "page.css").read_text(encoding="utf-8"),
        "body": (assets / f"{name}.html").read_text(encoding="utf-8").rstrip(),
        "script": "\n".join((assets / file).read_text(encoding="utf-8") for file in ("cards.js", f"{name}.js")),
        # no text of a name can end the script, or begin another
        "content": json.dumps(content, ensure_ascii=False).replace("<", "\\u003c").replace("\u2028", "\\u2028"),
    }
    frame = (assets / "page.html").read_text(encoding="utf-8")
    return re.sub("<!-- (title|style|body|script|content) -->", lambda place: parts[place[1]], frame)
