"""What a detector found, patient by patient, and how sure a difference between two detectors is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
        slices: what it made of each slice, taken as an image of its own, that shows a lesion or is said to.
        volume: what it made of the scan.
    """

    slices: tuple[Detection, ...]
    volume: Detection

    @classmethod
    def of(cls, prediction: np.ndarray, patient: Patient) -> Found:
        """Compare a prediction, (H, W, slices), with the expert's label."""
        predicted, real = prediction[patient.box][None], patient.core[patient.box][None]
        shown = np.flatnonzero((predicted | real).any(axis=(0, 1, 2)))
        slices = tuple(detection(predicted[..., k], real[..., k], spacing=patient.spacing) for k in shown)
        return cls(slices, detection(predicted, real, spacing=(*patient.spacing, patient.slice_mm)))

    @property
    def lesions(self) -> list[DetectedLesion]:
        """The lesions of all slices."""
        return [lesion for one in self.slices for lesion in one.lesions]

    def as_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {"slices": [_plain(one) for one in self.slices], "volume": _plain(self.volume)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Found:
        """What :meth:`as_dict` gave."""
        return cls(tuple(_detection(one) for one in values["slices"]), _detection(values["volume"]))


def _plain(one: Detection) -> list[Any]:
    lesions = [[lesion.diameter_mm, lesion.found, lesion.dice] for lesion in one.lesions]
    return [lesions, int(one.false_positives)]


def _detection(plain: Sequence[Any]) -> Detection:
    return Detection(tuple(DetectedLesion(*lesion) for lesion in plain[0]), plain[1])


def mean(values: Mapping[str, float]) -> float:
    """The mean of what is known of the patients."""
    known = [value for value in values.values() if np.isfinite(value)]
    return _mean(known)


def _mean(values: Sequence[float] | np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


MEASURES: dict[str, Callable[[Found], float]] = {
    "score": lambda found: _mean([one.score for one in found.slices if one.lesions]),
    "sensitivity": lambda found: _mean([lesion.found for lesion in found.lesions]),
    "Dice": lambda found: _mean([lesion.dice for lesion in found.lesions]),
    "false positives": lambda found: float(found.volume.false_positives),
    "score, 3D": lambda found: found.volume.score,
    "sensitivity, 3D": lambda found: _mean([lesion.found for lesion in found.volume.lesions]),
    "Dice, 3D": lambda found: _mean([lesion.dice for lesion in found.volume.lesions]),
}
"""Measures of a patient. The first decides: the score of the BraTS challenges (the Dice of every lesion, where false
positives count as lesions with a Dice of 0), of each slice that shows one. False positives are those of the scan."""


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
