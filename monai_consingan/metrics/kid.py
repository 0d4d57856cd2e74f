"""Kernel distance between two sets of features, such as the KID, and its interval."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics.fid import Features, check_features

CONFIDENCE = 0.95

Sources = Sequence[Hashable]
"""What each image of a set comes from, such as the name of its volume."""


@dataclass(frozen=True)
class Interval:
    """A distance between two sets, and how sure it is.

    Args:
        value: the distance.
        lower: lower end of its interval of 95 %; NaN where it has none.
        upper: upper end.
    """

    value: float
    lower: float
    upper: float


def kernel_distance(
    first: Features,
    second: Features,
    *,
    first_sources: Sources | None = None,
    second_sources: Sources | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    r"""Kernel distance (squared maximum mean discrepancy) between two sets of features, with a bootstrap interval.

    With the kernel :math:`k(x, y) = (x \cdot y / d + 1)^3` of :math:`d` features, it is the mean of :math:`k` over all
    pairs of different images of the first set, plus the same of the second, minus twice the mean over all pairs of one
    of each. Of Inception features it is the KID (Binkowski et al., 2018, https://arxiv.org/abs/1801.01401). Unlike the
    FID it is unbiased, so that few images give a wide interval but no larger value.

    The interval is of percentiles. Sources (such as patients) are drawn again with replacement, and with them all
    images that they have, as the slices of one volume are alike. An image that is drawn several times makes no pairs
    with itself, so resampling does not shift the value.

    Args:
        first: features of one set, (images, features).
        second: features of the other set.
        first_sources: what each image of the first set comes from; None, or one source only, takes images as sources.
        second_sources: the same of the second set.
        resamples: how many times to draw.
        seed: seed of the draws.

    Returns:
        The value, which is 0 on average for two sets of one distribution (also below), and its interval.

    Raises:
        ConSinGANError: fewer than two images in a set, other numbers of features, or sources for other images.
    """
    check_features(first, second)
    one, two = source_numbers(first_sources, len(first)), source_numbers(second_sources, len(second))
    sizes = np.bincount(one), np.bincount(two)
    within_one, within_two = _Within(first, one), _Within(second, two)
    across, across_pairs = _by_source(_kernel(first, second), one, two), np.outer(*sizes).astype(np.float64)

    def distance(draws: Features, other_draws: Features) -> Features:
        """The distance for each pair of rows of draws."""
        between = _weighted(draws, across, other_draws) / _weighted(draws, across_pairs, other_draws)
        return np.asarray(within_one.mean(draws) + within_two.mean(other_draws) - 2 * between)

    rng = np.random.RandomState(seed)
    counts = [len(size) for size in sizes]
    draws = [rng.multinomial(count, np.full(count, 1 / count), resamples).astype(np.float64) for count in counts]
    value = distance(*(np.ones((1, count)) for count in counts))[0]
    tail = 50 * (1 - CONFIDENCE)
    lower, upper = np.nanpercentile(distance(*draws), [tail, 100 - tail])
    return Interval(float(value), float(lower), float(upper))


def _kernel(first: Features, second: Features) -> Features:
    return np.asarray((first @ second.T / first.shape[1] + 1) ** 3)


def source_numbers(sources: Sources | None, count: int) -> NDArray[np.int64]:
    """The number of each image's source, from 0.

    Args:
        sources: what each image comes from; None, or one source only, takes images as sources.
        count: how many images there are.

    Raises:
        ConSinGANError: sources of another number of images.
    """
    if sources is not None and len(sources) != count:
        raise ConSinGANError(f"There are {len(sources)} sources of {count} images: give one for each.")
    if sources is None or len(set(sources)) < 2:
        return np.arange(count)
    order = {source: number for number, source in enumerate(dict.fromkeys(sources))}
    return np.array([order[source] for source in sources])


def _by_source(matrix: Features, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Features:
    """Sums of a matrix of images over the images of each pair of sources."""
    left, right = (
        sparse.csr_array((np.ones(len(numbers)), (np.arange(len(numbers)), numbers))) for numbers in (rows, columns)
    )
    return np.asarray(left.T @ matrix @ right)


def _weighted(draws: Features, matrix: Features, other_draws: Features) -> Features:
    """The sum of a matrix of sources for each row of draws, which tells how often each source was drawn."""
    return np.asarray((draws @ matrix * other_draws).sum(axis=1))


class _Within:
    """Means of the kernel over the pairs of different images of a set, of which sources are drawn."""

    def __init__(self, features: Features, numbers: NDArray[np.int64]) -> None:
        kernel = _kernel(features, features)
        np.fill_diagonal(kernel, 0.0)
        self.sums = _by_source(kernel, numbers, numbers)
        sizes = np.bincount(numbers).astype(np.float64)
        self.pairs: Features = np.outer(sizes, sizes) - np.diag(sizes)

    def mean(self, draws: Features) -> Features:
        """The mean for each row of draws; NaN without a pair."""
        # A source that is drawn w times makes w * w pairs with itself, of which w are within one draw: only these.
        repeated = draws * (draws - 1)
        sums, pairs = (
            _weighted(draws, matrix, draws) - repeated @ np.diag(matrix) for matrix in (self.sums, self.pairs)
        )
        with np.errstate(invalid="ignore"):
            return np.asarray(sums / pairs)
