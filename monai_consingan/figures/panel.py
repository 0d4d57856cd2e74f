"""One slice in a figure, such as a donor, a result, or what was changed, and how it is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.transforms import ScaledTranslation

from monai_consingan.background import find_background
from monai_consingan.errors import ConSinGANError
from monai_consingan.figures.framing import Box
from monai_consingan.figures.view import OPPOSITE, SliceView
from monai_consingan.transforms.head import AIR_FRACTION


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
    panel: Panel,
    box: Box,
    shared: tuple[float, float],
    extreme: float,
    colours: Mapping[str, str],
    *,
    top_letter: bool = False,
) -> AxesImage:
    """Draw what a box shows of a slice, with its contours, the sides of the patient and a scale bar.

    Args:
        axes: where to draw.
        panel: the slice.
        box: the part that is shown, in mm.
        shared: darkest and brightest value of the shared grey scale.
        extreme: the largest difference of the colours' scale.
        colours: colours of contours by their names.
        top_letter: whether a letter tells what lies beyond the upper edge too.

    Returns:
        What a colour bar needs.
    """
    view = panel.image
    high, wide = view.size_mm
    if panel.signed:
        limits, colour_map, background, ink = (-extreme, extreme), "RdBu_r", "#f7f7f7", "black"
    else:
        chosen = {"shared": shared, "own": grey_window([panel])}
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
    letters = [(0.04, view.left), (0.96, OPPOSITE.get(view.left, "")), (0.5, view.top if top_letter else "")]
    for x, letter in letters:
        _write(axes, (x, 1), (0, -4), letter, ink, background, "top")
    _scale_bar(axes, right - left, ink, background)
    return shown


def _write(
    axes: Axes,
    place: tuple[float, float],
    points: tuple[float, float],
    text: str,
    ink: str,
    background: str,
    vertical: str,
) -> None:
    """Text some points from a place given as a share of the axes, readable on any ground."""
    effects = [withStroke(linewidth=2, foreground=background)]
    where: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "ha": "center", "va": vertical}
    axes.annotate(text, place, points, color=ink, fontsize=8, path_effects=effects, **where)


def _scale_bar(axes: Axes, width_mm: float, ink: str, background: str) -> None:
    """A bar of a round length, at most two fifths of the width, in the lower right corner."""
    length = max((mm for mm in (1, 2, 5, 10, 20, 50, 100, 200) if mm <= 0.4 * width_mm), default=0.4 * width_mm)
    share = length / width_mm
    line = axes.transAxes + ScaledTranslation(0, 0.1, axes.figure.dpi_scale_trans)
    bar = Line2D([0.95 - share, 0.95], [0, 0], color=ink, lw=2, transform=line, solid_capstyle="butt")
    bar.set_path_effects([withStroke(linewidth=3.5, foreground=background)])
    axes.add_line(bar)
    _write(axes, (0.95 - share / 2, 0), (0, 10), f"{length:g} mm", ink, background, "bottom")


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
