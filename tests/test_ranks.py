"""Medians and percentiles are NumPy's, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monai_consingan.ranks import median, percentiles


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int16, np.uint8])
@given(
    values=st.lists(st.integers(0, 200), min_size=1, max_size=60),
    air=st.integers(0, 200),
    shares=st.lists(st.floats(0, 100), min_size=1, max_size=3),
)
def test_percentiles_are_numpys(kind: type, values: list[int], air: int, shares: list[float]) -> None:
    image = (np.concatenate([np.zeros(air), values]) / (7 if issubclass(kind, np.floating) else 1)).astype(kind)
    np.testing.assert_array_equal(percentiles(image, shares), np.percentile(image, shares))


def test_of_a_volume_and_of_nothing_but_air() -> None:
    volume = np.maximum(np.random.default_rng(0).normal(-60, 100, (30, 31, 32)), 0).astype(np.float32)
    np.testing.assert_array_equal(percentiles(volume, (0.5, 99.5)), np.percentile(volume, (0.5, 99.5)))
    assert percentiles(np.zeros((3, 3)), (1, 99)).tolist() == [0, 0]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.integers(0, 30))
def test_the_median_is_numpys(values: list[float], air: int) -> None:
    image = np.array(values + [min(values)] * air)
    assert median(image) == np.median(image)


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=30), st.integers(-3, 3))
def test_the_median_of_what_is_not_left_out(pairs: list[tuple[int, bool]], one: int) -> None:
    image, out = np.array([*(value for value, _ in pairs), one]), np.array([*(left for _, left in pairs), False])
    assert median(image, out) == np.median(image[~out])
