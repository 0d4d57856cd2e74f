"""Writing results into the geometry, type and untouched voxels of their host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import nibabel as nib
import numpy as np
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor
from monai.data.utils import to_affine_nd
from monai.utils import ImageMetaKey

from ..arrays import as_array
from ..distance import marked_box
from ..errors import ConSinGANError
from ..gzipped import packed_file
from ..whole_file import whole_file
from .stored import Stored, file_format, read_stored

Host: TypeAlias = "MetaTensor | str | Path | Stored"

DESCRIPTION = "synthetic, monai-consingan"
"""What the header of every result says."""


def output_suffix(host: Host) -> str:
    """Return the suffix of results for a host: ``".png"`` for PNG and JPEG hosts, else ``".nii.gz"``.

    Args:
        host: the host as :func:`monai_consingan.data.load_scan` returned it, its path, or what was read of it.
    """
    path = _host_path(host)
    kind = host.format if isinstance(host, Stored) else None if path is None else file_format(path, name="host")
    return ".png" if kind == "picture" else ".nii.gz"


def save_like(
    path: str | Path,
    values: NdarrayOrTensor,
    host: Host,
    *,
    alteration: NdarrayOrTensor | None = None,
) -> None:
    """Write an altered scan so that it differs from its host in the altered voxels only.

    The host's file is read again, unless what was read of it is given. Only voxels with ``alteration`` above 0 are
    replaced, by values that are brought to the file's type (divided by its scaling, rounded, clipped to its range).
    All others keep their stored numbers bit for bit.

    - NIfTI host: same type, shape, scaling, sform, qform, their codes, and units. Free text and header extensions,
      which may name a patient, are dropped.
    - NRRD, MetaImage or DICOM host: NIfTI with the same type and numbers and the RAS affine.
    - PNG or JPEG host: PNG of the same mode and bit depth (palettes and bitmaps as grey values; transparency kept).
    - A tensor that does not come from a file: NIfTI of its own type.

    The header says that the scan is synthetic, unless no voxel is replaced. The file appears complete or not at all.

    Args:
        path: file to write, ending in ``.nii.gz`` or ``.nii``, or in ``.png`` for a picture.
        values: the result, (1, \\*spatial) or (\\*spatial), in the units of :func:`monai_consingan.data.load_scan`.
        host: the host as :func:`monai_consingan.data.load_scan` returned it, its path, or what
            :func:`monai_consingan.data.read_stored` read of it.
        alteration: mask or weight of the same shape: voxels above 0 are replaced. ``None`` replaces all.

    Raises:
        ConSinGANError: shapes differ, values that are not finite, a suffix that does not fit the host, or a file that
            cannot be written.
    """
    path, stored = Path(path), _stored(host)
    raw, chosen = _altered(path, values, stored, alteration)
    _check_suffix(path, stored)
    if stored.format == "picture":
        write_picture(path, _like_picture(raw, stored, chosen), synthetic=bool(chosen.any()))
    else:
        _write_nifti(path, raw, stored, is_scan=True, synthetic=bool(chosen.any()))


def save_volumes_like(
    path: str | Path,
    values: NdarrayOrTensor,
    volumes: Sequence[Stored],
    *,
    alterations: Sequence[NdarrayOrTensor | None] | None = None,
) -> None:
    """Write an altered scan of several sequences as a 4D file, each as :func:`save_like` would write it.

    Args:
        path: file to write, ending in ``.nii.gz`` or ``.nii``.
        values: the result, (C, \\*spatial).
        volumes: what was read of the host's 4D NIfTI file (:meth:`Stored.volume`), for each sequence.
        alterations: for each sequence mask or weight, (\\*spatial): voxels above 0 are replaced; ``None`` replaces all.

    Raises:
        ConSinGANError: as :func:`save_like`.
    """
    path = Path(path)
    parts = zip(values, volumes, alterations or [None] * len(volumes), strict=True)
    raws, chosen = zip(*(_altered(path, part, stored, alteration) for part, stored, alteration in parts), strict=True)
    _check_suffix(path, volumes[0])
    synthetic = any(where.any() for where in chosen)
    _write_nifti(path, np.stack(raws, axis=-1), volumes[0], is_scan=True, synthetic=synthetic)


def brought_to(stored: Stored, values: NdarrayOrTensor, main: Stored) -> Stored:
    """What a scan's file would hold if the scan had the grid of another one.

    Args:
        stored: what was read of it; type and scaling of the numbers stay.
        values: the scan on the other grid, (1, \\*spatial).
        main: what was read of the other one, whose geometry is taken.
    """
    raw = _quantized(_spatial(values, main.raw.shape, "scan"), stored)
    header = raw.T if main.format == "picture" else main.header
    return replace(stored, format=main.format, raw=raw, affine=main.affine, header=header)


def save_label_like(
    path: str | Path,
    label: NdarrayOrTensor,
    host: Host,
) -> None:
    """Write a label or mask with the geometry of a host: NIfTI, or a grey PNG for a picture.

    The file has the smallest type of uint8, uint16 (PNG) or int16, int32 that holds the values.

    Args:
        path: file to write, with a suffix as for :func:`save_like`.
        label: whole numbers from 0, (1, \\*spatial) or (\\*spatial); bool is fine.
        host: the host as :func:`monai_consingan.data.load_scan` returned it, its path, or what
            :func:`monai_consingan.data.read_stored` read of it.

    Raises:
        ConSinGANError: shapes differ, values that are no labels or too large, or as :func:`save_like`.
    """
    path, stored = Path(path), _stored(host)
    array = _spatial(label, stored.raw.shape, "label")
    whole = array if array.dtype.kind in "biu" else np.rint(array)
    if (whole is not array and not np.array_equal(whole, array)) or whole.min() < 0:
        raise ConSinGANError(f"The label for {path} has values other than 0, 1, 2, ...: give whole numbers from 0.")
    choices = (np.uint8, np.uint16) if stored.format == "picture" else (np.uint8, np.int16, np.int32)
    largest = int(whole.max())
    fitting = [choice for choice in choices if largest <= np.iinfo(choice).max]
    if not fitting:
        raise ConSinGANError(
            f"The label for {path} has the value {largest}, which does not fit {choices[-1].__name__}: give smaller "
            "values."
        )
    _check_suffix(path, stored)
    if stored.format == "picture":
        write_picture(path, whole.astype(fitting[0]).T)
    else:
        voxels, box = np.zeros(whole.shape, fitting[0], order="F"), marked_box(whole > 0)  # as they lie in the file
        voxels[box] = whole[box]
        _write_nifti(path, voxels, stored)


def _altered(
    path: Path, values: NdarrayOrTensor, stored: Stored, alteration: NdarrayOrTensor | None
) -> tuple[np.ndarray, np.ndarray]:
    """A scan's stored numbers after an alteration, and where it was altered."""
    shape = stored.raw.shape
    new = _spatial(values, shape, "result")
    chosen = np.ones(shape, bool) if alteration is None else _spatial(alteration, shape, "mask") > 0
    box = marked_box(chosen)
    there, altered = chosen[box], new[box][chosen[box]]
    if not np.isfinite(altered).all():
        raise ConSinGANError(f"The result for {path} has NaN or infinite voxels: it is not written.")
    raw = stored.raw.copy(order="K")  # as it lies in the file
    raw[box][there] = _quantized(altered, stored)
    return raw, chosen


def _host_path(host: Host) -> Path | None:
    name = host.meta.get(ImageMetaKey.FILENAME_OR_OBJ) if isinstance(host, MetaTensor) else host
    return name.path if isinstance(name, Stored) else Path(name) if name else None


def _stored(host: Host) -> Stored:
    """The host's stored numbers: as given, from its file, or from the tensor if it has none."""
    if isinstance(host, Stored):
        return host
    path = _host_path(host)
    if path is None:
        if not isinstance(host, MetaTensor):
            raise ConSinGANError(f"The host {host!r} is no path: give the path or the scan itself.")
        affine = to_affine_nd(3, np.asarray(host.affine, dtype=np.float64))
        raw = as_array(host)[0]
        if raw.dtype.kind == "b" or raw.dtype == np.float16:  # NIfTI has no such types
            raw = raw.astype(np.uint8 if raw.dtype.kind == "b" else np.float32)
        return Stored("itk", raw, affine)
    stored = read_stored(path, name="host")
    if isinstance(host, MetaTensor) and tuple(host.shape[1:]) != stored.raw.shape:
        raise ConSinGANError(
            f"The host has the shape {tuple(host.shape[1:])} but its file {path} has {stored.raw.shape}: "
            "give the host as it was read."
        )
    return stored


def _spatial(values: NdarrayOrTensor, shape: tuple[int, ...], what: str) -> np.ndarray:
    array = as_array(values)
    if array.shape == (1, *shape):
        array = array[0]
    if array.shape != shape:
        raise ConSinGANError(
            f"The {what} has the shape {array.shape} but its host has {shape}: give it on the host's grid."
        )
    return array


def _quantized(values: np.ndarray, stored: Stored) -> np.ndarray:
    """Values as the file would store them."""
    dtype = stored.raw.dtype
    numbers = (values.astype(np.float64) - stored.inter) / stored.slope
    if dtype.kind == "f":
        return np.clip(numbers, np.finfo(dtype).min, np.finfo(dtype).max).astype(dtype)
    limits = np.iinfo(dtype)
    rounded = np.rint(numbers)
    with np.errstate(invalid="ignore"):  # the largest 64-bit integers lie between two floats: set below
        result = np.clip(rounded, limits.min, limits.max).astype(dtype)
    result[rounded >= limits.max] = limits.max
    return result


def _check_suffix(path: Path, stored: Stored) -> None:
    allowed = (".png",) if stored.format == "picture" else (".nii.gz", ".nii")
    if not path.name.lower().endswith(allowed):
        raise ConSinGANError(f"{path} does not end in {' or '.join(allowed)}, as the host's format needs: rename it.")


def _write_nifti(path: Path, raw: np.ndarray, stored: Stored, *, is_scan: bool = False, synthetic: bool = True) -> None:
    image: Any
    if stored.format == "nifti":
        header = stored.header.copy()
        header.set_data_dtype(raw.dtype)
        kind = nib.Nifti2Image if isinstance(header, nib.Nifti2Header) else nib.Nifti1Image
        shape = header.get_data_shape()
        image = kind(raw.reshape(shape) if np.prod(shape) == raw.size else raw, None, header=header)
    else:
        header = nib.Nifti1Header()
        header.set_data_dtype(raw.dtype)
        header.set_xyzt_units("mm", "sec")
        image = nib.Nifti1Image(raw, stored.affine, header=header)
        image.set_qform(stored.affine, code=1)
        image.set_sform(stored.affine, code=1)
    header = image.header
    header.extensions.clear()
    for field in ("descrip", "aux_file", "intent_name", "db_name", "data_type"):
        if field in header:
            header[field] = b""
    if not is_scan:  # the display window of the host's scan does not suit a label
        header["cal_min"] = header["cal_max"] = 0
    header["descrip"] = DESCRIPTION.encode() if synthetic else b""
    packs = path.name.lower().endswith(".gz")
    # With an explicit scaling nibabel stores the numbers as they are.
    header.set_slope_inter(*((stored.slope, stored.inter) if is_scan else (1.0, 0.0)))
    with _appearing(path) as temporary, packed_file(temporary) if packs else temporary.open("wb") as file:
        image.to_stream(file)


def _like_picture(raw: np.ndarray, stored: Stored, chosen: np.ndarray) -> np.ndarray:
    """The host's picture with the chosen pixels of all its colour channels replaced; transparency stays."""
    array: np.ndarray = stored.header.copy()
    if array.ndim == 2:
        array[chosen.T] = raw.T[chosen.T]
    else:
        colours = 1 if array.shape[-1] == 2 else 3
        array[chosen.T, :colours] = raw.T[chosen.T][:, None]
    return array


def write_picture(path: Path, array: np.ndarray, *, synthetic: bool = True) -> None:
    """Write pixels, (height, width[, channels]), as PNG whose header says that they are synthetic, if they are."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    if synthetic:
        info.add_text("Description", DESCRIPTION)
    with _appearing(path) as temporary:
        Image.fromarray(np.ascontiguousarray(array)).save(temporary, format="PNG", pnginfo=info)


@contextmanager
def _appearing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside ``path`` that takes its place when complete, and vanishes otherwise."""
    try:
        with whole_file(path) as temporary:
            yield temporary
    except OSError as err:
        raise ConSinGANError(
            f"{path} cannot be written ({err.strerror or err}): choose a folder that exists, with space and permission."
        ) from err
