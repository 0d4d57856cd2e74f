"""Several pictures beside each other, to look over sets of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw

from monai_consingan.errors import ConSinGANError

COLUMNS, SIDE, GAP, LINE = 8, 140, 4, 18  # of pictures, and pixels


def save_contact_sheet(path: str | os.PathLike[str], rows: Mapping[str, Sequence[str | os.PathLike[str]]]) -> None:
    """Save pictures of several sets, a row for each set with its name above.

    Args:
        path: where to save, as PNG.
        rows: picture files of each set by its name; of many, eight that are evenly spread.

    Raises:
        ConSinGANError: a set without pictures.
    """
    if not rows or not all(rows.values()):
        raise ConSinGANError("A contact sheet needs pictures: give at least one for each row.")
    shown = {name: _spread(files) for name, files in rows.items()}
    width = GAP + max(len(files) for files in shown.values()) * (SIDE + GAP)
    sheet = Image.new("L", (width, len(shown) * (LINE + SIDE + GAP)), 255)
    draw = ImageDraw.Draw(sheet)
    for row, (name, files) in enumerate(shown.items()):
        top = row * (LINE + SIDE + GAP)
        draw.text((GAP, top + 3), name, fill=0)
        for column, file in enumerate(files):
            left = GAP + column * (SIDE + GAP)
            sheet.paste(0, (left, top + LINE, left + SIDE, top + LINE + SIDE))
            with Image.open(file) as picture:
                fitted = picture.convert("L")
            scale = SIDE / max(fitted.size)
            fitted = fitted.resize((max(round(fitted.width * scale), 1), max(round(fitted.height * scale), 1)))
            sheet.paste(fitted, (left + (SIDE - fitted.width) // 2, top + LINE + (SIDE - fitted.height) // 2))
    sheet.save(path, "PNG")


def _spread(files: Sequence[str | os.PathLike[str]]) -> list[str | os.PathLike[str]]:
    """At most as many files as there are columns, evenly spread."""
    chosen = np.unique(np.linspace(0, len(files) - 1, min(COLUMNS, len(files))).round().astype(int))
    return [files[int(number)] for number in chosen]
