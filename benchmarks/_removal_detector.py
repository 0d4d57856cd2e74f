"""Does a detector, the U-Net of the detector experiment, still see a lesion that was removed?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from _detector_data import Arm, BatchSettings, Patches
from _detector_net import NetSettings, predict, train
from _intervals import interval, shown
from _patients import Patient
from _removal_methods import Removal, RemovalMethod
from monai.networks.nets import UNet
from scipy import ndimage

from monai_consingan.metrics import detection
from monai_consingan.transforms import anatomical_mirror

MARGIN_MM = 1.5
"""How far beyond the label a real lesion is filled, as the package does by default."""
LEAST = 50
"""Pixels of lesion that a slice needs to be asked for."""

Filling = Callable[[RemovalMethod, Removal], np.ndarray | None]


def train_detector(patients: Sequence[Patient], settings: NetSettings, seed: int) -> UNet:
    """Train on the real lesions of patients, with the standard augmentation.

    Args:
        patients: whom it learns from.
        settings: of the network.
        seed: decides everything.
    """
    arm = Arm("real lesions")
    batches = Patches(patients, [], BatchSettings()).batches(arm, [], settings.steps, seed)
    return train(batches, settings, augment=arm.augment, seed=seed)[0]


def real_removals(patient: Patient, least: int = LEAST) -> dict[int, Removal]:
    """Real lesions to be removed, in slices of their own, with all of the slice's core and the margin filled.

    Args:
        patient: whose.
        least: pixels of lesion that a slice needs.
    """
    cases = {}
    for index in np.flatnonzero(patient.core.sum(axis=(0, 1)) >= least):
        mask = ndimage.distance_transform_edt(~patient.core[..., index], sampling=patient.spacing) <= MARGIN_MM
        ill = (patient.label[..., index] > 0) & ~mask
        affine = patient.slice_affine(int(index))
        cases[int(index)] = Removal(patient.image[..., index], mask, affine, patient.symmetry, ill)
    return cases


def removed(patient: Patient, method: RemovalMethod, fill: Filling) -> tuple[np.ndarray, set[int]]:
    """A scan without its lesions, and the slices where the method refuses, which are as they were.

    Args:
        patient: whose scan.
        method: how a slice is filled.
        fill: what a method makes of a case, None if it refuses.
    """
    image, refused = patient.image.copy(), set()
    for index, case in real_removals(patient, 1).items():
        filled = fill(method, case)
        if filled is None:
            refused.add(index)
        else:
            image[..., index] = filled
    return image, refused


def fires(found: np.ndarray, where: np.ndarray, patient: Patient) -> bool:
    """Whether what was found in a slice overlaps a place, dilated by 1 mm (BraTS-METS).

    Args:
        found: (H, W), boolean.
        where: the place, of the same shape.
        patient: whose slice.
    """
    return any(lesion.found for lesion in detection(found[None], where[None], spacing=patient.spacing).lesions)


def mirrored_places(patient: Patient) -> np.ndarray:
    """The lesions' places in the other hemisphere, where that is healthy, of the volume's shape."""
    core = patient.core[None].astype(np.uint8)
    other = anatomical_mirror(core, patient.affine, symmetry=patient.symmetry, axis=2, mode="nearest").image[0] > 0
    return np.asarray(other & ~(other & (patient.label > 0)).any(axis=(0, 1)))


def detection_rows(
    patients: Sequence[Patient],
    chosen: Mapping[str, RemovalMethod],
    fill: Filling,
    seeds: int,
    settings: NetSettings | None = None,
) -> list[dict[str, Any]]:
    """How often a detector fires: on real lesions, at the same place of the other hemisphere, and where a lesion was
    removed that it had seen. It was trained on the other patients, once for each seed.

    Args:
        patients: three or more.
        chosen: methods by name.
        fill: what a method makes of a case, None if it refuses.
        seeds: detectors for a patient.
        settings: of the detectors.

    Returns:
        Rows of a table.
    """
    settings = NetSettings() if settings is None else settings
    fired: dict[str, list[tuple[str, float]]] = {}

    def note(name: str, patient: Patient, value: float) -> None:
        fired.setdefault(name, []).append((patient.name, value))

    for patient in patients:
        scans = {name: removed(patient, method, fill) for name, method in chosen.items()}
        other = mirrored_places(patient)
        for seed in range(seeds):
            network = train_detector([one for one in patients if one is not patient], settings, seed)
            before = predict(network, patient, settings)
            after = {name: predict(network, patient, settings, image) for name, (image, _) in scans.items()}
            for index in real_removals(patient):
                core = patient.core[..., index]
                seen = fires(before[..., index], core, patient)
                note("(lesion, before)", patient, seen)
                if other[..., index].any():
                    note(
                        "(other hemisphere, untouched)", patient, fires(before[..., index], other[..., index], patient)
                    )
                for name, found in after.items() if seen else ():
                    refused = index in scans[name][1]
                    note(name, patient, np.nan if refused else fires(found[..., index], core, patient))
        print(f"  detectors without {patient.name}: done", file=sys.stderr, flush=True)
    rows = []
    for name, values in fired.items():
        names, numbers = zip(*values, strict=True)
        share = interval(numbers, names, lambda drawn: float(np.mean(drawn)))
        refused = int(np.isnan(numbers).sum())
        rows.append({"looked at": name, "fires": shown(share), "n": share["n"], "refused": refused})
    return rows
