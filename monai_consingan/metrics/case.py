"""What a result is worth: the measures of reports and of MONAI evaluators, as functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from monai.config import NdarrayOrTensor

from monai_consingan.data import slice_axis
from monai_consingan.metrics.contrast import contrast_kept
from monai_consingan.metrics.fidelity import measure_lesion
from monai_consingan.metrics.level_jump import level_jump
from monai_consingan.metrics.seam import seam
from monai_consingan.metrics.sequences import by_sequence
from monai_consingan.metrics.surroundings import Surroundings, TissueLevel, Where, tissue_levels


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
