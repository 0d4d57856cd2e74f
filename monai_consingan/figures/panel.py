"""A figure of one slice: donor, naive paste, result, and what was changed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from monai_consingan.background import find_background
from monai_consingan.errors import ConSinGANError
from monai_consingan.figures.framing import Box, focus_boxes, head_box, same_size
from monai_consingan.figures.view import OPPOSITE, SliceView
from monai_consingan.metrics.surroundings import AIR_FRACTION

__all__ = ["Panel", "difference_panel", "save_panel"]

# Inches.
COLUMN, GAP, LINE, COLOUR_BAR = 2.6, 0.05, 0.3, 0.85
COLOURS = ("#ffb000", "#19d3e6", "#ff5fa2", "#7ee081")


@dataclass(frozen=True)
class Panel:
    """One column of a figure.

    Attributes:
        title: what stands above it.
        image: the slice to show.
        contours: what to outline, by the name in the legend: masks on the image's grid, outlined where they leave 0.
        focus: mask of what the second row shows enlarged; None leaves this column's place there empty.
        window: darkest and brightest value shown. "shared" is one grey scale for all panels with this word, "own" one
            for this panel alone, such as a donor from another scanner.
        signed: show in colour how far values lie above or below 0, as differences do, all of a figure on one scale.
    """

    title: str
    image: SliceView
    contours: Mapping[str, SliceView] = field(default_factory=dict)
    focus: SliceView | None = None
    window: tuple[float, float] | Literal["shared", "own"] = "shared"
    signed: bool = False

    def __post_init__(self) -> None:
        masks = {f"contour {name!r}": mask for name, mask in self.contours.items()}
        if self.focus is not None:
            masks["focus"] = self.focus
        for name, mask in masks.items():
            if mask.values.shape != self.image.values.shape:
                raise ConSinGANError(
                    f"The {name} of panel {self.title!r} has the shape {mask.values.shape} but its image "
                    f"{self.image.values.shape}: give both on one grid."
                )


def difference_panel(
    result: SliceView,
    host: SliceView,
    *,
    title: str = "difference",
    contours: Mapping[str, SliceView] | None = None,
    focus: SliceView | None = None,
) -> Panel:
    """A column that shows a result minus its host, red where the result is brighter and blue where it is darker.

    Args:
        result: slice of the result.
        host: the same slice of the host.
        title: what stands above it.
        contours: what to outline, such as the altered region.
        focus: mask of what the second row shows enlarged.

    Returns:
        The panel.

    Raises:
        ConSinGANError: when the shapes differ.
    """
    if result.values.shape != host.values.shape:
        raise ConSinGANError(
            f"result and host have the shapes {result.values.shape} and {host.values.shape}: give both on one grid."
        )
    change = result.values.astype(np.float64) - host.values.astype(np.float64)
    view = SliceView(change, host.pixel_mm, host.left, host.top)
    return Panel(title, view, contours or {}, focus, signed=True)


def save_panel(
    path: str | os.PathLike[str],
    panels: Sequence[Panel],
    *,
    title: str | None = None,
    focus_margin_mm: float = 10.0,
    dpi: int = 150,
) -> None:
    """Save slices side by side, each cropped to the head, and below them the regions of interest enlarged.

    Scale bars give mm, letters the sides of the patient, dashed boxes the enlarged regions.

    Args:
        path: where to save; its suffix decides the format, such as .png.
        panels: the columns from left to right.
        title: what stands above all.
        focus_margin_mm: tissue shown around a focus in the second row, in mm.
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
    if not panels:
        raise ConSinGANError("panels is empty: give at least one slice to show.")
    heads = same_size([head_box(view, masks) for view, masks in _anatomy(panels)])
    focuses = focus_boxes([panel.focus for panel in panels], heads, focus_margin_mm)
    tall = COLUMN * (heads[0][1] - heads[0][0]) / (heads[0][3] - heads[0][2])
    below = COLUMN + GAP if any(focuses) else 0.0
    names = list(dict.fromkeys(name for panel in panels for name in panel.contours))
    colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(names)}
    bars = COLOUR_BAR if any(panel.signed for panel in panels) else GAP
    width = GAP + len(panels) * (COLUMN + GAP) + bars
    top_lines = LINE * (2 if title else 1)
    height = top_lines + tall + below + (LINE if names else GAP)
    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)

    def axes_at(left: float, top: float, wide: float, high: float) -> Axes:
        return figure.add_axes((left / width, 1 - (top + high) / height, wide / width, high / height))

    shared = _grey_window([panel for panel in panels if not panel.signed and panel.window == "shared"])
    extreme = max((float(np.abs(panel.image.values).max()) for panel in panels if panel.signed), default=0.0) or 1.0
    bar: Axes | None = None
    for number, (panel, head, focus) in enumerate(zip(panels, heads, focuses, strict=True)):
        left = GAP + number * (COLUMN + GAP)
        axes = axes_at(left, top_lines, COLUMN, tall)
        shown = _draw(axes, panel, head, shared, extreme, colours)
        axes.set_title(panel.title, fontsize=11, pad=5)
        if focus is not None:
            close = axes_at(left, top_lines + tall + GAP, COLUMN, COLUMN)
            _draw(close, panel, focus, shared, extreme, colours)
            up, down, start, stop = focus
            frame = Rectangle((start, up), stop - start, down - up, fill=False, ec="0.65", lw=0.9, ls=(0, (3, 3)))
            axes.add_patch(frame)
        if panel.signed and not bar:
            bar = axes_at(width - COLOUR_BAR + 0.05, top_lines, 0.12, tall)
            figure.colorbar(shown, cax=bar)
            bar.tick_params(labelsize=8, length=2)
            bar.set_ylabel("intensity", fontsize=8)
    if title:
        figure.text(0.5, 1 - 0.5 * LINE / height, title, ha="center", va="center", fontsize=12, weight="bold")
    if names:
        handles = [Line2D([], [], color=colour, lw=2, label=name) for name, colour in colours.items()]
        figure.legend(handles=handles, loc="lower center", ncols=len(handles), fontsize=9, frameon=False, borderpad=0)
    figure.savefig(os.fspath(path), dpi=dpi)


def _draw(
    axes: Axes, panel: Panel, box: Box, shared: tuple[float, float], extreme: float, colours: Mapping[str, str]
) -> AxesImage:
    """One slice within a box, in mm."""
    view = panel.image
    high, wide = view.size_mm
    if panel.signed:
        limits, colour_map, background, ink = (-extreme, extreme), "RdBu_r", "#f7f7f7", "black"
    else:
        chosen = {"shared": shared, "own": _grey_window([panel])}
        limits = chosen[panel.window] if isinstance(panel.window, str) else panel.window
        colour_map, background, ink = "gray", "black", "white"
    axes.set_facecolor(background)
    shown = axes.imshow(
        view.values, cmap=colour_map, vmin=limits[0], vmax=limits[1], extent=(0, wide, high, 0), interpolation="nearest"
    )
    rows = (np.arange(view.values.shape[0]) + 0.5) * view.pixel_mm[0]
    columns = (np.arange(view.values.shape[1]) + 0.5) * view.pixel_mm[1]
    for name, mask in panel.contours.items():
        inside = (mask.values > 0).astype(np.float64)
        if min(inside.shape) > 1 and inside.any() and not inside.all():
            axes.contour(columns, rows, inside, levels=[0.5], colors=[colours[name]], linewidths=1.0)
    top, bottom, left, right = box
    axes.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[], aspect="equal")
    for spine in axes.spines.values():
        spine.set_color("0.7")
    for x, letter in ((0.04, view.left), (0.96, OPPOSITE.get(view.left, ""))):
        _write(axes, x, 0.955, letter, ink, background, "center")
    _scale_bar(axes, right - left, ink, background)
    return shown


def _write(axes: Axes, x: float, y: float, text: str, ink: str, background: str, vertical: str) -> None:
    """Text at a place given as a share of the axes, readable on any ground."""
    effects = [withStroke(linewidth=2, foreground=background)]
    axes.text(
        x, y, text, color=ink, fontsize=8, ha="center", va=vertical, transform=axes.transAxes, path_effects=effects
    )


def _scale_bar(axes: Axes, width_mm: float, ink: str, background: str) -> None:
    """A bar of a round length, at most a third of the width, in the lower right corner."""
    length = max((mm for mm in (1, 2, 5, 10, 20, 50, 100, 200) if mm <= width_mm / 3), default=width_mm / 3)
    share = length / width_mm
    bar = Line2D([0.95 - share, 0.95], [0.045, 0.045], color=ink, lw=2, transform=axes.transAxes, solid_capstyle="butt")
    bar.set_path_effects([withStroke(linewidth=3.5, foreground=background)])
    axes.add_line(bar)
    _write(axes, 0.95 - share / 2, 0.065, f"{length:g} mm", ink, background, "bottom")


def _grey_window(panels: Sequence[Panel]) -> tuple[float, float]:
    """From the lowest value to twice the level of tissue, or to the brightest part of what is focused on."""
    if not panels:
        return 0.0, 1.0
    images = [panel.image.values for panel in panels]
    values = np.concatenate([np.ravel(find_background(image).darkest(image)) for image in images]).astype(np.float64)
    low, high = float(values.min()), float(np.percentile(values, 99.8))
    if high <= low:
        return low, low + 1.0
    tissue = values[values > low + AIR_FRACTION * (high - low)]
    high = min(high, low + 2 * (float(np.median(tissue)) - low))
    for panel in panels:
        if panel.focus is not None and (panel.focus.values > 0).any():
            high = max(high, float(np.percentile(panel.image.values[panel.focus.values > 0], 99.5)))
    return low, high


def _anatomy(panels: Sequence[Panel]) -> list[tuple[SliceView, list[SliceView]]]:
    """What frames each panel: its image and contours; a signed one takes those of a grey one of the same shape."""
    grey = {panel.image.values.shape: panel for panel in panels if not panel.signed}
    chosen = [grey.get(panel.image.values.shape, panel) if panel.signed else panel for panel in panels]
    return [(panel.image, list(panel.contours.values())) for panel in chosen]
