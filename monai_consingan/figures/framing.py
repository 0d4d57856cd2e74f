"""Which part of a slice a figure shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monai_consingan.background import find_background
from monai_consingan.distance import bounding_box
from monai_consingan.figures.view import SliceView
from monai_consingan.transforms.head import AIR_FRACTION

Box = tuple[float, float, float, float]
"""Top, bottom, left and right in mm from the upper left corner of the slice."""


class Cell(NamedTuple):
    """Where something is drawn on a sheet, in inches from its upper left corner."""

    left: float
    down: float
    wide: float
    high: float

    def middle(self, wide: float, high: float) -> Cell:
        """A cell of another size about the same middle."""
        return Cell(self.left + (self.wide - wide) / 2, self.down + (self.high - high) / 2, wide, high)


MARGIN_MM, FOCUS_MARGIN_MM = 3.0, 10.0


def head_box(view: SliceView, masks: Sequence[SliceView] = ()) -> Box:
    """The box around whatever differs from air, and around some masks.

    Args:
        view: the slice.
        masks: what must lie within the box too, on the same grid.

    Returns:
        The box with a small margin; the whole slice if nothing stands out.
    """
    low, high = float(view.values.min()), float(np.percentile(view.values, 99.8))
    head = (view.values > low + AIR_FRACTION * (high - low)) & ~find_background(view.values).mask(view.values)
    for mask in masks:
        head = head | (mask.values > 0)
    return _box_of(head if head.any() else np.ones(head.shape, dtype=bool), view.pixel_mm, MARGIN_MM)


def same_size(boxes: Sequence[Box]) -> list[Box]:
    """The boxes about their middles, in the size of the largest, so that all are shown at one scale.

    Args:
        boxes: at least one box.

    Returns:
        As many boxes, all of one height and one width.
    """
    high = max(bottom - top for top, bottom, _, _ in boxes) / 2
    wide = max(right - left for _, _, left, right in boxes) / 2
    middles = [((top + bottom) / 2, (left + right) / 2) for top, bottom, left, right in boxes]
    return [(row - high, row + high, column - wide, column + wide) for row, column in middles]


def focus_boxes(focuses: Sequence[SliceView | None], heads: Sequence[Box]) -> list[Box | None]:
    """Squares of one size in mm around what each slice focuses on: 10 mm around the largest.

    Args:
        focuses: a mask for each slice, or None.
        heads: what is shown of each slice; squares are moved into it where they fit.

    Returns:
        A square for each mask that is not empty, None for the others.
    """
    found = [
        _box_of(focus.values > 0, focus.pixel_mm, FOCUS_MARGIN_MM)
        if focus is not None and (focus.values > 0).any()
        else None
        for focus in focuses
    ]
    side = max((max(box[1] - box[0], box[3] - box[2]) for box in found if box is not None), default=0.0)
    boxes: list[Box | None] = []
    for box, head in zip(found, heads, strict=True):
        if box is None:
            boxes.append(None)
            continue
        top, left = (_start(box[end], box[end + 1], side, head[end], head[end + 1]) for end in (0, 2))
        boxes.append((top, top + side, left, left + side))
    return boxes


def _start(low: float, high: float, side: float, least: float, most: float) -> float:
    """Where a stretch of a length begins that is centred on another, moved between two limits if it fits there."""
    wanted = (low + high - side) / 2
    return min(max(wanted, least), most - side) if most - least >= side else wanted


def _box_of(mask: NDArray[np.bool_], pixel_mm: tuple[float, float], margin_mm: float) -> Box:
    """The box around a mask and a margin, in mm."""
    rows, columns = bounding_box(mask)
    (high, wide), more = pixel_mm, margin_mm
    return (rows.start * high - more, rows.stop * high + more, columns.start * wide - more, columns.stop * wide + more)
