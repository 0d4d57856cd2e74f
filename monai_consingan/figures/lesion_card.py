"""Small pictures of one lesion, in three planes and every sequence, for pages that show many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from monai_consingan.arrays import as_array, wrap_like
from monai_consingan.distance import bounding_box
from monai_consingan.figures.view import SliceView, plane_axes, slice_view, widest_slice
from monai_consingan.metrics.surroundings import spatial_mask
from monai_consingan.ranks import percentiles
from monai_consingan.whole_file import whole_file

TILE = 144
"""Height and width of a picture of one plane, in pixels."""

_SMALLEST_MM, _AROUND_MM = 48.0, 32.0
_PACKING = 2  # of PNG: in half of the time
_OUTLINE = (230, 159, 0, 255)  # orange, which no kind of colour blindness takes for grey


@dataclass(frozen=True)
class CardView:
    """Which part of an image a card shows: squares in three planes through a lesion, or one in 2D.

    Args:
        planes: spatial axis perpendicular to each plane, and the slice; empty in 2D.
        centres: row and column of the pixel that each square is centred on.
        side_mm: their side.
    """

    planes: tuple[tuple[int, int], ...]
    centres: tuple[tuple[int, int], ...]
    side_mm: float

    @classmethod
    def of(cls, lesion: NdarrayOrTensor, image: NdarrayOrTensor) -> CardView:
        """The view of a lesion: every plane cuts it where most of it is.

        Args:
            lesion: its mask, (1, \\*spatial).
            image: the image, whose spacing counts.

        Raises:
            ConSinGANError: the mask is empty or has another grid.
        """
        inside = spatial_mask(lesion, as_array(image).shape[1:])
        box = bounding_box(inside, [0] * inside.ndim)
        centre = ndimage.center_of_mass(inside[box])
        middle = tuple(round(float(c) + side.start) for c, side in zip(centre, box, strict=True))
        axes = [axis for axis in plane_axes(image).values() if inside.shape[axis] > 1] if inside.ndim == 3 else []
        planes = [(axis, box[axis].start + widest_slice(inside[box][None], axis)) for axis in axes]
        if inside.ndim == 3 and not all(n > 1 for n in inside.shape):  # one slice: it alone is a picture
            planes = [(axis, 0) for axis in range(3) if inside.shape[axis] == 1][:1]
        extents = [_extent_mm(part) for part in _slices(inside[None].view(np.uint8), image, planes)]
        spot = np.zeros((1, *inside.shape), np.uint8)
        spot[0][middle] = 1
        marks = _slices(spot, image, [(axis, middle[axis]) for axis, _ in planes])
        centres = tuple((int(row[0]), int(column[0])) for row, column in (np.nonzero(mark.values) for mark in marks))
        return cls(tuple(planes), centres, max(_SMALLEST_MM, max(extents) + _AROUND_MM))

    def tiles(self, image: NdarrayOrTensor, *, outside: float = 0.0, order: int = 1) -> list[NDArray[Any]]:
        """The pictures of one channel, arrays of :data:`TILE` x :data:`TILE`.

        Args:
            image: image or mask, (1, \\*spatial).
            outside: value beyond the image's edge.
            order: 1 interpolates linearly, 0 takes the nearest voxel.
        """
        tiles, steps = [], (np.arange(TILE) + 0.5) / TILE * self.side_mm - self.side_mm / 2
        for part, (row, column) in zip(_slices(image, image, self.planes), self.centres, strict=True):
            grid = np.meshgrid(row + steps / part.pixel_mm[0], column + steps / part.pixel_mm[1], indexing="ij")
            values = part.values.astype(np.float32)
            tiles.append(ndimage.map_coordinates(values, grid, order=order, mode="constant", cval=outside))
        return tiles


def grey_range(image: NdarrayOrTensor) -> list[tuple[float, float]]:
    """For each channel of an image the values that are shown black and white: nearly its lowest and highest."""
    ranges = []
    for channel in as_array(image):
        low, high = (float(v) for v in percentiles(channel[..., :: max(1, channel.shape[-1] // 64)], [0.5, 99.9]))
        ranges.append((low, high if high > low else low + 1))
    return ranges


def save_card(
    path: str | Path, image: NdarrayOrTensor, view: CardView, ranges: list[tuple[float, float]] | None = None
) -> None:
    """Write the card of an image: a row for each channel, a column for each plane, in shades of grey (PNG).

    Args:
        path: where to write.
        image: the image, (C, \\*spatial).
        view: which part.
        ranges: what is black and what is white in each channel; None for :func:`grey_range`.
    """
    rows = []
    for number, (low, high) in enumerate(ranges or grey_range(image)):
        tiles = [(tile - low) / (high - low) for tile in view.tiles(image[number : number + 1], outside=low)]
        rows.append(np.hstack(tiles))
    grey = np.rint(255 * np.clip(np.vstack(rows), 0, 1)).astype(np.uint8)
    Image.fromarray(grey).save(path, format="PNG", compress_level=_PACKING)


def save_outline(path: str | Path, lesion: NdarrayOrTensor, view: CardView, rows: int) -> None:
    """Write the outline of a lesion, to be laid over its cards, transparent elsewhere (PNG).

    Args:
        path: where to write.
        lesion: its mask, (1, \\*spatial).
        view: which part.
        rows: the number of channels of the cards.
    """
    masks = [tile > 0.5 for tile in view.tiles(lesion, order=0)]
    lines = np.hstack([mask & ~ndimage.binary_erosion(mask, border_value=1) for mask in masks])
    colours = np.zeros((*lines.shape, 4), np.uint8)
    colours[lines] = _OUTLINE
    Image.fromarray(np.tile(colours, (rows, 1, 1))).save(path, format="PNG", compress_level=_PACKING)


def save_cards(
    folder: Path,
    case: str,
    lesion: int,
    *,
    before: NdarrayOrTensor,
    after: NdarrayOrTensor,
    mask: NdarrayOrTensor,
    ranges: list[tuple[float, float]] | None = None,
) -> None:
    """Write the pictures of one lesion: before, after and its outline.

    Args:
        folder: folder for them, which is made.
        case: the synthetic scan's name, which is safe for files.
        lesion: the lesion's number.
        before: the scan as it was, or what a new lesion is made of, on the same grid, (C, \\*spatial).
        after: the scan with or without the lesion, or the new lesion, (C, \\*spatial).
        mask: where the lesion is, or was, (1, \\*spatial).
        ranges: what is black and what is white in each channel, if that is known (``grey_range`` of ``before``).

    Raises:
        OSError: they cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    view, ranges = CardView.of(mask, before), ranges or grey_range(before)
    lesion_only = (as_array(mask) > 0).astype(np.uint8)
    for name, image in (("before", before), ("after", wrap_like(as_array(after), before))):
        with whole_file(folder / f"{case}_{lesion}_{name}.png") as path:
            save_card(path, image, view, ranges)
    with whole_file(folder / f"{case}_{lesion}_outline.png") as path:
        save_outline(path, wrap_like(lesion_only, before), view, len(ranges))


def _slices(image: NdarrayOrTensor, like: NdarrayOrTensor, planes: Sequence[tuple[int, int]]) -> list[SliceView]:
    """The slices of one channel, (1, \\*spatial), or in 2D all of it; the affine is that of another image."""
    shown = MetaTensor(as_array(image), affine=like.affine) if isinstance(like, MetaTensor) else as_array(image)
    return [slice_view(shown, axis=axis, index=index) for axis, index in planes] or [slice_view(shown)]


def _extent_mm(view: SliceView) -> float:
    """The larger of a mask's height and width in mm."""
    found = ndimage.find_objects((view.values > 0).astype(np.uint8))
    if not found:
        return 0.0
    return max((side.stop - side.start) * size for side, size in zip(found[0], view.pixel_mm, strict=True))
