"""What a file holds, as stored, and what it is called: the common ground of reading (`scan`) and writing (`save`)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import nibabel as nib
import numpy as np
from monai.data import MetaTensor
from monai.data.utils import to_affine_nd
from monai.utils import ImageMetaKey
from nibabel.imageglobals import logger as nibabel_logger

from ..errors import ConSinGANError, is_out_of_memory
from ..gzipped import decompress
from .readers import read_by_itk, read_picture

Format = Literal["nifti", "itk", "dicom", "picture"]

_SUFFIXES: dict[Format, tuple[str, ...]] = {
    "nifti": (".nii", ".nii.gz"),
    "itk": (".nrrd", ".nhdr", ".mha", ".mhd"),
    "dicom": (".dcm",),
    "picture": (".png", ".jpg", ".jpeg"),
}


_VOXEL_MM = (0.01, 100.0)


@dataclass(frozen=True, eq=False)
class Stored:
    """A scan's voxels exactly as its file stores them, and what it takes to write another file like it.

    Attributes:
        format: kind of file.
        raw: stored numbers in native byte order, of the spatial shape (2 or 3 axes), without a channel axis; of a file
            of several volumes (4D) with a fourth axis for them.
        slope: a voxel's value is ``raw * slope + inter``.
        inter: see ``slope``.
        affine: 4 x 4 matrix from voxel indices to RAS+ coordinates in mm, also for 2D images.
        path: the file or folder; ``None`` for what does not come from one.
        sha256: of the file as it was read, as :func:`file_sha256` gives it.
        header: of NIfTI the header, of a picture its pixels with all channels, (height, width[, channels]).
    """

    format: Format
    raw: np.ndarray
    affine: np.ndarray
    slope: float = 1.0
    inter: float = 0.0
    path: Path | None = None
    sha256: str = ""
    header: Any = None

    def described(self) -> dict[str, str]:
        """Public name and SHA-256 of the file, for reports."""
        return {"file": public_name(self.path or ""), "sha256": self.sha256}

    @property
    def volumes(self) -> int:
        """How many volumes the file holds."""
        return int(self.raw.shape[3]) if self.raw.ndim > 3 else 1

    def volume(self, number: int) -> Stored:
        """One of them, as if it were alone in the file."""
        return replace(self, raw=self.raw[..., number]) if self.raw.ndim > 3 else self

    @property
    def limits(self) -> tuple[float, float]:
        """The smallest and the largest value that a voxel can have."""
        if self.raw.dtype.kind == "f":
            return -np.inf, np.inf
        of_type = np.iinfo(self.raw.dtype)
        ends = [float(end) * self.slope + self.inter for end in (of_type.min, of_type.max)]
        return min(ends), max(ends)

    def values(self, out: np.ndarray | None = None) -> np.ndarray:
        """Return the voxels' values as float32, which lie in memory in the order of the axes; ``out`` takes them."""
        values = np.empty(self.raw.shape, np.float32) if out is None else out
        scaled = self.slope != 1.0 or self.inter != 0.0
        with np.errstate(over="ignore"):  # such values are infinite, and refused
            for index in range(self.raw.shape[1]):  # in planes, as to turn all at once takes three times as long
                plane = self.raw[:, index]
                values[:, index] = plane.astype(np.float64) * self.slope + self.inter if scaled else plane
        return values


def file_format(path: str | Path, *, name: str = "image") -> Format:
    """Tell what kind of scan a path is, from its suffix (a folder, or a file with DICOM's mark, is DICOM).

    Args:
        path: file or folder that exists.
        name: what the path is to the user, for the error.

    Raises:
        ConSinGANError: the path does not exist or is of no supported kind.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return "dicom"
        if not path.exists() and path.is_symlink():
            raise ConSinGANError(
                f"{name} {path} is a link to {os.readlink(path)}, which does not exist: mend the link."
            )
        if not path.is_file():
            raise ConSinGANError(f"{name} {path} does not exist: check the path.")
        for kind, suffixes in _SUFFIXES.items():
            if path.name.lower().endswith(suffixes):
                return kind
        with path.open("rb") as file:
            if file.read(132)[128:] == b"DICM":
                return "dicom"
    except OSError as err:
        raise ConSinGANError(f"{name} {path} cannot be opened ({err.strerror}): check its permissions.") from err
    raise ConSinGANError(
        f"{name} {path} has a suffix that is not known: give NIfTI (.nii, .nii.gz), NRRD (.nrrd), MetaImage (.mha), "
        "a folder with one DICOM series, PNG or JPEG."
    )


def public_name(path: str | Path) -> str:
    """The name by which reports, lists and figures call an input.

    It is the name of the file, without the folders above it. Names of folders and of DICOM files, which are often those
    of patients, are left out.

    Args:
        path: file or folder.
    """
    path = Path(path)
    if path.is_dir():
        return "(DICOM series)"
    try:
        return "(DICOM file)" if file_format(path) == "dicom" else path.name
    except ConSinGANError:  # not an image
        return path.name


def source_name(image: Any) -> str:
    """The path that an image was read from, for errors; nothing where that is not known."""
    return str(image.meta.get(ImageMetaKey.FILENAME_OR_OBJ) or "") if isinstance(image, MetaTensor) else ""


def read_stored(path: str | Path, *, name: str = "image", indices: bool = False, several: bool = False) -> Stored:
    """Read a grey 2D or 3D scan without changing a number.

    Args:
        path: NIfTI, NRRD, MetaImage, DICOM (a file or a folder with one series), PNG or JPEG.
        name: what the scan is to the user ("host", "donor label", ...), for errors.
        indices: take a picture's palette for names of labels, and give the indices into it instead of its colours.
        several: whether the file may hold several volumes, as NIfTI of four dimensions does.

    Returns:
        The stored numbers with scaling and geometry. Pictures come as (width, height), as MONAI reads them.

    Raises:
        ConSinGANError: missing, unreadable, colour, complex, not 2D or 3D, empty, or without usable geometry.
    """
    path = Path(path)
    kind = file_format(path, name=name)
    with _readable(path, name), _nibabel_silent():
        if kind == "nifti":
            stored = _read_nifti(path)
        elif kind == "picture":
            data = path.read_bytes()
            grey, pixels = read_picture(data, f"{name} {path}", indices)
            stored = Stored(kind, grey, np.eye(4), sha256=hashlib.sha256(data).hexdigest(), header=pixels)
        else:
            stored = Stored(kind, *read_by_itk(path, f"{name} {path}"), sha256=file_sha256(path))
    raw = stored.raw
    if raw.dtype.names is not None:
        raise ConSinGANError(f"{name} {path} is a colour (RGB) image: give a grey one.")
    if np.iscomplexobj(raw):
        raise ConSinGANError(f"{name} {path} holds complex numbers: give a magnitude image.")
    if raw.ndim > 3:
        raw = raw.reshape(*raw.shape[:3], *(size for size in raw.shape[3:] if size != 1))
    if raw.ndim not in ((2, 3, 4) if several else (2, 3)):
        wanted = "one 2D or 3D image, or a 4D file of its sequences" if several else "one 2D or 3D image"
        raise ConSinGANError(f"{name} {path} has {raw.ndim} dimensions {raw.shape}: give {wanted}.")
    if raw.size == 0:
        raise ConSinGANError(f"{name} {path} is empty (shape {raw.shape}): give an image with voxels.")
    raw = raw.astype(raw.dtype.newbyteorder("="), copy=False)
    return replace(stored, raw=raw, affine=_usable_affine(stored.affine, min(raw.ndim, 3), f"{name} {path}"), path=path)


def file_sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file, or of a folder's files (names and contents, in the order of their names).

    Args:
        path: file or folder.

    Raises:
        ConSinGANError: the path does not exist or cannot be read.
    """
    path = Path(path)
    try:
        if not path.is_dir():
            return _digest(path)
        total = hashlib.sha256()
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            total.update(os.fsencode(f"{file.relative_to(path).as_posix()}\0{_digest(file)}\n"))
        return total.hexdigest()
    except OSError as err:
        raise ConSinGANError(f"{path} cannot be read ({err.strerror}): check the path and its permissions.") from err


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def _nibabel_silent() -> Iterator[None]:
    """Keep nibabel from telling what it mends in a header, which Python would print even without any handler."""
    before, nibabel_logger.disabled = nibabel_logger.disabled, True
    try:
        yield
    finally:
        nibabel_logger.disabled = before


@contextmanager
def _readable(path: Path, name: str) -> Iterator[None]:
    """Turn whatever a reader throws at a damaged file into one sentence."""
    try:
        yield
    except ConSinGANError:
        raise
    except PermissionError as err:
        raise ConSinGANError(f"{name} {path} cannot be opened ({err.strerror}): check its permissions.") from err
    except Exception as err:  # the readers have no common error class
        if is_out_of_memory(err):
            raise ConSinGANError(
                f"{name} {path} does not fit into memory: give a smaller scan, or use a machine with more."
            ) from err
        reason = (str(err).strip().splitlines() or [type(err).__name__])[-1].strip().rstrip(".")
        raise ConSinGANError(
            f"{name} {path} cannot be read, it may be damaged or truncated ({reason}): fetch or export it again."
        ) from err


def _read_nifti(path: Path) -> Stored:
    data = path.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    if path.name.lower().endswith(".gz"):
        data = decompress(data)
    kind = (
        nib.Nifti2Image if nib.Nifti2Header.may_contain_header(data[: nib.Nifti2Header.sizeof_hdr]) else nib.Nifti1Image
    )
    image: Any = kind.from_bytes(data)
    raw, affine = np.asanyarray(image.dataobj.get_unscaled()), np.array(image.affine, dtype=np.float64)
    scaling = float(image.dataobj.slope), float(image.dataobj.inter)
    return Stored("nifti", raw, affine, *scaling, sha256=sha256, header=image.header)


def _usable_affine(affine: np.ndarray, ndim: int, what: str) -> np.ndarray:
    """Bring an affine to 4 x 4 and refuse one that folds the image."""
    affine = to_affine_nd(3, np.asarray(affine, dtype=np.float64))
    columns = affine[:3, :ndim]
    lengths = np.linalg.norm(columns, axis=0)
    usable = bool(np.all(np.isfinite(affine))) and bool(np.all(lengths > 0))
    if not usable or np.linalg.matrix_rank(columns / lengths, tol=1e-6) < ndim:
        raise ConSinGANError(
            f"{what} has an affine that cannot be inverted ({np.round(affine[:3], 4).tolist()}): repair its header."
        )
    if lengths.min() < _VOXEL_MM[0] or lengths.max() > _VOXEL_MM[1]:
        sides = " x ".join(f"{length:g}" for length in lengths)
        raise ConSinGANError(
            f"{what} has voxels of {sides} mm, but sides may be {_VOXEL_MM[0]:g} to {_VOXEL_MM[1]:g} mm: repair its "
            "header, which has to be in mm."
        )
    if ndim == 2 and abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        affine[:3, 2] = np.cross(columns[:, 0] / lengths[0], columns[:, 1] / lengths[1])
    return affine
