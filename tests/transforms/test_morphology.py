"""What is quicker than in SciPy is the same."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from monai_consingan.transforms.morphology import filled


@pytest.mark.parametrize("shape", [(9, 8, 3), (4, 9, 9), (7, 7, 7), (12, 11)])
def test_holes_are_filled_in_space_and_in_slices(shape: tuple[int, ...]) -> None:
    for seed in range(20):
        mask = np.random.default_rng(seed).random(shape) < 0.6
        expected = ndimage.binary_fill_holes(mask)
        if len(shape) == 3:
            axis = int(np.argmin(shape))
            slices = [ndimage.binary_fill_holes(part) for part in np.moveaxis(expected, axis, 0)]
            expected = np.stack(slices, axis=axis)
        np.testing.assert_array_equal(filled(mask), expected)
