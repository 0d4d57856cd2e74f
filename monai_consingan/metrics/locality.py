"""Locality: what a method must not touch."""

from __future__ import annotations

import numpy as np
from monai.config import NdarrayOrTensor

from monai_consingan.arrays import as_array
from monai_consingan.errors import ConSinGANError


def changed_outside(before: NdarrayOrTensor, after: NdarrayOrTensor, alteration: NdarrayOrTensor) -> int:
    """Number of values that changed where they must not.

    Args:
        before: the host.
        after: the result.
        alteration: mask or weight; changes are allowed where it is above 0. It has the images' shape, or one channel
            for all of theirs.

    Returns:
        Number of differing values where the alteration is 0, which is 0 for a method that keeps its promise. NaN equals
        NaN.

    Raises:
        ConSinGANError: when the shapes differ.
    """
    first, second, allowed = as_array(before), as_array(after), as_array(alteration)
    if first.shape != second.shape or allowed.shape not in (first.shape, (1, *first.shape[1:])):
        raise ConSinGANError(
            f"before, after and alteration have the shapes {first.shape}, {second.shape} and {allowed.shape}: "
            "give all three on one grid."
        )
    both_nan = (first != first) & (second != second)
    return int(np.count_nonzero((first != second) & ~both_nan & ~(allowed > 0)))
