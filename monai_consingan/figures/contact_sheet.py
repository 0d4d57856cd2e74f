"""Many pictures in one, to look them over: of sets of pictures, or of the lesions of a bank."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from monai.config import NdarrayOrTensor
from numpy.typing import NDArray
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


_LESION_TILES, _LESION_GAP, _LESION_LINE, _LESION_SIDE = 12, 6, 14, 90  # tiles in a row
_WINDOW = (1.0, 99.5)
_OUTLINE = (230, 60, 50)


def save_lesion_sheet(
    path: str | os.PathLike[str],
    lesions: Iterable[tuple[NdarrayOrTensor, NdarrayOrTensor, str]],
    sequences: Sequence[str] = ("",),
) -> None:
    """Save lesions, each with a line of text and in every sequence in the three planes where it is widest.

    The outline of its label is drawn in the first sequence that is given only, so that the others show the border bare.

    Args:
        path: where to save, as PNG.
        lesions: of each its image, (C, H, W, D), its label values, (1, H, W, D), and the text; the affine of
            MetaTensors tells the orientation (:func:`slice_view`) and the spacing.
        sequences: names of the channels, which stand behind the text.

    Raises:
        ConSinGANError: there is none.
    """
    shown = [(text, _planes(image, label)) for image, label, text in lesions]
    if not shown:
        raise ConSinGANError("A sheet of lesions needs lesions: give at least one.")
    group, columns = 3 * _LESION_SIDE + 3 * _LESION_GAP, max(1, _LESION_TILES // (3 * len(sequences)))
    wide, high = len(sequences) * group, _LESION_LINE + _LESION_SIDE + _LESION_GAP
    size = (_LESION_GAP + min(columns, len(shown)) * wide, _LESION_GAP + -(-len(shown) // columns) * high)
    sheet = Image.new("RGB", size, (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    for number, (text, tiles) in enumerate(shown):
        left, top = _LESION_GAP + number % columns * wide, _LESION_GAP + number // columns * high
        for channel, (name, pictures) in enumerate(zip(sequences, tiles, strict=True)):
            start = left + channel * group
            draw.text((start, top), f"{text}  {name}" if channel == 0 else name, fill=(0, 0, 0))
            for plane, picture in enumerate(pictures):
                sheet.paste(picture, (start + plane * (_LESION_SIDE + 2), top + _LESION_LINE))
    sheet.save(path, "PNG")


def _planes(image: NdarrayOrTensor, label: NdarrayOrTensor) -> list[list[Image.Image]]:
    """The three planes of every sequence as squares of one size in mm."""
    places = [(axis, widest_slice(label, axis)) for axis in plane_axes(image).values()]
    marks = [slice_view(label, axis=axis, index=at) for axis, at in places]
    longest, rows = max(max(mark.size_mm) for mark in marks), []
    for channel in range(len(image)):
        part = image[channel : channel + 1]
        low, high = (float(bound) for bound in np.percentile(spatial_array(part), _WINDOW))
        pictures = []
        for (axis, at), mark in zip(places, marks, strict=True):
            grey = np.clip((slice_view(part, axis=axis, index=at).values - low) / max(high - low, 1e-9), 0, 1) * 255
            size = [max(1, round(_LESION_SIDE * length / longest)) for length in mark.size_mm[::-1]]
            tile = Image.fromarray(grey.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC).convert("RGB")
            square = Image.new("RGB", (_LESION_SIDE, _LESION_SIDE), (0, 0, 0))
            shown = _outlined(tile, mark.values > 0) if channel == 0 else tile
            square.paste(shown, ((_LESION_SIDE - size[0]) // 2, (_LESION_SIDE - size[1]) // 2))
            pictures.append(square)
        rows.append(pictures)
    return rows


def _outlined(picture: Image.Image, mask: NDArray[np.bool_]) -> Image.Image:
    """A picture with the outline of a mask."""
    mark = Image.fromarray(mask.astype(np.uint8) * 255).resize(picture.size, Image.Resampling.BILINEAR)
    inside, coloured = np.asarray(mark) > 127, np.asarray(picture).copy()
    coloured[inside & ~ndimage.binary_erosion(inside)] = _OUTLINE
    return Image.fromarray(coloured)
