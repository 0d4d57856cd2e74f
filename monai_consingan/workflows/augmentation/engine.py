"""What every augmentation does: read all scans, make what is still to be made, and write the lists of the result."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from monai_consingan.data import file_sha256
from monai_consingan.data_set_settings import AugmentSettings, CaseSettings
from monai_consingan.errors import ConSinGANError, ConSinGANWarning
from monai_consingan.folder_lock import leaving_nothing, locked, locked_part
from monai_consingan.methods import BlendSettings
from monai_consingan.models.model import ModelRequest, fold_models, model_file, model_for_fold
from monai_consingan.progress_bar import progress_bar
from monai_consingan.settings import Training
from monai_consingan.workflows.augmentation.donors import describe_donors, survey_bank
from monai_consingan.workflows.augmentation.merge import write_outcome
from monai_consingan.workflows.augmentation.run_folder import RunFolder
from monai_consingan.workflows.augmentation.survey import ScanSurvey
from monai_consingan.workflows.augmentation.work import host_models, make_one, survey_one
from monai_consingan.workflows.augmentation.workers import Execution, Workers, start_workers
from monai_consingan.workflows.data_sets.records import ScanSet


@dataclass
class Run:
    """An augmentation in one go, or a part of it.

    Args:
        scans: the data set.
        output: folder for the result.
        settings: what the synthetic scans depend on.
        how: how the work is done.
        asked: the models of hosts; instead of a model, a folder with one for each fold will do, and without a bank
            there is one in the output.
        rule: what a host's model is trained on.
        donors: bank of lesions to take instead of the scans' own.
    """

    scans: ScanSet
    output: str | Path
    settings: CaseSettings
    how: Execution
    asked: ModelRequest
    rule: dict[str, int | None]
    donors: str | Path | None = None

    def __post_init__(self) -> None:
        self.folder = RunFolder(self.output)

    def begin(self) -> None:
        """Note in the folder what is asked for, or find that it is what was asked for before.

        Raises:
            ConSinGANError: as :py:meth:`RunFolder.ask`, or the model cannot be used.
        """
        settings = self.settings
        asked: dict[str, Any] = {
            "command": settings.command,
            "settings": settings.as_dict(),
            "training": self._training_of_models().as_dict(),
            "blend": (self.asked.blend or settings.redrawn or BlendSettings()).as_dict(),
            **_named("model", self.asked.model),
            "rule": self.rule,
            "maps": _hashes_of_maps(self.scans, settings),
            **self._donors(),
        }
        if self.asked.start is not None:
            asked |= _named("start", self.asked.start)
        host_models(self._bank, settings, asked, self._folds[0])  # which refuses what does not fit together
        self.folder.ask(self.scans, asked)

    @property
    def _folds(self) -> list[int | None]:
        """The folds of the training scans; ``None`` for those without one."""
        return list(dict.fromkeys(record.fold for record in self.scans.of("training")))

    def _training_of_models(self) -> Training:
        """The settings of what redraws, models that are given included; warns of those that leak between folds.

        Raises:
            ConSinGANError: what is given cannot be used, or does not fit together.
        """
        task, dims = self.settings.task, None if self.settings.redrawn is None else self.settings.dims
        model, start = self.asked.model, self.asked.start
        if (model is None) == (start is None):
            return replace(self.asked, bank=None).load(task, dims)[0]
        by_file: dict[Path, list[int | None]] = {}
        for fold in self._folds:
            by_file.setdefault(model_for_fold(model or start or "", fold), []).append(fold)
        found = []
        for file, folds in by_file.items():
            given: dict[str, Any] = {"start" if model is None else "model": file}
            training, used, begun = ModelRequest(self.asked.training, **given).load(task, dims)
            found.append(training)
            seen = [scan for loaded in (used, begun) if loaded for scan in self.scans.with_files(loaded.sources)]
            for leak in self.scans.leaks(seen, folds):
                warnings.warn(leak, ConSinGANWarning, stacklevel=3)
        if any(training != found[0] for training in found):
            raise ConSinGANError(
                f"models of folds in {model or start} have different settings: make them by one cohort --each-fold."
            )
        return found[0]

    @property
    def _bank(self) -> Path:
        """The folder of hosts' models."""
        return self.folder.path / "models" if self.asked.bank is None else Path(self.asked.bank).absolute()

    def _donors(self) -> dict[str, Any]:
        """The bank of lesions, if one is given, and what is known of it."""
        if self.donors is None:
            return {}
        survey = survey_bank(self.donors, self.scans)
        return {"donors": {"bank": str(Path(self.donors).absolute()), "survey": survey.as_dict()}}

    def go(self) -> dict[str, Any]:
        """Do what is still to be done, as the only run that does this part of it.

        Returns:
            The summary: that of :py:func:`merge`, or of this part; its ``failed`` names the files, which the folder's
            own does not.

        Raises:
            ConSinGANError: as :py:meth:`begin`, there is no lesion in the data set, a scan has changed since it was
                read, another run is at work in the folder, or worker processes are killed again and again.
        """
        with leaving_nothing(self.folder.path), ExitStack() as stack:
            with ExitStack() as start:
                start.enter_context(locked(self.folder.path, wait=10.0 if self.how.shard else 0.0))
                self.begin()
                if self.how.shard is None:
                    stack.push(start.pop_all())
                else:
                    number, parts = self.how.shard
                    stack.enter_context(locked_part(self.folder.path, f"{number}-of-{parts}"))
            return self._go()

    def _go(self) -> dict[str, Any]:
        with ExitStack() as stack:
            try:
                workers = stack.enter_context(start_workers(self.how))
            except ConSinGANError:
                if self.how.shard is None:
                    self.folder.undo_if_nothing_is_made()
                raise
            failed = self._work(workers)
        if self.how.shard is None:
            summary = write_outcome(self.folder)
            return {**summary, "failed": {name: failed.get(name, why) for name, why in summary["failed"].items()}}
        part = self.how.part(self.folder.tasks)
        found = [told["status"] for task in part if (told := self.folder.outcome(task.name)) is not None]
        return {"made": found.count("made"), "dropped": found.count("dropped"), "failed": failed}

    def _work(self, workers: Workers) -> dict[str, str]:
        """Read and make what is still to be; what went wrong, by name."""
        folder = self.folder
        hosts = self.how.turned(self.scans.of("training"))
        unread = [host for host in hosts if folder.survey(host.name) is None]
        failed = self._all(workers, partial(survey_one, folder.path), unread, len(unread), "reading")
        self._require_lesions(failed)
        tasks = self.how.part(folder.tasks)
        todo = [task for task in tasks if folder.outcome(task.name) is None]
        # a fold after the other, whose model and donors are read once, and all scans of a host in turn
        todo.sort(key=lambda task: (-1 if task.fold is None else task.fold, task.host))
        folder.check_inputs(all_there=bool(todo))
        work = partial(make_one, str(folder.path), folder.token, str(self._bank), self.how.device)
        return failed | self._all(workers, work, todo, len(tasks), "making")

    def _require_lesions(self, failed: dict[str, str]) -> None:
        surveys, settings = self.folder.surveys(), self.folder.settings
        self._require_same_sequences(list(surveys.values()))
        if isinstance(settings, AugmentSettings):
            found = describe_donors(self.scans, self.folder.donors(), settings)
            usable, reasons = found["donors"], Counter(lesion["why"] for lesion in found["left_out"])
        else:
            usable, reasons = sum(len(survey.lesions) + len(survey.unfit) for survey in surveys.values()), Counter()
        if not usable:
            self.folder.undo_if_nothing_is_made()
            if failed and not surveys:
                raise ConSinGANError(
                    f"data set {self.scans.root} has no training scan that can be used. The first of {len(failed)}, "
                    f"{next(iter(failed))}: {next(iter(failed.values()))}"
                )
            why = [f"{count} x {reason.rstrip('.')}" for reason, count in reasons.items()]
            why += [f"{len(failed)} x a scan that cannot be used"] if failed else []
            raise ConSinGANError(
                f"data set {self.scans.root} has no lesion in its training scans that is of use"
                f"{' (' + ', '.join(why) + ')' if why else ''}: give labels"
                f"{', or another --min-volume, --min-cnr, --sizes or --lesion-labels' if reasons else ''}."
            )

    def _require_same_sequences(self, surveys: list[ScanSurvey]) -> None:
        other = next((survey for survey in surveys if survey.sequences != surveys[0].sequences), None)
        if other is not None:
            self.folder.undo_if_nothing_is_made()
            first, second = (f"{found.scan} has {', '.join(found.sequences)}" for found in (surveys[0], other))
            raise ConSinGANError(
                f"data set {self.scans.root} has scans of different sequences, as {first} and {second}: choose those "
                "that all have, with --sequences or --channel."
            )

    def _all(
        self, workers: Workers, work: Callable[[Any], tuple[str, str | None]], items: list[Any], total: int, what: str
    ) -> dict[str, str]:
        """Do some work for all items, with a bar and the time that is left; what went wrong, by name."""
        bar = progress_bar(total, total - len(items), what, show=bool(self.how.progress and items))
        failed = {}
        with bar:
            for name, error in workers.each(work, items):
                bar.update()
                if error is not None:
                    failed[name] = error
        return failed


def _hashes_of_maps(scans: ScanSet, settings: CaseSettings) -> dict[str, str]:
    """The sha256 of all prior maps and brain masks that may be read, by their paths; "" of what is not there."""
    asked = [getattr(settings, name, "") for name in ("location", "brain")]
    files = {str(record.entry[key]) for record in scans.of("training") for key in asked if record.entry.get(key)}
    files |= {path for path in asked[:1] if (scans.root / path).is_file()}
    return {path: file_sha256(scans.root / path) if (scans.root / path).is_file() else "" for path in sorted(files)}


def _named(name: str, model: str | Path | None) -> dict[str, Any]:
    """What is noted of a model, or of a folder with one for each fold: its path and its hash, or theirs."""
    if model is None:
        return {name: None, f"{name}_sha256": None}
    if files := fold_models(model):
        hashes = {str(fold): file_sha256(file) for fold, file in files.items()}
        return {name: str(Path(model).absolute()), f"{name}_sha256": hashes}
    file = model_file(model)
    return {name: str(file.absolute()), f"{name}_sha256": file_sha256(file)}
