"""The output folder of a reproduction, in which a run that was killed goes on."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from monai_consingan import __version__
from monai_consingan.arrays import as_array, spacing_of
from monai_consingan.data import file_sha256
from monai_consingan.errors import ConSinGANError
from monai_consingan.whole_file import leftovers, unwritable, whole_file
from monai_consingan.workflows.outputs import check_output
from monai_consingan.workflows.reproduction.cases import PreparedCase, choose_cases
from monai_consingan.workflows.reproduction.dataset import FoundScan

__all__ = ["ReproductionCase", "ReproductionFolder"]

_RUN, _CASES, _TIME = "run.json", "cases.json", "time.json"


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


class ReproductionFolder:
    """An output folder: ``cases``, ``models`` and what is made of these.

    No file in it is named after a scan, and no name of one stands in it: scans are told by their number and their
    SHA-256.

    Args:
        path: the folder.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def begin(self, options: Mapping[str, Any], scans: Sequence[FoundScan]) -> None:
        """Note what is asked for, or find that it is what was asked for before.

        Args:
            options: all that the models depend on, as plain values.
            scans: the scans of the data set.

        Raises:
            ConSinGANError: the folder holds something else, or what was asked for before is something else.
        """
        sizes = [_size(path) for scan in scans for path in (scan.image, scan.mask)]
        run = json.loads(json.dumps({"version": __version__, "data set": sizes, **options}))
        path = self.path / _RUN
        if path.is_file():
            before = _read(path)
            changed = sorted(key for key in before | run if before.get(key) != run.get(key))
            if changed:
                raise ConSinGANError(
                    f"output {self.path} was begun with another value for {', '.join(changed)}: give another folder, "
                    "or what was given before."
                )
            return
        check_output(self.path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            _write(path, run)
        except OSError as error:
            raise unwritable(self.path, error) from error

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
        listing = self.path / _CASES
        if not listing.is_file():
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
            _write(listing, listed)
        return [
            ReproductionCase(facts["task"], facts["case"], self.path / "cases" / facts["case"], facts)
            for facts in _read(listing)
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
        _write(model / _TIME, {"seconds_training": seconds, "resumed": resumed})

    def time(self, model: Path) -> float | None:
        """Seconds that the training of a model took; ``None`` where a part of it was not measured."""
        path = model / _TIME
        found = _read(path) if path.is_file() else {"resumed": True}
        return None if found["resumed"] else float(found["seconds_training"])


def _size(path: Path) -> int:
    """Bytes of a file, or of the files of a folder."""
    return (
        sum(part.stat().st_size for part in sorted(path.iterdir()) if part.is_file())
        if path.is_dir()
        else path.stat().st_size
    )


def _write(path: Path, values: Any) -> None:
    for rest in leftovers(path):
        rest.unlink(missing_ok=True)
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConSinGANError(f"{path} cannot be read ({error}): give another output folder.") from error
