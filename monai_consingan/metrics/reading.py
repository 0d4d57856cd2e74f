"""What a blinded reading shows: how often readers are right, how well they tell, and whether they agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_consingan.errors import ConSinGANError


def reader_scores(truth: Sequence[bool], ratings: Sequence[float]) -> dict[str, Any]:
    """How one reader did.

    Args:
        truth: for each case, whether it is synthetic.
        ratings: for each case how sure the reader was that it is synthetic: above 0 for yes, below for no.

    Returns:
        ``sensitivity`` (synthetic cases that were called so), ``specificity`` (real ones called real) and ``accuracy``
        with exact 95% intervals (Clopper and Pearson), and the ``auc``, with DeLong's interval (DeLong, DeLong and
        Clarke-Pearson, Biometrics 44, 1988, https://doi.org/10.2307/2531595). Where a reader orders all pairs of
        cases alike, so that this would be no interval, it is an exact one; it is 0 to 1 where there is a single case of
        a kind. Each is a share and its interval,
        ``{"value": ..., "low": ..., "high": ...}``; 0.5 is what guessing gives.

    Raises:
        ConSinGANError: there is not at least one case of each kind, or a rating for each.

    Example:
        >>> scores = reader_scores([True, True, False, False], [3, -1, -2, -3])
        >>> scores["sensitivity"]["value"], scores["specificity"]["value"], scores["auc"]["value"]
        (0.5, 1.0, 1.0)
    """
    made, rated = np.asarray(truth, bool), np.asarray(ratings, float)
    if made.shape != rated.shape or made.all() or not made.any():
        raise ConSinGANError(
            f"There are {made.size} cases, {int(made.sum())} of them synthetic, and {rated.size} ratings: give a "
            "rating for each, and cases of both kinds."
        )
    called = rated > 0
    return {
        "sensitivity": _share(called[made]),
        "specificity": _share(~called[~made]),
        "accuracy": _share(called == made),
        "auc": _auc(rated[made], rated[~made]),
    }


def agreement(calls: NDArray[np.bool_]) -> float:
    """How far readers agree beyond chance: Cohen's kappa of two, Fleiss' kappa of more.

    Args:
        calls: for each reader (rows) and case (columns), whether it was called synthetic.

    Returns:
        1 for full agreement, 0 for what chance gives; NaN where all say the same of all cases.

    Raises:
        ConSinGANError: there are fewer than two readers.
    """
    given = np.asarray(calls, bool)
    if given.ndim != 2 or len(given) < 2:
        raise ConSinGANError("Agreement takes the calls of at least two readers on the same cases.")
    readers = len(given)
    yes = given.sum(axis=0)
    if readers == 2:
        same = float((given[0] == given[1]).mean())
        shares = given.mean(axis=1)
        chance = float(shares.prod() + (1 - shares).prod())
    else:
        same = float(((yes * (yes - 1) + (readers - yes) * (readers - yes - 1)) / (readers * (readers - 1))).mean())
        share = float(yes.mean() / readers)
        chance = share**2 + (1 - share) ** 2
    return (same - chance) / (1 - chance) if chance < 1 else float("nan")


def _share(hits: NDArray[np.bool_]) -> dict[str, float]:
    from scipy import stats  # which takes half a second to import

    interval = stats.binomtest(int(hits.sum()), hits.size).proportion_ci(method="exact")
    return {"value": float(hits.mean()), "low": float(interval.low), "high": float(interval.high)}


def _auc(made: NDArray[np.float64], real: NDArray[np.float64]) -> dict[str, float]:
    from scipy import stats  # which takes half a second to import

    wins = (made[:, None] > real) + 0.5 * (made[:, None] == real)
    value = float(wins.mean())
    if min(wins.shape) < 2:
        return {"value": value, "low": 0.0, "high": 1.0}
    if wins.min() == wins.max():  # each of so many pairs, no case in two of them, went the same way
        pairs = min(wins.shape)
        other = 1 - float(stats.binomtest(pairs, pairs).proportion_ci(method="exact").low)
        return {"value": value, "low": value * (1 - other), "high": value + other * (1 - value)}
    parts = [wins.mean(axis=1), wins.mean(axis=0)]
    variance = sum(float(part.var(ddof=1)) / part.size for part in parts)
    half = float(stats.norm.ppf(0.975)) * variance**0.5
    return {"value": value, "low": max(0.0, value - half), "high": min(1.0, value + half)}
