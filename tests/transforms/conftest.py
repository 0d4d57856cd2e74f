"""Scans of thick slices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

_THICK = 6


@pytest.fixture(scope="session")
def thick_slices() -> Callable[..., np.ndarray]:
    """Makes texture of slices of 6 voxels, interpolated linearly along the last axis."""

    def make(seed: int, shape: tuple[int, int, int] = (24, 24, 37)) -> np.ndarray:
        rng = np.random.default_rng(seed)
        planes = gaussian_filter(rng.normal(size=(*shape[:2], shape[2] // _THICK + 2)), (0.7, 0.7, 0.0))
        low, part = np.divmod(np.arange(shape[2]) / _THICK, 1)
        low = low.astype(int)
        return np.asarray(planes[..., low] * (1 - part) + planes[..., low + 1] * part)

    return make
