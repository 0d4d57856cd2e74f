"""How well synthesized healthy tissue agrees with the truth, inside a mask."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import torch
from monai.config import NdarrayOrTensor
from monai.metrics.regression import MultiScaleSSIMMetric, compute_ssim_and_cs
from numpy.typing import NDArray

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics.neighbourhood import bounding_box, slice_axis, spatial_array, spatial_mask

__all__ = ["TissueAgreement", "tissue_agreement"]

_WINDOW, _MARGIN = 11, 16
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Wang, Simoncelli, Bovik, 2003: weights of the scales of MS-SSIM."""


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

    def as_dict(self) -> dict[str, float]:
        """The measures by name."""
        return asdict(self)


def tissue_agreement(
    result: NdarrayOrTensor, truth: NdarrayOrTensor, mask: NdarrayOrTensor, *, axis: int | None = None
) -> TissueAgreement:
    """Compare filled tissue with the truth, as the BraTS challenge of local synthesis of healthy tissue does.

    Both images are scaled so that the 0.5 and 99.5 percentiles of the **voided** image (the truth without what is
    inside the mask) are 0 and 1, and clipped there; outside the mask both are the truth (Kofler et al., 2023,
    https://arxiv.org/abs/2305.08992).

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
        raise ConSinGANError("The voided image is constant outside the mask: give an image with tissue around the mask.")
    real, made = (np.clip((array - low) / (high - low), 0, 1) for array in (real, made))
    made = np.where(void, made, real)
    mse = float(((made - real)[void] ** 2).mean())
    psnr = float("inf") if mse == 0 else float(-10 * np.log10(mse))
    along = slice_axis(axis, void.ndim)
    box = bounding_box(void, [0 if other == along else _MARGIN for other in range(void.ndim)])
    parts = [(made[box], real[box], void[box])]
    if along is not None:
        parts = [tuple(np.take(array, index, axis=along) for array in parts[0]) for index in range(void[box].shape[along])]
        parts = [part for part in parts if part[2].any()]
    voxels = [int(part[2].sum()) for part in parts]
    return TissueAgreement(
        mse,
        psnr,
        float(np.average([_ssim(*part) for part in parts], weights=voxels)),
        float(np.average([_ms_ssim(*part[:2]) for part in parts], weights=voxels)),
    )


def _batch(array: NDArray[np.float64]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))[None, None]


def _ssim(made: NDArray[np.float64], real: NDArray[np.float64], void: NDArray[np.bool_]) -> float:
    """Mean of the SSIM map over a mask; the images are padded, as the map is smaller than they are."""
    width = _WINDOW // 2
    first, second = (_batch(np.pad(array, width, mode="reflect")) for array in (made, real))
    found, _ = compute_ssim_and_cs(
        first, second, spatial_dims=void.ndim, kernel_size=[_WINDOW] * void.ndim, kernel_sigma=[1.5] * void.ndim
    )
    return float(found[0, 0].numpy()[void].mean())


def _ms_ssim(made: NDArray[np.float64], real: NDArray[np.float64]) -> float:
    """MS-SSIM with as many scales, up to five, as the box has room for."""
    scales = sum(min(made.shape) > (_WINDOW - 1) * 2**scale for scale in range(len(_SCALE_WEIGHTS)))
    if scales < 2:
        return float("nan")
    chosen = np.array(_SCALE_WEIGHTS[:scales])
    metric = MultiScaleSSIMMetric(spatial_dims=made.ndim, kernel_size=_WINDOW, weights=(chosen / chosen.sum()).tolist())
    return float(metric(_batch(made), _batch(real))[0, 0])
