"""One slice in a figure, such as a donor, a result, or what was changed, and how it is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from monai_consingan.background import find_background
from monai_consingan.errors import ConSinGANError
from monai_consingan.figures.framing import Box, Cell
from monai_consingan.figures.view import OPPOSITE, SliceView
from monai_consingan.transforms.head import AIR_FRACTION

if TYPE_CHECKING:  # Matplotlib comes when something is drawn
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage


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


def draw_panel(
    axes: Axes,
    cell: Cell,
    panel: Panel,
    box: Box,
    limits: tuple[float, float],
    colours: Mapping[str, str],
    *,
    top_letter: bool = False,
) -> AxesImage:
    """Draw what a box shows of a slice, with its contours, the sides of the patient and a scale bar.

    Args:
        axes: the sheet, whose coordinates are inches to the right and down.
        cell: where on it; a box of another shape fills its height or its width.
        panel: the slice.
        box: the part that is shown, in mm.
        limits: darkest and brightest value, or least and largest difference.
        colours: colours of contours by their names.
        top_letter: whether a letter tells what lies beyond the upper edge too.

    Returns:
        What a colour bar needs.
    """
    from matplotlib.patches import Rectangle
    from matplotlib.transforms import Affine2D

    view = panel.image
    high, wide = view.size_mm
    top, bottom, left, right = box
    scale = min(cell.wide / (right - left), cell.high / (bottom - top))
    cell = cell.middle(scale * (right - left), scale * (bottom - top))
    in_mm = Affine2D().translate(-left, -top).scale(scale).translate(cell.left, cell.down) + axes.transData
    ground, ink = ("#f7f7f7", "black") if panel.signed else ("black", "white")
    corner, size = (cell.left, cell.down), (cell.wide, cell.high)
    inside = Rectangle(corner, *size, facecolor=ground, zorder=-1)
    axes.add_patch(inside)
    shown = axes.imshow(
        view.values,
        cmap="RdBu_r" if panel.signed else "gray",
        vmin=limits[0],
        vmax=limits[1],
        extent=(0, wide, high, 0),
        interpolation="nearest",
        aspect="auto",
        transform=in_mm,
    )
    shown.set_clip_path(inside)
    rows = (np.arange(view.values.shape[0]) + 0.5) * view.pixel_mm[0]
    columns = (np.arange(view.values.shape[1]) + 0.5) * view.pixel_mm[1]
    for name, mask in panel.contours.items():
        marked = (mask.values > 0).astype(np.float64)
        if min(marked.shape) > 1 and marked.any() and not marked.all():
            look: dict[str, Any] = {"colors": [colours[name]], "linewidths": 1.0, "transform": in_mm}
            axes.contour(columns, rows, marked, levels=[0.5], **look).set_clip_path(inside)
    axes.add_patch(Rectangle(corner, *size, fill=False, ec="0.7", lw=0.8, zorder=2.5))
    letters = [(0.04, view.left), (0.96, OPPOSITE.get(view.left, "")), (0.5, view.top if top_letter else "")]
    for share, letter in letters:
        _write(axes, (cell.left + share * cell.wide, cell.down + 4 / 72), letter, ink, ground, "top")
    _scale_bar(axes, cell, right - left, ink, ground)
    return shown


def draw_frame(axes: Axes, cell: Cell, outer: Box, inner: Box) -> None:
    """Draw a dashed box, in mm, into a cell that shows an outer one of the cell's shape."""
    from matplotlib.patches import Rectangle

    scale = cell.wide / (outer[3] - outer[2])
    up, low, start, stop = (scale * (edge - outer[i // 2 * 2]) for i, edge in enumerate(inner))
    place, dashed = (cell.left + start, cell.down + up), (0, (3, 3))
    frame = Rectangle(place, stop - start, low - up, fill=False, ec="0.65", lw=0.9, ls=dashed, zorder=2)
    axes.add_patch(frame)
    frame.set_clip_path(Rectangle((cell.left, cell.down), cell.wide, cell.high, transform=axes.transData))


def _write(
    axes: Axes, place: tuple[float, float], text: str, ink: str, ground: str, vertical: Literal["top", "bottom"]
) -> None:
    """Text that is readable on any ground."""
    from matplotlib.patheffects import withStroke

    if text:
        effects = [withStroke(linewidth=2, foreground=ground)]
        axes.text(*place, text, color=ink, fontsize=8, path_effects=effects, ha="center", va=vertical)


def _scale_bar(axes: Axes, cell: Cell, width_mm: float, ink: str, ground: str) -> None:
    """A bar of a round length, at most two fifths of the width, in the lower right corner."""
    from matplotlib.lines import Line2D
    from matplotlib.patheffects import withStroke

    length = max((mm for mm in (1, 2, 5, 10, 20, 50, 100, 200) if mm <= 0.4 * width_mm), default=0.4 * width_mm)
    right, low = cell.left + 0.95 * cell.wide, cell.down + cell.high
    left = right - length / width_mm * cell.wide
    bar = Line2D([left, right], [low - 0.1] * 2, color=ink, lw=2, solid_capstyle="butt")
    bar.set_path_effects([withStroke(linewidth=3.5, foreground=ground)])
    axes.add_line(bar)
    _write(axes, ((left + right) / 2, low - 10 / 72), f"{length:g} mm", ink, ground, "bottom")


def grey_window(panels: Sequence[Panel]) -> tuple[float, float]:
    """Darkest and brightest value of panels.

    From the lowest to 1.4 to 2 times the level of tissue, or to the brightest part of what is focused on.
    """
    if not panels:
        return 0.0, 1.0
    images = [panel.image.values for panel in panels]
    values = np.concatenate([np.ravel(find_background(image).darkest(image)) for image in images]).astype(np.float64)
    low, high = float(values.min()), float(np.percentile(values, 99.8))
    if high <= low:
        return low, low + 1.0
    tissue = values[values > low + AIR_FRACTION * (high - low)]
    level = float(np.median(tissue)) - low
    high = low + min(max(high - low, 1.4 * level), 2 * level)
    for panel in panels:
        if panel.focus is not None and (panel.focus.values > 0).any():
            high = max(high, float(np.percentile(panel.image.values[panel.focus.values > 0], 99.5)))
    return low, high


def framed_by(panels: Sequence[Panel]) -> list[tuple[SliceView, list[SliceView]]]:
    """What frames each panel: its image and contours; a signed one takes those of a grey one of the same shape."""
    grey = {panel.image.values.shape: panel for panel in panels if not panel.signed}
    chosen = [grey.get(panel.image.values.shape, panel) if panel.signed else panel for panel in panels]
    return [(panel.image, list(panel.contours.values())) for panel in chosen]
