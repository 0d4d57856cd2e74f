"""Reading scans and labels."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from monai.data import MetaTensor
from monai.utils import ImageMetaKey, MetaKeys, SpaceKeys
from nibabel import orientations

from ..distance import marked_box
from ..errors import ConSinGANError
from ..grids import same_grid, short
from .stored import Stored, read_stored, source_name

_WHOLE, _MOST_OF_A_STEP = 1e-3, 0.25
_LARGEST, _SMALLEST = 1e12, 1e-12
"""What single precision computes with safely: squares of values and of their differences, and sums of these."""


def load_scan(
    path: str | Path | Stored, *, name: str = "image", out: np.ndarray | None = None, allow_constant: bool = False
) -> MetaTensor:
    """Read a grey MR scan.

    NIfTI, NRRD, MetaImage, DICOM (one file, or a folder with one series), PNG and JPEG are understood. A 2D image
    stays 2D, a volume with one slice stays 3D, a fourth axis of length 1 is dropped. Pictures come with spacing 1.
    Nothing of the header but the geometry is taken over: no names, dates or identifiers.

    Args:
        path: the file, or the DICOM series' folder; or what :func:`monai_consingan.data.read_stored` read of it.
        name: what the scan is to the user ("host", "donor"), for errors.
        out: array for the values, float32 (\\*spatial), in the order of its axes; the tensor then shares it.
        allow_constant: accept what is the same everywhere, as a brain mask of a crop may be.

    Returns:
        float32 tensor (1, \\*spatial) with the values that the file means (stored numbers scaled by its slope and
        intercept), a 4 x 4 RAS+ affine in mm, and in ``meta`` the path (``filename_or_obj``) from which
        :func:`monai_consingan.data.save_like` takes the geometry and the numbers of untouched voxels.

    Raises:
        ConSinGANError: missing, unreadable, truncated or with a wrong checksum; 4D, colour or complex; NaN, infinite or
            far too large values, or far too small differences; constant; no voxels; an affine that cannot be inverted.
    """
    stored, path = _read(path, name)
    values = stored.values(out)
    _require_finite(stored.raw, f"{name} {path}")
    low, high = float(values.min()), float(values.max())
    if low == high and not allow_constant:
        raise ConSinGANError(
            f"{name} {path} is constant (every voxel is {values.flat[0]:g}): give an image with content."
        )
    if max(-low, high) > _LARGEST or 0 < high - low < _SMALLEST:
        raise ConSinGANError(
            f"{name} {path} has values from {low:g} to {high:g}, too large or too close together to compute with: "
            "scale them, for example to 0 to 1000."
        )
    return _as_metatensor(values, stored.affine, path)


def load_label(
    path: str | Path | Stored,
    *,
    image: MetaTensor,
    image_name: str = "image",
    lesion_labels: Iterable[int] | None = None,
    name: str = "label",
    allow_empty: bool = False,
) -> MetaTensor:
    """Read the label that belongs to an image.

    A label that is stored in another orientation on the same grid is turned to that of the image. Of a PNG with a
    palette the index is the label. Values that the file scales may miss whole numbers by half a step. JPEG cannot hold
    label values; there, values above half of the largest become 1 and all others 0.

    Args:
        path: the label's file, in any format of :func:`load_scan`; or what was read of it.
        image: the image that the label outlines, as :func:`load_scan` returned it.
        image_name: what the image is to the user, for errors.
        lesion_labels: label values that are the lesion; the others become 0. ``None`` keeps all.
        name: what the label is to the user, for errors.
        allow_empty: accept a label without lesion, and ``lesion_labels`` that do not occur.

    Returns:
        int16 tensor (1, \\*spatial), or int32 if values exceed int16, with the image's affine.

    Raises:
        ConSinGANError: as :func:`load_scan`, and: shape or affine differ from the image's, values that are not whole
            or negative, no lesion, no background, or none of the ``lesion_labels``.
    """
    stored, path = _read(path, name, indices=True)
    what = f"{name} {path}"
    values = stored.values() if stored.raw.dtype.kind == "f" or stored.slope != 1 or stored.inter != 0 else stored.raw
    _require_finite(values, what)
    values, affine = _turned(values, stored.affine, np.asarray(image.affine, dtype=np.float64))
    image_what = f"{image_name} {source_name(image)}".strip()
    shape = tuple(int(n) for n in image.shape[1:])
    if values.shape != shape:
        raise ConSinGANError(
            f"{what} has the shape {values.shape} but {image_what} has {shape}: give the label drawn on this image."
        )
    if not same_grid(affine, image.affine, shape):
        raise ConSinGANError(
            f"{what} lies elsewhere than {image_what}: their affines are {short(affine)} and "
            f"{short(image.affine)}; give the label drawn on this image, or resample it to the image's grid."
        )
    label = _whole_numbers(values, what, abs(stored.slope) / 2)
    if stored.format == "picture" and path.suffix.lower() in (".jpg", ".jpeg"):
        label = label > label.max() / 2
    if lesion_labels is not None:
        label = _only(label, lesion_labels, what, allow_missing=allow_empty)
    if not label.any() and not allow_empty:
        raise ConSinGANError(f"{what} is empty (no voxel above 0): give a label with a lesion.")
    if label.all():
        raise ConSinGANError(f"{what} has no background (no voxel is 0): give a label that outlines only the lesion.")
    dtype = np.int16 if label.max() <= np.iinfo(np.int16).max else np.int32
    voxels, box = np.zeros(label.shape, dtype), marked_box(label != 0)
    voxels[box] = label[box]
    return _as_metatensor(voxels, np.asarray(image.affine, dtype=np.float64), path)


def keep_labels(label: MetaTensor, lesion_labels: Iterable[int] | None, *, name: str = "label") -> MetaTensor:
    """A label of which some values are kept, the others being 0.

    Args:
        label: whole numbers, (1, \\*spatial).
        lesion_labels: the values to keep; ``None`` keeps all.
        name: what the label is to the user, for errors.

    Raises:
        ConSinGANError: the label has none of the values.
    """
    if lesion_labels is None:
        return label
    what = f"{name} {source_name(label)}".strip()
    kept = torch.from_numpy(_only(label.numpy(), lesion_labels, what))
    return MetaTensor(kept, meta=dict(label.meta))


def on_one_grid(image: MetaTensor, other: MetaTensor) -> bool:
    """Tell whether two images have one spatial shape, and put it at the same place (:func:`same_grid`)."""
    shape = tuple(int(n) for n in image.shape[1:])
    return shape == tuple(other.shape[1:]) and same_grid(image.affine, other.affine, shape)


def _read(file: str | Path | Stored, name: str, *, indices: bool = False) -> tuple[Stored, Path]:
    stored = file if isinstance(file, Stored) else read_stored(file, name=name, indices=indices)
    return stored, stored.path or Path()


def _only(label: np.ndarray, lesion_labels: Iterable[int], what: str, *, allow_missing: bool = False) -> np.ndarray:
    """The label with some of its values, in its type."""
    box = marked_box(label != 0)
    present = [int(v) for v in np.unique(label[box]) if v != 0]
    wanted = sorted({int(v) for v in lesion_labels})
    if not wanted or 0 in wanted or not (allow_missing or set(wanted) & set(present)):
        raise ConSinGANError(
            f"{what} has the values {present or 'none'}, so the lesion labels {wanted} cannot be used: "
            "choose among the label's values."
        )
    kept = np.zeros_like(label)
    kept[box] = np.where(np.isin(label[box], wanted), label[box], 0)
    return kept


def _as_metatensor(array: np.ndarray, affine: np.ndarray, path: str | Path) -> MetaTensor:
    meta = {
        ImageMetaKey.FILENAME_OR_OBJ: str(path),
        MetaKeys.SPATIAL_SHAPE: np.asarray(array.shape),
        MetaKeys.ORIGINAL_AFFINE: affine.copy(),
        MetaKeys.SPACE: SpaceKeys.RAS,
        MetaKeys.ORIGINAL_CHANNEL_DIM: float("nan"),
    }
    tensor = torch.from_numpy(np.ascontiguousarray(array)[None])
    return MetaTensor(tensor, affine=torch.from_numpy(affine.copy()), meta=meta)


def _require_finite(values: np.ndarray, what: str) -> None:
    bad = 0 if values.dtype.kind in "iu" else int(np.count_nonzero(~np.isfinite(values)))
    if bad:
        raise ConSinGANError(f"{what} has {bad} NaN or infinite voxels: replace them, for example by 0.")


def _turned(values: np.ndarray, affine: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A volume with its axes in the order and direction of another one's, and its affine."""
    if values.ndim != 3:
        return values, affine
    turn = orientations.ornt_transform(orientations.io_orientation(affine), orientations.io_orientation(wanted))
    return orientations.apply_orientation(values, turn), affine @ orientations.inv_ornt_aff(turn, values.shape)


def _whole_numbers(values: np.ndarray, what: str, half_step: float) -> np.ndarray:
    """Check that label values are 0, 1, 2, ... and return them as integers."""
    with np.errstate(invalid="ignore"):  # what no integer holds is refused below
        label = values if values.dtype.kind in "iu" else np.rint(values).astype(np.int64)
    tolerance = max(_WHOLE, min(half_step, _MOST_OF_A_STEP)) if half_step < 0.5 else _WHOLE
    odd = np.abs(values - label) > tolerance if label is not values else np.zeros(1, dtype=bool)
    if odd.any():
        raise ConSinGANError(
            f"{what} has values that are not whole numbers, such as {values[odd].flat[0]:g}: "
            "give a label with one integer per structure (resample labels by nearest neighbour)."
        )
    if label.min() < 0 or label.max() > np.iinfo(np.int32).max:
        extreme = int(label.min() if label.min() < 0 else label.max())
        raise ConSinGANError(
            f"{what} has the value {extreme}: give a label with 0 for background and 1, 2, ... for lesions."
        )
    return label
