"""What a result is worth: the measures and checks of reports and of MONAI evaluators, as functions and transforms."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from monai.config import NdarrayOrTensor
from monai.transforms import Transform

from monai_consingan.arrays import as_array
from monai_consingan.data import slice_axis
from monai_consingan.errors import ConSinGANError, ConSinGANWarning
from monai_consingan.metrics.change import by_sequence
from monai_consingan.metrics.checks import Checks, check_insertion, check_removal
from monai_consingan.metrics.fidelity import contrast_kept, measure_lesion
from monai_consingan.metrics.seam import level_jump, seam
from monai_consingan.metrics.surroundings import Surroundings, TissueLevel, Where, tissue_levels

Case = Mapping[Hashable, Any]


def insertion_measures(
    results: Mapping[str, NdarrayOrTensor],
    lesion: NdarrayOrTensor,
    donor: NdarrayOrTensor,
    donor_lesion: NdarrayOrTensor,
    where: Where = Where(),
    donor_levels: Sequence[TissueLevel] | None = None,
    donor_others: NdarrayOrTensor | None = None,
) -> dict[str, Any]:
    """How smooth the border of a lesion is that was put in, and how much of the donor's lesion it still is.

    Args:
        results: images with the lesion by a suffix for their measures, such as ``{"": image, "_naive": naive}``.
        lesion: where the new lesion is.
        donor: the donor, whose grid may be another.
        donor_lesion: where the lesion is in the donor.
        where: where it is measured, in host and donor; the lead is found in the donor.
        donor_levels: what tells tissue in the donor's channels (:func:`~monai_consingan.metrics.tissue_levels`);
            ``None`` finds it.
        donor_others: mask of what is no surroundings in the donor.

    Returns:
        By sequence (:func:`by_sequence`) ``seam_donor``, and for every suffix ``seam`` (:func:`seam`; 1 is like the
        tissue around), ``contrast_kept``, ``rim_core_kept`` and ``size_kept`` (:func:`measure_lesion`; 1 is as in the
        donor).
        In space, ``seam`` is that in the plane of the slices, and beside it there are ``seam_through``, that across
        them, and ``level_jump_through`` (:func:`level_jump`).
    """
    across, donor_across = slice_axis(lesion, where.axis), slice_axis(donor, where.axis)
    of_donor = replace(where, axis=donor_across, others=donor_others, levels=donor_levels).around(donor, donor_lesion)
    where = replace(where, lead=of_donor.channel)
    cases = [where.around(result, lesion) for result in results.values()]

    def measure(of_donor: Surroundings, *cases: Surroundings) -> dict[str, float]:
        """The measures of one sequence."""
        in_donor = measure_lesion(of_donor)
        measures = _seams(of_donor, donor_across, "_donor")
        for suffix, case in zip(results, cases, strict=True):
            share = measure_lesion(case).kept_from(in_donor)
            measures |= _seams(case, across, suffix)
            measures[f"contrast_kept{suffix}"] = contrast_kept(case, of_donor)
            measures[f"rim_core_kept{suffix}"] = share.rim_core_difference
            measures[f"size_kept{suffix}"] = share.half_maximum_size
        return measures

    return by_sequence(measure, of_donor, *cases)


def removal_measures(
    results: Mapping[str, NdarrayOrTensor],
    filled: NdarrayOrTensor,
    lesion: NdarrayOrTensor,
    host: NdarrayOrTensor,
    where: Where = Where(),
) -> dict[str, Any]:
    """How smooth the border of what was filled is, and what is left of the lesion.

    Args:
        results: images without the lesion by a suffix for their measures.
        filled: where they were filled.
        lesion: where the lesion was.
        host: the scan with the lesion.
        where: where it is measured; the lead is found in the host.

    Returns:
        By sequence (:func:`by_sequence`) and for every suffix ``seam`` (1 is like the tissue around) and
        ``contrast_kept`` (0 is nothing left; NaN where the lesion had next to no contrast).
        In space also ``seam_through`` and ``level_jump_through``, as of insertions.
    """
    across = slice_axis(lesion, where.axis)
    where = replace(where, axis=across, levels=tissue_levels(host) if where.levels is None else where.levels)
    in_host = where.around(host, lesion)
    where = replace(where, lead=in_host.channel)
    cases = [where.around(result, mask) for result in results.values() for mask in (filled, lesion)]

    def measure(in_host: Surroundings, *cases: Surroundings) -> dict[str, float]:
        """The measures of one sequence."""
        measures: dict[str, float] = {}
        for suffix, of_filling, of_lesion in zip(results, cases[::2], cases[1::2], strict=True):
            measures |= _seams(of_filling, across, suffix)
            measures[f"contrast_kept{suffix}"] = contrast_kept(of_lesion, in_host)
        return measures

    return by_sequence(measure, in_host, *cases)


def _seams(case: Surroundings, across: int | None, suffix: str) -> dict[str, float]:
    """The seam; of surroundings in space, in the plane and across the slices, with the levels' jumps."""
    if across is None or case.axis is not None:
        return {f"seam{suffix}": seam(case)}
    return {
        f"seam{suffix}": seam(case, along=[along for along in range(case.ndim) if along != across]),
        f"seam_through{suffix}": seam(case, along=across),
        f"level_jump_through{suffix}": level_jump(case, along=across),
    }


@dataclass(eq=False)
class CaseTransform(Transform, ABC):
    """Base of what measures or checks a case, whose result ``pred`` was blended back.

    The case has the scan before as ``host``, and may have ``lead``, which goes before that given here.

    Args:
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        lead: the sequence that the lesion is measured in; ``None`` finds it.
        dims: 2 measures within the slices, 3 in space.
    """

    axis: int | None = None
    lead: int | str | None = None
    dims: int = 2

    _others: ClassVar[str] = "others"
    _scans: ClassVar[tuple[str, ...]] = ("host", "donor")

    def __call__(self, data: Case) -> dict[Hashable, Any]:
        """A copy of ``data`` with the measures."""
        return dict(data) | self.measures(self.known(data))

    @abstractmethod
    def measures(self, data: Case) -> dict[str, Any]:
        """The measures of the result and, with suffix ``_naive``, of the naive image, if the case has it."""

    @abstractmethod
    def checks(self, data: Case, measures: Mapping[str, Any]) -> Checks:
        """The checks of the result, whose measures are known.

        Raises:
            ConSinGANError: it cannot be checked.
        """

    def known(self, data: Case) -> dict[Hashable, Any]:
        """The case with what tells tissue in its scans, so that this is found once for measures and checks."""
        scans = [scan for scan in self._scans if data.get(scan) is not None]
        return dict(data) | {f"{scan}_levels": tissue_levels(data[scan]) for scan in scans}

    def _where(self, data: Case) -> Where:
        lead = self.lead if data.get("lead") is None else data["lead"]
        return Where(self.axis, self.dims, lead, data.get(self._others), data["host_levels"])


def _donor_others(data: Case) -> Any:
    """What of the donor is no tissue, where that is known."""
    valid = data.get("donor_valid")
    return None if valid is None else (as_array(valid) <= 0).astype(np.uint8)


@dataclass(eq=False)
class MeasureInsertiond(CaseTransform):
    """Add :func:`insertion_measures` to a case, after its result ``pred`` was blended back.

    The case has ``naive``, the naive image, whose measures end in ``_naive``; the masks ``lesion`` of the new lesion
    and maybe ``others`` of the host's own; and ``donor`` with its ``donor_lesion``, and maybe ``donor_valid``, the mask
    of the donor's tissue.

    Args:
        axis, lead, dims: see :class:`CaseTransform`.
        blended: whether the lesion was blended in, for the checks; a mere paste may show a seam.
    """

    blended: bool = True

    def measures(self, data: Case) -> dict[str, Any]:
        """See :meth:`CaseTransform.measures`; without a donor there is only the ``lead``."""
        donor, donor_lesion = (data.get(key) for key in ("donor", "donor_lesion"))
        if donor is None or donor_lesion is None:
            return {"lead": self._where(data).lead}
        results = {suffix: data[key] for suffix, key in (("", "pred"), ("_naive", "naive")) if key in data}
        where = self._where(data)
        told = data["donor_levels"], _donor_others(data)
        return insertion_measures(results, data["lesion"], donor, donor_lesion, where, *told)

    def checks(self, data: Case, measures: Mapping[str, Any]) -> Checks:
        """See :meth:`CaseTransform.checks`."""
        before, head = data.get("before", data["host"]), data.get("head")
        return check_insertion(
            data["pred"],
            before,
            data["lesion"],
            data.get("donor"),
            data.get("donor_lesion"),
            measures,
            self._where(data),
            blended=self.blended,
            head=None if head is None else as_array(head)[0] > 0,
            donor_levels=data.get("donor_levels"),
            donor_others=_donor_others(data),
        )


@dataclass(eq=False)
class MeasureRemovald(CaseTransform):
    """Add :func:`removal_measures` to a case, after its result ``pred`` was blended back.

    The case has ``image``, the naive image, whose measures end in ``_naive``; the masks ``lesion`` of what was filled
    and ``removed`` of the lesion, which is all that was filled if it is missing; ``host``, the scan with the lesion;
    and maybe ``label`` of the lesions that stay.
    Arguments are those of :class:`CaseTransform`.
    """

    _others = "label"
    _scans = ("host",)

    def measures(self, data: Case) -> dict[str, Any]:
        """See :meth:`CaseTransform.measures`."""
        results = {suffix: data[key] for suffix, key in (("", "pred"), ("_naive", "image")) if key in data}
        lesion = data.get("removed", data["lesion"])
        return removal_measures(results, data["lesion"], lesion, data["host"], self._where(data))

    def checks(self, data: Case, measures: Mapping[str, Any]) -> Checks:
        """See :meth:`CaseTransform.checks`."""
        lesion = data.get("removed", data["lesion"])
        return check_removal(data["pred"], data["host"], data["lesion"], lesion, measures, self._where(data))


class _Checkd(CaseTransform):
    """Base of what adds the checks to a case, and warns where one does not pass."""

    def __call__(self, data: Case) -> dict[Hashable, Any]:
        """A copy of ``data`` with the checks."""
        name = "" if data.get("case") is None else f"Case {data['case']}: "
        checks = None
        try:
            known = self.known(data)
            checks = self.checks(known, self.measures(known))
        except ConSinGANError as error:
            warnings.warn(f"{name}the result cannot be checked: {error}", ConSinGANWarning, 2)
        if checks is not None and checks.failed:
            warnings.warn(f"{name}{checks.sentence()}", ConSinGANWarning, 2)
        return {**data, "checks": None if checks is None else checks.as_dict()}


class CheckInsertiond(_Checkd, MeasureInsertiond):
    """Add :func:`check_insertion` to a case, after its result was blended back; warn where the result does not pass.

    The case has the result ``pred``, the scan before as ``host``, and the new lesion's mask ``lesion``; it may have
    ``donor`` with its ``donor_lesion``, ``others``, the mask of the host's own lesions, ``before``, the host with its
    tissue pushed aside, and the mask ``head``. The checks come under ``checks``, as a dictionary
    (:meth:`Checks.as_dict`).

    A warning (:class:`~monai_consingan.errors.ConSinGANWarning`) is one sentence that names the ``case``. So is that of
    a result that cannot be checked, whose checks are ``None``. Arguments are those of :class:`MeasureInsertiond`.
    """


class CheckRemovald(_Checkd, MeasureRemovald):
    """Add :func:`check_removal` to a case, after its result was blended back; warn where the result does not pass.

    The case has the result ``pred``, the scan with the lesion as ``host``, and the mask ``lesion`` of what was filled;
    it may have ``removed``, the mask of the lesion, which is all that was filled otherwise, and ``label``, that of the
    lesions that stay. Arguments, checks and warnings are those of :class:`CheckInsertiond`.
    """
