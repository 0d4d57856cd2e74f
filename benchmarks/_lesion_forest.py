"""A simple detector of lesions: a random forest on what surrounds a pixel, trained on other patients' real lesions."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from _intervals import interval
from _lesion_shapes import full_slices, largest, random_of
from _null_voids import NullVoid
from _patients import Patient
from _removal_methods import Removal, RemovalMethod
from scipy import ndimage

__all__ = ["Detector", "detection_rows", "pixel_features", "real_removals", "train_detector"]

SCALES_MM = (1.0, 2.0, 4.0, 8.0)
FIRES = (0.5, 20)
"""Probability above which a pixel is lesion, and how many of them together make the detector fire."""
AROUND_MM = 5.0
"""How far beyond the lesion it may fire."""
MARGIN_MM = 1.5
"""How far beyond the label a real lesion is filled, as the package does by default."""
_LESIONS = 8  # slices with a lesion of a patient
_PIXELS = 150  # of the lesion in a slice, and twice as many of healthy tissue


def pixel_features(image: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Brightness at several scales, its slopes, bends and spread, relative to the slice's brain: (H, W, features)."""
    brain = image > 0
    values = image[brain]
    low, middle, high = np.percentile(values, [25, 50, 75])
    grey = np.where(brain, (image - middle) / max(high - low, 1e-9), 0.0)
    features = [grey]
    for scale in SCALES_MM:
        sigma = [scale / mm for mm in spacing]
        mean = ndimage.gaussian_filter(grey, sigma)
        square = ndimage.gaussian_filter(grey**2, sigma)
        features += [mean, np.sqrt(np.maximum(square - mean**2, 0.0))]
        features += [ndimage.gaussian_gradient_magnitude(grey, sigma), ndimage.gaussian_laplace(grey, sigma)]
        features += [ndimage.maximum_filter(grey, [2 * int(np.ceil(s)) + 1 for s in sigma])]
    return np.stack(features, axis=-1).astype(np.float32)


@dataclass(frozen=True)
class Detector:
    """A trained detector.

    Args:
        forest: scikit-learn's classifier of pixels.
    """

    forest: Any

    def fires(self, image: np.ndarray, where: np.ndarray, spacing: Sequence[float]) -> bool:
        """Whether it sees a lesion at a place of a slice.

        Args:
            image: (H, W).
            where: the place, boolean.
            spacing: mm of a pixel.
        """
        near = ndimage.distance_transform_edt(~where, sampling=spacing) <= AROUND_MM
        probable = np.zeros(image.shape, bool)
        seen = near & (image > 0)
        if not seen.any():
            return False
        probable[seen] = self.forest.predict_proba(pixel_features(image, spacing)[seen])[:, 1] > FIRES[0]
        _, count = ndimage.label(probable)
        sizes = np.bincount(ndimage.label(probable)[0].ravel())[1:] if count else np.zeros(1)
        return bool(sizes.max() >= FIRES[1])


def lesion_slices(patient: Patient, count: int = _LESIONS) -> list[int]:
    """Slices with 50 pixels of lesion or more, evenly spread over the scan."""
    found = np.flatnonzero(patient.core.sum(axis=(0, 1)) >= 50)
    return [int(found[k]) for k in np.unique(np.linspace(0, len(found) - 1, count).astype(int))] if len(found) else []


def train_detector(patients: Sequence[Patient], seed: int) -> Detector:
    """Train on the lesions and on the healthy tissue of patients, slices without a lesion included."""
    from sklearn.ensemble import RandomForestClassifier

    features, truth = [], []
    for patient in patients:
        random = random_of(seed, patient.name, "detector")
        clean = [k for k in full_slices(patient.healthy) if not (patient.label[..., k] > 0).any()]
        for index in lesion_slices(patient, 16) + [int(k) for k in random.permutation(clean)[:8]]:
            seen = pixel_features(patient.image[..., index], patient.spacing)
            for lesion, where in enumerate((patient.healthy[..., index], patient.core[..., index])):
                places = np.flatnonzero(where)
                drawn = random.permutation(places)[: _PIXELS if lesion else 2 * _PIXELS]
                features.append(seen.reshape(-1, seen.shape[-1])[drawn])
                truth.append(np.full(len(drawn), lesion))
    forest = RandomForestClassifier(100, max_depth=12, min_samples_leaf=5, class_weight="balanced", random_state=seed)
    return Detector(forest.fit(np.concatenate(features), np.concatenate(truth)))


def real_removals(patient: Patient) -> list[tuple[int, Removal]]:
    """Real lesions to be removed, in slices of their own, with all of the slice's core and the margin filled."""
    cases = []
    for index in lesion_slices(patient):
        core = patient.core[..., index]
        mask = ndimage.distance_transform_edt(~core, sampling=patient.spacing) <= MARGIN_MM
        ill = (patient.label[..., index] > 0) & ~mask
        image = patient.image[..., index]
        cases.append((index, Removal(image, mask, patient.slice_affine(index), patient.symmetry, ill)))
    return cases


def detection_rows(
    patients: Sequence[Patient],
    chosen: Mapping[str, RemovalMethod],
    result_of: Callable[[RemovalMethod, Removal], np.ndarray | None],
    voids: Sequence[NullVoid],
    seed: int,
) -> list[dict[str, Any]]:
    """How often a detector fires: on untouched healthy places, on real lesions, and where they were removed.

    A patient's scan is looked at by a detector that was trained on the other patients.

    Args:
        patients: two or more.
        chosen: methods by name.
        result_of: what a method makes of a case, None if it refuses.
        voids: the healthy places.
        seed: of the detectors.

    Returns:
        Rows of a table.
    """
    fired: dict[str, list[float]] = {}
    groups: dict[str, list[str]] = {}

    def note(name: str, patient: Patient, value: float) -> None:
        fired.setdefault(name, []).append(value)
        groups.setdefault(name, []).append(patient.name)

    for patient in patients:
        detector = train_detector([other for other in patients if other is not patient], seed)
        spacing = patient.spacing
        for void in (void for void in voids if void.group == patient.name):
            note("(untouched healthy place)", patient, detector.fires(void.truth, void.mask, spacing))
        for _, case in real_removals(patient):
            lesion = largest(case.mask)
            before = detector.fires(case.image, lesion, spacing)
            note("(lesion, before)", patient, before)
            for name, method in chosen.items() if before else ():
                image = result_of(method, case)
                note(name, patient, np.nan if image is None else detector.fires(image, lesion, spacing))
        print(f"  detector without {patient.name}: done", file=sys.stderr, flush=True)
    rows = []
    for name, values in fired.items():
        share = interval(values, groups[name], lambda numbers: float(np.mean(numbers)))
        shown = f"{share['value']:.2f} ({share['low']:.2f} to {share['high']:.2f})"
        refused = int(np.isnan(values).sum())
        rows.append({"looked at": name, "fires": shown if share["n"] else "", "n": share["n"], "refused": refused})
    return rows
