"""The output folder of an augmentation, in which a run that was killed goes on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from monai_consingan.data_set_settings import AugmentSettings, TwinSettings
from monai_consingan.whole_file import whole_file
from monai_consingan.workflows.augmentation.plan import ScanTask, plan_tasks, plan_twins
from monai_consingan.workflows.augmentation.records import ScanRecord, ScanSet
from monai_consingan.workflows.augmentation.survey import ScanSurvey
from monai_consingan.workflows.report import write_report
from monai_consingan.workflows.run_folder import ResumableFolder

__all__ = ["RunFolder"]

_FOLDERS = {"image": "images", "label": "labels", "instances": "instances", "removed": "removed"}


class RunFolder(ResumableFolder):
    """An output folder: ``images``, ``labels``, ``instances`` or ``removed``, ``dropped`` and, hidden, the state.

    The files of a synthetic scan are made elsewhere in the folder and then moved to their places, its provenance last:
    where that is, the scan is complete.

    Args:
        path: the folder.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path, ".augment", "augmentation")

    def ask(self, scans: ScanSet, options: Mapping[str, Any]) -> None:
        """Note what is asked for, or find that it is what was asked for before.

        Args:
            scans: the data set.
            options: all else that the synthetic scans depend on, as plain values.

        Raises:
            ConSinGANError: as :py:meth:`ResumableFolder.begin`.
        """
        records = [
            {**asdict(record), "image": str(record.image), "label": record.label and str(record.label)}
            for record in scans.records
        ]
        told = {"kind": scans.kind, "root": str(scans.root), "head": scans.head, "records": records}
        self.begin({**options, **told})

    @property
    def scans(self) -> ScanSet:
        """The data set."""
        records = [
            ScanRecord(**{**values, "image": Path(values["image"]), "label": values["label"] and Path(values["label"])})
            for values in self.run["records"]
        ]
        return ScanSet(self.run["kind"], Path(self.run["root"]), tuple(records), self.run["head"])

    @property
    def settings(self) -> AugmentSettings | TwinSettings:
        """What the user asks for."""
        given = self.run["settings"]
        return TwinSettings(**given) if self.run["command"] == "twins" else AugmentSettings(**given)

    @property
    def tasks(self) -> list[ScanTask]:
        """The synthetic scans that are asked for; of twins, those of the scans that were read."""
        settings = self.settings
        if isinstance(settings, AugmentSettings):
            return plan_tasks(self.scans, settings)
        with_lesions = {name for name, survey in self.surveys().items() if survey.lesions or survey.unfit}
        return plan_twins(self.scans, with_lesions, settings.seed)

    def survey(self, scan: str) -> ScanSurvey | None:
        """What is known of a scan, if it was read."""
        found = self.read(f"surveys/{scan}.json")
        return None if found is None else ScanSurvey.from_dict(found)

    def surveys(self) -> dict[str, ScanSurvey]:
        """What is known of all training scans that were read, by their names, in the data set's order."""
        found = {record.name: self.survey(record.name) for record in self.scans.of("training")}
        return {name: survey for name, survey in found.items() if survey is not None}

    def keep_survey(self, survey: ScanSurvey) -> None:
        """Keep what is known of a scan."""
        self.write(f"surveys/{survey.scan}.json", survey.as_dict())

    @property
    def token(self) -> str:
        """A hash of all that synthetic scans depend on."""
        known = {name: survey.as_dict() for name, survey in self.surveys().items()}
        return hashlib.sha256(json.dumps([self.run, known]).encode()).hexdigest()

    def outcome(self, name: str) -> dict[str, Any] | None:
        """The provenance of a synthetic scan that is complete or was dropped; ``None`` if it has to be made."""
        found: dict[str, Any] | None = self.read(f"../images/{name}.json") or self.read(f"../dropped/{name}.json")
        return found

    def error(self, name: str) -> str | None:
        """Why a scan or synthetic scan failed when it was last tried."""
        found = self.read(f"failed/{name}.json")
        return None if found is None else str(found["error"])

    def keep_error(self, name: str, error: str | None) -> None:
        """Note that one failed, or with ``None`` that it did not; a full disk keeps nothing from going on."""
        with suppress(OSError):
            if error is None:
                (self.state / "failed" / f"{name}.json").unlink(missing_ok=True)
            else:
                self.write(f"failed/{name}.json", {"error": error})

    @contextmanager
    def workplace(self, name: str) -> Iterator[Path]:
        """A folder to make a synthetic scan in, which is gone afterwards."""
        place = self.state / "tmp"
        place.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{name}.{os.getpid()}.", dir=place))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def complete(self, folder: Path, told: Mapping[str, Any]) -> None:
        """Move what was made in a workplace to where it belongs.

        Args:
            folder: the workplace.
            told: the provenance.
        """
        name, made = told["name"], told["status"] == "made"
        for part in told["files"]:
            target = self.path / _FOLDERS[part] / f"{name}{told['suffix']}"
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(folder / f"{part}{told['suffix']}", target)
        target = self.path / ("images" if made else "dropped") / f"{name}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(folder / "provenance.json") as temporary:
            write_report(temporary, told)
        os.replace(folder / "provenance.json", target)

    def clean(self) -> None:
        """Remove what killed runs left; no run may be going on in the folder."""
        shutil.rmtree(self.state / "tmp", ignore_errors=True)
