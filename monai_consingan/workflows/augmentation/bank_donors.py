"""A bank of lesions as the donors of a data set, each for the folds that it may serve without a leak."""

from __future__ import annotations

from pathlib import Path

from monai_consingan.data import file_sha256
from monai_consingan.data.lesion_bank import BANK_FILE, LesionBank
from monai_consingan.errors import ConSinGANError
from monai_consingan.transforms.insertion.donor import Donor
from monai_consingan.transforms.insertion.donors import bank_donor
from monai_consingan.workflows.augmentation.survey import Lesion, ScanSurvey, size_class
from monai_consingan.workflows.data_sets.records import ScanRecord, ScanSet


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
        about["seams"] = tuple(told["seams"])
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
