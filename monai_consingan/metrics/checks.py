"""What a result has to pass before it is used: one place for all commands, bundles and transforms."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from monai.config import NdarrayOrTensor

from monai_consingan.data.sequences import lead_channel
from monai_consingan.metrics.change import measure_border, measure_change, of_lead
from monai_consingan.metrics.surroundings import TissueLevel, Where

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


def check_insertion(
    result: NdarrayOrTensor,
    host: NdarrayOrTensor,
    lesion: NdarrayOrTensor,
    donor: NdarrayOrTensor | None,
    donor_lesion: NdarrayOrTensor | None,
    measures: Mapping[str, Any],
    where: Where = Where(),
    *,
    blended: bool = True,
    head: np.ndarray | None = None,
    donor_levels: Sequence[TissueLevel] | None = None,
    donor_others: NdarrayOrTensor | None = None,
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
        where: where it is measured, in host and donor; the lead is that of ``measures``.
        blended: whether it was blended in; a mere paste may show a seam.
        head: the host's head, boolean (\\*spatial); ``None`` finds it.
        donor_levels: what tells tissue in the donor's channels; ``None`` finds it.
        donor_others: mask of what is no surroundings in the donor.
    """
    where = replace(where, lead=lead_channel(result, lesion, measures.get("lead")))
    found = measure_change(result, host, lesion, where, head=head)

    def check(found: Measures, in_donor: Measures, measures: Measures) -> Checks:
        """The checks of one sequence by its measures in the result, in the donor, and in both."""
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
    in_donor = measure_border(donor, donor, donor_lesion, replace(where, others=donor_others, levels=donor_levels))
    return _check_each(check, found, in_donor, measures)


def check_removal(
    result: NdarrayOrTensor,
    host: NdarrayOrTensor,
    filled: NdarrayOrTensor,
    lesion: NdarrayOrTensor,
    measures: Mapping[str, Any],
    where: Where = Where(),
) -> Checks:
    """Check a filled lesion: it lay in tissue, is no longer seen, and left no seam or hole, in any sequence.

    Args:
        result: the scan without the lesion.
        host: the scan with it.
        filled: where it was filled.
        lesion: where the lesion was.
        measures: what :func:`removal_measures` found of the result.
        where: where it is measured; the lead is that of ``measures``.
    """
    where = replace(where, lead=lead_channel(host, lesion, measures.get("lead")))
    found = measure_change(result, host, filled, where, lesion=lesion)

    def check(found: Measures, measures: Measures) -> Checks:
        """The checks of one sequence by its measures in the result, and in result and host."""
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
    """A limit's measure, 0 where it is not measurable."""
    return value if math.isfinite(value) else 0.0


def _words(name: str) -> str:
    return name.replace("_", " ")
