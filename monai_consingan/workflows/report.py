"""What a workflow writes besides images: measures, figure and report."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from monai.data import MetaTensor

from monai_consingan import __version__
from monai_consingan.data import SequenceFiles, Stored, file_sha256, slices_of
from monai_consingan.data.names import public_name
from monai_consingan.figures import Panel, difference_panel, save_panel, slice_view

__all__ = ["describe_inputs", "save_case_figure", "shown_number", "versions", "write_report"]


def versions() -> dict[str, str]:
    """Versions of what the numbers of a run depend on; Numba's only where it is installed."""
    found = {"python": platform.python_version(), "monai-consingan": __version__}
    for name in ("torch", "monai", "numpy", "scipy", "nibabel", "numba"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def describe_inputs(inputs: Mapping[str, str | Path | Stored | SequenceFiles | None]) -> dict[str, Any]:
    """Name (:py:func:`monai_consingan.data.names.public_name`) and SHA-256 of every input that is given.

    Args:
        inputs: files by what they are, or what was read of them, which is not read again. Of several sequences, each
            from its own file, there is a list.
    """
    told: dict[str, Any] = {}
    for name, given in inputs.items():
        if isinstance(given, SequenceFiles):
            told[name] = given.described()
        elif isinstance(given, Stored) and given.path is not None:
            told[name] = {"file": public_name(given.path), "sha256": given.sha256}
        elif isinstance(given, (str, Path)):
            told[name] = {"file": public_name(given), "sha256": file_sha256(given)}
    return told


def write_report(path: str | Path, report: Mapping[str, Any]) -> None:
    """Write a report as JSON; what is not a finite number becomes ``null``."""
    Path(path).write_text(json.dumps(_plain(report), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, range, np.ndarray)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    if isinstance(value, Path):
        return value.name
    return value


def save_case_figure(
    path: str | Path,
    *,
    title: str,
    images: Mapping[str, MetaTensor],
    lesion: MetaTensor,
    alteration: MetaTensor,
    axis: int | None,
    donor: tuple[MetaTensor, MetaTensor] | None = None,
) -> None:
    """Draw one slice of a case: donor, what it was made of, result and difference, with the lesion's contour.

    Args:
        path: the PNG file.
        title: title of the figure.
        images: images on the host's grid by their title, the host first and the result last.
        lesion: where the lesion is, or was.
        alteration: where the result may differ from the host.
        axis: spatial axis perpendicular to the slices; ``None`` in 2D.
        donor: donor and its lesion's mask, on their own grid.
    """

    def widest(mask: MetaTensor) -> int | None:
        if axis is None:
            return None
        areas = np.asarray(mask)[0] > 0
        return max(slices_of(mask, axis), key=lambda index: int(np.take(areas, index, axis=axis).sum()))

    index = widest(lesion)
    contour = slice_view(lesion, axis=axis, index=index)
    changed = slice_view(alteration, axis=axis, index=index)
    views = {name: slice_view(image, axis=axis, index=index) for name, image in images.items()}
    names = list(views)
    panels = []
    if donor is not None:
        donor_index = widest(donor[1])
        donor_contour = slice_view(donor[1], axis=axis, index=donor_index)
        donor_view = slice_view(donor[0], axis=axis, index=donor_index)
        panels.append(Panel("donor", donor_view, {"lesion": donor_contour}, focus=donor_contour, window="own"))
    panels += [
        Panel(name, view, {"lesion": contour} if name == "naive" else {}, focus=changed) for name, view in views.items()
    ]
    panels.append(difference_panel(views[names[-1]], views[names[0]], contours={"altered": changed}, focus=changed))
    save_panel(path, panels, title=title)


def shown_number(value: float | None, decimals: int | None = None, none: str = "-") -> str:
    """A number for a table: four digits, or with so many decimals; ``none`` where there is none."""
    if value is None or math.isnan(value):
        return none
    return f"{value:.4g}" if decimals is None else f"{value:.{decimals}f}"
