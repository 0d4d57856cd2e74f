"""Frechet radiomic distance between sets of images, by the package frd-score, with its interval and its floor."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics.fid import Features, check_features, frechet_distance
from monai_consingan.metrics.kid import CONFIDENCE, Interval, Sources, source_numbers
from monai_consingan.metrics.sets import floor_sets
from monai_consingan.progress_bar import progress_bar

_GROUPS = 20  # of sources that are left out in turn


def radiomic_features(files: Sequence[str | os.PathLike[str]], *, progress: bool = False) -> Features:
    """Radiomic features of pictures as the Frechet radiomic distance takes them (version 1 of frd-score).

    First order, and texture by several matrices, of the picture and of its filtered versions; the whole picture counts.

    Args:
        files: pictures of at least 100 pixels a side or so (finer filters fail on smaller ones).
        progress: whether to show progress on the standard error stream.

    Returns:
        Array of shape (images, features).

    Raises:
        ConSinGANError: frd-score or pyradiomics is not installed, or a picture that cannot be used.
    """
    try:
        from frd_score.frd import get_feature_extractor, process_image_mask_pair

        extractor = get_feature_extractor(frd_version="v1", image_dim=2)
        logging.getLogger("radiomics").setLevel(logging.CRITICAL)  # only now, as pyradiomics sets it when it is loaded
    except ImportError as error:
        raise ConSinGANError(
            f"The Frechet radiomic distance needs frd-score and pyradiomics ({error}): pip install frd-score, and "
            "pyradiomics from its repository, as the page of frd-score says."
        ) from error
    rows = []
    with progress_bar(len(files), 0, "radiomics", show=progress) as bar:
        for file in files:
            try:
                values, *_ = process_image_mask_pair((os.fspath(file), None), feature_extractor=extractor)
            except Exception as error:  # of many kinds, by ITK and by pyradiomics
                raise ConSinGANError(f"The radiomic features of {file} cannot be computed: {error}") from error
            rows.append(values)
            bar.update()
    return np.asarray(rows, dtype=np.float64)


def radiomic_distance(
    first: Features,
    second: Features,
    *,
    first_sources: Sources | None = None,
    second_sources: Sources | None = None,
) -> Interval:
    """Frechet radiomic distance between two sets of images by their features.

    It is the logarithm of the squared distance of normalised features, as frd-score gives it; minus infinity for a set
    and itself.

    Features are normalised by the mean and the standard deviation of the first set, as published (Konz, Osuala et al.,
    Medical Image Analysis 110, 2026, https://doi.org/10.1016/j.media.2026.103943); those that do not vary there are
    left out. The interval is a jackknife's: sources are left out in turn, in at most 20 groups of each set.

    Args:
        first, second, first_sources, second_sources: see :func:`~monai_consingan.metrics.kernel_distance`.

    Raises:
        ConSinGANError: fewer than two images in a set, other numbers of features, or sources for other images.
    """
    check_features(first, second)
    groups = [
        source_numbers(sources, len(features)) % _GROUPS
        for sources, features in ((first_sources, first), (second_sources, second))
    ]
    value = _distance(first, second)
    variance = 0.0
    for number, group in enumerate(groups):
        left = []
        for one in np.unique(group):
            sets = [first, second]
            sets[number] = sets[number][group != one]
            left.append(_distance(*sets) if len(sets[number]) >= 2 else np.nan)
        variance += (len(left) - 1) * float(np.var(left)) if len(left) > 1 else np.nan
    from scipy import stats  # which takes half a second to import

    reach = float(stats.norm.ppf(0.5 + CONFIDENCE / 2) * np.sqrt(variance))
    return Interval(value, value - reach, value + reach)


def _distance(first: Features, second: Features) -> float:
    """Logarithm of the squared distance of normalised features."""
    mean, spread = first.mean(axis=0), first.std(axis=0)
    varies = spread > 0
    one, two = ((features[:, varies] - mean[varies]) / spread[varies] for features in (first, second))
    squared = frechet_distance(one, two)
    return float(np.log(squared)) if squared > 0 else -np.inf


def compare_radiomics(
    real: Features,
    synthetic: Features,
    *,
    real_sources: Sources | None = None,
    synthetic_sources: Sources | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare real with synthetic images by radiomic features, and real with real ones as the floor.

    Images some of whose features are no numbers are left out, as frd-score does.

    Args:
        real, synthetic, real_sources, synthetic_sources: see :func:`~monai_consingan.metrics.compare_sets`.
        seed: seed of the division.

    Returns:
        What is reported, ``n_real`` and ``n_synthetic``, the numbers of images whose features are all numbers; ``frd``,
        their distance with its interval; ``n_floor``, the images of each set for the other two, 0 where the real images
        cannot be divided; ``frd_floor``, the distance between two halves of the real images, below which none can be
        expected with so few images; and ``frd_at_n_floor``, that of as many synthetic images from the first half.

    Raises:
        ConSinGANError: as :func:`radiomic_distance`.
    """
    (real, real_sources), (synthetic, synthetic_sources) = (
        _whole(*given) for given in ((real, real_sources), (synthetic, synthetic_sources))
    )
    frd = radiomic_distance(real, synthetic, first_sources=real_sources, second_sources=synthetic_sources)
    sources = source_numbers(real_sources, len(real))
    floor = floor_sets(sources, len(synthetic), seed)
    count, between, across = 0, *[Interval(np.nan, np.nan, np.nan)] * 2
    if floor is not None:
        one, two, some = floor
        of_one, of_two = (sources[half].tolist() for half in (one, two))
        count, between = len(one), radiomic_distance(real[one], real[two], first_sources=of_one, second_sources=of_two)
        others = None if synthetic_sources is None else [synthetic_sources[index] for index in some.tolist()]
        across = radiomic_distance(real[one], synthetic[some], first_sources=of_one, second_sources=others)
    return {
        "n_real": len(real),
        "n_synthetic": len(synthetic),
        "frd": asdict(frd),
        "n_floor": count,
        "frd_floor": asdict(between),
        "frd_at_n_floor": asdict(across),
    }


def _whole(features: Features, sources: Sources | None) -> tuple[Features, Sources | None]:
    """The images whose features are all numbers, and their sources."""
    kept = np.flatnonzero(np.isfinite(features).all(axis=1))
    return features[kept], None if sources is None else [sources[index] for index in kept.tolist()]
