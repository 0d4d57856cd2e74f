"""All lesions of a bank in one picture, each in three planes."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from monai.config import NdarrayOrTensor
from PIL import Image, ImageDraw
from scipy import ndimage

from monai_consingan.errors import ConSinGANError
from monai_consingan.figures.view import plane_axes, slice_view, widest_slice
from monai_consingan.metrics.surroundings import spatial_array

_COLUMNS, _GAP, _LINE, _SIDE = 4, 6, 14, 90
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
    wide, high = 3 * _SIDE + 3 * _GAP, _LINE + _SIDE + _GAP
    rows = -(-len(lesions) // _COLUMNS)
    sheet = Image.new("RGB", (_GAP + min(_COLUMNS, len(lesions)) * wide, _GAP + rows * high), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    for number, (image, label, text) in enumerate(lesions):
        left, top = _GAP + number % _COLUMNS * wide, _GAP + number // _COLUMNS * high
        draw.text((left, top), text, fill=(0, 0, 0))
        for plane, picture in enumerate(_planes(image, label)):
            sheet.paste(picture, (left + plane * (_SIDE + 2), top + _LINE))
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
        size = [max(1, round(_SIDE * length / longest)) for length in view.size_mm[::-1]]
        shown = Image.fromarray(plane.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC).convert("RGB")
        inside = np.asarray(Image.fromarray(mark.astype(np.uint8) * 255).resize(size, Image.Resampling.BILINEAR)) > 127
        edge = inside & ~ndimage.binary_erosion(inside)
        coloured = np.asarray(shown).copy()
        coloured[edge] = _OUTLINE
        square = Image.new("RGB", (_SIDE, _SIDE), (0, 0, 0))
        square.paste(Image.fromarray(coloured), ((_SIDE - size[0]) // 2, (_SIDE - size[1]) // 2))
        pictures.append(square)
    return pictures
