"""Synthetic against real images by their features, and real against real ones as the floor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_consingan.metrics.fid import Features, frechet_distance
from monai_consingan.metrics.kid import Interval, Sources, kernel_distance, source_numbers

MIN_IMAGES = 50
"""Images that each set must have for a ranking without a warning."""

MIN_SOURCES = 10
"""Sources, such as patients, that they must come from."""


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
    kid: Interval
    n_floor: int
    fid_floor: float
    fid_at_n_floor: float
    kid_floor: Interval
    warnings: tuple[str, ...]


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
    floor, fid_floor, fid_at_floor, kid_floor = 0, nan, nan, Interval(nan, nan, nan)
    sources = source_numbers(real_sources, len(real))
    divided = floor_sets(sources, len(synthetic), seed)
    if divided is not None:
        one, two, some = divided
        floor = len(one)
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


def floor_sets(
    sources: NDArray[np.int64], synthetic: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]] | None:
    """Images for the floor, divided at random: two halves of the real ones and as many synthetic ones.

    Args:
        sources: the number of each real image's source, which is not divided.
        synthetic: how many synthetic images there are.
        seed: seed of the division.

    Returns:
        Indices of three sets of one size; ``None`` where a half would have fewer than two images.
    """
    rng = np.random.RandomState(seed)
    halves = _halves(sources, rng)
    size = min(len(half) for half in halves)
    if size < 2:
        return None
    floor = min(size, synthetic)
    one, two = (rng.permutation(half)[:floor] for half in halves)
    return one, two, rng.permutation(synthetic)[:floor]


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
