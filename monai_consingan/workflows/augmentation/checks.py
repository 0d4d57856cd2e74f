"""What a new lesion has to pass before it enters a data set."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from monai.data import MetaTensor

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics import Surroundings, contrast, kept, seam

__all__ = ["Limits", "Refusal", "check_lesion"]


class Refusal(ConSinGANError):
    """A lesion that does not enter the data set.

    Args:
        reason: the kind of reason, one of a few, to be counted.
        detail: one sentence.
        how: the method that was tried, if it came so far.
    """

    def __init__(self, reason: str, detail: str, how: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.how = how

    def as_dict(self) -> dict[str, Any]:
        """The refusal as plain values."""
        return {"reason": self.reason, "how": self.how, "detail": str(self)}


@dataclass(frozen=True)
class Limits:
    """What the measures of a lesion may be.

    Args:
        seam: smallest and largest seam.
        contrast: smallest and largest share of the donor lesion's contrast.
    """

    seam: tuple[float, float]
    contrast: tuple[float, float]


def check_lesion(
    image: MetaTensor,
    mask: np.ndarray,
    *,
    head: np.ndarray,
    others: np.ndarray,
    donor_contrast: float,
    limits: Limits,
    axis: int | None,
    how: str,
) -> dict[str, float]:
    """Measure a new lesion and refuse it where it cannot pass for one of the data set.

    Args:
        image: the scan with the lesion, (1, \\*spatial).
        mask: where it is, boolean (1, \\*spatial).
        head: the host's head, boolean (\\*spatial).
        others: where other lesions are, boolean (1, \\*spatial).
        donor_contrast: contrast of the lesion in its donor.
        limits: what its measures may be.
        axis: spatial axis perpendicular to the slices; ``None`` in 2D.
        how: the method by which it was put in.

    Returns:
        ``seam`` and ``contrast_kept``.

    Raises:
        Refusal: it is outside of the head, or a measure cannot be taken or is out of its limits.
    """
    outside = int((mask[0] & ~head).sum())
    if outside:
        raise Refusal("outside head", f"{outside} voxels of the lesion lie outside the head", how)
    try:
        case = Surroundings(image, mask, axis=axis, exclude=others)
        measures = {"seam": seam(case), "contrast_kept": kept(contrast(case), donor_contrast)}
    except ConSinGANError as error:
        raise Refusal("no measure", str(error), how) from error
    for name, (low, high) in (("seam", limits.seam), ("contrast_kept", limits.contrast)):
        value = measures[name]
        if not (math.isfinite(value) and low <= value <= high):
            raise Refusal(name, f"{name.replace('_', ' ')} is {value:.2f}, not {low:.2f} to {high:.2f}", how)
    return measures
