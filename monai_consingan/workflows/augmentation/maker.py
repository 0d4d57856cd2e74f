"""What `augment` and `twins` share: each lesion is tried, checked and refused, and its scan's provenance is written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from cachetools import LRUCache, cachedmethod
from monai.data import MetaTensor

from monai_consingan.arrays import as_array, wrap_like
from monai_consingan.data import SequenceFiles, save_sequences, slice_axis, work_dims
from monai_consingan.data.sequences import sequence_names
from monai_consingan.data_set_settings import CaseSettings
from monai_consingan.errors import ConSinGANError
from monai_consingan.figures.lesion_card import grey_range, save_cards
from monai_consingan.methods import BlendSettings
from monai_consingan.models.hosts import HostModels
from monai_consingan.models.model import TrainedModel, dims_to_train
from monai_consingan.workflows.augmentation.case import Case, Refusal, refused
from monai_consingan.workflows.augmentation.plan import ScanTask
from monai_consingan.workflows.augmentation.survey import ScanSurvey
from monai_consingan.workflows.data_sets.records import ScanRecord, ScanSet, load_files, load_lesions
from monai_consingan.workflows.outputs import versions
from monai_consingan.workflows.review import CARDS

Settings = TypeVar("Settings", bound=CaseSettings)
Result = TypeVar("Result")


@dataclass
class CaseMaker(ABC, Generic[Settings]):
    """Makes the synthetic scans of a data set, each of which depends on its task only.

    Args:
        scans: the data set.
        surveys: what is known of its training scans, by their names.
        settings: what the user asks for.
        models: models of hosts, where the method has them redraw; ``None`` where nothing is redrawn.
        blend: where a redrawn image is used.
        cohort: one model for all hosts instead, and its name.
        device: where to train.
    """

    scans: ScanSet
    surveys: Mapping[str, ScanSurvey]
    settings: Settings
    models: HostModels | None = None
    blend: BlendSettings = field(default_factory=BlendSettings)
    cohort: tuple[TrainedModel, str] | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        self.records = {record.name: record for record in self.scans.records}
        self.versions, self.asked, self.ways = versions(), self.settings.as_dict(), self.settings.ways
        self.last_host = LRUCache[Any, Any](1)

    @cached_property
    def _seen(self) -> list[ScanRecord]:
        """The scans of the data set that the model for all hosts has seen, or that from which theirs start."""
        start = None if self.models is None else self.models.start
        given = start if self.cohort is None else self.cohort[0]
        return [] if given is None else self.scans.with_files(given.sources)

    def make(self, task: ScanTask, folder: Path) -> dict[str, Any]:
        """Make a synthetic scan.

        Args:
            task: which one.
            folder: folder for ``image``, ``label``, and ``instances`` or ``removed``, the numbers of lesions.

        Returns:
            Its provenance. Its ``status`` is ``"made"``, or ``"dropped"`` where too few lesions passed; there are no
            files then.

        Raises:
            ConSinGANError: a file that cannot be used or written.
        """
        case = self._case(task)
        details = self.change(case)
        made, models, numbers = details.pop("made"), self.models, self.settings.numbers
        if made:
            changed = as_array(case.image) != as_array(case.original)
            paths, names = case.output_paths(self.scans, numbers), case.sequence_numbers(self.scans)
            save_sequences(folder, "image", case.image, case.files, alteration=changed, names=names)
            case.files.save_label(folder, "label", case.label)
            case.files.save_label(folder, numbers, case.numbers)
            ranges = grey_range(case.original) if case.lesions else None
            for lesion in case.lesions:
                shown: dict[str, Any] = {"before": case.original, "after": case.image, "ranges": ranges}
                mask = (case.numbers == lesion["instance"])[None]
                save_cards(folder / CARDS, task.name, lesion["instance"], **shown, mask=mask)
        return {
            "name": task.name,
            "synthetic": True,
            "status": "made" if made else "dropped",
            **(paths if made else {"files": {}, "provenance": f"dropped/{task.name}.json"}),
            "host": self.source(task.host),
            "fold": task.fold,
            "seeds": {"settings": self.settings.seed},
            "axis": case.axis,
            "dims": case.dims,
            "sequences": list(sequence_names(case.original)),
            "lesions": case.lesions,
            "refused": case.refused,
            "settings": self.asked,
            "training": None if models is None else models.settings.for_dims(case.dims).as_dict(),
            "blend": None if models is None else self.blend.as_dict(),
            "model": "" if case.model is None else case.model[1],
            "versions": self.versions,
            "warnings": case.warnings + ([case.no_model] if case.no_model else []),
            **details,
        }

    @abstractmethod
    def change(self, case: Case) -> dict[str, Any]:
        """Put the lesions in or take them out.

        Args:
            case: the scan, which is changed.

        Returns:
            What the provenance tells besides, and ``made``: whether enough lesions passed.
        """

    def attempt(
        self, case: Case, change: Callable[[str], Result], **about: Any
    ) -> tuple[Result, dict[str, Any]] | None:
        """Change a scan by the method that is asked for or by the one to fall back to.

        Args:
            case: the scan.
            change: makes the result by the method of a name, or raises a :py:class:`Refusal`.
            about: what is told of its refusals.

        Returns:
            The result, and what is told of how it came; ``None`` where every method was refused.
        """
        warnings: list[str] = []
        for how in self.ways:
            try:
                return change(how), {"how": how, "warnings": warnings}
            except Refusal as refusal:
                case.refuse(refusal, **about)
                warnings.append(f"{how}: {refusal}")
        return None

    def redraw(self, case: Case, naive: MetaTensor, mask: Any, host: MetaTensor, how: str) -> MetaTensor:
        """What the scan's model makes of an image with a pasted or filled lesion.

        Raises:
            Refusal: there is no model, or it does not fit.
        """
        models, model = self.require_model(case, how)
        with refused("does not fit", how):
            image: MetaTensor = models.redraw(naive, mask, host, model, self.blend)
        return image

    def require_model(self, case: Case, how: str) -> tuple[HostModels, TrainedModel]:
        """What redraws, and the scan's model.

        Raises:
            Refusal: there is none.
        """
        if self.models is None or case.model is None:
            raise Refusal("no model", case.no_model, how)
        return self.models, case.model[0]

    def source(self, name: str) -> dict[str, Any]:
        """What is told of a scan: its name in the data set and its hashes, and not its path, which may name people."""
        survey = self.surveys.get(name)
        if survey is None:
            return {"scan": name}
        more = {"more_sha256": list(survey.more_sha256)} if survey.more_sha256 else {}
        return {"scan": name, "image_sha256": survey.image_sha256, "label_sha256": survey.label_sha256, **more}

    @cachedmethod(attrgetter("last_host"))
    def _read(self, host: str) -> tuple[MetaTensor, SequenceFiles, MetaTensor | None, np.ndarray]:
        """Scan, files, label and numbers of lesions of a host, which is read once for scans that are made in turn."""
        record = self.records[host]
        image, files = load_files(record)
        return (image, files, *load_lesions(record, image, self.settings.lesion_labels))

    def _case(self, task: ScanTask) -> Case:
        record = self.records[task.host]
        image, files, label, numbers = self._read(task.host)
        numbers = numbers.copy()
        values = np.zeros((1, *image.shape[1:]), np.int16) if label is None else as_array(label)
        axis = slice_axis(image, self.settings.axis)
        measured = work_dims(image, self.settings.axis, self.settings.dims)
        dims = measured
        if self.models is not None:
            dims = work_dims(image, self.settings.axis, dims_to_train(self.models.settings, image))
        case = Case(
            task, record, files, image, image, wrap_like(values, image), numbers, axis, dims, measured, self.cohort
        )
        if self.models is None:
            return case
        case.warnings += self.scans.leaks(self._seen, [record.fold])
        if self.cohort is None:
            lesions = wrap_like((numbers > 0)[None].astype(np.uint8), image)
            try:
                model = self.models.prepare(image, lesions, device=self.device)
                case.model = model, self.models.key(image, lesions)
            except ConSinGANError as error:
                case.no_model = str(error)
        return case
