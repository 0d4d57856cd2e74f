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
from functools import cached_property
from pathlib import Path
from typing import Any

from monai_consingan.data import file_sha256
from monai_consingan.data_set_settings import AugmentSettings, TwinSettings
from monai_consingan.errors import ConSinGANError
from monai_consingan.names import safe_name
from monai_consingan.whole_file import sweep, whole_file
from monai_consingan.workflows.augmentation.plan import ScanTask, plan_tasks, plan_twins
from monai_consingan.workflows.augmentation.survey import ScanSurvey
from monai_consingan.workflows.data_sets.records import ScanRecord, ScanSet
from monai_consingan.workflows.outputs import write_report
from monai_consingan.workflows.resumable_folder import ResumableFolder
from monai_consingan.workflows.review import CARDS


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
            {
                **asdict(record),
                "image": str(record.image),
                "label": record.label and str(record.label),
                "more": [str(path) for path in record.more],
            }
            for record in scans.records
        ]
        told = {"kind": scans.kind, "root": str(scans.root), "head": scans.head, "records": records}
        self.begin({**options, **told})

    def fits(self, key: str, before: Any, now: Any) -> bool:
        """What could not be read or was not there may be corrected; all else has to be as before."""
        if key == "maps" and isinstance(before, dict) and before.keys() == now.keys():
            return all(before[path] in ("", now[path]) for path in before)
        if key != "records" or not isinstance(before, list):
            return super().fits(key, before, now)
        return len(before) == len(now) and all(
            old == new or self.read(f"surveys/{old['name']}.json") is None for old, new in zip(before, now, strict=True)
        )

    @cached_property
    def scans(self) -> ScanSet:
        """The data set.

        Raises:
            ConSinGANError: what was noted of it is damaged.
        """
        try:
            records = [
                ScanRecord(
                    **{
                        **values,
                        "image": Path(values["image"]),
                        "label": values["label"] and Path(values["label"]),
                        "more": tuple(Path(path) for path in values["more"]),
                    }
                )
                for values in self.run["records"]
            ]
            wrong = [record.name for record in records if record.name != safe_name(record.name, "")]
            if wrong:
                raise ValueError(f"it has the name {wrong[0]!r}")
            return ScanSet(self.run["kind"], Path(self.run["root"]), tuple(records), self.run["head"])
        except (KeyError, TypeError, ValueError) as error:
            raise self.damaged("run.json", error, f"delete {self.path}, or give another folder") from error

    @cached_property
    def settings(self) -> AugmentSettings | TwinSettings:
        """What the user asks for.

        Raises:
            ConSinGANError: what was noted of it is damaged.
        """
        try:
            given = self.run["settings"]
            return TwinSettings(**given) if self.run["command"] == "twins" else AugmentSettings(**given)
        except (KeyError, TypeError) as error:
            raise self.damaged("run.json", error, f"delete {self.path}, or give another folder") from error

    @property
    def tasks(self) -> list[ScanTask]:
        """The synthetic scans that are asked for; of twins, those of the scans that were read."""
        settings = self.settings
        if isinstance(settings, AugmentSettings):
            return plan_tasks(self.scans, settings)
        with_lesions = {name for name, survey in self.surveys().items() if survey.lesions or survey.unfit}
        return plan_twins(self.scans, with_lesions, settings.seed)

    def undo_if_nothing_is_made(self) -> None:
        """Leave nothing of a run that is refused, unless it made something before or a part of it is at work."""
        made = any(path != self.state and path.is_dir() for path in self.path.iterdir())
        if not made and sum(path.name.endswith(".lock") for path in self.path.iterdir()) <= 1:
            self.undo()

    def survey(self, scan: str) -> ScanSurvey | None:
        """What is known of a scan, if it was read.

        Raises:
            ConSinGANError: what was noted of it is damaged.
        """
        name = f"surveys/{scan}.json"
        found = self.read(name)
        try:
            return None if found is None else ScanSurvey.from_dict(found)
        except (KeyError, TypeError) as error:
            raise self.damaged(name, error, "delete this file, and the scan is read again") from error

    def surveys(self) -> dict[str, ScanSurvey]:
        """What is known of all training scans that were read, by their names, in the data set's order."""
        found = {record.name: self.survey(record.name) for record in self.scans.of("training")}
        return {name: survey for name, survey in found.items() if survey is not None}

    def donors(self) -> dict[str, ScanSurvey]:
        """What is known of those that lesions are taken from: a bank if one was given, or else all training scans."""
        given = self.run.get("donors")
        if given is None:
            return self.surveys()
        try:
            survey = ScanSurvey.from_dict(given["survey"])
        except (KeyError, TypeError) as error:
            raise self.damaged("run.json", error, f"delete {self.path}, or give another folder") from error
        return {survey.scan: survey}

    def check_inputs(self, *, all_there: bool) -> None:
        """Find that the scans which were read are as they were then.

        Args:
            all_there: whether they have to be there, as more is to be made of them.

        Raises:
            ConSinGANError: one is not.
        """
        for record in self.scans.of("training"):
            found = self.survey(record.name)
            if found is None:
                continue
            files = (*record.images, record.label)
            hashes = (found.image_sha256, *found.more_sha256, found.label_sha256)
            for path, sha256 in zip(files, hashes, strict=True):
                if path is None or _is_as_before(path, sha256, self.state / f"surveys/{record.name}.json"):
                    continue
                if all_there or path.exists():
                    raise ConSinGANError(
                        f"{path} of scan {record.name} {'has changed' if path.exists() else 'is gone'} since output "
                        f"{self.path} was begun: give it as it was, or another output folder."
                    )

    @property
    def token(self) -> str:
        """A hash of all that synthetic scans depend on."""
        known = {name: survey.as_dict() for name, survey in self.surveys().items()}
        return hashlib.sha256(json.dumps([self.run, known]).encode()).hexdigest()

    def outcome(self, name: str) -> dict[str, Any] | None:
        """The provenance of a synthetic scan that is complete or was dropped; ``None`` if it has to be made.

        It has to be made, too, if a file of it is gone or is not what was made.
        """
        noted = f"made/{name}.json"
        try:
            files = self.read(noted) or {}
            if not files or not all(_is_as_before(self.path / file, files[file], self.state / noted) for file in files):
                return None
            found: dict[str, Any] = self.read(f"../{list(files)[-1]}")
        except (OSError, TypeError, ConSinGANError):
            return None
        return found

    def made(self) -> list[dict[str, Any]]:
        """The provenance of all synthetic scans that were made."""
        found = (self.outcome(task.name) for task in self.tasks)
        return [told for told in found if told is not None and told["status"] == "made"]

    def record(self, told: Mapping[str, Any]) -> ScanRecord:
        """A synthetic scan that was made, to be read like a scan of a data set.

        Args:
            told: its provenance.
        """
        first, *more = (self.path / image for image in told["images"])
        known: dict[str, Any] = {"more": tuple(more), "sequences": tuple(told["sequences"])}
        ignored = self.scans.records[0].ignored
        return ScanRecord(told["name"], first, self.path / told["label"], fold=told["fold"], ignored=ignored, **known)

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
        name, moves = told["name"], dict(told["files"])
        moves["provenance.json"] = told["provenance"]
        with whole_file(folder / "provenance.json") as temporary:
            write_report(temporary, told)
        made = {new: file_sha256(folder / old) for old, new in moves.items()}
        cards = {f"{CARDS}/{path.name}": f"{CARDS}/{path.name}" for path in sorted((folder / CARDS).glob("*.png"))}
        moves = {**cards, **moves}  # which nothing depends on
        for old, new in moves.items():
            if old == "provenance.json":
                self.write(f"made/{name}.json", made)
            target = self.path / new
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(folder / old, target)

    def clean(self) -> None:
        """Remove what killed runs left; no other run may be going on in the folder."""
        shutil.rmtree(self.state / "tmp", ignore_errors=True)
        for folder in (self.path, *self.path.glob("*/"), *self.state.glob("*/")):
            if folder.name != "models":  # which other runs may share
                sweep(folder)


def _is_as_before(path: Path, sha256: str, noted: Path) -> bool:
    """Whether a file, or a folder of a series, is as it was when something was noted; read only if it may not be."""
    if not path.exists():
        return False
    times = [part.stat() for part in ([path, *path.iterdir()] if path.is_dir() else [path])]
    latest = max(max(time.st_mtime_ns, time.st_ctime_ns) for time in times)
    return latest < noted.stat().st_mtime_ns or file_sha256(path) == sha256
