"""The published paste: the donor's voxels within the mask, the host's everywhere else."""

from __future__ import annotations

import numpy as np

from monai_consingan.arrays import cast_values


def naive_paste(host: np.ndarray, donor: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """``mask * donor + (1 - mask) * host``, exactly, in the host's type.

    Args:
        host: array of shape (C, \\*spatial).
        donor: array of the same shape, at the lesion's new place.
        mask: where the lesion is, boolean (\\*spatial).

    Returns:
        A new array; where the host is of an integer type, the donor's values are rounded and clipped to its range.

    Example:
        >>> naive_paste(np.array([[1, 2, 3]]), np.array([[7.6, 8.0, 9.0]]), np.array([True, False, False])).tolist()
        [[8, 2, 3]]
    """
    return np.where(mask, cast_values(donor, host.dtype), host)
