"""Contrast of a lesion to the tissue around it, and how much of it a result kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor
from numpy.typing import NDArray

from monai_consingan.arrays import spacing_of
from monai_consingan.distance import ring
from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics.masked import PerImageMetric
from monai_consingan.metrics.surroundings import slice_axis, spatial_array, spatial_mask, tissue_mask

__all__ = ["RING_MM", "ContrastKeptMetric", "contrast", "contrast_kept", "kept", "ring_mean"]

RING_MM = (2.0, 8.0)


def ring_mean(
    image: NDArray[Any],
    inside: NDArray[np.bool_],
    *,
    spacing: Sequence[float],
    axis: int | None = None,
    ring_mm: tuple[float, float] = RING_MM,
    exclude: NdarrayOrTensor | None = None,
    tissue: NdarrayOrTensor | None = None,
) -> float:
    """Mean intensity of the tissue around a lesion, without air and other lesions.

    Args:
        image: spatial array.
        inside: boolean spatial array of the lesion.
        spacing: mm per spatial axis.
        axis: spatial axis perpendicular to the slices; the ring then stays within them.
        ring_mm: where the ring begins and ends, as distances to the lesion in mm.
        exclude: channel-first mask of voxels that must not count, such as other lesions.
        tissue: channel-first mask of tissue; None leaves air out by its intensity.

    Returns:
        The mean.

    Raises:
        ConSinGANError: when nothing is left of the ring, or its mean is not above 0, so that no contrast exists.
    """
    around = ring(inside, spacing, ring_mm, slice_axis(axis, image.ndim)) & tissue_mask(image, tissue) & ~inside
    if exclude is not None:
        around &= ~spatial_mask(exclude, image.shape, "exclude", allow_empty=True)
    if not around.any():
        raise ConSinGANError(
            f"No tissue lies between {ring_mm[0]:g} and {ring_mm[1]:g} mm around the lesion: give a wider ring_mm."
        )
    mean = float(image[around].mean(dtype=np.float64))
    if mean <= 0:
        raise ConSinGANError(
            f"The tissue around the lesion has the mean intensity {mean:.4g}: contrast needs intensities above 0, "
            "so give the image before it was normalised."
        )
    return mean


def contrast(
    image: NdarrayOrTensor,
    mask: NdarrayOrTensor,
    *,
    spacing: float | Sequence[float] | None = None,
    axis: int | None = None,
    ring_mm: tuple[float, float] = RING_MM,
    exclude: NdarrayOrTensor | None = None,
    tissue: NdarrayOrTensor | None = None,
) -> float:
    """Weber contrast of a lesion: (mean of the lesion - mean of the ring around it) / mean of the ring.

    It does not change when the image is multiplied by a constant, so that scans with different gains compare.

    Args:
        image: channel-first image, (1, H, W) or (1, H, W, D), with intensities above 0 in tissue.
        mask: channel-first mask of the lesion on the same grid.
        spacing: voxel size in mm; None takes the MetaTensor's, else 1 mm.
        axis: spatial axis perpendicular to the slices; the ring then stays within them.
        ring_mm: where the ring begins and ends, as distances to the lesion in mm.
        exclude: mask of voxels that must not count as surroundings, such as other lesions.
        tissue: mask of tissue, such as a brain mask; None leaves air out by its intensity.

    Returns:
        The contrast, which is 0.5 for a lesion half as bright again as its surroundings, below 0 for a darker one.

    Raises:
        ConSinGANError: for an empty mask, shapes that differ, no tissue around, or a ring with a mean of 0 or less.
    """
    array = spatial_array(image)
    inside = spatial_mask(mask, array.shape)
    around = ring_mean(
        array,
        inside,
        spacing=spacing_of(image, spacing),
        axis=axis,
        ring_mm=ring_mm,
        exclude=exclude,
        tissue=tissue,
    )
    return (float(array[inside].mean(dtype=np.float64)) - around) / around


def kept(result: float, donor: float) -> float:
    """A measure of the result as a share of the donor's; 1 is all of it.

    Args:
        result: the measure in the result.
        donor: the same measure in the donor.

    Returns:
        result / donor, NaN when the donor's is 0.
    """
    return result / donor if donor != 0 else float("nan")


def contrast_kept(
    result: NdarrayOrTensor,
    result_mask: NdarrayOrTensor,
    donor: NdarrayOrTensor,
    donor_mask: NdarrayOrTensor,
    *,
    spacing: float | Sequence[float] | None = None,
    donor_spacing: float | Sequence[float] | None = None,
    axis: int | None = None,
    ring_mm: tuple[float, float] = RING_MM,
    exclude: NdarrayOrTensor | None = None,
    donor_exclude: NdarrayOrTensor | None = None,
    tissue: NdarrayOrTensor | None = None,
    donor_tissue: NdarrayOrTensor | None = None,
) -> float:
    """Contrast of the lesion in the result as a share of its contrast in the donor.

    Args:
        result: channel-first image with the new lesion.
        result_mask: where the new lesion is.
        donor: channel-first image that the lesion comes from; its grid may differ from the result's.
        donor_mask: where the lesion is in the donor.
        spacing: voxel size of the result in mm; None takes the MetaTensor's, else 1 mm.
        donor_spacing: voxel size of the donor in mm; None takes the MetaTensor's, else `spacing`.
        axis: spatial axis perpendicular to the slices, of both.
        ring_mm: where the rings begin and end, in mm.
        exclude: voxels of the result that must not count as surroundings.
        donor_exclude: voxels of the donor that must not count as surroundings.
        tissue: mask of tissue in the result.
        donor_tissue: mask of tissue in the donor.

    Returns:
        1 when all contrast was kept, less when it faded, more when it grew, below 0 when it turned over; NaN for a
        donor lesion without contrast.

    Raises:
        ConSinGANError: as :func:`contrast`.
    """
    if donor_spacing is None and not isinstance(donor, MetaTensor):
        donor_spacing = spacing
    return kept(
        contrast(result, result_mask, spacing=spacing, axis=axis, ring_mm=ring_mm, exclude=exclude, tissue=tissue),
        contrast(
            donor,
            donor_mask,
            spacing=donor_spacing,
            axis=axis,
            ring_mm=ring_mm,
            exclude=donor_exclude,
            tissue=donor_tissue,
        ),
    )


class ContrastKeptMetric(PerImageMetric):
    """:func:`contrast_kept` over batches, as a MONAI metric.

    Call it with two channels each: `y_pred` the result and the mask of its lesion, `y` the donor and the mask of its
    lesion, both ``(B, 2, *spatial)`` or lists of ``(2, *spatial)``.

    Args:
        spacing: voxel size of both in mm, one number or one per spatial axis.
        axis: spatial axis perpendicular to the slices, or None.
        ring_mm: where the rings begin and end, in mm.
        reduction: how ``aggregate`` joins the values, as in MONAI; pairs without a value (NaN) are left out.
    """

    def __init__(
        self,
        spacing: float | Sequence[float] = 1.0,
        axis: int | None = None,
        ring_mm: tuple[float, float] = RING_MM,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction)
        self.spacing = spacing
        self.axis = axis
        self.ring_mm = ring_mm

    def _compute_tensor(self, y_pred: torch.Tensor, y: torch.Tensor | None = None, **kwargs: Any) -> torch.Tensor:
        """`y_pred`: results with masks, `y`: donors with masks, both ``(B, 2, *spatial)``; returns (B, 1)."""
        if y is None or y_pred.shape[1] != 2 or y.shape[1] != 2:
            raise ConSinGANError("y_pred and y need two channels each: give the image and the mask of its lesion.")
        values = [
            contrast_kept(
                result[:1],
                result[1:],
                donor[:1],
                donor[1:],
                spacing=self.spacing,
                donor_spacing=self.spacing,
                axis=self.axis,
                ring_mm=self.ring_mm,
                **kwargs,
            )
            for result, donor in zip(y_pred, y, strict=True)
        ]
        return torch.tensor(values, dtype=torch.float64)[:, None]
