"""Bringing a donor to the voxel grid of a host."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from monai.data import MetaTensor
from monai.data.utils import affine_to_spacing, to_affine_nd
from monai.transforms import SpatialResample
from monai.utils import ImageMetaKey
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from monai_consingan.grids import same_grid

from ..arrays import as_array
from ..background import find_background
from ..errors import ConSinGANError

ROUNDED_SHARE = 1e-4  # up to which a share of a voxel is there by rounding only
_GRID_SHARE = 0.01  # by which voxels may be larger than others by rounding only
_NOTHING = 0.15  # standard deviation in voxels up to which a gaussian changes values by rounding only


def softening(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much to smooth an image before it is interpolated onto other voxels, so that larger ones show an average.

    A voxel that spans s voxels of the image averages over them; a gaussian of the variance that this adds to a single
    one's, (s**2 - 1) / 12, stands for it. Where no larger voxels are asked for, nothing is smoothed.

    Args:
        matrix: from steps of the result's voxels to steps of the image's, (N, N).

    Returns:
        Standard deviations of the gaussian in the image's voxels, (N,).

    Example:
        >>> softening(np.diag([5.0, 1.0, 0.5])).round(2).tolist()
        [1.41, 0.0, 0.0]
    """
    sigmas = np.sqrt(np.maximum((np.square(matrix).sum(axis=1) - 1) / 12, 0.0))
    return np.where(sigmas < _NOTHING, 0.0, sigmas)


def to_host_grid(
    donor: MetaTensor, host: MetaTensor, *, label: bool = False, lesion: MetaTensor | None = None
) -> MetaTensor:
    """Resample a donor's image or label to the grid of a host, of other orientation, spacing or size.

    World coordinates place the donor, so both are seen in the same orientation and scale. Scans of two patients are
    not registered, though; if by world coordinates a part of the lesion falls outside the host's field of view, the
    donor is moved so that the centres of both fields of view coincide, and if that still loses a part, so that the
    lesion lies at the host's centre. A lesion thinner than the host's slices that falls between two of them is moved
    onto the nearest. Call with the same ``lesion`` for image and label: both then move alike.

    Intensities are interpolated linearly, smoothed first where the host's voxels are larger, so that they show an
    average.

    In 2D only the spacing counts, and the centres of both images coincide.

    Args:
        donor: image (C, \\*spatial) or label (1, \\*spatial) with its affine.
        host: scan (C, \\*spatial) with its affine.
        label: nearest neighbour and the donor's type instead of linear interpolation and float32.
        lesion: donor's label or mask, on the donor's grid, of which nothing may be lost. ``None`` places by world
            coordinates alone.

    Returns:
        The donor on the host's grid, with the host's affine. A donor on this grid already is returned untouched.
        Where the donor has no voxels, an image takes the constant of its background, or else its smallest value, and
        a label 0. Background is not mixed with tissue: a voxel that is more than half tissue, or that the moved lesion
        marks, is made of tissue only.

    Raises:
        ConSinGANError: 2D with 3D, a lesion on another grid than its donor, or one that is larger than the host's
            field of view or too small for the host's voxels.
    """
    shape, host_shape = _shape(donor), _shape(host)
    if len(shape) != len(host_shape):
        raise ConSinGANError(
            f"The donor is {len(shape)}D {shape} and the host {len(host_shape)}D {host_shape}: give both 2D or both 3D."
        )
    source, target = _affine(donor), _affine(host)
    if len(shape) == 2:
        source, target = (np.diag([*affine_to_spacing(a)[:2], 1.0, 1.0]) for a in (source, target))
    if shape == host_shape and same_grid(source, target, shape):
        return donor
    if len(shape) == 2:
        source = _moved(source, shape, target, host_shape)
    if lesion is not None:
        if _shape(lesion) != shape:
            raise ConSinGANError(
                f"The lesion has the shape {_shape(lesion)} but its donor {shape}: give the donor's own label."
            )
        source = _keep_lesion(lesion, source, target, host_shape)
    if label:
        resampled = _resample(donor.as_tensor(), source, target, host_shape, "nearest").round().to(donor.dtype)
    else:
        marked = torch.zeros(1, *shape) if lesion is None else (lesion.as_tensor() > 0).float()
        marked = _resample(marked, source, target, host_shape, "nearest") > 0
        parts = donor.as_tensor()[:, None]
        channels = [_resample_tissue(part, source, target, host_shape, marked) for part in parts]
        resampled = torch.cat(channels)
    meta = {key: donor.meta[key] for key in (ImageMetaKey.FILENAME_OR_OBJ, "sequences") if key in donor.meta}
    return MetaTensor(resampled, affine=torch.from_numpy(_affine(host)), meta=meta)


def chances_on_grid(chances: MetaTensor, host: MetaTensor) -> NDArray[np.float64]:
    """Bring a map of chances, or a mask, to the grid of a host: averaged and interpolated, 0 where the map ends.

    Unlike tissue, what is 0 beside it takes part: single marked voxels keep their weight, and outlines their place.

    Args:
        chances: (1, \\*spatial) with its affine.
        host: scan (C, \\*spatial) with its affine.

    Returns:
        The map on the host's grid, (\\*spatial); the same values on the same grid.
    """
    source, target, shape = _affine(chances), _affine(host), _shape(host)
    values = as_array(chances).astype(np.float64)
    if _shape(chances) == shape and same_grid(source, target, shape):
        return np.asarray(values[0])
    ndim = len(shape)
    steps = np.sqrt(np.square(np.linalg.solve(source, target)[:ndim, :ndim]).sum(axis=1))
    # so wide that a single voxel weighs the same wherever it lies between those of the host
    soft = gaussian_filter(values, [0, *np.where(steps > 1 + _GRID_SHARE, steps / 2, 0)])
    known = _resample(torch.ones(values.shape), source, target, shape, "nearest") > 0
    return np.asarray(torch.where(known, _resample(torch.from_numpy(soft), source, target, shape, "bilinear"), 0.0)[0])


def _keep_lesion(lesion: MetaTensor, source: np.ndarray, target: np.ndarray, host_shape: tuple[int, ...]) -> np.ndarray:
    """Choose the donor's affine so that the host's field of view holds the whole lesion."""
    mask = lesion.as_tensor() > 0
    voxels = np.argwhere(np.asarray(mask[0].cpu()))
    if len(voxels) == 0:
        raise ConSinGANError("The donor's label is empty: give a label with a lesion.")
    middle = (np.asarray(host_shape) - 1) / 2
    centred = _moved(source, _shape(lesion), target, host_shape)
    spread = _indices(voxels, source, target)
    box_middle = (spread.min(axis=0) + spread.max(axis=0)) / 2
    onto_middle = _shifted(source, target, middle - box_middle)
    for candidate in (source, centred, onto_middle):
        where = _indices(voxels, candidate, target)
        if not np.all((where > -0.5) & (where < np.asarray(host_shape) - 0.5)):
            continue
        core = where[np.argmin(np.linalg.norm(where - where.mean(axis=0), axis=1))]
        for affine in (candidate, _shifted(candidate, target, np.rint(core) - core)):
            if _resample(mask.to(torch.float32), affine, target, host_shape, "nearest").any():
                return affine
    ndim = len(host_shape)
    spacing = affine_to_spacing(target)[:ndim]
    donor_voxel = np.abs(np.linalg.solve(target, source)[:ndim, :ndim]).sum(axis=1)
    extent = _millimetres((spread.max(axis=0) - spread.min(axis=0) + donor_voxel) * spacing)
    field, voxel = _millimetres(np.asarray(host_shape) * spacing), _millimetres(spacing)
    raise ConSinGANError(
        f"The donor's lesion measures {extent} mm along the host's axes and does not fit the host's field of view of "
        f"{field} mm in voxels of {voxel} mm: choose a host that covers it with finer voxels, or another lesion."
    )


def _resample(
    image: torch.Tensor, source: np.ndarray, target: np.ndarray, shape: tuple[int, ...], mode: str
) -> torch.Tensor:
    ndim = len(shape)
    resampler = SpatialResample(mode=mode, padding_mode="zeros" if mode == "nearest" else "border", dtype=np.float64)
    moved = MetaTensor(image.to(torch.float64), affine=torch.from_numpy(to_affine_nd(ndim, source)))
    result = resampler(moved, dst_affine=torch.from_numpy(to_affine_nd(ndim, target)), spatial_size=shape)
    plain: torch.Tensor = result.as_tensor() if isinstance(result, MetaTensor) else result
    return plain


def _resample_tissue(
    image: torch.Tensor, source: np.ndarray, target: np.ndarray, shape: tuple[int, ...], marked: torch.Tensor
) -> torch.Tensor:
    """Resample a channel by linear interpolation: tissue of tissue only, so that nothing is mixed with background.

    What is ``marked`` in the result is tissue if any of it is.
    """
    ndim = len(shape)
    softened = softening(np.linalg.solve(source, target)[:ndim, :ndim])

    def resampled(values: np.ndarray) -> torch.Tensor:
        """An array (1, \\*spatial) on the host's grid, averaged where its voxels are larger."""
        smooth = gaussian_filter(values.astype(np.float64), [0, *softened])
        return _resample(torch.from_numpy(smooth), source, target, shape, "bilinear")

    known = _resample(torch.ones_like(image), source, target, shape, "nearest") > 0
    values = as_array(image)
    plain = resampled(values)
    background = replace(find_background(values), within=None)  # what is inside of it keeps its own value
    if not background:
        return torch.where(known, plain, image.min().to(plain.dtype))
    tissue = ~background.mask(values)
    share, total = resampled(tissue), resampled(np.where(tissue, values - background.value, 0.0))
    found = torch.where(
        known & (share > torch.where(marked, ROUNDED_SHARE, 0.5)), total / share + background.value, background.value
    )
    return found.to(plain.dtype)


def _indices(voxels: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Where the donor's voxels lie in the host's (fractional) voxel indices."""
    ndim = voxels.shape[1]
    points = np.zeros((len(voxels), 4))
    points[:, :ndim], points[:, 3] = voxels, 1
    return (points @ np.linalg.solve(target, source).T)[:, :ndim]


def _shifted(source: np.ndarray, target: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Move the donor by a number of host voxels per axis."""
    affine = source.copy()
    affine[:3, 3] += target[:3, : len(steps)] @ steps
    return affine


def _moved(source: np.ndarray, shape: tuple[int, ...], target: np.ndarray, host_shape: tuple[int, ...]) -> np.ndarray:
    """Move the donor so that the centre of its field of view is the host's."""
    centre = _indices((np.asarray(shape)[None] - 1) / 2, source, target)[0]
    return _shifted(source, target, (np.asarray(host_shape) - 1) / 2 - centre)


def _shape(image: torch.Tensor) -> tuple[int, ...]:
    return tuple(int(n) for n in image.shape[1:])


def _affine(image: MetaTensor) -> np.ndarray:
    affine: np.ndarray = to_affine_nd(3, np.asarray(image.affine, dtype=np.float64))
    return affine


def _millimetres(lengths: np.ndarray) -> str:
    return " x ".join(f"{length:.3g}" for length in lengths)
