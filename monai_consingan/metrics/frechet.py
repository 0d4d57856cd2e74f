"""Distances between two sets of images, by their features: FID and KID, and what they are worth."""

from __future__ import annotations

import io
import warnings
from collections.abc import Hashable, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics.inception import replaced

__all__ = ["KID", "MIN_IMAGES", "MIN_SOURCES", "SetComparison", "compare_sets", "frechet_distance", "kernel_distance"]

MIN_IMAGES = 50
"""Images that each set must have for a ranking without a warning."""

MIN_SOURCES = 10
"""Sources, such as patients, that they must come from."""

Features = NDArray[np.float64]
Sources = Sequence[Hashable]


def frechet_distance(first: Features, second: Features) -> float:
    """Frechet distance between the normal distributions that fit two sets of features, by pytorch-fid's own function.

    Of Inception features it is the FID (Heusel et al., 2017, https://arxiv.org/abs/1706.08500). It is biased: the fewer
    images, the larger, so compare it between sets of the same numbers of images only.

    Args:
        first: features of one set, (images, features).
        second: features of the other set.

    Returns:
        The squared distance, as usual.

    Raises:
        ConSinGANError: fewer than two images in a set, or other numbers of features.
    """
    from pytorch_fid import fid_score

    _check(first, second)
    statistics = [
        part for features in (first, second) for part in (features.mean(axis=0), np.cov(features, rowvar=False))
    ]
    with (
        replaced(fid_score, "linalg", SimpleNamespace(sqrtm=_sqrtm)),
        redirect_stdout(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", linalg.LinAlgWarning)  # few images have singular covariances: that is no news
        return float(fid_score.calculate_frechet_distance(*statistics))


def _sqrtm(matrix: NDArray[Any], disp: bool = True) -> Any:
    """SciPy's matrix root for pytorch-fid, which uses the argument ``disp`` that SciPy 1.18 no longer has."""
    root = linalg.sqrtm(matrix)
    return root if disp else (root, np.nan)


def _check(first: Features, second: Features) -> None:
    for features in (first, second):
        if features.ndim != 2 or len(features) < 2:
            raise ConSinGANError(f"A set has features of the shape {features.shape}: give at least two images.")
    if first.shape[1] != second.shape[1]:
        raise ConSinGANError(
            f"The sets have {first.shape[1]} and {second.shape[1]} features: compute both with one network."
        )


@dataclass(frozen=True)
class KID:
    """What :func:`kernel_distance` finds.

    Args:
        value: the distance; 0 on average for two sets of one distribution, also below.
        lower: lower end of its interval.
        upper: upper end of its interval.
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
    confidence: float = 0.95,
    seed: int = 0,
) -> KID:
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
        confidence: coverage that is aimed at, above 0 and below 1.
        seed: seed of the draws.

    Returns:
        The value and its interval.

    Raises:
        ConSinGANError: fewer than two images in a set, other numbers of features, or sources for other images.
    """
    _check(first, second)
    one, two = _numbers(first_sources, len(first)), _numbers(second_sources, len(second))
    sizes = np.bincount(one), np.bincount(two)
    within_one, within_two = _Within(first, one), _Within(second, two)
    across, across_pairs = _by_source(_kernel(first, second), one, two), np.outer(*sizes).astype(np.float64)

    def distance(draws: NDArray[Any], other_draws: NDArray[Any]) -> NDArray[np.float64]:
        between = _weighted(draws, across, other_draws) / _weighted(draws, across_pairs, other_draws)
        return np.asarray(within_one.mean(draws) + within_two.mean(other_draws) - 2 * between)

    rng = np.random.RandomState(seed)
    counts = [len(size) for size in sizes]
    draws = [rng.multinomial(count, np.full(count, 1 / count), resamples).astype(np.float64) for count in counts]
    value = distance(*(np.ones((1, count)) for count in counts))[0]
    tail = 50 * (1 - confidence)
    lower, upper = np.nanpercentile(distance(*draws), [tail, 100 - tail])
    return KID(float(value), float(lower), float(upper))


def _kernel(first: Features, second: Features) -> Features:
    return np.asarray((first @ second.T / first.shape[1] + 1) ** 3)


def _numbers(sources: Sources | None, count: int) -> NDArray[np.int64]:
    """The number of each image's source, from 0."""
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


@dataclass(frozen=True)
class SetComparison:
    """What :func:`compare_sets` finds.

    Args:
        n_real: number of real images.
        n_synthetic: number of synthetic images.
        fid: Frechet distance between all real and all synthetic images.
        kid: kernel distance between them, with its interval.
        n_floor: images of each set for the next three; 0 where the real images cannot be divided.
        fid_floor: Frechet distance between two halves of the real images, which were divided at random: with so few
            images no method can be expected to do better.
        fid_at_n_floor: Frechet distance between the first half and as many synthetic images, to compare with it.
        kid_floor: kernel distance between the halves, with its interval.
        warnings: why the numbers must not be used for a ranking.
    """

    n_real: int
    n_synthetic: int
    fid: float
    kid: KID
    n_floor: int
    fid_floor: float
    fid_at_n_floor: float
    kid_floor: KID
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """All of it, for reports."""
        return asdict(self)


def compare_sets(
    real: Features,
    synthetic: Features,
    *,
    real_sources: Sources | None = None,
    synthetic_sources: Sources | None = None,
    seed: int = 0,
) -> SetComparison:
    """Compare real with synthetic images by their features, and real with real ones as the floor.

    Fewer than 50 images in a set, or images of fewer than 10 sources, do not allow a ranking at all, and a FID of fewer
    images than features is mostly bias; a warning tells each of them.

    Args:
        real: features of the real images, (images, features).
        synthetic: features of the synthetic images.
        real_sources: what each real image comes from, such as its volume; a source is not divided.
        synthetic_sources: what each synthetic image comes from.
        seed: seed of the division and of the intervals.

    Raises:
        ConSinGANError: as :func:`kernel_distance`.
    """
    kid = kernel_distance(real, synthetic, first_sources=real_sources, second_sources=synthetic_sources, seed=seed)
    nan = float("nan")
    floor, fid_floor, fid_at_floor, kid_floor = 0, nan, nan, KID(nan, nan, nan)
    rng = np.random.RandomState(seed)
    sources = _numbers(real_sources, len(real))
    halves = _halves(sources, rng)
    size = min(len(half) for half in halves)
    if size >= 2:
        floor = min(size, len(synthetic))
        one, two = (rng.permutation(half)[:floor] for half in halves)
        some = rng.permutation(len(synthetic))[:floor]
        fid_floor = frechet_distance(real[one], real[two])
        fid_at_floor = frechet_distance(real[one], synthetic[some])
        kid_floor = kernel_distance(
            real[one], real[two], first_sources=list(sources[one]), second_sources=list(sources[two]), seed=seed
        )
    return SetComparison(
        n_real=len(real),
        n_synthetic=len(synthetic),
        fid=frechet_distance(real, synthetic),
        kid=kid,
        n_floor=floor,
        fid_floor=fid_floor,
        fid_at_n_floor=fid_at_floor,
        kid_floor=kid_floor,
        warnings=_warnings(
            min(len(real), len(synthetic)),
            min(
                len(set(names))
                for names in (real_sources or range(len(real)), synthetic_sources or range(len(synthetic)))
            ),
            real.shape[1],
        ),
    )


def _halves(sources: NDArray[np.int64], rng: np.random.RandomState) -> tuple[NDArray[Any], NDArray[Any]]:
    """Indices of two halves of the images; sources, in random order, go to the half that is smaller so far."""
    in_first, sizes = np.zeros(len(sources), dtype=bool), [0, 0]
    for source in rng.permutation(sources.max() + 1):
        images = sources == source
        smaller = int(sizes[1] < sizes[0])
        sizes[smaller] += int(images.sum())
        in_first |= images & (smaller == 0)
    return np.flatnonzero(in_first), np.flatnonzero(~in_first)


def _warnings(images: int, sources: int, features: int) -> tuple[str, ...]:
    """Sentences on the smaller numbers of images and of sources of two sets."""
    found = []
    if images < MIN_IMAGES:
        found.append(f"{images} images in the smaller set are too few to rank methods: take {MIN_IMAGES} or more.")
    if sources < min(MIN_SOURCES, images):
        found.append(
            f"The images of one set come from {sources} source{'s' * (sources > 1)} only, and those of one source are "
            f"alike: take {MIN_SOURCES} volumes or more."
        )
    if images < features:
        found.append(
            f"The FID of {images} images with {features} features is mostly bias: compare it with the floor, between "
            "sets of one size only, and prefer the KID."
        )
    return tuple(found)
