"""Making one synthetic scan: its files and where they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from monai_consingan.arrays import as_array, spacing_of, wrap_like
from monai_consingan.data import load_scan, output_suffix, save_label_like, save_like, slice_axis, to_host_grid
from monai_consingan.data_set_settings import AugmentSettings
from monai_consingan.errors import ConSinGANError
from monai_consingan.methods import BlendSettings
from monai_consingan.models.hosts import HostModels
from monai_consingan.models.model import TrainedModel
from monai_consingan.transforms.insertion.search import Room
from monai_consingan.workflows.augmentation.checks import Limits, Refusal
from monai_consingan.workflows.augmentation.donors import Donors
from monai_consingan.workflows.augmentation.plan import LesionDraw, ScanTask, donors_of, draw_lesion
from monai_consingan.workflows.augmentation.put import HostScan, PutLesion, Redrawer, put_lesion
from monai_consingan.workflows.augmentation.records import ScanRecord, ScanSet, without_paths
from monai_consingan.workflows.augmentation.survey import Lesion, ScanSurvey, describe_scan, load_pair, seam_range
from monai_consingan.workflows.report import versions

__all__ = ["ScanMaker"]


@dataclass
class ScanMaker:
    """Makes the synthetic scans of a data set, each of which depends on its task only.

    Args:
        scans: the data set.
        surveys: what is known of its training scans, by their names.
        settings: what the user asks for.
        models: models of hosts; needed by some methods.
        blend: where a redrawn image is used.
        cohort: one model for all hosts instead, and its name.
        device: where to train.
    """

    scans: ScanSet
    surveys: Mapping[str, ScanSurvey]
    settings: AugmentSettings
    models: HostModels
    blend: BlendSettings
    cohort: tuple[TrainedModel, str] | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        self.records = {record.name: record for record in self.scans.records}
        self.lesions: list[Lesion] = [lesion for survey in self.surveys.values() for lesion in survey.lesions]
        self.limits = Limits(seam_range(self.lesions, self.settings.seam_margin), self.settings.contrast_range)
        self.donors = Donors(self.records, self.settings.lesion_labels)

    def make(self, task: ScanTask, folder: Path) -> dict[str, Any]:
        """Make a synthetic scan.

        Args:
            task: which one.
            folder: folder for ``image``, ``label`` and ``instances``.

        Returns:
            Its provenance. Its ``status`` is ``"made"``, or ``"dropped"`` where too few lesions passed; there are no
            files then.

        Raises:
            ConSinGANError: a file that cannot be used or written.
        """
        record = self.records[task.host]
        original, label, instances = load_pair(record, self.settings.lesion_labels)
        own = int(instances.max(initial=0))
        host = self._host(record, original, label, instances)
        rng = np.random.RandomState(task.seed)
        count = int(rng.randint(self.settings.lesions[0], self.settings.lesions[1] + 1))
        lesions: list[dict[str, Any]] = []
        refused: list[dict[str, Any]] = []
        donors = donors_of(record, self.scans.records, self.lesions)
        for _ in range(count):
            found = self._one(host, donors, rng, refused)
            if found is None:
                continue
            draw, put = found
            number = own + len(lesions) + 1
            host.image, host.label = put.pasted.image, put.pasted.label
            host.instances[as_array(put.pasted.mask)[0] > 0] = number
            lesions.append(self._describe(number, draw, put))
        made = len(lesions) >= self.settings.lesions[0]
        if made:
            self._save(folder, host, original)
        warnings = [] if record.label is not None else ["the host has no label: it counts as free of lesions"]
        if len(lesions) < count:
            warnings.append(f"{len(lesions)} of {count} lesions passed")
        return {
            "name": task.name,
            "synthetic": True,
            "status": "made" if made else "dropped",
            "files": ["image", "label", "instances"] if made else [],
            "suffix": output_suffix(original),
            "host": describe_scan(record.name, self.surveys),
            "own_lesions": own,
            "fold": task.fold,
            "seeds": {"scan": task.seed, "settings": self.settings.seed},
            "axis": host.axis,
            "lesions": lesions,
            "refused": refused,
            "settings": {**self.settings.as_dict(), "location": Path(self.settings.location).name},
            "limits": {"seam": self.limits.seam, "contrast_kept": self.limits.contrast},
            "training": self.models.settings.as_dict() if self.settings.redrawn else None,
            "blend": self.blend.as_dict() if self.settings.redrawn else None,
            "model": "" if host.redrawer is None else host.redrawer.key,
            "versions": versions(),
            "warnings": warnings + ([host.no_model] if host.no_model else []),
        }

    def _one(
        self, host: HostScan, donors: Sequence[Lesion], rng: np.random.RandomState, refused: list[dict[str, Any]]
    ) -> tuple[LesionDraw, PutLesion] | None:
        """One lesion in as many attempts as it may take."""
        for _ in range(self.settings.attempts):
            try:
                draw = draw_lesion(donors, self.settings, rng)
            except ConSinGANError as error:
                refused.append(Refusal("no donor", str(error)).as_dict())
                return None
            told = {"donor": {"scan": draw.donor.scan, "lesion": draw.donor.number}}
            try:
                crop = self.donors.turned(draw, host.image, host.axis)
            except ConSinGANError as error:
                detail = without_paths(str(error), [self.records[draw.donor.scan]])
                refused.append({**told, **Refusal("donor unfit", detail).as_dict()})
                continue
            put, refusals = put_lesion(host, crop, draw.seed, self.settings, self.limits, draw.donor.contrast)
            refused += [{**told, **refusal.as_dict()} for refusal in refusals]
            if put is not None:
                return draw, put
        return None

    def _host(self, record: ScanRecord, image: Any, label: Any, instances: np.ndarray) -> HostScan:
        axis = slice_axis(image, self.settings.axis)
        values = np.zeros(image.shape, np.int16) if label is None else as_array(label)
        scan, mm = as_array(image)[0], spacing_of(image)
        host = HostScan(
            image=image,
            label=wrap_like(values, image),
            instances=instances,
            room=Room.of(scan, mm, self._brain(record, image)).narrowed(scan, mm),
            axis=axis,
            prior=self._prior(record, image),
        )
        if self.settings.redrawn is not None:
            try:
                host.redrawer = self._redrawer(image)
            except ConSinGANError as error:
                host.no_model = str(error)
        return host

    def _redrawer(self, image: Any) -> Redrawer:
        if self.cohort is not None:
            return Redrawer(self.models, *self.cohort, self.blend)
        model = self.models.prepare(image, device=self.device)
        return Redrawer(self.models, model, self.models.key(image), self.blend)

    def _prior(self, record: ScanRecord, image: Any) -> np.ndarray | None:
        location = self.settings.location
        if location == "alike":
            return None
        if location == "uniform":
            return np.ones(image.shape[1:])
        return self._map(record.entry.get(location) or location, image, "prior map")

    def _brain(self, record: ScanRecord, image: Any) -> np.ndarray | None:
        path = record.entry.get(self.settings.brain) if self.settings.brain else None
        return None if path is None else self._map(path, image, f"brain mask of {record.name}") > 0.5

    def _map(self, path: str, image: Any, name: str) -> np.ndarray:
        """A map that belongs to a scan or to all, on the grid of one."""
        return as_array(to_host_grid(load_scan(self.scans.root / path, name=name), image))[0]

    def _describe(self, number: int, draw: LesionDraw, put: PutLesion) -> dict[str, Any]:
        return {
            "instance": number,
            **draw.as_dict(),
            "donor": {**describe_scan(draw.donor.scan, self.surveys), "lesion": draw.donor.number},
            "size": draw.donor.size,
            "diameter_mm": draw.donor.diameter_mm * draw.scale,
            "placement": put.placement.as_dict(),
            "how": put.how,
            **put.measures,
            "warnings": [f"{refusal.how}: {refusal}" for refusal in put.refusals],
        }

    @staticmethod
    def _save(folder: Path, host: HostScan, original: Any) -> None:
        suffix = output_suffix(original)
        changed = as_array(host.image) != as_array(original)
        save_like(folder / f"image{suffix}", host.image, original, alteration=changed)
        save_label_like(folder / f"label{suffix}", host.label, original)
        save_label_like(folder / f"instances{suffix}", host.instances, original)
