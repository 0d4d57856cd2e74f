"""The figure of a lesion that was put in or taken out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from monai.data import MetaTensor

from monai_consingan.data import thick_slices
from monai_consingan.data.sequences import sequence_names
from monai_consingan.figures import Panel, PanelRow, SliceView, difference_panel, plane_axes, save_rows, slice_view
from monai_consingan.figures.view import widest_slice

_SIDES = "Radiological view: the patient's right (R) is on the left. Each plane is where the lesion is widest."
_THICK = "The slices are thick: only their own plane is shown."


def save_case_figure(
    path: str | Path,
    *,
    title: str,
    images: Mapping[str, MetaTensor],
    lesion: MetaTensor,
    alteration: MetaTensor,
    axis: int | None,
    donor: tuple[MetaTensor, MetaTensor] | None = None,
    lead: int = 0,
) -> None:
    """Draw a case: donor, what it was made of, result and difference, with the lesion's contour.

    Volumes are shown in three planes through the lesion, each where it is widest; of thick slices their own plane, and
    of 2D images all there is. With several sequences this is the lead, and every other has a row with the host and the
    result, enlarged.

    Args:
        path: the PNG file.
        title: title of the figure.
        images: images (C, \\*spatial) on the host's grid by their title, the host first and the result last.
        lesion: where the lesion is, or was.
        alteration: where the result may differ from the host.
        axis: spatial axis perpendicular to the slices; ``None`` in 2D.
        donor: donor, with the same sequences, and its lesion's mask, on their own grid.
        lead: the channel that is shown in full.
    """
    host = next(iter(images.values()))
    in_space = axis is not None and not thick_slices(host)
    planes: dict[str, int | None] = {**plane_axes(host)} if in_space else {"": axis}
    names = sequence_names(host)
    rows = []
    for plane, along in planes.items():
        case = _Plane(lesion, alteration, along)
        panels = case.panels(images, lead)
        if donor is not None:
            across = plane_axes(donor[0])[plane] if plane else None if donor[0].ndim == 3 else axis
            panels.insert(0, _Plane(donor[1], donor[1], across).donor(donor[0], lead))
        rows.append(PanelRow(panels, label=", ".join(filter(None, (plane, names[lead] * (len(names) > 1))))))
    for channel, name in enumerate(names):
        if channel != lead:
            panels = []
            for plane, along in planes.items():
                shown = _Plane(lesion, alteration, along).panels(images, channel)
                panels += _without_middle(shown, plane)
            rows.append(PanelRow(panels, label=name, scale=name, whole=False))
    thick = axis is not None and not in_space
    save_rows(path, rows, title=title, note=_SIDES if in_space else _THICK if thick else "")


def _without_middle(panels: list[Panel], plane: str) -> list[Panel]:
    """Host and result of a sequence, and in a single plane their difference."""
    first, result, difference = panels[0], panels[-2], panels[-1]
    if not plane:
        return [first, result, difference]
    return [Panel(f"{plane}, {panel.title}", panel.image, {}, panel.focus) for panel in (first, result)]


class _Plane:
    """A slice through a lesion, where it is widest.

    Args:
        lesion: its mask.
        altered: mask of what is focused on.
        axis: spatial axis perpendicular to the slice; ``None`` in 2D.
    """

    def __init__(self, lesion: MetaTensor, altered: MetaTensor, axis: int | None) -> None:
        self.axis = axis
        self.index = None if axis is None else widest_slice(lesion, axis)
        self.contour, self.altered = self.view(lesion), self.view(altered)

    def view(self, image: MetaTensor, channel: int = 0) -> SliceView:
        """The slice of a channel."""
        return slice_view(image[channel : channel + 1], axis=self.axis, index=self.index)

    def panels(self, images: Mapping[str, MetaTensor], channel: int) -> list[Panel]:
        """The images, and the difference of the last to the first."""
        views = {name: self.view(image, channel) for name, image in images.items()}
        outlines = {"naive": {"lesion": self.contour}}
        panels = [Panel(name, view, outlines.get(name, {}), focus=self.altered) for name, view in views.items()]
        first, *_, last = views.values()
        panels.append(difference_panel(last, first, contours={"altered": self.altered}, focus=self.altered))
        return panels

    def donor(self, donor: MetaTensor, channel: int) -> Panel:
        """The donor with its lesion outlined."""
        return Panel("donor", self.view(donor, channel), {"lesion": self.contour}, focus=self.contour, window="own")
