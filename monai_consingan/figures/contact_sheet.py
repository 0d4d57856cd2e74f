"""Several pictures beside each other, to look over sets of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw

from monai_consingan.errors import ConSinGANError

GAP, LINE = 4, 18


def save_contact_sheet(
    path: str | os.PathLike[str],
    rows: Mapping[str, Sequence[str | os.PathLike[str]]],
    *,
    columns: int = 8,
    side: int = 140,
) -> None:
    """Save pictures of several sets, a row for each set with its name above.

    Args:
        path: where to save, as PNG.
        rows: picture files of each set by its name; of many, as many as there are columns, evenly spread.
        columns: most pictures in a row.
        side: size of the square, in pixels, that each picture is fitted into.

    Raises:
        ConSinGANError: a set without pictures.
    """
    if not rows or not all(rows.values()):
        raise ConSinGANError("A contact sheet needs pictures: give at least one for each row.")
    shown = {name: _spread(files, columns) for name, files in rows.items()}
    width = GAP + max(len(files) for files in shown.values()) * (side + GAP)
    sheet = Image.new("L", (width, len(shown) * (LINE + side + GAP)), 255)
    draw = ImageDraw.Draw(sheet)
    for row, (name, files) in enumerate(shown.items()):
        top = row * (LINE + side + GAP)
        draw.text((GAP, top + 3), name, fill=0)
        for column, file in enumerate(files):
            left = GAP + column * (side + GAP)
            sheet.paste(0, (left, top + LINE, left + side, top + LINE + side))
            with Image.open(file) as picture:
                fitted = picture.convert("L")
            scale = side / max(fitted.size)
            fitted = fitted.resize((max(round(fitted.width * scale), 1), max(round(fitted.height * scale), 1)))
            sheet.paste(fitted, (left + (side - fitted.width) // 2, top + LINE + (side - fitted.height) // 2))
    sheet.save(path, "PNG")


def _spread(files: Sequence[str | os.PathLike[str]], count: int) -> list[str | os.PathLike[str]]:
    """At most so many files, evenly spread."""
    chosen = np.unique(np.linspace(0, len(files) - 1, min(count, len(files))).round().astype(int))
    return [files[int(number)] for number in chosen]
