"""Lesion-free twins: the scans of a data set with all their lesions removed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from monai.data import MetaTensor

from monai_consingan.arrays import as_array, image_identity, spacing_of, wrap_like
from monai_consingan.data.lesions import lesion_apart, lesion_voxels, number_lesions
from monai_consingan.data_set_settings import TwinSettings
from monai_consingan.distance import ball_diameter
from monai_consingan.metrics import TissueLevel, Where, removal_measures, tissue_levels
from monai_consingan.transforms import FilledLesion, FillLesion, RemoveLesion
from monai_consingan.transforms.removal.known import known_head
from monai_consingan.transforms.removal.symmetry import SymmetryPlane
from monai_consingan.workflows.augmentation.case import Case, Refusal, refused, require
from monai_consingan.workflows.augmentation.maker import CaseMaker


class TwinMaker(CaseMaker[TwinSettings]):
    """Makes the lesion-free twins of a data set."""

    def change(self, case: Case) -> dict[str, Any]:
        """Take all lesions out, one after the other; see :py:meth:`CaseMaker.change`."""
        settings, values, touched = self.settings, as_array(case.label)[0], case.numbers > 0
        removed = touched
        if settings.lesion_labels:
            removed = touched & lesion_voxels(values, (*settings.lesion_labels, *settings.fill_labels))
            case.numbers = number_lesions(removed.astype(np.uint8))
        count = int(case.numbers.max(initial=0))
        symmetry = self._symmetry(case) if count > 1 else settings.symmetry
        how: dict[str, Any] = {"train_on": "image", "axis": settings.axis, "dims": case.dims}  # models are hosts' own
        fill = FillLesion(settings.fillings, symmetry, settings.margin_mm, **how)
        case.label = wrap_like(np.where(removed, 0, values)[None], case.original)
        original, mm = as_array(case.original), spacing_of(case.original)
        levels, mark = tissue_levels(case.original), image_identity(original)
        for number in range(1, count + 1):
            inside = case.numbers == number
            marks = lesion_apart(values, inside, case.numbers > 0)[None]
            try:
                with refused("cannot be filled"):
                    head = known_head(mark, original, mm)  # found once for all of its lesions
                    which = np.unique(values[inside]).tolist()
                    filled = fill(case.image, wrap_like(marks, case.image), lesion_labels=which, head=head)
            except Refusal as refusal:
                case.refuse(refusal, lesion=number)
                break
            done = self.attempt(case, partial(self._remove, case, filled, levels), lesion=number)
            if done is None:
                break
            (case.image, measures), how = done
            size = ball_diameter(np.count_nonzero(case.numbers == number) * math.prod(mm), case.numbers.ndim)
            case.lesions.append({"instance": number, "diameter_mm": size, "filling": filled.method, **measures, **how})
        left = np.unique(values[touched & ~removed]).tolist()
        return {"made": len(case.lesions) == count > 0, "labels_left": left}

    def _symmetry(self, case: Case) -> str | float | SymmetryPlane:
        """Where left mirrors to right in a scan as it is, found once for all of its lesions."""
        settings = self.settings
        removal = RemoveLesion(
            settings.fillings, symmetry=settings.symmetry, margin_mm=settings.margin_mm, axis=case.across
        )
        found = removal.of_host(case.image, (case.numbers > 0)[None])
        return next((plane for plane, _ in found.values() if plane is not None), settings.symmetry)

    def _remove(
        self, case: Case, filled: FilledLesion, levels: Sequence[TissueLevel], how: str
    ) -> tuple[MetaTensor, dict[str, Any]]:
        """The image without the lesion by one method, and its measures, which pass the checks."""
        image = filled.image
        if how == "consingan":
            image = self.redraw(case, image, filled.mask, case.original, how)
        lead = self.settings.lead if len(case.image) > 1 else None
        where = Where(filled.axis, case.measured, lead, filled.label, levels)
        with refused("no measure", how):
            found = removal_measures({"": image}, filled.mask, filled.lesion, case.original, where)
        measures = {name: found[name] for name in ("seam", "contrast_kept")}
        in_space = ("seam_through", "level_jump_through")
        through = {name: found[name] for name in in_space if math.isfinite(found.get(name, math.nan))}
        limits = {"seam": self.settings.most_seam, "contrast_kept": self.settings.most_contrast}
        sizes = {**measures, "contrast_kept": abs(measures["contrast_kept"])}
        require(sizes, {name: (-math.inf, most) for name, most in limits.items()}, how)
        if "sequences" not in found:
            return image, {**measures, **through}
        each = {name: {key: table[key] for key in measures} for name, table in found["sequences"].items()}
        for table in each.values():
            known = {name: abs(value) for name, value in table.items() if math.isfinite(value)}
            require(known, {name: (-math.inf, limits[name]) for name in known}, how)
        return image, {**measures, **through, "lead": found["lead"], "sequences": each}
