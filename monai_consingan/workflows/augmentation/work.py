"""What a process does in an augmentation: read one scan, or make one synthetic scan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from monai_consingan.data import file_sha256
from monai_consingan.data_set_settings import AugmentSettings, CaseSettings, TwinSettings
from monai_consingan.errors import ConSinGANError
from monai_consingan.methods import BlendSettings
from monai_consingan.models.hosts import HostModels
from monai_consingan.models.model import TrainedModel, model_for_fold
from monai_consingan.models.training import check_device
from monai_consingan.settings import training_from_dict
from monai_consingan.whole_file import unwritable
from monai_consingan.workflows.augmentation.make import ScanMaker
from monai_consingan.workflows.augmentation.maker import CaseMaker
from monai_consingan.workflows.augmentation.plan import ScanTask
from monai_consingan.workflows.augmentation.run_folder import RunFolder
from monai_consingan.workflows.augmentation.survey import survey_scan
from monai_consingan.workflows.augmentation.twins import TwinMaker
from monai_consingan.workflows.data_sets.records import ScanRecord, without_paths


def survey_one(path: Path, record: ScanRecord) -> tuple[str, str | None]:
    """Read one scan, in whichever process; its name and what went wrong."""
    folder = RunFolder(path)
    if folder.survey(record.name) is not None:
        return record.name, None

    def survey() -> None:
        """Survey the scan and keep what was found."""
        settings = folder.settings
        how = settings.lesion_labels, settings.axis, settings.lead, settings.dims
        found = survey_scan(record, *how, measure=isinstance(settings, AugmentSettings))
        folder.write(f"surveys/{record.name}.json", found.as_dict())

    return record.name, _told(folder, record.name, survey)


def make_one(path: str, token: str, bank: str, device: str, task: ScanTask) -> tuple[str, str | None]:
    """Make one synthetic scan, in whichever process; its name and what went wrong."""
    folder = _folder(path, token)
    if folder.outcome(task.name) is not None:
        return task.name, None

    def make() -> None:
        """Make the case in a place of its own, and keep it when it is whole."""
        with folder.workplace(task.name) as place:
            folder.complete(place, _maker(path, token, bank, device, task.fold).make(task, place))

    return task.name, _told(folder, task.name, make)


def _told(folder: RunFolder, name: str, work: Callable[[], None]) -> str | None:
    """Do some work and keep what went wrong with it, without the paths of scans, so that the rest goes on.

    Returns:
        What went wrong, with the paths, for the user who waits; ``None`` if nothing did.
    """
    error = None
    try:
        work()
    except Exception as exception:  # of one scan, whatever it is
        if isinstance(exception, OSError):  # of what is written, as what is read has sentences of its own
            exception = unwritable(folder.path, exception)
        error = " ".join(f"{exception}".split()) or type(exception).__name__
        if not isinstance(exception, ConSinGANError):
            error = f"{type(exception).__name__}: {error}"
    folder.keep_error(name, None if error is None else without_paths(error, folder.scans.records))
    return error


def host_models(bank: str | Path, settings: CaseSettings, run: Mapping[str, Any], fold: int | None) -> HostModels:
    """The models of a fold's hosts as a run asks for them.

    Raises:
        ConSinGANError: what it asks for does not fit together.
    """
    training = training_from_dict(run["training"])
    start = run.get("start")
    rule = {**run["rule"], "start": None if start is None else model_for_fold(start, fold)}
    return HostModels(bank, training.task, training, axis=settings.axis, seed=settings.seed, **rule)


@lru_cache(maxsize=1)
def _folder(path: str, token: str) -> RunFolder:
    """The folder of a run, what was asked for being read once by every process."""
    return RunFolder(path)


@lru_cache(maxsize=1)
def _maker(path: str, token: str, bank: str, device: str, fold: int | None) -> CaseMaker[Any]:
    """What makes the scans of a fold of a run, read once by every process."""
    folder = _folder(path, token)
    run, settings = folder.run, folder.settings
    redraws: dict[str, Any] = {}
    if settings.redrawn is not None:
        check_device(device)
        file = None if run["model"] is None else model_for_fold(run["model"], fold)
        redraws = {
            "models": host_models(bank, settings, run, fold),
            "blend": BlendSettings(**run["blend"]),
            "cohort": None if file is None else (TrainedModel.load(file), file_sha256(file)),
            "device": device,
        }
    if isinstance(settings, TwinSettings):
        return TwinMaker(folder.scans, folder.surveys(), settings, **redraws)
    given = run.get("donors")
    surveys = folder.surveys() | folder.donors()
    return ScanMaker(folder.scans, surveys, settings, **redraws, bank=None if given is None else given["bank"])
