"""Frechet distance between two sets of features, such as the FID."""

from __future__ import annotations

import io
import warnings
from contextlib import redirect_stdout
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from monai_consingan.errors import ConSinGANError
from monai_consingan.metrics.inception import replaced

__all__ = ["Features", "check_features", "frechet_distance"]

Features = NDArray[np.float64]
"""Features of a set of images, (images, features)."""


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

    check_features(first, second)
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


def check_features(first: Features, second: Features) -> None:
    """Refuse features that cannot be compared.

    Raises:
        ConSinGANError: fewer than two images in a set, or other numbers of features.
    """
    for features in (first, second):
        if features.ndim != 2 or len(features) < 2:
            raise ConSinGANError(f"A set has features of the shape {features.shape}: give at least two images.")
    if first.shape[1] != second.shape[1]:
        raise ConSinGANError(
            f"The sets have {first.shape[1]} and {second.shape[1]} features: compute both with one network."
        )
