"""What a result has to pass before it is used: one place for all commands, bundles and transforms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from monai.config import NdarrayOrTensor

from monai_consingan.arrays import as_array, spacing_of
from monai_consingan.data import slice_axis, slices_of
from monai_consingan.metrics.contrast import contrast_to_noise
from monai_consingan.metrics.seam import seam
from monai_consingan.metrics.surroundings import Surroundings, tissue_mask
from monai_consingan.transforms.head import head_mask

__all__ = ["INSERTION_LIMITS", "Checks", "Limits", "beyond", "check_insertion", "check_removal", "measure_change"]

Limits = Mapping[str, tuple[float, float]]
"""The smallest and the largest value that measures may have, by their names."""

INSERTION_LIMITS: Limits = {
    "in_tissue": (0.99, 1.0),
    "contrast_kept": (0.5, 2.0),
    "black_gained": (0.0, 0.01),
    "visibility": (1.0, math.inf),
}
"""What a new lesion's measures may be; its seams, up to twice those of the lesion in its donor."""

REMOVAL_LIMITS: Limits = {
    "in_tissue": (0.5, 1.0),
    "contrast_kept": (-0.5, 0.5),
    "seam": (0.0, 2.0),
    "seam_through": (0.0, 2.0),
    "black_gained": (0.0, 0.05),
}
"""What the measures of a filled lesion may be."""

_DROP = 0.05  # of the image's range: smaller changes make nothing black
_SEEN = 1.0  # times the noise around: smaller differences of contrast do not count


@dataclass(frozen=True)
class Checks:
    """Measures that a result has to pass.

    Args:
        measures: by name; NaN where there is nothing to measure.
        limits: what they may be.
        failed: one clause for each that is not.
    """

    measures: dict[str, float]
    limits: Limits
    failed: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Whether all passed, what failed, and the measures with their limits, for reports."""
        return {"passed": not self.failed, "failed": self.failed, "limits": self.limits, **self.measures}

    def sentence(self) -> str:
        """One sentence on what failed; empty if nothing did."""
        return f"the result does not pass its checks: {'; '.join(self.failed)}." if self.failed else ""


def beyond(measures: Mapping[str, float], limits: Limits) -> dict[str, str]:
    """What is wrong with the measures that are out of their limits, by their names.

    Args:
        measures: the measures.
        limits: what they may be; below ``-inf`` only the largest value is told, above ``inf`` only the smallest.
    """
    wrong = {}
    for name, (low, high) in limits.items():
        value = measures[name]
        if math.isnan(value):
            wrong[name] = f"{_words(name)} is not measurable"
        elif not low <= value <= high:
            allowed = f"not {low:.2f} to {high:.2f}"
            allowed = f"above {high:.2f}" if low == -math.inf else f"below {low:.2f}" if high == math.inf else allowed
            wrong[name] = f"{_words(name)} is {value:.2f}, {allowed}"
    return wrong


def measure_change(
    result: NdarrayOrTensor,
    host: NdarrayOrTensor,
    mask: NdarrayOrTensor,
    *,
    lesion: NdarrayOrTensor | None = None,
    others: NdarrayOrTensor | None = None,
    head: np.ndarray | None = None,
    axis: int | None = None,
) -> dict[str, float]:
    """What a change did to a scan.

    Args:
        result: the scan after it, (1, \\*spatial).
        host: the scan before.
        mask: what was put in or filled.
        lesion: where the lesion is, or was; the mask by default.
        others: other lesions, which do not count as surroundings.
        head: the host's head, boolean (\\*spatial); ``None`` finds it.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.

    Returns:
        ``in_tissue``, the share of the lesion that lies in the host's head; ``seam`` and, where the mask has several
        slices, ``seam_through``, the same across the slices (:func:`seam`); ``black_gained``, the voxels that became as
        dark as air, but for those of a lesion that was put in, as a share of the mask's; ``visibility``, how far the
        lesion stands out (:func:`contrast_to_noise`), brighter or darker.
    """
    is_new, lesion = lesion is None, mask if lesion is None else lesion
    axis = slice_axis(mask, axis)
    before, after = (as_array(image)[0] for image in (host, result))
    marks, inside = as_array(lesion)[0] > 0, as_array(mask)[0] > 0
    filled = Surroundings(result, mask, axis=axis, exclude=others)
    of_lesion = filled if is_new else Surroundings(result, lesion, axis=axis, exclude=others)
    through = float("nan")
    if axis is not None and len(slices_of(mask, axis)) > 1:
        through = seam(Surroundings(result, mask, exclude=others), along=axis)
    low, high = np.percentile(before, (0.5, 99.5))
    dropped = np.abs(before.astype(np.float64) - after) > _DROP * (high - low)
    black = dropped & tissue_mask(before) & ~tissue_mask(after)
    if is_new:  # a lesion may be dark
        black &= ~inside
    head = head_mask(before, spacing=spacing_of(host)) if head is None else head
    return {
        "in_tissue": float(head[marks].mean()),
        "seam": seam(filled),
        "seam_through": through,
        "black_gained": float(black.sum() / inside.sum()),
        "visibility": abs(contrast_to_noise(of_lesion)),
    }


def check_insertion(
    result: NdarrayOrTensor,
    host: NdarrayOrTensor,
    lesion: NdarrayOrTensor,
    donor: NdarrayOrTensor,
    donor_lesion: NdarrayOrTensor,
    measures: Mapping[str, float],
    *,
    blended: bool = True,
    others: NdarrayOrTensor | None = None,
    axis: int | None = None,
) -> Checks:
    """Check a new lesion: it lies in tissue, can be seen, is as bright as in its donor, and shows no seam or hole.

    Args:
        result: the host with the lesion.
        host: the scan before.
        lesion: where the lesion is.
        donor: the donor, whose grid may be another.
        donor_lesion: where the lesion is in the donor.
        measures: what :func:`insertion_measures` found of the result.
        blended: whether it was blended in; a mere paste may show a seam.
        others: lesions of the host.
        axis: spatial axis perpendicular to the slices, of both; ``None`` finds it.
    """
    found = measure_change(result, host, lesion, others=others, axis=axis)
    in_donor = measure_change(donor, donor, donor_lesion, axis=axis)
    limits = dict(INSERTION_LIMITS)
    for name in ("seam", "seam_through") if blended else ():
        limits[name] = (0.0, 2 * max(1.0, _number(in_donor[name])))
    if abs(found["visibility"] - in_donor["visibility"]) < _SEEN and measures["contrast_kept"] > 0:
        del limits["contrast_kept"]
    return _checks({**found, "contrast_kept": measures["contrast_kept"]}, limits)


def check_removal(
    result: NdarrayOrTensor,
    host: NdarrayOrTensor,
    filled: NdarrayOrTensor,
    lesion: NdarrayOrTensor,
    measures: Mapping[str, float],
    *,
    others: NdarrayOrTensor | None = None,
    axis: int | None = None,
) -> Checks:
    """Check a filled lesion: it lay in tissue, is no longer seen, and left no seam or hole.

    Args:
        result: the scan without the lesion.
        host: the scan with it.
        filled: where it was filled.
        lesion: where the lesion was.
        measures: what :func:`removal_measures` found of the result.
        others: lesions that stay.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
    """
    found = measure_change(result, host, filled, lesion=lesion, others=others, axis=axis)
    limits = dict(REMOVAL_LIMITS)
    if found["visibility"] < _SEEN:
        del limits["contrast_kept"]
    return _checks({**found, "contrast_kept": measures["contrast_kept"]}, limits)


def _checks(measures: dict[str, float], limits: Limits) -> Checks:
    """What cannot be measured does not fail."""
    known = {name: ends for name, ends in limits.items() if not math.isnan(measures[name])}
    return Checks(measures, limits, tuple(beyond(measures, known).values()))


def _number(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def _words(name: str) -> str:
    return name.replace("_", " ")
