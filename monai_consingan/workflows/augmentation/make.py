"""Synthetic scans with more lesions than their hosts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
from cachetools import LRUCache, cachedmethod
from monai.data import MetaTensor

from monai_consingan.arrays import as_array, in_all, wrap_like
from monai_consingan.data import load_scan
from monai_consingan.data.grid import chances_on_grid
from monai_consingan.data.lesions import lesion_voxels
from monai_consingan.data_set_settings import AugmentSettings
from monai_consingan.distance import ball_diameter
from monai_consingan.errors import ConSinGANError
from monai_consingan.methods import INSERTION_METHODS
from monai_consingan.metrics import Limits, Surroundings, Where, measure_new_lesion
from monai_consingan.metrics.checks import INSERTION_LIMITS
from monai_consingan.metrics.surroundings import reach_in_voxels
from monai_consingan.transforms import HostKnowledge, PastedLesion
from monai_consingan.transforms.insertion.donor import DonorCrop
from monai_consingan.transforms.insertion.donors import Donors, LesionDraw
from monai_consingan.transforms.insertion.host_canvas import HostCanvas
from monai_consingan.transforms.insertion.match import check_gain
from monai_consingan.transforms.insertion.pasting import Pasting
from monai_consingan.transforms.insertion.placement import Placement
from monai_consingan.workflows.augmentation.case import Case, Refusal, refused, require
from monai_consingan.workflows.augmentation.donors import (
    choose_donors,
    donors_of,
    draw_lesion,
    read_bank_lesion,
    read_lesion,
)
from monai_consingan.workflows.augmentation.maker import CaseMaker
from monai_consingan.workflows.augmentation.survey import Lesion

_OF_EACH = ("seam", "seam_expected", "black_gained")  # what is told of each sequence


@dataclass(frozen=True)
class _Site:
    """Where in a host lesions may go.

    Args:
        known: what is known of it.
        prior: chances of places, (\\*spatial); ``None`` for those alike.
        donors: the lesions that may go there.
    """

    known: HostKnowledge
    prior: np.ndarray | None
    donors: list[Lesion]


@dataclass
class ScanMaker(CaseMaker[AugmentSettings]):
    """Makes synthetic scans of hosts with lesions of donors.

    Args:
        bank: bank of lesions to take instead of the scans' own; what is known of it is among the surveys.

    Attributes:
        limits: what the measures of a new lesion may be, but for its seam, which hangs on the lesion
            (:py:func:`monai_consingan.metrics.expected_seam`).
    """

    bank: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.last_site = LRUCache[Any, _Site](1)
        self.lesions: list[Lesion] = [lesion for survey in self.surveys.values() for lesion in survey.lesions]
        self.limits: Limits = {
            "contrast_kept": self.settings.contrast_range,
            "black_gained": INSERTION_LIMITS["black_gained"],
        }
        read = partial(read_lesion, self.records, self.settings.lesion_labels)
        if self.bank is not None:
            self.lesions = [lesion for lesion in self.lesions if lesion.serves is not None]
            read = partial(read_bank_lesion, self.bank)
        self.donors = Donors(read, keep=32)

    def change(self, case: Case) -> dict[str, Any]:
        """Put as many lesions in as chance decides; see :py:meth:`CaseMaker.change`."""
        own = int(case.numbers.max(initial=0))
        fewest, most = self.settings.lesions
        site = self._site(case)
        rng = np.random.RandomState(case.task.seed)
        count = int(rng.randint(fewest, most + 1))
        for _ in range(count):
            self._add(case, site, rng, own + len(case.lesions) + 1)
        if case.record.label is None:
            case.warnings.append("the host has no label: it counts as free of lesions")
        if len(case.lesions) < count:
            case.warnings.append(f"{len(case.lesions)} of {count} lesions passed")
        return {
            "made": len(case.lesions) >= fewest,
            "own_lesions": own,
            "seeds": {"scan": case.task.seed, "settings": self.settings.seed},
            "settings": {**self.asked, "location": Path(self.settings.location).name},
            "limits": self.limits,
        }

    @cachedmethod(attrgetter("last_site"), key=lambda self, case: case.record.name)
    def _site(self, case: Case) -> _Site:
        """Where in a host lesions may go, found once for scans that are made in turn."""
        known = HostKnowledge.of(case.original, self._brain(case))
        return _Site(
            known=known,
            prior=self._prior(case, known.head),
            donors=choose_donors(donors_of(case.record, self.scans.records, self.lesions), self.settings)[0],
        )

    def _add(self, case: Case, site: _Site, rng: np.random.RandomState, number: int) -> None:
        """Put one lesion in, in as many attempts as it may take."""
        for _ in range(self.settings.attempts):
            try:
                with refused("no donor"):
                    draw = draw_lesion(site.donors, self.settings, rng)
            except Refusal as refusal:  # nor is there one for another attempt
                case.refuse(refusal)
                return
            donor = {"scan": draw.donor.scan, "lesion": draw.donor.number}
            try:
                crop, volume, placement = self._place(case, site, draw)
            except Refusal as refusal:
                case.refuse(refusal, donor=donor)
                continue
            done = self.attempt(case, partial(self._put, case, site, draw, crop, placement), donor=donor)
            if done is None:
                continue
            (pasted, case.numbers, measures), how = done
            how["warnings"] += measures.pop("cut", [])
            case.image, case.label = pasted.image, pasted.label
            case.numbers[as_array(pasted.mask)[0] > 0] = number
            about = {
                "instance": number,
                "donor": {**self.source(draw.donor.scan), "lesion": draw.donor.number},
                **draw.as_dict(),
                "size": draw.donor.size,
                "diameter_mm": ball_diameter(volume, case.numbers.ndim),
                "volume_mm3": volume,
                "placement": placement.as_dict(),
            }
            case.lesions.append({**about, **measures, **how})
            return

    def _place(self, case: Case, site: _Site, draw: LesionDraw) -> tuple[DonorCrop, float, Placement]:
        """The lesion of a draw on the host's spacing, its volume in mm3, and a place for it."""
        with refused("donor unfit", hide=self.records.get(draw.donor.scan)):
            crop = self.donors.turned(draw, case.image, case.across)
        crop = replace(crop, lead=draw.donor.lead)  # the sequence that the survey measured it in
        volume = float(lesion_voxels(crop.label, self.settings.lesion_labels).sum() * math.prod(crop.spacing))
        if volume < self.settings.min_volume or not (crop.label == draw.donor.value).any():
            raise Refusal("too small", f"the lesion has {volume:.1f} mm3, below {self.settings.min_volume:g}")
        edges = {"edge_mm": self.settings.edge_mm, "clearance_mm": self.settings.clearance_mm}
        with refused("no place"):
            placement = self._canvas(case, site).place(crop, draw.seed, prior=site.prior, **edges)
        return crop, volume, placement

    @staticmethod
    def _canvas(case: Case, site: _Site) -> HostCanvas:
        """The scan so far, to put a lesion in: a copy of the scan as it was, once it has one."""
        own = () if case.image is case.original else ("image", "label")
        return HostCanvas(case.image, case.label, site.known, case.across, own)

    def _put(
        self, case: Case, site: _Site, draw: LesionDraw, crop: DonorCrop, placement: Placement, how: str
    ) -> tuple[PastedLesion, np.ndarray, dict[str, Any]]:
        """The host with the lesion by one method, the others' numbers, and its measures, which pass the checks."""
        method = INSERTION_METHODS[how]
        match = self.settings.match or method.match
        signed = [about.background.signed for about in site.known.channels]
        check_gain([match] * len(signed), signed)  # which is so for all lesions
        if method.redrawn is not None:
            self.require_model(case, how)
        canvas, numbers = self._canvas(case, site), case.numbers
        if self.settings.mass_effect:
            numbers = canvas.make_room(crop, placement, self.settings.mass_effect).label(numbers)
        paste = Pasting(method.paste_blend, match=match, axis=case.across)
        with refused("does not fit", how):
            merged = canvas.paste(paste, crop, placement)
        # what a model redraws may lie anywhere; else nothing changes outside of the box, nor is that looked at
        near = tuple(slice(0, size) for size in case.image.shape[1:])
        if method.redrawn is None:
            reach = reach_in_voxels(canvas.spacing)
            near = tuple(
                slice(max(0, b.start - more), b.stop + more) for b, more in zip(merged.box, reach, strict=True)
            )
        host, (image, mask) = wrap_like(canvas.image[in_all(near)], case.image), canvas.with_lesion(merged, near)
        if method.redrawn is not None:
            image = self.redraw(case, image, mask, host, how)
        inside, head = as_array(mask)[0] > 0, site.known.head[near]
        image, cut = case.files.held(image, inside)  # as it will be stored, so that this is what is measured
        outside = np.count_nonzero(inside & ~head)
        if outside:
            raise Refusal("outside head", f"{outside} voxels of the lesion lie outside the head", how)
        part = inside.copy()
        part[inside] = merged.label[merged.mask] == draw.donor.value
        levels = [about.tissue for about in site.known.channels]
        where = Where(case.axis, case.measured, draw.donor.lead, canvas.labels[in_all(near)] > 0, levels)
        source = Surroundings(
            merged.image if merged.source is None else merged.source,
            merged.mask[None],
            spacing=canvas.spacing,
            axis=case.axis if case.measured == 2 else None,
            tissue=(merged.valid & ~merged.mask)[None],
            lead=draw.donor.lead,
        )
        with refused("no measure", how):
            found = measure_new_lesion(
                *(image, host, inside[None], where),
                part=part,
                donor_cnr=draw.donor.cnr,
                donor_contrast=draw.donor.contrast,
                head=head,
                source=source,
            )
        measures: dict[str, Any] = {name: found[name] for name in _OF_EACH}
        of_several_slices = ("seam_through", "level_jump_through")
        measures |= {name: found[name] for name in of_several_slices if math.isfinite(found[name])}
        measures |= {name: found[name] for name in ("contrast_kept", "cnr")}
        measures |= {"cut": cut} if cut else {}
        most = self.settings.seam_margin
        require(measures, {"seam": (found["seam_expected"] / most, found["seam_expected"] * most), **self.limits}, how)
        if "sequences" in found:
            measures["lead"] = found["lead"]
            measures["sequences"] = self._in_each(found["sequences"], how)
        canvas.take(merged)
        pasted = canvas.result()
        return pasted if method.redrawn is None else pasted._replace(image=image), numbers, measures

    def _in_each(self, found: Mapping[str, Mapping[str, float]], how: str) -> dict[str, dict[str, float]]:
        """What is told of each sequence, whose seam and black voxels pass where they can be measured."""
        told = {}
        for name, measures in found.items():
            told[name] = {key: measures[key] for key in _OF_EACH}
            most = measures["seam_expected"] * self.settings.seam_margin
            limits = {"seam": (-math.inf, most), "black_gained": self.limits["black_gained"]}
            known = {key: ends for key, ends in limits.items() if math.isfinite(told[name][key])}
            require(told[name], known, how, f" in {name}")
        return told

    def _prior(self, case: Case, head: np.ndarray) -> np.ndarray | None:
        location = self.settings.location
        if location == "alike":
            return None
        if location == "uniform":
            return np.ones(case.image.shape[1:])
        file = case.record.entry.get(location) or location
        chances = self._map(file, "prior map")
        if chances.min() < 0:
            raise ConSinGANError(f"prior map {Path(file).name} has values below 0: give chances of 0 or more.")
        prior = chances_on_grid(chances, case.image)
        if not prior[head].any():
            raise ConSinGANError(
                f"prior map {Path(file).name} is 0 all over {case.record.name}: give one in that space."
            )
        return prior

    def _brain(self, case: Case) -> np.ndarray | None:
        if not self.settings.brain:
            return None
        what, file = f"brain mask of {case.record.name}", case.record.entry.get(self.settings.brain)
        if file is None:
            raise ConSinGANError(f"{what} is missing: name it in the data set, under the key {self.settings.brain!r}.")
        brain = self._map(file, what)
        inside = chances_on_grid(wrap_like(as_array(brain) > 0.5, brain), case.image) > 0.5
        if not inside.any():
            raise ConSinGANError(f"{what}, {Path(file).name}, marks nothing of it: give one in the scan's space.")
        return inside[None]

    def _map(self, path: str, name: str) -> MetaTensor:
        """A map that belongs to a scan or to all."""
        return load_scan(self.scans.root / path, name=name, allow_constant=True)
