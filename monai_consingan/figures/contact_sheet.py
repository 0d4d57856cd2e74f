"""Many pictures in one, to look them over: of sets of pictures, or of the lesions of a bank."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np
from monai.config import NdarrayOrTensor
from PIL import Image, ImageDraw
from scipy import ndimage

from monai_consingan.errors import ConSinGANError
from monai_consingan.figures.view import plane_axes, slice_view, widest_slice
from monai_consingan.metrics.surroundings import spatial_array

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


_LESION_COLUMNS, _LESION_GAP, _LESION_LINE, _LESION_SIDE = 4, 6, 14, 90
_WINDOW = (1.0, 99.5)
_OUTLINE = (230, 60, 50)


def save_lesion_sheet(
    path: str | os.PathLike[str], lesions: Sequence[tuple[NdarrayOrTensor, NdarrayOrTensor, str]]
) -> None:
    """Save lesions, four in a row, each in three planes where it is widest with its label's outline and a line of text.

    Args:
        path: where to save, as PNG.
        lesions: of each its image and its label values, (1, H, W, D), and the text; the affine of MetaTensors tells
            the orientation (:func:`slice_view`) and the spacing.

    Raises:
        ConSinGANError: there is none.
    """
    if not lesions:
        raise ConSinGANError("A sheet of lesions needs lesions: give at least one.")
    wide, high = 3 * _LESION_SIDE + 3 * _LESION_GAP, _LESION_LINE + _LESION_SIDE + _LESION_GAP
    rows = -(-len(lesions) // _LESION_COLUMNS)
    sheet = Image.new(
        "RGB", (_LESION_GAP + min(_LESION_COLUMNS, len(lesions)) * wide, _LESION_GAP + rows * high), (255, 255, 255)
    )
    draw = ImageDraw.Draw(sheet)
    for number, (image, label, text) in enumerate(lesions):
        left, top = _LESION_GAP + number % _LESION_COLUMNS * wide, _LESION_GAP + number // _LESION_COLUMNS * high
        draw.text((left, top), text, fill=(0, 0, 0))
        for plane, picture in enumerate(_planes(image, label)):
            sheet.paste(picture, (left + plane * (_LESION_SIDE + 2), top + _LESION_LINE))
    sheet.save(path, "PNG")


def _planes(image: NdarrayOrTensor, label: NdarrayOrTensor) -> list[Image.Image]:
    """The three planes as squares of one size in mm."""
    low, high = np.percentile(spatial_array(image), _WINDOW)
    places = [(axis, widest_slice(label, axis)) for axis in plane_axes(image).values()]
    views, marks = ([slice_view(part, axis=axis, index=at) for axis, at in places] for part in (image, label))
    longest = max(max(view.size_mm) for view in views)
    pictures = []
    for view, marked in zip(views, marks, strict=True):
        plane, mark = np.clip((view.values - low) / max(float(high - low), 1e-9), 0, 1) * 255, marked.values > 0
        size = [max(1, round(_LESION_SIDE * length / longest)) for length in view.size_mm[::-1]]
        shown = Image.fromarray(plane.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC).convert("RGB")
        inside = np.asarray(Image.fromarray(mark.astype(np.uint8) * 255).resize(size, Image.Resampling.BILINEAR)) > 127
        edge = inside & ~ndimage.binary_erosion(inside)
        coloured = np.asarray(shown).copy()
        coloured[edge] = _OUTLINE
        square = Image.new("RGB", (_LESION_SIDE, _LESION_SIDE), (0, 0, 0))
        square.paste(Image.fromarray(coloured), ((_LESION_SIDE - size[0]) // 2, (_LESION_SIDE - size[1]) // 2))
        pictures.append(square)
    return pictures
