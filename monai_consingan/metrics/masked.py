"""MONAI metrics of images and masks, of which each image has a value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from monai.metrics import CumulativeIterationMetric
from monai.metrics.utils import do_metric_reduction

from monai_consingan.errors import ConSinGANError

__all__ = ["MaskedMetric", "PerImageMetric"]


class PerImageMetric(CumulativeIterationMetric):
    """A measure that each image of a batch has a value of, or several.

    Args:
        reduction: how ``aggregate`` joins the values, as in MONAI; images without a value (NaN) are left out.
    """

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def aggregate(self, reduction: str | None = None) -> torch.Tensor:
        """The values so far, joined.

        Args:
            reduction: replaces the one given at construction.

        Returns:
            The joined value.
        """
        return do_metric_reduction(self.get_buffer(), reduction or self.reduction)[0]


class MaskedMetric(PerImageMetric):
    """A measure of an image and a mask over batches, as a MONAI metric.

    Args:
        spacing: voxel size in mm, one number or one per spatial axis.
        axis: spatial axis perpendicular to the slices, or None.
        outer_mm: how far the tissue around reaches from the mask, in mm.
        reduction: how ``aggregate`` joins the values, as in MONAI; images without a value (NaN) are left out.
    """

    measure: Callable[..., float]
    """The measure of one image, which takes ``spacing``, ``axis`` and ``outer_mm``."""

    def __init__(
        self,
        spacing: float | Sequence[float] = 1.0,
        axis: int | None = None,
        outer_mm: float = 8.0,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction)
        self.spacing = spacing
        self.axis = axis
        self.outer_mm = outer_mm

    def _compute_tensor(self, y_pred: torch.Tensor, y: torch.Tensor | None = None, **kwargs: Any) -> torch.Tensor:
        """`y_pred`: images, `y`: masks, both ``(B, 1, *spatial)``; returns (B, 1)."""
        if y is None:
            raise ConSinGANError("y is missing: give the lesion masks of the images as y.")
        settings = {"spacing": self.spacing, "axis": self.axis, "outer_mm": self.outer_mm, **kwargs}
        values = [self.measure(image, mask, **settings) for image, mask in zip(y_pred, y, strict=True)]
        return torch.tensor(values, dtype=torch.float64)[:, None]
