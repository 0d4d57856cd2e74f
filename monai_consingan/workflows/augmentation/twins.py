"""Lesion-free twins: the scans of a data set with all their lesions removed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from monai.data import MetaTensor

from monai_consingan.arrays import as_array, wrap_like
from monai_consingan.data import output_suffix, save_label_like, save_like, slice_axis
from monai_consingan.data_set_settings import TwinSettings
from monai_consingan.errors import ConSinGANError
from monai_consingan.methods import BlendSettings
from monai_consingan.metrics import removal_measures
from monai_consingan.models.hosts import HostModels
from monai_consingan.models.model import TrainedModel
from monai_consingan.transforms import FilledLesion, FillLesion
from monai_consingan.workflows.augmentation.checks import Refusal
from monai_consingan.workflows.augmentation.plan import ScanTask
from monai_consingan.workflows.augmentation.put import Redrawer
from monai_consingan.workflows.augmentation.records import ScanSet
from monai_consingan.workflows.augmentation.survey import ScanSurvey, describe_scan, load_pair
from monai_consingan.workflows.report import versions

__all__ = ["TwinMaker"]


@dataclass
class TwinMaker:
    """Makes the lesion-free twins of a data set, each of which depends on its scan only.

    Args:
        scans: the data set.
        surveys: what is known of its training scans, by their names.
        settings: what the user asks for.
        models: models of hosts, for editing; needed for the method ``"consingan"``.
        blend: where a redrawn image is used.
        cohort: one model for all hosts instead, and its name.
        device: where to train.
    """

    scans: ScanSet
    surveys: Mapping[str, ScanSurvey]
    settings: TwinSettings
    models: HostModels
    blend: BlendSettings
    cohort: tuple[TrainedModel, str] | None = None
    device: str = "cpu"

    def make(self, task: ScanTask, folder: Path) -> dict[str, Any]:
        """Make a twin.

        Args:
            task: which one.
            folder: folder for ``image``, ``label`` and ``removed``, the numbers of the lesions that were there.

        Returns:
            Its provenance. Its ``status`` is ``"made"``, or ``"dropped"`` where a lesion could not be removed; there
            are no files then.

        Raises:
            ConSinGANError: a file that cannot be used or written.
        """
        record = next(record for record in self.scans.records if record.name == task.host)
        original, label, numbers = load_pair(record, self.settings.lesion_labels)
        redrawer, no_model = self._redrawer(original, numbers)
        image = original
        lesions: list[dict[str, Any]] = []
        refused: list[dict[str, Any]] = []
        for number in range(1, int(numbers.max(initial=0)) + 1):
            image, lesion = self._remove(image, original, numbers, number, redrawer, no_model, refused)
            if lesion is None:
                break
            lesions.append({"instance": number, **lesion})
        made = len(lesions) == int(numbers.max(initial=0)) > 0
        suffix = output_suffix(original)
        if made and label is not None:
            save_like(folder / f"image{suffix}", image, original, alteration=as_array(image) != as_array(original))
            kept = np.where(numbers > 0, 0, as_array(label)[0])
            save_label_like(folder / f"label{suffix}", kept, original)
            save_label_like(folder / f"removed{suffix}", numbers, original)
        return {
            "name": task.name,
            "synthetic": True,
            "status": "made" if made else "dropped",
            "files": ["image", "label", "removed"] if made else [],
            "suffix": suffix,
            "host": describe_scan(task.host, self.surveys),
            "fold": task.fold,
            "seeds": {"settings": self.settings.seed},
            "axis": slice_axis(original, self.settings.axis),
            "lesions": lesions,
            "refused": refused,
            "settings": self.settings.as_dict(),
            "training": self.models.settings.as_dict() if self.settings.method == "consingan" else None,
            "blend": self.blend.as_dict() if self.settings.method == "consingan" else None,
            "model": "" if redrawer is None else redrawer.key,
            "versions": versions(),
            "warnings": [no_model] if no_model else [],
        }

    def _redrawer(self, image: MetaTensor, numbers: np.ndarray) -> tuple[Redrawer | None, str]:
        """The host's model, or why there is none."""
        if self.settings.method != "consingan":
            return None, ""
        if self.cohort is not None:
            return Redrawer(self.models, *self.cohort, self.blend), ""
        label = wrap_like((numbers > 0)[None].astype(np.uint8), image)
        try:
            model = self.models.prepare(image, label, device=self.device)
        except ConSinGANError as error:
            return None, str(error)
        return Redrawer(self.models, model, self.models.key(image, label), self.blend), ""

    def _remove(
        self,
        image: MetaTensor,
        original: MetaTensor,
        numbers: np.ndarray,
        number: int,
        redrawer: Redrawer | None,
        no_model: str,
        refused: list[dict[str, Any]],
    ) -> tuple[MetaTensor, dict[str, Any] | None]:
        """The image without one more lesion, and how that came; ``None`` if it cannot be removed."""
        marks = np.where(numbers == number, 1, np.where(numbers > 0, 2, 0))[None].astype(np.int16)
        fill = FillLesion(
            self.settings.fillings, self.settings.symmetry, self.settings.margin_mm, axis=self.settings.axis
        )
        told: list[dict[str, Any]] = []
        try:
            filled = fill(image, wrap_like(marks, image), lesion_labels=[1])
        except ConSinGANError as error:
            refused.append({"lesion": number, **Refusal("cannot be filled", str(error)).as_dict()})
            return image, None
        methods = dict.fromkeys((self.settings.method or "fill", self.settings.on_failure))
        methods.pop("drop", None)
        for how in methods:
            try:
                result, measures = self._result(filled, original, redrawer, no_model, how)
            except Refusal as refusal:
                told.append({"lesion": number, **refusal.as_dict()})
                continue
            refused += told
            warnings = [f"{refusal['how']}: {refusal['detail']}" for refusal in told]
            return result, {"how": how, "filling": filled.method, **measures, "warnings": warnings}
        refused += told
        return image, None

    def _result(
        self, filled: FilledLesion, original: MetaTensor, redrawer: Redrawer | None, no_model: str, how: str
    ) -> tuple[MetaTensor, dict[str, float]]:
        result = filled.image
        if how == "consingan":
            if redrawer is None:
                raise Refusal("no model", no_model, how)
            try:
                result = redrawer.models.redraw(result, filled.mask, original, redrawer.model, redrawer.blend)
            except ConSinGANError as error:
                raise Refusal("does not fit", str(error), how) from error
        try:
            found = removal_measures(
                {"": result}, filled.mask, filled.lesion, original, others=filled.label, axis=filled.axis
            )
        except ConSinGANError as error:
            raise Refusal("no measure", str(error), how) from error
        measures = {"seam": found["seam"], "contrast_kept": found["contrast_kept"]}
        for name, value, most in (
            ("seam", measures["seam"], self.settings.most_seam),
            ("contrast_kept", abs(measures["contrast_kept"]), self.settings.most_contrast),
        ):
            if not (math.isfinite(value) and value <= most):
                raise Refusal(name, f"{name.replace('_', ' ')} is {value:.2f}, above {most:.2f}", how)
        return result, measures
