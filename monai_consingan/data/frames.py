"""Where the frames of a multi-frame DICOM file lie, which may be stored in any order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConSinGANError

UNEVEN_MM = 1e-2
"""How far a slice may be from where even spacing has it."""

_REMEDY = "export it as a series of slices, or as NIfTI"


def multi_frame_file(path: Path, what: str) -> Path | None:
    """The file of a scan that is one file of several frames; ``None`` if it is none.

    Args:
        path: a DICOM file, or a folder of such.
        what: the scan, for errors.

    Raises:
        ConSinGANError: a folder with further files beside one of several frames.
    """
    files = sorted(item for item in path.iterdir() if item.is_file()) if path.is_dir() else [path]
    several = [file for file in files if _header(file, "NumberOfFrames").get("NumberOfFrames", 1) not in (None, 1)]
    if several and len(files) > 1:
        raise ConSinGANError(
            f"{what} holds {several[0].name if len(several) < 2 else f'{len(several)} files'} of several frames beside "
            "other files: give one such file, or a folder with the slices of one series."
        )
    return several[0] if several else None


def frame_order(path: Path, what: str) -> tuple[np.ndarray, np.ndarray]:
    """The order of the frames of a file along their normal, and where they lie then.

    Args:
        path: the file.
        what: the scan, for errors.

    Returns:
        Numbers of the frames, lowest first, and the 4 x 4 matrix from (column, row, frame) to RAS+ coordinates in mm.

    Raises:
        ConSinGANError: frames without positions, of several orientations, at one place, or unevenly spaced; or with
            scalings of their own.
    """
    header = _header(path, "NumberOfFrames", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
    shared = (header.get("SharedFunctionalGroupsSequence") or [{}])[0]
    frames = list(header.get("PerFrameFunctionalGroupsSequence") or [])

    def of_each(group: str, name: str) -> list[Any]:
        """An entry of a group for each frame, of its own or of all; ``None`` where there is none."""
        found = []
        for frame in frames:
            items = frame.get(group) or shared.get(group)
            found.append(items[0].get(name) if items else None)
        return found

    count = int(header.NumberOfFrames)
    places = of_each("PlanePositionSequence", "ImagePositionPatient")
    turns = of_each("PlaneOrientationSequence", "ImageOrientationPatient")
    sides = of_each("PixelMeasuresSequence", "PixelSpacing")
    if len(frames) != count or any(value is None for value in (*places, *turns, *sides)):
        raise ConSinGANError(f"{what} has {count} frames that do not all say where they lie: {_REMEDY}.")
    slopes, shifts = (of_each("PixelValueTransformationSequence", f"Rescale{name}") for name in ("Slope", "Intercept"))
    scalings = set(zip(slopes, shifts, strict=True))
    if len(scalings) > 1:
        raise ConSinGANError(f"{what} has frames with {len(scalings)} scalings of their values: {_REMEDY}.")
    positions, axes, spacing = (np.asarray(values, dtype=np.float64) for values in (places, turns, sides))
    if np.ptp(axes, axis=0).max() > 1e-4 or np.ptp(spacing, axis=0).max() > 1e-4:
        raise ConSinGANError(f"{what} has frames of several orientations or pixel sizes: {_REMEDY}.")
    along, down = axes[0, :3], axes[0, 3:]
    normal = np.cross(along, down)
    heights = positions @ normal
    order = np.argsort(heights, kind="stable")
    first = positions[order[0]]
    steps = np.diff(heights[order])
    aside = positions - first - np.outer(heights - heights[order[0]], normal)
    if steps.min() < UNEVEN_MM:
        raise ConSinGANError(f"{what} has several frames at one place, as of several volumes: export one of them.")
    if max(np.abs(steps - steps.mean()).max(), np.abs(aside).max()) > UNEVEN_MM:
        raise ConSinGANError(
            f"{what} has unevenly spaced frames (steps of {steps.min():.3g} to {steps.max():.3g} mm): export it anew "
            "with all its slices."
        )
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = along * spacing[0, 1], down * spacing[0, 0]
    affine[:3, 2], affine[:3, 3] = normal * steps.mean(), first
    return order, np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def _header(path: Path, *names: str) -> Any:
    """Some entries of a DICOM header; none of a file that is no DICOM."""
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    try:
        return dcmread(path, stop_before_pixels=True, specific_tags=list(names))
    except InvalidDicomError:
        return {}
