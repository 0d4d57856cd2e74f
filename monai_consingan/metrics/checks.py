"""What a result has to pass before it is used: one place for all commands, bundles and transforms."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from monai.config import NdarrayOrTensor

from monai_consingan.arrays import as_array, spacing_of
from monai_consingan.data import slice_axis, slices_of, thick_slices
from monai_consingan.data.sequences import lead_channel
from monai_consingan.distance import bounding_box
from monai_consingan.metrics.contrast import contrast_to_noise
from monai_consingan.metrics.level_jump import level_jump
from monai_consingan.metrics.seam import seam
from monai_consingan.metrics.sequences import by_sequence, of_lead
from monai_consingan.metrics.surroundings import Surroundings, TissueLevel, channels_array, tissue_levels
from monai_consingan.transforms.head import head_mask

Limits = Mapping[str, tuple[float, float]]
"""The smallest and the largest value that measures may have, by their names."""

INSERTION_LIMITS: Limits = {
    "in_tissue": (0.99, 1.0),
    "contrast_kept": (0.5, 2.0),
    "black_gained": (0.0, 0.01),
    "visibility": (1.0, math.inf),
}
"""What a new lesion's measures may be; its seams, up to twice those of the lesion in its donor.

Its levels may jump from slice to slice up to twice as far as they do along the other axes, or in the donor."""

REMOVAL_LIMITS: Limits = {
    "in_tissue": (0.5, 1.0),
    "contrast_kept": (-0.5, 0.5),
    "seam": (0.0, 2.0),
    "seam_through": (0.0, 2.0),
    "black_gained": (0.0, 0.05),
}
"""What the measures of a filled lesion may be.

Its levels may jump from slice to slice up to twice as far as they do along the other axes."""

Measures = Mapping[str, float]

_OF_LEAD = ("in_tissue", "visibility")  # what is checked once: a place is one for all, and not all show a lesion
_DROP = 0.05  # of the image's range: smaller changes make nothing black
_AROUND = 4  # voxels around what changed, in which tissue is told
_SEEN = 1.0  # times the noise around: smaller differences of contrast do not count


@dataclass(frozen=True)
class Checks:
    """Measures that a result has to pass.

    Args:
        measures: by name; NaN where there is nothing to measure, infinite where the surroundings are even.
        limits: what they may be.
        failed: one clause for each that is not, of all sequences.
        sequences: the checks of each sequence by its name, if there are several; the rest is then the lead's.
    """

    measures: dict[str, float]
    limits: Limits
    failed: tuple[str, ...]
    sequences: Mapping[str, Checks] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Whether all passed, what failed, and the measures with their limits, for reports."""
        told = {"passed": not self.failed, "failed": self.failed, "limits": self.limits, **self.measures}
        if self.sequences:
            told["sequences"] = {name: checks.as_dict() for name, checks in self.sequences.items()}
        return told

    def sentence(self) -> str:
        """One sentence on what failed; empty if nothing did."""
        return f"the result does not pass its checks: {'; '.join(self.failed)}." if self.failed else ""


def beyond(measures: Mapping[str, float], limits: Limits) -> dict[str, str]:
    """What is wrong with the measures that are out of their limits, by their names.

    Args:
        measures: the measures.
        limits: what they may be; below ``-inf`` only the largest value is told, above ``inf`` only the smallest.
    """
    wrong = {}
    for name, (low, high) in limits.items():
        value = measures[name]
        if low <= value <= high:
            continue
        if not math.isfinite(value):
            wrong[name] = f"{_words(name)} is not measurable"
        else:
            allowed = f"not {low:.2f} to {high:.2f}"
            allowed = f"above {high:.2f}" if low == -math.inf else f"below {low:.2f}" if high == math.inf else allowed
            wrong[name] = f"{_words(name)} is {value:.2f}, {allowed}"
    return wrong


def measure_change(
    result: NdarrayOrTensor,
    host: NdarrayOrTensor,
    mask: NdarrayOrTensor,
    *,
    lesion: NdarrayOrTensor | None = None,
    head: np.ndarray | None = None,
    levels: Sequence[TissueLevel] | None = None,
    **where: Any,
) -> dict[str, Any]:
    """What a change did to a scan.

    Args:
        result: the scan after it, (C, \\*spatial).
        host: the scan before.
        mask: what was put in or filled.
        lesion: where the lesion is, or was; the mask by default.
        head: the host's head, boolean (\\*spatial); ``None`` finds it.
        levels: what tells tissue in the host's channels (:func:`~monai_consingan.metrics.tissue_levels`);
            ``None`` finds it.
        where: ``others``, ``axis``, ``dims`` and ``lead``, see :func:`measure_border`.

    Returns:
        By sequence (:func:`by_sequence`) what :func:`measure_border` finds, and ``in_tissue``, the share of the lesion
        that lies in the host's head, and ``black_gained``, the voxels that became as dark as air, but for those of a
        lesion that was put in, as a share of the mask's.
    """
    before, after = channels_array(host), channels_array(result)
    marks, inside = as_array(mask if lesion is None else lesion)[0] > 0, as_array(mask)[0] > 0
    head = _head(before, spacing_of(host)) if head is None else head
    levels = tissue_levels(host) if levels is None else levels
    in_tissue, voxels = float(head[marks].mean()), int(inside.sum())
    changed = (before != after).any(axis=0)
    box = bounding_box(changed, [_AROUND] * changed.ndim) if changed.any() else None

    def measure(channel: int) -> dict[str, float]:
        black = 0
        if box is not None:
            turned = _turned_black(before[channel][box], after[channel][box], levels[channel])
            black = int((turned & ~inside[box] if lesion is None else turned).sum())  # a lesion may be dark
        return {"in_tissue": in_tissue, "black_gained": black / voxels}

    return measure_border(result, host, mask, lesion=lesion, levels=levels, more=measure, **where)


def measure_border(
    result: NdarrayOrTensor,
    host: NdarrayOrTensor,
    mask: NdarrayOrTensor,
    *,
    lesion: NdarrayOrTensor | None = None,
    others: NdarrayOrTensor | None = None,
    axis: int | None = None,
    dims: int = 2,
    lead: int | str | None = None,
    levels: Sequence[TissueLevel] | None = None,
    more: Callable[[int], dict[str, float]] = lambda channel: {},
) -> dict[str, Any]:
    """How smooth the border of a mask is, and how far a lesion stands out.

    Args:
        result: the scan, (C, \\*spatial).
        host: the scan before the lesion was put in or filled; the same if it is the lesion's donor.
        mask: what was put in or filled.
        lesion: where the lesion was; the mask by default.
        others: other lesions, which do not count as surroundings.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        dims: 2 looks around the mask within the slices, 3 in space.
        lead: the sequence that the lesion is measured in; ``None`` finds it
            (:func:`~monai_consingan.data.lead_channel`).
        levels: what tells tissue in the channels; ``None`` finds it.
        more: gives further measures of a channel.

    Returns:
        By sequence (:func:`by_sequence`) ``seam`` (:func:`seam`) and, where the mask has several slices,
        ``seam_through``, the same across them; ``level_jump`` and ``level_jump_through``, how far slices lie above or
        below their neighbours (:func:`level_jump`), along the axis in the plane where they do most and across the
        slices, unless these are thick; ``visibility``, how far the lesion stands out (:func:`contrast_to_noise`),
        brighter or darker.
    """
    axis = slice_axis(mask, axis)
    lead = lead_channel(result if lesion is None else host, mask if lesion is None else lesion, lead)
    where: dict[str, Any] = {"exclude": others, "lead": lead, "levels": levels}
    sliced = axis if dims == 2 else None
    filled = Surroundings(result, mask, axis=sliced, **where)
    of_lesion = filled if lesion is None else Surroundings(result, lesion, axis=sliced, **where)
    crosses = axis is not None and len(slices_of(mask, axis)) > 1
    in_space = Surroundings(result, mask, **where) if crosses and dims == 2 else filled
    even = crosses and not thick_slices(host)
    plane = tuple(along for along in range(filled.ndim) if along != axis)

    def measure(filled: Surroundings, of_lesion: Surroundings, in_space: Surroundings) -> dict[str, float]:
        return {
            **more(filled.channel),
            "seam": seam(filled, along=plane),
            "seam_through": seam(in_space, along=axis) if crosses else math.nan,
            "level_jump": max(level_jump(in_space, along=along) for along in plane) if even else math.nan,
            "level_jump_through": level_jump(in_space, along=axis) if even and axis is not None else math.nan,
            "visibility": abs(contrast_to_noise(of_lesion)),
        }

    return by_sequence(measure, filled, of_lesion, in_space)


def _head(channels: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """What lies in the head in all channels, boolean (\\*spatial)."""
    return np.logical_and.reduce([head_mask(channel, spacing=spacing) for channel in channels])


def _turned_black(before: np.ndarray, after: np.ndarray, level: TissueLevel) -> np.ndarray:
    """Where tissue in a part of a channel became as dark as air by more than a little, boolean (\\*spatial)."""
    dropped = np.abs(before.astype(np.float64) - after) > _DROP * level.span
    return np.asarray(dropped & level.mask(before) & ~level.mask(after))


def check_insertion(
    result: NdarrayOrTensor,
    host: NdarrayOrTensor,
    lesion: NdarrayOrTensor,
    donor: NdarrayOrTensor | None,
    donor_lesion: NdarrayOrTensor | None,
    measures: Mapping[str, Any],
    *,
    blended: bool = True,
    others: NdarrayOrTensor | None = None,
    axis: int | None = None,
    dims: int = 2,
    head: np.ndarray | None = None,
    levels: Sequence[TissueLevel] | None = None,
    donor_levels: Sequence[TissueLevel] | None = None,
) -> Checks:
    """Check a new lesion: it lies in tissue, can be seen, is as bright as in its donor, and shows no seam or hole.

    With several sequences it passes if it does in each, as far as that can be measured there, but for being seen, which
    the lead sequence is for.

    Args:
        result: the host with the lesion.
        host: the scan before.
        lesion: where the lesion is.
        donor: the donor, whose grid may be another; ``None`` where it is not known, and nothing is compared with it.
        donor_lesion: where the lesion is in the donor; ``None`` without a donor.
        measures: what :func:`insertion_measures` found of the result; without a donor only ``lead`` counts.
        blended: whether it was blended in; a mere paste may show a seam.
        others: lesions of the host.
        axis: spatial axis perpendicular to the slices, of both; ``None`` finds it.
        dims: 2 measures within the slices, 3 in space.
        head: the host's head, boolean (\\*spatial); ``None`` finds it.
        levels, donor_levels: what tells tissue in the channels of the host and of the donor; ``None`` finds it.
    """
    lead = lead_channel(result, lesion, measures.get("lead"))
    where: dict[str, Any] = {"axis": axis, "dims": dims, "lead": lead}
    found = measure_change(result, host, lesion, others=others, head=head, levels=levels, **where)

    def check(found: Measures, in_donor: Measures, measures: Measures) -> Checks:
        limits = dict(INSERTION_LIMITS)
        for name in ("seam", "seam_through") if blended else ():
            limits[name] = (0.0, 2 * max(1.0, _number(in_donor[name])))
        limits["level_jump_through"] = _even_levels(found, in_donor)
        if abs(found["visibility"] - in_donor["visibility"]) < _SEEN and measures["contrast_kept"] > 0:
            del limits["contrast_kept"]
        return _checks({**found, "contrast_kept": measures["contrast_kept"]}, limits)

    if donor is None or donor_lesion is None:
        unknown: Measures = defaultdict(lambda: math.nan)
        return _check_each(lambda found: check(found, unknown, unknown), found)
    in_donor = measure_border(donor, donor, donor_lesion, levels=donor_levels, **where)
    return _check_each(check, found, in_donor, measures)


def check_removal(
    result: NdarrayOrTensor,
    host: NdarrayOrTensor,
    filled: NdarrayOrTensor,
    lesion: NdarrayOrTensor,
    measures: Mapping[str, Any],
    *,
    others: NdarrayOrTensor | None = None,
    axis: int | None = None,
    dims: int = 2,
    levels: Sequence[TissueLevel] | None = None,
) -> Checks:
    """Check a filled lesion: it lay in tissue, is no longer seen, and left no seam or hole, in any sequence.

    Args:
        result: the scan without the lesion.
        host: the scan with it.
        filled: where it was filled.
        lesion: where the lesion was.
        measures: what :func:`removal_measures` found of the result.
        others: lesions that stay.
        axis: spatial axis perpendicular to the slices; ``None`` finds it.
        dims: 2 measures within the slices, 3 in space.
        levels: what tells tissue in the host's channels; ``None`` finds it.
    """
    lead = lead_channel(host, lesion, measures.get("lead"))
    where: dict[str, Any] = {"others": others, "axis": axis, "dims": dims, "lead": lead}
    found = measure_change(result, host, filled, lesion=lesion, levels=levels, **where)

    def check(found: Measures, measures: Measures) -> Checks:
        limits = {**REMOVAL_LIMITS, "level_jump_through": _even_levels(found)}
        if found["visibility"] < _SEEN:
            del limits["contrast_kept"]
        return _checks({**found, "contrast_kept": measures["contrast_kept"]}, limits)

    return _check_each(check, found, measures)


def _check_each(check: Callable[..., Checks], *found: Mapping[str, Any]) -> Checks:
    """The checks of the lead sequence, which fail if those of another sequence do.

    Args:
        check: gives the checks of one sequence by its measures in each of ``found``.
        found: measures of the same sequences in the same order (:func:`by_sequence`).
    """
    lead = check(*(of_lead(measures) for measures in found))
    if "sequences" not in found[0]:
        return lead
    tables = [measures["sequences"] for measures in found]
    each, failed = {}, list(lead.failed)
    for name, *ones in zip(tables[0], *(table.values() for table in tables), strict=True):
        each[name] = lead
        if name != found[0]["lead"]:
            of_other = check(*ones)
            limits = {key: ends for key, ends in of_other.limits.items() if key not in _OF_LEAD}
            each[name] = of_other = _checks(of_other.measures, limits)
            failed += [f"{clause} in {name}" for clause in of_other.failed]
    return replace(lead, failed=tuple(failed), sequences=each)


def _checks(measures: dict[str, float], limits: Limits) -> Checks:
    """What cannot be measured does not fail."""
    known = {name: ends for name, ends in limits.items() if not math.isnan(measures[name])}
    return Checks(measures, limits, tuple(beyond(measures, known).values()))


def _even_levels(found: Measures, in_donor: Measures | None = None) -> tuple[float, float]:
    """How far levels may jump through the slices, as small masks do by chance along every axis."""
    allowed = (found["level_jump"], math.nan if in_donor is None else in_donor["level_jump_through"])
    return 0.0, 2 * max(1.0, *map(_number, allowed))


def _number(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def _words(name: str) -> str:
    return name.replace("_", " ")
