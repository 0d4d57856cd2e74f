"""Augmenting a data set: the survey of its scans, the making of all synthetic scans, and the lists of the result."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from monai_consingan.data import file_sha256
from monai_consingan.errors import ConSinGANError
from monai_consingan.workflows.augmentation.folders import read_scans
from monai_consingan.workflows.augmentation.make import ScanMaker
from monai_consingan.workflows.augmentation.merge import merge
from monai_consingan.workflows.augmentation.plan import ScanTask, plan_tasks
from monai_consingan.workflows.augmentation.records import ScanRecord, ScanSet, without_paths
from monai_consingan.workflows.augmentation.run_folder import RunFolder
from monai_consingan.workflows.augmentation.settings import AugmentSettings
from monai_consingan.workflows.augmentation.survey import survey_scan
from monai_consingan.workflows.augmentation.workers import for_each
from monai_consingan.workflows.device import check_device
from monai_consingan.workflows.host_models import HostModels
from monai_consingan.workflows.model import TrainedModel, given_models, model_file
from monai_consingan.workflows.redraw import BlendSettings
from monai_consingan.workflows.settings import TrainingSettings

__all__ = ["augment"]


def augment(
    data_set: str | Path,
    output: str | Path,
    settings: AugmentSettings | None = None,
    *,
    training: TrainingSettings | None = None,
    blend: BlendSettings | None = None,
    model: str | Path | None = None,
    bank: str | Path | None = None,
    crops: int = 3,
    side: int = 96,
    channel: int | None = None,
    lesion_mask: str | None = None,
    device: str = "cpu",
    jobs: int = 1,
    threads: int = 1,
    shard: tuple[int, int] | None = None,
    progress: bool = False,
) -> dict[str, Any]:
    """Make synthetic training scans of the training scans of a data set.

    Each has the lesions of its host and new ones from donors. Donors and hosts are training scans of the same fold, and
    a synthetic scan belongs to this fold. A run that was killed goes on when it is started again alike, and ends with
    the same files; so do runs with another number of jobs or shards.

    Args:
        data_set: a datalist in JSON, or a folder of nnU-Net's raw data or of BIDS (:py:func:`read_scans`).
        output: folder for ``images`` (each with its provenance in JSON), ``labels``, ``instances`` (the lesions'
            numbers, those of the host first), ``datalist.json`` with the scans of the data set and the new ones,
            ``datalist-fold-N.json`` with training and validation of each fold, ``manifest.csv`` with a row for each new
            lesion, and ``summary.json``.
        settings: what the synthetic scans depend on.
        training: settings of the trainings of hosts' models, by default the preset ``quick``.
        blend: where a redrawn image replaces the pasted one.
        model: model, or folder of a run, to use for all hosts instead.
        bank: folder of models (:py:class:`monai_consingan.workflows.ModelBank`), by default ``models`` in the output.
        crops, side: what a host's model is trained on (:py:class:`monai_consingan.workflows.HostModels`).
        channel, lesion_mask: see :py:func:`read_scans`.
        device: where to train.
        jobs: number of processes.
        threads: threads of each. The results may depend on it in the last bits.
        shard: which part of the synthetic scans to make, such as (1, 4), the first of four. The lists are then made by
            :py:func:`merge`, once all parts are there.
        progress: whether to show progress on the standard error stream.

    Returns:
        The summary, as that of :py:func:`merge`; of a shard, ``made``, ``dropped`` and ``failed`` of this part.

    Raises:
        ConSinGANError: the data set cannot be used, or has no lesion to take; the folder cannot be used, or was begun
            with something else. A single scan that fails is in the summary and keeps no other from being made.

    Example::

        summary = augment("datalist.json", "augmented", AugmentSettings(per_scan=5, lesions=(1, 4)), jobs=4)
    """
    check_device(device)
    for name, count in (("jobs", jobs), ("threads", threads)):
        if count < 1:
            raise ConSinGANError(f"{name} is {count}, but must be 1 or more.")
    number, parts = shard or (1, 1)
    if not 1 <= number <= parts:
        raise ConSinGANError(f"shard is {number}/{parts}: give one of 1/{parts} to {parts}/{parts}.")
    scans = read_scans(data_set, channel=channel, lesion_mask=lesion_mask)
    settings = _located(settings or AugmentSettings(), scans)
    uses_models = settings.method == "consingan"
    training, cohort, _ = given_models("harmonization", training, model if uses_models else None, None)
    folder = RunFolder(output)
    folder.begin(
        scans,
        {
            "settings": settings.as_dict(),
            "training": training.as_dict(),
            "blend": (blend or BlendSettings()).as_dict(),
            "model": None if cohort is None or model is None else str(model_file(model).absolute()),
            "model_sha256": None if cohort is None or model is None else file_sha256(model_file(model)),
            "rule": {"crops": crops, "side": side},
        },
    )
    hosts = scans.of("training")
    start = (number - 1) * len(hosts) // parts  # so that shards that start together begin with different scans
    unread = [host for host in hosts[start:] + hosts[:start] if folder.survey(host.name) is None]
    failed: dict[str, str] = {}
    for name, error in _shown(for_each(partial(_survey, folder.path), unread, jobs, threads), len(unread), progress):
        failed |= {} if error is None else {name: error}
    if not any(survey.lesions for survey in folder.surveys().values()):
        reasons = f" ({next(iter(failed.values()))})" if failed else ""
        raise ConSinGANError(
            f"data set {data_set} has no lesion in its training scans that could be a donor{reasons}: give labels."
        )
    tasks = plan_tasks(scans, settings)[number - 1 :: parts]
    todo = [task for task in tasks if folder.outcome(task.name) is None]
    place = str(Path(bank).absolute() if bank is not None else folder.path / "models")
    work = partial(_make, str(folder.path), folder.token, place, device)
    for name, error in _shown(for_each(work, todo, jobs, threads), len(tasks), progress, len(tasks) - len(todo)):
        failed |= {} if error is None else {name: error}
    if shard is None:
        return merge(output)
    outcomes = [told["status"] for task in tasks if (told := folder.outcome(task.name)) is not None]
    return {"made": outcomes.count("made"), "dropped": outcomes.count("dropped"), "failed": failed}


def _located(settings: AugmentSettings, scans: ScanSet) -> AugmentSettings:
    """The settings with the whole path of the prior map, if that is a file."""
    location = settings.location
    if location in ("alike", "uniform") or any(record.entry.get(location) for record in scans.records):
        return settings
    if not Path(location).exists():
        raise ConSinGANError(
            f"location is {location!r}, which is no file and no key of the scans: give 'alike', 'uniform' or a map."
        )
    return replace(settings, location=str(Path(location).absolute()))


def _shown(results: Iterator[Any], total: int, progress: bool, done: int = 0) -> Iterator[Any]:
    """Results, with a bar and the time that is left."""
    bar = tqdm(
        total=total,
        initial=done,
        desc="scans",
        disable=not progress,
        mininterval=0.2 if sys.stderr.isatty() else 15.0,
        bar_format="{desc} {percentage:3.0f}%|{bar:30}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}]",
    )
    with bar:
        for result in results:
            bar.update()
            yield result


def _survey(path: Path, record: ScanRecord) -> tuple[str, str | None]:
    """Read one scan, in whichever process; its name and what went wrong."""
    folder = RunFolder(path)
    if folder.survey(record.name) is not None:
        return record.name, None
    return record.name, _told(folder, record.name, lambda: folder.keep_survey(survey_scan(record, folder.settings)))


def _make(path: str, token: str, bank: str, device: str, task: ScanTask) -> tuple[str, str | None]:
    """Make one synthetic scan, in whichever process; its name and what went wrong."""
    folder = RunFolder(path)
    if folder.outcome(task.name) is not None:
        return task.name, None

    def make() -> None:
        with folder.workplace(task.name) as place:
            folder.complete(place, _maker(path, token, bank, device).make(task, place))

    return task.name, _told(folder, task.name, make)


def _told(folder: RunFolder, name: str, work: Any) -> str | None:
    """Do some work and keep what went wrong with it, so that the rest goes on."""
    error = None
    try:
        work()
    except Exception as exception:  # of one scan, whatever it is
        error = " ".join(f"{exception}".split()) or type(exception).__name__
        if not isinstance(exception, (ConSinGANError, OSError)):
            error = f"{type(exception).__name__}: {error}"
    folder.keep_error(name, None if error is None else without_paths(error, folder.scans.records))
    return error


@lru_cache(maxsize=1)
def _maker(path: str, token: str, bank: str, device: str) -> ScanMaker:
    """What makes the scans of a run, read once by every process."""
    folder = RunFolder(path)
    run = folder.run
    cohort = None if run["model"] is None else (TrainedModel.load(run["model"]), run["model_sha256"])
    training = TrainingSettings.from_dict(run["training"])
    models = HostModels(
        bank, "harmonization", training, axis=folder.settings.axis, seed=folder.settings.seed, **run["rule"]
    )
    blend = BlendSettings(**run["blend"])
    return ScanMaker(folder.scans, folder.surveys(), folder.settings, models, blend, cohort, device)
