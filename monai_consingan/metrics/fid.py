"""Frechet distance between two sets of features, such as the FID."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_consingan.errors import ConSinGANError

Features = NDArray[np.float64]
"""Features of a set of images, (images, features)."""


def frechet_distance(first: Features, second: Features) -> float:
    r"""Frechet distance between the normal distributions that fit two sets of features.

    Of Inception features it is the FID (Heusel et al., 2017, https://arxiv.org/abs/1706.08500). It is biased: the fewer
    images, the larger, so compare it between sets of the same numbers of images only.

    With means :math:`\mu` and covariances :math:`\Sigma` it is

    .. math:: |\mu_1 - \mu_2|^2 + \operatorname{tr} \Sigma_1 + \operatorname{tr} \Sigma_2
        - 2 \operatorname{tr} \sqrt{\Sigma_1 \Sigma_2}

    The last trace is the sum of the roots of the product's eigenvalues. With :math:`\Sigma_i = R_i^T R_i` these roots
    are the singular values of :math:`R_1 R_2^T`, which no rounding makes complex, also where images are fewer than
    features and the covariances singular.

    Args:
        first: features of one set, (images, features).
        second: features of the other set.

    Returns:
        The squared distance, as usual.

    Raises:
        ConSinGANError: fewer than two images in a set, or other numbers of features.
    """
    check_features(first, second)
    shift = first.mean(axis=0) - second.mean(axis=0)
    one, two = _root_of_covariance(first), _root_of_covariance(second)
    common = np.linalg.svd(one @ two.T, compute_uv=False).sum()
    return float(shift @ shift + (one**2).sum() + (two**2).sum() - 2 * common)


def _root_of_covariance(features: Features) -> Features:
    """A matrix whose product with itself, its transpose first, is the covariance; it has no more rows than columns."""
    root: Any = np.linalg.qr((features - features.mean(axis=0)) / np.sqrt(len(features) - 1), mode="r")
    return np.asarray(root)


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
