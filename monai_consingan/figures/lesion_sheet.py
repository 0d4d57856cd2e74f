"""All lesions of a bank in one picture, each in three planes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics.surroundings import spatial_array

__all__ = ["save_lesion_sheet"]

_GAP, _LINE, _SIDE = 6, 14, 90
_WINDOW = (1.0, 99.5)
_OUTLINE = (230, 60, 50)


def save_lesion_sheet(
    path: str | os.PathLike[str],
    lesions: Sequence[tuple[NDArray[Any], NDArray[Any], Sequence[float], str]],
    *,
    columns: int = 4,
) -> None:
    """Save lesions, each as the three planes through its middle with its label's outline, and a line of text.

    Args:
        path: where to save, as PNG.
        lesions: of each its image (1, H, W, D), its label values (H, W, D), mm per axis, and the text.
        columns: lesions in a row.

    Raises:
        ConSinGANError: there is none.
    """
    if not lesions:
        raise ConSinGANError("A sheet of lesions needs lesions: give at least one.")
    wide, high = 3 * _SIDE + 3 * _GAP, _LINE + _SIDE + _GAP
    rows = -(-len(lesions) // columns)
    sheet = Image.new("RGB", (_GAP + min(columns, len(lesions)) * wide, _GAP + rows * high), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    for number, (image, label, spacing, text) in enumerate(lesions):
        left, top = _GAP + number % columns * wide, _GAP + number // columns * high
        draw.text((left, top), text, fill=(0, 0, 0))
        for plane, picture in enumerate(_planes(spatial_array(image), np.asarray(label), spacing)):
            sheet.paste(picture, (left + plane * (_SIDE + 2), top + _LINE))
    sheet.save(path, "PNG")


def _planes(values: NDArray[Any], label: NDArray[Any], spacing: Sequence[float]) -> list[Image.Image]:
    """The three planes as squares of one size in mm."""
    low, high = np.percentile(values, _WINDOW)
    grey = np.clip((values - low) / max(float(high - low), 1e-9), 0, 1) * 255
    middle = np.round(np.argwhere(label > 0).mean(axis=0)).astype(int)
    longest = max(n * mm for n, mm in zip(label.shape, spacing, strict=True))
    pictures = []
    for axis in (2, 1, 0):
        plane, mark = (np.take(part, middle[axis], axis).T[::-1] for part in (grey, label > 0))
        mm = [step for at, step in enumerate(spacing) if at != axis]
        size = [max(1, round(_SIDE * n * step / longest)) for n, step in zip(plane.T.shape, mm, strict=True)]
        shown = Image.fromarray(plane.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC).convert("RGB")
        inside = np.asarray(Image.fromarray(mark.astype(np.uint8) * 255).resize(size, Image.Resampling.BILINEAR)) > 127
        edge = inside & ~ndimage.binary_erosion(inside)
        coloured = np.asarray(shown).copy()
        coloured[edge] = _OUTLINE
        square = Image.new("RGB", (_SIDE, _SIDE), (0, 0, 0))
        square.paste(Image.fromarray(coloured), ((_SIDE - size[0]) // 2, (_SIDE - size[1]) // 2))
        pictures.append(square)
    return pictures
