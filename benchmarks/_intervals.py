"""Medians over patients' cases with the intervals that few patients allow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

DRAWS = 2000
"""Of a bootstrap."""


def interval(
    values: Sequence[float],
    groups: Sequence[str],
    measure: Callable[[np.ndarray], float] = lambda values: float(np.median(values)),
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """A measure of values with its 95% interval: patients are drawn anew, each with all of its cases.

    Args:
        values: one of every case; those that are NaN do not count.
        groups: the patient of every case.
        measure: of the values; by default their median.
        seed: of the bootstrap.
    """
    known = ~np.isnan(np.asarray(values, float))
    numbers, names = np.asarray(values, float)[known], np.asarray(groups)[known]
    if not numbers.size:
        return {"value": float("nan"), "low": float("nan"), "high": float("nan"), "n": 0}
    members = [numbers[names == name] for name in np.unique(names)]
    random = np.random.default_rng(seed)
    found = [
        measure(np.concatenate([members[k] for k in random.integers(len(members), size=len(members))]))
        for _ in range(DRAWS)
    ]
    with np.errstate(invalid="ignore"):  # the truth has an infinite PSNR
        low, high = np.percentile(found, [2.5, 97.5])
    return {"value": measure(numbers), "low": float(low), "high": float(high), "n": int(known.sum())}


def shown(found: Mapping[str, Any], digits: int = 2, sign: str = "") -> str:
    """A value and its interval for people; nothing where there is none.

    Args:
        found: what :func:`interval` gives, or an AUC's interval.
        digits: behind the point.
        sign: ``"+"`` for differences.
    """
    if not np.isfinite(found["value"]):
        return ""
    form = f"{sign}.{digits}f"
    return f"{found['value']:{form}} ({found['low']:{form}} to {found['high']:{form}})"
