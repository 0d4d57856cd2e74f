"""Reading what is no NIfTI: NRRD, MetaImage and DICOM by ITK, with what it passes over refused, and PNG and JPEG."""

from __future__ import annotations

import gzip
import os
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConSinGANError


def _check_packed(path: Path) -> None:
    """Unpack compressed NRRD or MetaImage once, as ITK does not always look at their checksums.

    Raises:
        OSError, EOFError, zlib.error: the data are damaged, or end early.
    """
    meta = path.suffix.lower() in (".mha", ".mhd")
    facts: dict[str, str] = {}
    with path.open("rb") as file:
        while (line := file.readline(4096)).strip():
            key, _, value = line.decode("latin-1").partition("=" if meta else ":")
            facts[key.strip().lower()] = value.strip()
            if meta and "elementdatafile" in facts:
                break
        start = file.tell()
    place = facts.get("elementdatafile") if meta else facts.get("data file", facts.get("datafile"))
    inside = place in ("LOCAL", None)
    source = path if inside else path.parent / str(place)
    packed = facts.get("compresseddata", "").lower() == "true" or facts.get("encoding") in ("gzip", "gz")
    if not packed or not source.is_file():  # or a list of files
        return
    with source.open("rb") as file:
        file.seek(start if inside else 0)
        if meta:
            unpack = zlib.decompressobj()
            while not unpack.eof and (block := file.read(1 << 20)):
                unpack.decompress(block)
            if not unpack.eof:
                raise zlib.error("the compressed data end early")
        else:
            stream = gzip.GzipFile(fileobj=file)
            while stream.read(1 << 20):  # the checksum is looked at when all is read
                pass


def read_by_itk(path: Path, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Read NRRD, MetaImage or DICOM.

    Args:
        path: a file, or a folder with one DICOM series.
        what: the scan, for errors.

    Returns:
        The stored numbers, and the affine from voxel indices to RAS+ coordinates in mm.

    Raises:
        ConSinGANError: no or several DICOM series, colours, or uneven slices; ITK raises errors of its own.
    """
    from monai.data import ITKReader

    frames = None
    if path.suffix.lower() in (".nrrd", ".nhdr", ".mha", ".mhd"):
        _check_packed(path)
    elif (frames := multi_frame_file(path, what)) is not None:
        order, frames_affine = frame_order(frames, what)
    reader = ITKReader()
    with _quiet_itk(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")  # also for those that come as the program ends, of types of ITK
        warnings.filterwarnings("always", message=".*more than one DICOM series")
        try:
            image = reader.read(path if frames is None else frames)
        except FileNotFoundError as err:
            raise ConSinGANError(f"{what} is a folder without DICOM files: give the series' folder.") from err
    if any("more than one DICOM series" in str(warning.message) for warning in caught):
        raise ConSinGANError(f"{what} holds more than one DICOM series: give a folder with one.")
    channels = image.GetNumberOfComponentsPerPixel()
    if channels != 1:
        raise ConSinGANError(f"{what} has {channels} numbers per voxel, as a colour image has: give a grey one.")
    facts = image.GetMetaDataDictionary()
    key = "ITK_non_uniform_sampling_deviation"
    if facts.HasKey(key) and float(facts[key]) > UNEVEN_MM:
        raise ConSinGANError(
            f"{what} has unevenly spaced DICOM slices (by up to {float(facts[key]):.3g} mm): "
            "complete the series or leave the odd slices out."
        )
    raw, meta = reader.get_data(image)
    affine = np.asarray(meta["affine"], dtype=np.float64)
    if frames is not None:
        raw, affine = raw[..., order], frames_affine
    return raw, affine


@contextmanager
def _quiet_itk() -> Iterator[None]:
    """Keep what ITK's C++ code prints off the terminal: what matters of it is raised as an error here."""
    import itk

    shown = itk.Object.GetGlobalWarningDisplay()
    itk.Object.SetGlobalWarningDisplay(False)
    terminal, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
        os.close(nowhere)
        itk.Object.SetGlobalWarningDisplay(shown)


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


def read_picture(data: bytes, what: str, indices: bool) -> tuple[np.ndarray, np.ndarray]:
    """Decode a grey picture.

    Args:
        data: the file's bytes.
        what: the picture, for errors.
        indices: give the indices into a palette instead of its colours.

    Returns:
        Grey values, (width, height) as MONAI reads pictures, and all pixels, (height, width[, channels]).

    Raises:
        ConSinGANError: an animation, or colours.
    """
    from PIL import Image

    with Image.open(BytesIO(data)) as picture:
        picture.verify()  # the checksums of PNG, which are not looked at when it is decoded
    with Image.open(BytesIO(data)) as picture:
        if getattr(picture, "n_frames", 1) > 1:
            raise ConSinGANError(f"{what} is an animation of {picture.n_frames} pictures: give a single one.")
        pixels = np.asarray(picture) if indices and picture.mode == "P" else _decoded(picture)
    grey = pixels if pixels.ndim == 2 else pixels[..., 0]
    if pixels.ndim > 2 and pixels.shape[-1] > 2 and (pixels[..., :3] != grey[..., None]).any():
        raise ConSinGANError(f"{what} is a colour (RGB) image: give a grey one.")
    return grey.T, pixels


def _decoded(picture: Any) -> np.ndarray:
    """The pixels of an opened PIL image, (height, width) or (height, width, channels), palettes and bits resolved."""
    if picture.mode == "P":
        picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    elif picture.mode == "1":
        picture = picture.convert("L")
    array = np.asarray(picture)
    if picture.mode == "I" and array.min() >= 0 and array.max() <= np.iinfo(np.uint16).max:
        array = array.astype(np.uint16)
    return array
