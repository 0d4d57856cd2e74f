"""Which synthetic scans are made of which scans, and what chance decides for each."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from monai_consingan.data_set_settings import AugmentSettings
from monai_consingan.errors import ConSinGANError
from monai_consingan.names import unique_names
from monai_consingan.transforms.insertion.donors import LesionDraw
from monai_consingan.workflows.augmentation.survey import Lesion, ScanSurvey
from monai_consingan.workflows.data_sets.records import ScanRecord, ScanSet


@dataclass(frozen=True)
class ScanTask:
    """One synthetic scan to make.

    Args:
        name: its name.
        host: name of the scan that gets lesions.
        number: which of the host's synthetic scans it is, from 0.
        fold: the fold that it belongs to, which is its host's.
        seed: seed of all its draws.
    """

    name: str
    host: str
    number: int
    fold: int | None
    seed: int


def plan_tasks(scans: ScanSet, settings: AugmentSettings) -> list[ScanTask]:
    """The synthetic scans of a data set: first one of every training scan, then the next of every one.

    A seed depends on the user's seed, the host's name and the number only, not on the other scans.
    """
    tasks = []
    for number in range(settings.per_scan):
        for host in scans.of("training"):
            digest = hashlib.sha256(f"{settings.seed} {number} {host.name}".encode()).digest()
            seed = int.from_bytes(digest[:4], "little")
            tasks.append(ScanTask(f"{host.name}_syn-{number:03d}", host.name, number, host.fold, seed))
    return _with_own_names(tasks, scans)


def plan_twins(scans: ScanSet, with_lesions: Collection[str], seed: int) -> list[ScanTask]:
    """The lesion-free twins of a data set: one of every training scan that has lesions.

    Args:
        scans: the data set.
        with_lesions: names of the scans that have lesions.
        seed: the user's seed.
    """
    hosts = scans.of("training")
    tasks = _with_own_names([ScanTask(f"{host.name}_free", host.name, 0, host.fold, seed) for host in hosts], scans)
    return [task for task in tasks if task.host in with_lesions]


def _with_own_names(tasks: Sequence[ScanTask], scans: ScanSet) -> list[ScanTask]:
    """The tasks, none of which has the name of a scan, as in a data set that was augmented before."""
    names = unique_names([task.name for task in tasks], [record.name for record in scans.records])
    return [replace(task, name=name) for task, name in zip(tasks, names, strict=True)]


def donors_of(host: ScanRecord, records: Iterable[ScanRecord], lesions: Sequence[Lesion]) -> list[Lesion]:
    """The lesions that may go into a host without a leak between training and validation.

    They are those of the training scans of the host's own fold. The synthetic scan then belongs to this fold, and a
    network that is validated with it was trained neither with the host, nor with a donor, nor with what was made of
    them. Where there are no folds, they are those of all training scans. A lesion of a bank says itself which folds it
    serves (:py:func:`monai_consingan.workflows.augmentation.bank_donors.survey_bank`).
    """
    allowed = {record.name for record in records if record.split == "training" and record.fold == host.fold}
    return [
        lesion
        for lesion in lesions
        if (lesion.scan in allowed if lesion.serves is None else host.fold in lesion.serves)
    ]


def choose_donors(lesions: Iterable[Lesion], settings: AugmentSettings) -> tuple[list[Lesion], dict[Lesion, str]]:
    """The lesions that are donors, and why others are not.

    Args:
        lesions: those that may go into a host (:py:func:`donors_of`).
        settings: what the user asks for.

    Returns:
        The donors, and the reason for each of the others.
    """
    fit: list[Lesion] = []
    left: dict[Lesion, str] = {}
    for lesion in lesions:
        if lesion.volume_mm3 < settings.min_volume:
            left[lesion] = f"smaller than {settings.min_volume:g} mm3"
        elif abs(lesion.cnr) < settings.min_cnr:
            left[lesion] = f"contrast-to-noise ratio below {settings.min_cnr:g}"
        elif settings.sizes and not settings.sizes.get(lesion.size):
            left[lesion] = "of a size that is not asked for"
        else:
            fit.append(lesion)
    usual = [lesion for lesion in fit if lesion.size != "giant"]
    if usual and not settings.sizes:
        left |= {lesion: "30 mm or more in diameter" for lesion in fit if lesion.size == "giant"}
        fit = usual
    return fit, left


def describe_donors(scans: ScanSet, surveys: Mapping[str, ScanSurvey], settings: AugmentSettings) -> dict[str, Any]:
    """Which lesions of a data set are donors.

    Returns:
        ``donors``, how many are, and ``left_out``, which are not and why.
    """
    lesions = [lesion for survey in surveys.values() for lesion in survey.lesions]
    left = [
        {"scan": survey.scan, "lesion": int(number), "diameter_mm": None, "cnr": None, "why": why}
        for survey in surveys.values()
        for number, why in survey.unfit.items()
    ]
    count = 0
    for host in {record.fold: record for record in scans.of("training")}.values():  # each fold has donors of its own
        donors, others = choose_donors(donors_of(host, scans.records, lesions), settings)
        count += len(donors)
        for lesion, why in others.items():
            sizes: dict[str, Any] = {"diameter_mm": round(lesion.diameter_mm, 2), "cnr": round(lesion.cnr, 2)}
            left.append({"scan": lesion.scan, "lesion": lesion.number, **sizes, "why": why})
    return {"donors": count, "left_out": left}


def draw_lesion(donors: Sequence[Lesion], settings: AugmentSettings, rng: np.random.RandomState) -> LesionDraw:
    """Draw a donor, by class of sizes if these were asked for, and how it is turned.

    Raises:
        ConSinGANError: there is no donor.
    """
    choice = donors
    classes = {name: weight for name, weight in settings.sizes.items() if any(d.size == name for d in donors)}
    if classes:
        shares = np.cumsum(list(classes.values()))
        name = list(classes)[int(np.searchsorted(shares, rng.uniform(0, shares[-1]), side="right"))]
        choice = [lesion for lesion in donors if lesion.size == name]
    if not choice:
        raise ConSinGANError(
            "There is no donor in the host's fold of what is asked for: give other sizes, a smaller volume or "
            "contrast-to-noise ratio, fewer folds or more scans."
        )
    return LesionDraw.random(
        choice,
        rng,
        flip_prob=settings.flip_prob,
        rotate_range=settings.rotate_range,
        scale_range=settings.scale_range,
    )
