"""The robust spread is SciPy's, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import median_abs_deviation

from monai_consingan.data.contrast import robust_spread


@given(st.integers(1, 40), st.integers(1, 100), st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_same_as_scipy(dtype: type, count: int, most: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, most, (count, 2)).astype(dtype)
    expected = float(median_abs_deviation(values, axis=None, scale="normal"))
    assert robust_spread(values) == (expected or float(values.std()))


def test_without_values_there_is_no_spread() -> None:
    assert np.isnan(robust_spread(np.zeros(0)))
