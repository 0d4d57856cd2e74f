"""The lesions that go into synthetic scans: which may go where without a leak, a draw of them, and reading one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from monai_consingan.arrays import wrap_like
from monai_consingan.data import file_sha256
from monai_consingan.data.lesion_bank import BANK_FILE, LesionBank
from monai_consingan.data_set_settings import AugmentSettings
from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.insertion.donor import Donor
from monai_consingan.transforms.insertion.donors import LesionDraw, bank_donor
from monai_consingan.workflows.augmentation.survey import Lesion, ScanSurvey, size_class
from monai_consingan.workflows.data_sets.records import ScanRecord, ScanSet, load_pair


def donors_of(host: ScanRecord, records: Iterable[ScanRecord], lesions: Sequence[Lesion]) -> list[Lesion]:
    """The lesions that may go into a host without a leak between training and validation.

    They are those of the training scans of the host's own fold. The synthetic scan then belongs to this fold, and a
    network that is validated with it was trained neither with the host, nor with a donor, nor with what was made of
    them. Where there are no folds, they are those of all training scans. A lesion of a bank says itself which folds it
    serves (:py:func:`survey_bank`).
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


def read_lesion(records: Mapping[str, ScanRecord], lesion_labels: Iterable[int], lesion: Lesion) -> Donor:
    """A lesion as a donor, without the tissue of whatever else its scan's label marks.

    Args:
        records: the scans by name.
        lesion_labels: label values that are lesions; empty for all.
        lesion: the lesion.

    Raises:
        ConSinGANError: a file that cannot be used.
    """
    image, label, numbers = load_pair(records[lesion.scan], lesion_labels)
    values = np.zeros((1, *image.shape[1:]), np.uint8) if label is None else label.numpy()
    inside = (numbers == lesion.number)[None]
    free = (values == 0) | inside
    lesion_only = np.where(inside, values, 0)
    label, valid = (wrap_like(part, image) for part in (lesion_only, free.astype(np.uint8)))
    return Donor(image, label, valid, lesion.level, tuple(lesion_labels) or None)


def survey_bank(folder: str | Path, scans: ScanSet) -> ScanSurvey:
    """What is known of a bank's lesions, as of those of a scan, and which folds of a data set each may serve.

    A lesion serves a fold if all scans of the data set that it was made of, known by their hashes or names, are
    training scans of this fold. One that was made of other scans only serves all folds; one that was made of a scan of
    validation or test serves none.

    Args:
        folder: the bank.
        scans: the data set.

    Raises:
        ConSinGANError: the bank is damaged or of another version, or no lesion of it serves any fold.
    """
    bank = LesionBank(folder)
    digest = file_sha256(Path(folder) / BANK_FILE)
    name = f"bank:{digest[:8]}"
    hashes = {record.name: file_sha256(record.image) for record in scans.records}
    sources: list[list[ScanRecord]] = [
        [r for r in scans.records if r.name == donor["scan"] or hashes[r.name] == donor["image_sha256"]]
        for donor in bank.donors
    ]
    lead = bank.sequences.index(bank.index["lead"])
    lesions = []
    for told in bank.lesions:
        bank.load(told)  # a damaged lesion would be refused as a donor, again and again
        serves = scans.served(record for number in told["donors"] for record in sources[number])
        size = size_class(told["diameter_mm"])
        measures = {key: told[key] for key in ("volume_mm3", "diameter_mm", "seam", "value", "level", "contrast")}
        about = {**measures, "cnr": told["value_cnr"], "size": size, "serves": serves, "lead": lead}
        lesions.append(Lesion(scan=name, number=int(told["number"]), **about))
    if not any(lesion.serves for lesion in lesions):
        raise ConSinGANError(
            f"bank {folder} has no lesion that may go into training scans of this data set without a leak: all are "
            "made of scans of several folds, of validation or of test; make one of the data set's training scans."
        )
    return ScanSurvey(name, digest, "", tuple(lesions), {}, sequences=bank.sequences)


def read_bank_lesion(folder: str | Path, lesion: Lesion) -> Donor:
    """A lesion of a bank as a donor.

    Raises:
        ConSinGANError: the bank has changed, or a file of it is damaged.
    """
    bank = LesionBank(folder)
    told = next((told for told in bank.lesions if told["number"] == lesion.number), None)
    if told is None or file_sha256(Path(folder) / BANK_FILE)[:8] != lesion.scan.removeprefix("bank:"):
        raise ConSinGANError(f"bank {folder} has changed since the run was begun: give it as it was.")
    return bank_donor(bank, told)
