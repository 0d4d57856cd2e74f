"""How well synthesized healthy tissue agrees with the truth, inside a mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from monai.config import NdarrayOrTensor
from monai.metrics.regression import compute_ms_ssim, compute_ssim_and_cs
from numpy.typing import NDArray

from monai_consingan.arrays import check_axis
from monai_consingan.distance import bounding_box
from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics.surroundings import spatial_array, spatial_mask

_Image = NDArray[np.float64]
_Part = tuple[_Image, _Image, NDArray[np.bool_]]

_WINDOW, _MARGIN = 11, 16
"""Voxels: width of the window of the similarities, and what the box has around the mask."""

_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Of MS-SSIM, from the finest scale on: Wang, Simoncelli, Bovik, 2003, https://doi.org/10.1109/ACSSC.2003.1292216."""


@dataclass(frozen=True)
class TissueAgreement:
    """What :func:`tissue_agreement` measures.

    Args:
        mse: mean squared error inside the mask, of intensities from 0 to 1.
        psnr: peak signal-to-noise ratio inside the mask, in dB; infinite for the truth itself.
        ssim: structural similarity, averaged over the mask's voxels; 1 for the truth itself.
        ms_ssim: multi-scale structural similarity of the box around the mask, the truth outside the mask being given to
            both; NaN if the image is too small for a second scale.
    """

    mse: float
    psnr: float
    ssim: float
    ms_ssim: float


def tissue_agreement(
    result: NdarrayOrTensor, truth: NdarrayOrTensor, mask: NdarrayOrTensor, *, axis: int | None = None
) -> TissueAgreement:
    """Compare filled tissue with the truth, as the BraTS challenge of local synthesis of healthy tissue does.

    Both images are scaled so that the 0.5 and 99.5 percentiles of the **voided** image (the truth without what is
    inside the mask) are 0 and 1, and clipped there; outside the mask both are the truth (Kofler et al., 2023,
    https://arxiv.org/abs/2305.08992). The challenge's program gives both 0 outside the mask: its
    SSIM is higher beside the border than this one.

    Args:
        result: the filled image, (1, H, W) or (1, H, W, D).
        truth: the image before it was voided.
        mask: where it was voided.
        axis: spatial axis perpendicular to the slices: similarities are then those of the mask's slices, for slices
            that are thick or few. None compares volumes in 3D.

    Raises:
        ConSinGANError: for shapes that differ, an empty mask, or a voided image that is constant.

    Example:

        >>> import numpy as np
        >>> truth = np.random.RandomState(0).rand(1, 64, 64)
        >>> mask = np.zeros((1, 64, 64))
        >>> mask[0, 20:40, 20:40] = 1
        >>> tissue_agreement(truth, truth, mask).ssim
        1.0
    """
    real = spatial_array(truth, "truth").astype(np.float64)
    made = spatial_array(result, "result").astype(np.float64)
    if made.shape != real.shape:
        raise ConSinGANError(f"result has the shape {made.shape} and truth {real.shape}: give both on one grid.")
    void = spatial_mask(mask, real.shape)
    low, high = np.percentile(real[~void], [0.5, 99.5]) if not void.all() else (0.0, 0.0)
    if not high > low:
        raise ConSinGANError(
            "The voided image is constant outside the mask: give an image with tissue around the mask."
        )
    real, made = (np.clip((array - low) / (high - low), 0, 1) for array in (real, made))
    made = np.where(void, made, real)
    mse = float(((made - real)[void] ** 2).mean())
    psnr = float("inf") if mse == 0 else float(-10 * np.log10(mse))
    along = None if void.ndim == 2 else check_axis(axis, void.ndim)
    box = bounding_box(void, [0 if other == along else _MARGIN for other in range(void.ndim)])
    parts = _parts(made[box], real[box], void[box], along)
    voxels = [int(inside.sum()) for _, _, inside in parts]
    return TissueAgreement(
        mse=mse,
        psnr=psnr,
        ssim=float(np.average([_ssim(*part) for part in parts], weights=voxels)),
        ms_ssim=float(np.average([_ms_ssim(first, second) for first, second, _ in parts], weights=voxels)),
    )


def _parts(made: _Image, real: _Image, void: NDArray[np.bool_], axis: int | None) -> list[_Part]:
    """The slices in which the mask has voxels, or the whole without an axis."""
    if axis is None:
        return [(made, real, void)]
    slices = zip(*(np.moveaxis(array, axis, 0) for array in (made, real, void)), strict=True)
    return [part for part in slices if part[2].any()]


def _batch(array: _Image) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))[None, None]


def _ssim(made: _Image, real: _Image, void: NDArray[np.bool_]) -> float:
    """Mean of the SSIM map over a mask; the images are padded, as the map is smaller than they are."""
    width = _WINDOW // 2
    first, second = (_batch(np.pad(array, width, mode="reflect")) for array in (made, real))
    found, _ = compute_ssim_and_cs(
        first, second, spatial_dims=void.ndim, kernel_size=[_WINDOW] * void.ndim, kernel_sigma=[1.5] * void.ndim
    )
    return float(found[0, 0].numpy()[void].mean())


def _ms_ssim(made: _Image, real: _Image) -> float:
    """MS-SSIM with as many of its five scales as the box has room for; NaN with one only."""
    scales = max(count for count in range(1, len(_SCALE_WEIGHTS) + 1) if count == 1 or _has_room(made.shape, count))
    if scales == 1:
        return float("nan")
    chosen = np.array(_SCALE_WEIGHTS[:scales])
    weights = (chosen / chosen.sum()).tolist()
    return float(compute_ms_ssim(_batch(made), _batch(real), made.ndim, kernel_size=_WINDOW, weights=weights))


def _has_room(shape: tuple[int, ...], scales: int) -> bool:
    """Whether MONAI accepts as many scales, and the window fits into the coarsest (each has half the size)."""
    return min(shape) // (scales - 1) ** 2 >= _WINDOW and min(shape) // 2 ** (scales - 1) >= _WINDOW
