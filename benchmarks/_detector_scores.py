"""What a detector found, patient by patient, and how sure a difference between two detectors is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from _patients import Patient

from monai_consingan.metrics import DetectedLesion, Detection, detection

__all__ = ["MEASURES", "Found", "difference", "mean", "measured"]

_DRAWS = 10_000


@dataclass(frozen=True)
class Found:
    """What a detector made of a patient.

    Args:
        slices: the lesions of all slices, each slice taken as an image of its own.
        volume: the lesions of the scan.
    """

    slices: Detection
    volume: Detection

    @classmethod
    def of(cls, prediction: np.ndarray, patient: Patient) -> Found:
        """Compare a prediction, (H, W, slices), with the expert's label."""
        each = []
        for index in np.flatnonzero((prediction | patient.core).any(axis=(0, 1))):
            planes = prediction[None, ..., index], patient.core[None, ..., index]
            each.append(detection(*planes, spacing=patient.spacing))
        lesions = tuple(lesion for one in each for lesion in one.lesions)
        slices = Detection(lesions, sum(one.false_positives for one in each))
        spacing = (*patient.spacing, patient.slice_mm)
        return cls(slices, detection(prediction[None], patient.core[None], spacing=spacing))

    def as_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            name: {
                "lesions": [[lesion.diameter_mm, lesion.found, lesion.dice] for lesion in part.lesions],
                "false_positives": int(part.false_positives),
            }
            for name, part in (("slices", self.slices), ("volume", self.volume))
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Found:
        """What :meth:`as_dict` gave."""
        return cls(
            **{
                name: Detection(tuple(DetectedLesion(*lesion) for lesion in part["lesions"]), part["false_positives"])
                for name, part in values.items()
            }
        )


def mean(values: Mapping[str, float]) -> float:
    """The mean of what is known of the patients."""
    known = [value for value in values.values() if np.isfinite(value)]
    return _mean(known)


def _mean(values: Sequence[float] | np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


MEASURES = {
    "score": lambda found: found.slices.score,
    "sensitivity": lambda found: _mean([lesion.found for lesion in found.slices.lesions]),
    "Dice": lambda found: _mean([lesion.dice for lesion in found.slices.lesions]),
    "false positives": lambda found: float(found.slices.false_positives),
    "score, 3D": lambda found: found.volume.score,
    "sensitivity, 3D": lambda found: _mean([lesion.found for lesion in found.volume.lesions]),
    "Dice, 3D": lambda found: _mean([lesion.dice for lesion in found.volume.lesions]),
    "false positives, 3D": lambda found: float(found.volume.false_positives),
}
"""Measures of a patient. The first decides: Dice of the lesions of all slices, 0 for misses and false positives."""


def measured(found: Mapping[str, Sequence[Found]], measure: str) -> dict[str, float]:
    """A measure of every patient, its mean over the seeds; NaN for one without lesions.

    Args:
        found: by patient, one for each seed.
        measure: a key of :data:`MEASURES`.
    """
    return {name: float(np.mean([MEASURES[measure](one) for one in seeds])) for name, seeds in found.items()}


def difference(one: Mapping[str, float], other: Mapping[str, float], *, seed: int = 0) -> dict[str, float]:
    """One less the other, patient by patient: mean, 95% interval (bootstrap over patients), how many are above 0.

    Args:
        one: a measure by patient.
        other: that of another detector of the same patients.
        seed: of the bootstrap.
    """
    gaps = np.array([one[name] - other[name] for name in one])
    gaps = gaps[np.isfinite(gaps)]
    result = {"value": _mean(gaps), "above": int((gaps > 0).sum()), "patients": len(gaps)}
    result |= {"low": float("nan"), "high": float("nan")}
    if len(gaps) > 1:
        drawn = np.random.default_rng(seed).integers(len(gaps), size=(_DRAWS, len(gaps)))
        low, high = np.percentile(gaps[drawn].mean(axis=1), (2.5, 97.5))
        result |= {"low": float(low), "high": float(high)}
    return result
