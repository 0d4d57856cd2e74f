"""Reading what ITK reads: NRRD, MetaImage and DICOM, with what ITK passes over refused."""

from __future__ import annotations

import gzip
import os
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..errors import ConSinGANError
from .frames import UNEVEN_MM, frame_order, multi_frame_file


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
