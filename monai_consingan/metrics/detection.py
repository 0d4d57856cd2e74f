"""How well a detector finds lesions, counted lesion by lesion."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from monai.config import NdarrayOrTensor
from scipy import ndimage

from monai_consingan.arrays import check_number, spacing_of
from monai_consingan.distance import ball_diameter, outside_distance
from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics.surroundings import spatial_array, spatial_mask

SIZE_LIMITS_MM = (5.0, 10.0)


@dataclass(frozen=True)
class DetectedLesion:
    """A lesion of the reference, and what a detector made of it.

    Args:
        diameter_mm: diameter of the circle (2D) or ball (3D) of its area or volume.
        found: whether the prediction touches it.
        dice: Dice of the lesion and all predicted components that touch it; 0 if it was missed.
    """

    diameter_mm: float
    found: bool
    dice: float


@dataclass(frozen=True)
class Detection:
    """What a detector made of one scan.

    Args:
        lesions: the lesions of the reference that count.
        false_positives: predicted components that touch no lesion.
    """

    lesions: tuple[DetectedLesion, ...]
    false_positives: int

    @property
    def score(self) -> float:
        """The lesion-wise Dice of the BraTS challenges, where false positives count as lesions with a Dice of 0.

        1 for a scan without lesions and without false positives.
        """
        count = len(self.lesions) + self.false_positives
        return sum(lesion.dice for lesion in self.lesions) / count if count else 1.0


def detection(
    prediction: NdarrayOrTensor,
    reference: NdarrayOrTensor,
    *,
    spacing: float | Sequence[float] | None = None,
    dilation_mm: float = 1.0,
    min_voxels: int = 2,
) -> Detection:
    r"""Compare predicted lesions with those of a reference, as the BraTS-METS challenge does.

    - A **lesion** is what is connected (26 neighbours in a volume, 8 in a plane) in the reference after its dilation;
      its size and Dice are those of its voxels before the dilation.
    - The **dilation** reaches voxels whose centres lie within :math:`\sqrt{2}` times ``dilation_mm``. On the
      challenge's grid of 1 mm these are the neighbours that share a face or an edge, as there.
    - A lesion is **found** if a voxel of the prediction lies in its dilation. All predicted components (connected as
      above, not dilated) that do so count for its Dice, with all of their voxels. A component may belong to several
      lesions.
    - Predicted components that lie in no lesion's dilation are **false positives**, single voxels too.
    - Lesions of fewer than ``min_voxels`` voxels are left out; what is predicted there is neither right nor wrong.

    Moawad et al., 2023, https://arxiv.org/abs/2306.00838.

    Args:
        prediction: channel-first mask, (1, H, W) or (1, H, W, D); above 0 is lesion.
        reference: mask on the same grid; either may be empty.
        spacing: voxel size in mm; None takes the reference's if it is a MetaTensor, else 1 mm.
        dilation_mm: how far the lesions of the reference are dilated, in mm; 0 does not dilate.
        min_voxels: how many voxels a lesion of the reference must have to count.

    Returns:
        The lesions of the reference, in the order of their first voxels, and the false positives.

    Raises:
        ConSinGANError: for shapes that differ, a negative ``dilation_mm`` or a spacing that does not fit.

    Example:

        >>> import numpy as np
        >>> reference = np.zeros((1, 16, 16))
        >>> reference[0, 4:6, 4:6] = 1
        >>> prediction = np.zeros((1, 16, 16))
        >>> prediction[0, 4, 4:6] = prediction[0, 12, 12] = 1
        >>> found = detection(prediction, reference)
        >>> round(found.lesions[0].dice, 3), found.false_positives
        (0.667, 1)
    """
    shape = spatial_array(reference, "reference").shape
    real = spatial_mask(reference, shape, "reference", allow_empty=True)
    predicted = spatial_mask(prediction, shape, "prediction", allow_empty=True)
    sizes = spacing_of(reference, spacing)
    reach = check_number(dilation_mm, "dilation_mm") * 2**0.5 + 1e-6
    dilated = outside_distance(real, sizes, reach_mm=reach) <= reach if real.any() else real
    neighbours = np.ones((3,) * real.ndim)
    places, count = ndimage.label(dilated, neighbours)
    components, component_count = ndimage.label(predicted, neighbours)
    # Each pair of a lesion and a predicted component that touch.
    touching = np.unique(np.stack([places, components], axis=-1)[dilated & predicted], axis=0)
    component_voxels = np.bincount(components.ravel(), minlength=component_count + 1)
    lesions = []
    for number in range(1, count + 1):
        inside = real & (places == number)
        voxels = int(inside.sum())
        if voxels < min_voxels:
            continue
        own = touching[touching[:, 0] == number, 1]
        overlap = int(np.isin(components[inside], own).sum())
        dice = 2 * overlap / (voxels + int(component_voxels[own].sum()))
        lesions.append(DetectedLesion(ball_diameter(voxels * float(np.prod(sizes)), real.ndim), own.size > 0, dice))
    return Detection(tuple(lesions), component_count - np.unique(touching[:, 1]).size)


def detection_summary(
    detections: Iterable[Detection], size_limits_mm: Sequence[float] = SIZE_LIMITS_MM
) -> dict[str, float]:
    """What a detector made of several scans.

    Args:
        detections: one for each scan.
        size_limits_mm: diameters that divide small from larger lesions, in ascending order.

    Returns:
        ``scans``, ``false_positives_per_scan`` and ``score`` (:attr:`Detection.score`), means of the scans; ``lesions``
        (their number), ``sensitivity`` (share that was found) and ``dice`` (mean, missed lesions counting 0) of the
        lesions of all scans together, and the same for every range of diameters, from the lower limit on to below the
        upper one, as in ``dice_0_to_5_mm`` and ``dice_from_10_mm``. What there are no lesions or scans for is NaN.
    """
    limits = (0.0, *(float(limit) for limit in size_limits_mm), float("inf"))
    if any(upper <= lower for lower, upper in pairwise(limits)):
        raise ConSinGANError(f"size_limits_mm is {tuple(size_limits_mm)}: give diameters above 0 in ascending order.")
    scans = list(detections)
    summary = {
        "scans": len(scans),
        "false_positives_per_scan": _mean([scan.false_positives for scan in scans]),
        "score": _mean([scan.score for scan in scans]),
    }
    sizes = {f"_{lower:g}_to_{upper:g}_mm": (lower, upper) for lower, upper in pairwise(limits[:-1])}
    for name, (lower, upper) in {"": (0.0, limits[-1]), **sizes, f"_from_{limits[-2]:g}_mm": limits[-2:]}.items():
        lesions = [lesion for scan in scans for lesion in scan.lesions if lower <= lesion.diameter_mm < upper]
        summary[f"lesions{name}"] = len(lesions)
        summary[f"sensitivity{name}"] = _mean([lesion.found for lesion in lesions])
        summary[f"dice{name}"] = _mean([lesion.dice for lesion in lesions])
    return summary


def _mean(values: Sequence[float]) -> float:
    """The mean of some values; NaN if there are none."""
    return sum(values) / len(values) if values else float("nan")
