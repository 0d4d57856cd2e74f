"""A figure of rows of slices, each cropped to the head, and below them what they focus on, enlarged."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from monai_consingan.errors import ConSinGANError
from monai_consingan.figures.framing import Box, Cell, focus_boxes, head_box, same_size
from monai_consingan.figures.panel import Panel, draw_frame, draw_panel, framed_by, grey_window

if TYPE_CHECKING:  # Matplotlib comes when something is drawn
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

# Inches.
COLUMN, GAP, LINE, COLOUR_BAR = 2.6, 0.05, 0.3, 0.85
COLOURS = ("#ffb000", "#19d3e6", "#ff5fa2", "#7ee081")


@dataclass(frozen=True)
class PanelRow:
    """A row of slices of one plane.

    Attributes:
        panels: the slices from left to right.
        label: what stands at its left, such as the plane.
        scale: rows with the same word share their grey scale and their scale of differences, as those of one sequence.
        whole: whether heads are shown, and below them what they focus on; False shows the latter only.
    """

    panels: Sequence[Panel]
    label: str = ""
    scale: str = ""
    whole: bool = True


def save_panel(
    path: str | os.PathLike[str],
    panels: Sequence[Panel],
    *,
    title: str | None = None,
    dpi: int = 150,
) -> None:
    """Save slices side by side, each cropped to the head, and below them the regions of interest enlarged.

    Scale bars give mm, letters the sides of the patient, dashed boxes the enlarged regions.

    Args:
        path: where to save; its suffix decides the format, such as .png.
        panels: the columns from left to right.
        title: what stands above all.
        dpi: dots per inch.

    Raises:
        ConSinGANError: without panels.

    Example:

        >>> def view(image):  # doctest: +SKIP
        ...     return slice_view(image, axis=2, index=4)
        >>> lesion = view(mask)  # doctest: +SKIP
        >>> save_panel(  # doctest: +SKIP
        ...     "figure.png",
        ...     [
        ...         Panel("host", view(host), focus=lesion),
        ...         Panel("result", view(result), {"lesion": lesion}, focus=lesion),
        ...         difference_panel(view(result), view(host), focus=lesion),
        ...     ],
        ... )
    """
    save_rows(path, [PanelRow(panels)], title=title, dpi=dpi)


def save_rows(
    path: str | os.PathLike[str],
    rows: Sequence[PanelRow],
    *,
    title: str | None = None,
    note: str = "",
    dpi: int = 150,
) -> None:
    """Save rows of slices, such as three planes through a lesion: as :func:`save_panel`, one below the other.

    All heads are shown at one scale, and so are all enlarged regions of whole rows.

    Args:
        path: where to save; its suffix decides the format, such as .png.
        rows: the rows from top to bottom.
        title: what stands above all.
        note: a sentence that stands below all.
        dpi: dots per inch.

    Raises:
        ConSinGANError: without rows, or a row without panels.
    """
    if not rows or not all(row.panels for row in rows):
        raise ConSinGANError("panels is empty: give at least one slice to show.")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    sheet = _Sheet(rows)
    names = list(dict.fromkeys(name for row in rows for panel in row.panels for name in panel.contours))
    colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(names)}
    top = LINE if title else 0.0
    height = top + sheet.height + (LINE if note else 0.0) + (LINE if names else GAP)
    figure = Figure(figsize=(sheet.width, height), facecolor="white")
    FigureCanvasAgg(figure)

    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, sheet.width), ylim=(height, 0), autoscale_on=False)
    axes.set_axis_off()
    windows = {scale: _Windows(rows, scale) for scale in {row.scale: None for row in rows}}
    signed = set()
    for number, row in enumerate(rows):
        look: dict[str, Any] = {"colours": colours, "top_letter": bool(row.label)}
        shown = sheet.draw_row(axes, number, top, windows[row.scale], **look)
        if shown is not None and row.scale not in signed:
            signed.add(row.scale)
            down = top + sheet.tops[number] + sheet.firsts[number]
            left, size = (sheet.width - COLOUR_BAR + 0.05) / sheet.width, (0.12, sheet.firsts[number])
            bar = figure.add_axes((left, 1 - down / height, size[0] / sheet.width, size[1] / height))
            figure.colorbar(shown, cax=bar)
            bar.tick_params(labelsize=8, length=2)
            bar.set_ylabel("intensity", fontsize=8)
        if row.label:
            middle = top + sheet.tops[number] + sheet.heights[number] / 2
            where = (LINE / 2 / sheet.width, 1 - middle / height)
            figure.text(*where, row.label, rotation=90, ha="center", va="center", fontsize=11, weight="bold")
    if title:
        figure.text(0.5, 1 - 0.5 * LINE / height, title, ha="center", va="center", fontsize=12, weight="bold")
    if note:
        low = (LINE if names else GAP) + LINE / 2
        figure.text(0.5, low / height, note, ha="center", va="center", fontsize=9, color="0.35")
    if names:
        handles = [Line2D([], [], color=colour, lw=2, label=name) for name, colour in colours.items()]
        figure.legend(handles=handles, loc="lower center", ncols=len(handles), fontsize=9, frameon=False, borderpad=0)
    # PNG packed in half of the time, with a quarter more bytes
    packing: dict[str, Any] = {"pil_kwargs": {"compress_level": 2}}
    figure.savefig(os.fspath(path), dpi=dpi, **(packing if os.fspath(path).lower().endswith(".png") else {}))


class _Sheet:
    """Where everything lies on a sheet, in inches from its upper left corner below the title.

    Attributes:
        width, height: of the sheet, without title, note and legend.
        tops: where each row's slices begin.
        firsts: how high their first line of slices is.
        heights: how high they are together.
    """

    def __init__(self, rows: Sequence[PanelRow]) -> None:
        self.rows = rows
        heads = [same_size([head_box(view, masks) for view, masks in framed_by(row.panels)]) for row in rows]
        widest = max(box[3] - box[2] for boxes in heads for box in boxes)
        self.heads = [[_widened(box, widest) for box in boxes] for boxes in heads]
        every = [
            (panel.focus, head)
            for row, boxes in zip(rows, heads, strict=True)
            for panel, head in zip(row.panels, boxes, strict=True)
        ]
        found = iter(focus_boxes([focus for focus, _ in every], [head for _, head in every]))
        self.focuses = [[next(found) for _ in row.panels] for row in rows]
        self.margin = LINE if any(row.label for row in rows) else 0.0
        most = max((len(row.panels) for row in rows if row.whole), default=max(len(row.panels) for row in rows))
        inner = most * (COLUMN + GAP)
        has_signed = any(panel.signed for row in rows for panel in row.panels)
        self.width = self.margin + GAP + inner + (COLOUR_BAR if has_signed else GAP)
        self.cells = [min(COLUMN, inner / len(row.panels) - GAP) for row in rows]
        self.tops, self.firsts, self.heights = [], [], []
        self.titled: list[bool] = []
        down, before = 0.0, None
        for row, boxes, focuses, cell in zip(rows, self.heads, self.focuses, self.cells, strict=True):
            titles = [panel.title for panel in row.panels]
            self.titled.append(titles != before)
            down, before = down + LINE * self.titled[-1], titles
            tall = cell * (boxes[0][1] - boxes[0][0]) / widest if row.whole else cell
            below = cell + GAP if row.whole and any(focuses) else 0.0
            self.tops.append(down)
            self.firsts.append(tall)
            self.heights.append(tall + below)
            down += tall + below + GAP
        self.height = down - GAP

    def draw_row(self, axes: Axes, number: int, top: float, windows: _Windows, **look: Any) -> AxesImage | None:
        """Draw a row with the values that it shows; what its first signed panel shows, if there is one."""
        row, wide, tall = self.rows[number], self.cells[number], self.firsts[number]
        down, signed = top + self.tops[number], None
        places = zip(row.panels, self.heads[number], self.focuses[number], strict=True)
        for column, (panel, head, focus) in enumerate(places):
            cell = Cell(self.margin + GAP + column * (wide + GAP), down, wide, tall)
            limits, box = windows.of(panel), head if row.whole or focus is None else focus
            shown = draw_panel(axes, cell, panel, box, limits, **look)
            if self.titled[number]:
                axes.text(cell.left + wide / 2, down - 5 / 72, panel.title, fontsize=11, ha="center", va="baseline")
            if focus is not None and row.whole:
                draw_panel(axes, cell._replace(down=down + tall + GAP, high=wide), panel, focus, limits, **look)
                draw_frame(axes, cell, head, focus)
            if panel.signed and signed is None:
                signed = shown
        return signed


class _Windows:
    """Which values are shown dark and bright in the panels of rows of one scale, looked at once.

    Args:
        rows: all rows.
        scale: the word that those have.
    """

    def __init__(self, rows: Sequence[PanelRow], scale: str) -> None:
        same = [panel for row in rows if row.scale == scale for panel in row.panels]
        self.shared = grey_window([panel for panel in same if not panel.signed and panel.window == "shared"])
        self.most = max((float(np.abs(panel.image.values).max()) for panel in same if panel.signed), default=0.0) or 1.0
        self.own = {id(panel): grey_window([panel]) for panel in same if not panel.signed and panel.window == "own"}

    def of(self, panel: Panel) -> tuple[float, float]:
        """Darkest and brightest value of a panel, or least and largest difference."""
        if panel.signed:
            return -self.most, self.most
        return self.own.get(id(panel), self.shared) if isinstance(panel.window, str) else panel.window


def _widened(box: Box, width: float) -> Box:
    """A box of some width about the middle of another."""
    top, bottom, left, right = box
    middle = (left + right) / 2
    return (top, bottom, middle - width / 2, middle + width / 2)
