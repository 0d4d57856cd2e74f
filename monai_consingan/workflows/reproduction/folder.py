"""The output folder of a reproduction, in which a run that was killed goes on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from monai_consingan.arrays import as_array, spacing_of
from monai_consingan.data import file_sha256
from monai_consingan.whole_file import leftovers, whole_file
from monai_consingan.workflows.reproduction.cases import PreparedCase, choose_cases
from monai_consingan.workflows.reproduction.dataset import FoundScan
from monai_consingan.workflows.resumable_folder import ResumableFolder, write_json

_CASES, _TIME = "cases.json", "time.json"


@dataclass(frozen=True)
class ReproductionCase:
    """A case on disk.

    Args:
        task: ``"harmonization"`` or ``"editing"``.
        name: its name, such as ``"harmonization-03"``.
        folder: folder with its images.
        facts: scan, hashes, slices and lesion.
    """

    task: str
    name: str
    folder: Path
    facts: Mapping[str, Any]

    def file(self, name: str) -> Path:
        """The file of one of its images."""
        return self.folder / f"{name}.nii.gz"

    @property
    def pixel_mm(self) -> float:
        """Side of a square of the area of a pixel."""
        return float(self.facts["pixel_mm"])


class ReproductionFolder(ResumableFolder):
    """An output folder: ``cases``, ``models`` and what is made of these.

    No file in it is named after a scan, and no name of one stands in it: scans are told by their number and their
    SHA-256.

    Args:
        path: the folder.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path, ".", "reproduction")

    def ask(self, options: Mapping[str, Any], scans: Sequence[FoundScan]) -> None:
        """Note what is asked for, or find that it is what was asked for before.

        Args:
            options: all that the models depend on, as plain values.
            scans: the scans of the data set.

        Raises:
            ConSinGANError: as :py:meth:`ResumableFolder.begin`.
        """
        sizes = [_size(path) for scan in scans for path in (scan.image, scan.mask)]
        self.begin({"data set": sizes, **options})

    def cases(
        self, scans: Sequence[FoundScan], wanted: Mapping[str, int], note: Callable[[str], None]
    ) -> list[ReproductionCase]:
        """The cases, which are chosen and written if that was not done before.

        Args:
            scans: the scans of the data set.
            wanted: number of cases by task.
            note: gets a sentence about whatever is not used.

        Raises:
            ConSinGANError: no scan has a lesion that suits a task.
        """
        listed = self.read(_CASES)
        if listed is None:
            chosen = choose_cases(scans, wanted, note)
            hashes = {
                number: {"image_sha256": file_sha256(scan.image), "mask_sha256": file_sha256(scan.mask)}
                for number, scan in enumerate(scans, 1)
                if any(case.scan == number for cases in chosen.values() for case in cases)
            }
            listed = [
                self._keep(case, f"{task}-{number:02}", hashes[case.scan])
                for task, cases in chosen.items()
                for number, case in enumerate(cases, 1)
            ]
            self.write(_CASES, listed)
        return [
            ReproductionCase(facts["task"], facts["case"], self.path / "cases" / facts["case"], facts)
            for facts in listed
        ]

    def _keep(self, case: PreparedCase, name: str, hashes: Mapping[str, str]) -> dict[str, Any]:
        folder = self.path / "cases" / name
        folder.mkdir(parents=True, exist_ok=True)
        for what, image in case.images.items():
            path = folder / f"{what}.nii.gz"
            for rest in leftovers(path):
                rest.unlink(missing_ok=True)
            with whole_file(path) as temporary:
                nib.save(nib.Nifti1Image(as_array(image)[0], np.asarray(image.affine)), temporary)
        side = math.sqrt(math.prod(spacing_of(next(iter(case.images.values())))))
        return {"case": name, "task": case.task, "scan": case.scan, **hashes, **case.facts, "pixel_mm": round(side, 6)}

    def model(self, preset: str, case: ReproductionCase) -> Path:
        """Folder of the result of a setting for a case."""
        return self.path / "models" / preset / case.name

    def keep_time(self, model: Path, seconds: float, *, resumed: bool) -> None:
        """Note how long the training of a model took, and whether that is all of it."""
        write_json(model / _TIME, {"seconds_training": seconds, "resumed": resumed})

    def time(self, model: Path) -> float | None:
        """Seconds that the training of a model took; ``None`` where a part of it was not measured."""
        found = self.read(str(model / _TIME)) or {"resumed": True}
        return None if found["resumed"] else float(found["seconds_training"])


def _size(path: Path) -> int:
    """Bytes of a file, or of the files of a folder."""
    return (
        sum(part.stat().st_size for part in sorted(path.iterdir()) if part.is_file())
        if path.is_dir()
        else path.stat().st_size
    )
