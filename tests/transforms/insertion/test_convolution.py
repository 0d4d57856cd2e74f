"""Convolution is that of SciPy's signals, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import fftconvolve

from monai_consingan.transforms.insertion.convolution import valid_convolution


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 12)), min_size=1, max_size=3), st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_as_scipy(dtype: type, sizes: list[tuple[int, int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    kernel = rng.standard_normal([n for n, _ in sizes]).astype(dtype)
    values = rng.standard_normal([n + more for n, more in sizes]).astype(dtype)
    found = valid_convolution(values, kernel)
    expected = fftconvolve(values, kernel, mode="valid")
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
